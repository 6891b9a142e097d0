// The quantities of the explanation as a function of the reader's numbers, under the names that Python's `Values` has.

/** A matrix whose entries are computed when they are asked for. */
class Matrix {
  constructor(rows, columns, compute) {
    Object.assign(this, { rows, columns, compute, found: new Map() });
  }

  at(i, j) {
    const key = i * this.columns + j;
    if (!this.found.has(key)) this.found.set(key, this.compute(i, j));
    return this.found.get(key);
  }

  nested() {
    return Array.from({ length: this.rows }, (_, i) => Array.from({ length: this.columns }, (_, j) => this.at(i, j)));
  }
}

const sum = values => values.reduce((total, x) => total.add(x), ZERO);
const times = (a, b) => a.map((x, k) => x.mul(b[k]));
const timesTarget = (t, values) => t.map((x, k) => (x.isZero ? ZERO : x.mul(values[k])));

/** An object whose entries are computed when they are first asked for. */
function lazily(computes) {
  const found = {};
  for (const [name, compute] of Object.entries(computes)) {
    Object.defineProperty(found, name, {
      enumerable: true,
      configurable: true,
      get() {
        const value = compute(found);
        Object.defineProperty(found, name, { value, enumerable: true });
        return value;
      },
    });
  }
  return found;
}

/** The decimal digits to compute with, so that no cancellation reaches those that are shown. */
function digitsFor(rows, temperature) {
  const finite = rows.flat().map(z => Number(z) / temperature).filter(Number.isFinite);
  const largest = finite.reduce((a, b) => Math.max(a, b), -Infinity), least = finite.reduce((a, b) => Math.min(a, b), Infinity);
  return 60 + (finite.length ? Math.ceil(Math.min((largest - least) / Math.LN10, 340)) : 0);
}

/**
 * Every quantity of a state: {scores or layer, target, temperature, smoothing, weights, shift} that the reader edits, and
 * {softcap, zLoss, hard, row, rows, rowWeights, reduction, normalizer, conventions}; all numbers are text.
 * In the result a number is a Many, a vector an array of them, and a matrix a Matrix.
 */
function quantities(state) {
  const layer = state.layer && readLayer(state.layer);
  Many.digits = 60;
  const ofInput = x => layer.W.map((w, t) => sum(times(w, x)).add(layer.b[t]));
  const scoresOf = (r, k) => {
    if (layer) return ofInput(k === state.row ? layer.x : r.input.map(x => Many.read(x)));
    return (k === state.row ? state.scores : r.scores).map(x => Many.read(x));
  };
  const temperature = Many.read(state.temperature);
  const rowsOfScores = state.rows.map(scoresOf);
  Many.digits = digitsFor(rowsOfScores, Number(temperature));
  const common = {
    temperature,
    softcap: state.softcap === null ? null : Many.read(state.softcap),
    zLoss: Many.read(state.zLoss),
    epsilon: Many.read(state.smoothing),
    w: state.weights.map(x => Many.read(x)),
  };
  const rows = state.rows.map((r, k) => {
    const target = k === state.row ? state.target : r.target;
    return lazily(rowQuantities(rowsOfScores[k], target, common, k === state.row && state.shift ? Many.read(state.shift) : null));
  });
  const own = rows[state.row];
  const all = {};
  for (const name of Object.keys(own)) all[name] = () => own[name];
  Object.assign(all, formatLimits(), state.knowsBatch ? batchQuantities(state, rows, common) : {});
  if (own.scores.length > 1) Object.assign(all, twoClassQuantities(own, state.target));
  Object.assign(all, rankingQuantities(own), otherLossQuantities(own, state.target), descentQuantities(own, state.target, common, layer));
  if (layer) Object.assign(all, layerQuantities(layer, own));
  return lazily(all);
}

function readLayer({ x, W, b }) {
  const read = values => values.map(v => Many.read(v));
  return { x: read(x), W: W.map(read), b: read(b) };
}

/** The quantities of one row, from its scores to its second derivative. */
function rowQuantities(given, target, { temperature, softcap, zLoss, epsilon, w }, ownShift) {
  const T = given.length, classes = [...given.keys()], zeta = target === null ? ZERO : zLoss;
  const broken = given.some(z => z.isNaN || z.odd === Infinity) || given.every(z => z.odd === -Infinity);
  const z = broken ? given.map(() => Many.odd(NaN)) : given;
  const impossible = z.map(x => x.odd === -Infinity), counted = target !== null;
  const bent = softcap && z.map(x => x.div(softcap).tanh());
  return {
    scores: () => given,
    temperature: () => temperature,
    softcap: () => softcap ?? Many.odd(NaN),
    z_loss: () => zLoss,
    label_smoothing: () => epsilon,
    class_weights: () => w,
    scaled: () => z.map((x, k) => (impossible[k] ? x : (bent ? softcap.mul(bent[k]) : x).div(temperature))),
    slope: () => z.map((_, k) => (!bent ? ONE.div(temperature) : impossible[k] ? ZERO : ONE.sub(bent[k].mul(bent[k])).div(temperature))),
    shift: q => ownShift ?? (broken ? Many.odd(NaN) : q.scaled.reduce((a, b) => (b.compare(a) > 0 ? b : a))),
    shifted: q => q.scaled.map(u => u.sub(q.shift)),
    exponentials: q => q.shifted.map(x => x.exp()),
    total: q => sum(q.exponentials),
    probabilities: q => q.exponentials.map(e => e.div(q.total)),
    log_sum_exp: q => q.shift.add(q.total.log()),
    log_probabilities: q => {
      const log = q.total.log();
      return q.shifted.map(x => x.sub(log));
    },
    jacobian: ({ probabilities: p }) => new Matrix(T, T, (i, j) => p[i].mul((i === j ? ONE : ZERO).sub(p[j]))),
    jacobian_row_sums: ({ probabilities: p }) => {
      const rest = ONE.sub(sum(p));
      return p.map(x => x.mul(rest));
    },
    target_given: () => (!counted ? classes.map(() => ZERO) : target.shares ? target.shares.map(x => Many.read(x)) : classes.map(k => (k === target.class ? ONE : ZERO))),
    smoothed: q => q.target_given.map(t => (!counted ? t : ONE.sub(epsilon).mul(t).add(epsilon.div(T)))),
    target: q => times(w, q.smoothed),
    mass: q => sum(q.target),
    loss_terms: q => timesTarget(q.target, q.log_probabilities).map(x => x.neg()),
    loss: q => {
      if (!counted || broken) return counted ? Many.odd(NaN) : ZERO;
      const terms = sum(q.loss_terms);
      return zeta.isZero ? terms : terms.add(zeta.mul(q.log_sum_exp).mul(q.log_sum_exp));
    },
    loss_by_probabilities: ({ target: t, probabilities: p }) => t.map((x, k) => (x.isZero ? ZERO : p[k].isZero ? Many.odd(-Infinity) : x.div(p[k]).neg())),
    entropy: ({ target: t }) => sum(t.map(x => (x.sign > 0 ? x.mul(x.log()) : ZERO))).neg(),
    divergence: q => sum(q.loss_terms).sub(q.entropy),
    paths: ({ target: t, probabilities: p }) => new Matrix(T, T, (j, k) => t[k].neg().mul((j === k ? ONE : ZERO).sub(p[j]))),
    pull: q => (zeta.isZero ? q.mass : q.mass.add(zeta.mul(2).mul(q.log_sum_exp))),
    loss_gradient: ({ pull, target: t, probabilities: p }) => t.map((x, k) => (impossible[k] || !counted ? ZERO : pull.mul(p[k]).sub(x))),
    gradient: q => times(q.loss_gradient, q.slope),
    bend: q => z.map((x, k) => (!bent || impossible[k] ? ZERO : bent[k].mul(-2).mul(q.slope[k]).div(softcap).mul(q.loss_gradient[k]))),
    hessian: q => new Matrix(T, T, (i, j) => {
      const p = q.probabilities, inner = q.pull.mul(q.jacobian.at(i, j)).add(zeta.mul(2).mul(p[i]).mul(p[j]));
      const found = q.slope[i].mul(inner).mul(q.slope[j]);
      return bent && i === j ? found.add(q.bend[i]) : found;
    }),
    eigenvalues: q => eigenvalues(q.hessian, zeta.isZero && !bent ? 1 : 0, q.mass.abs()),
  };
}

/** The quantities of the layer below the scores. */
function layerQuantities({ x, W, b }, own) {
  const T = W.length, N = x.length;
  return {
    input: () => x,
    weights: () => new Matrix(T, N, (t, n) => W[t][n]),
    bias: () => b,
    contributions: () => new Matrix(T, N, (t, n) => W[t][n].mul(x[n])),
    layer_jacobian: () => new Matrix(T, T * N, (i, c) => (i === Math.floor(c / N) ? x[c % N] : ZERO)),
    weight_jacobian: () => new Matrix(T, T * N, (t, c) => {
      const i = Math.floor(c / N);
      return own.jacobian.at(t, i).mul(own.slope[i]).mul(x[c % N]);
    }),
    weight_gradient: () => new Matrix(T, N, (t, n) => own.gradient[t].mul(x[n])),
    bias_gradient: () => own.gradient,
    input_gradient: () => x.map((_, n) => sum(W.map((w, t) => own.gradient[t].mul(w[n])))),
  };
}

/** The quantities of all rows, and what they become. */
function batchQuantities(state, rows, { w }) {
  const targets = state.rows.map((r, k) => (k === state.row ? state.target : r.target));
  const counted = targets.map(t => t !== null), T = state.scores.length;
  const weights = state.rowWeights.map((r, k) => (counted[k] ? Many.read(r) : ZERO));
  const labels = targets.map(t => t?.class ?? 0);
  const ratio = (total, divisor) => (divisor.isZero ? Many.odd(NaN) : total.div(divisor));
  const total = () => sum(rows.map((q, k) => (weights[k].isZero ? ZERO : weights[k].mul(q.loss))));
  const mean = state.reduction === "mean";
  return {
    losses: () => rows.map(q => q.loss),
    row_weights: () => weights,
    shares: () => weights.map((r, k) => (state.hard ? r.mul(w[labels[k]]) : r)),
    divisor: q => (!mean ? ONE : state.normalizer === null ? sum(q.shares) : Many.read(state.normalizer)),
    value: q => {
      if (state.reduction === "none") return rows.map((row, k) => (weights[k].isZero ? ZERO : weights[k].mul(row.loss)));
      if (mean && q.divisor.isZero && state.onEmpty === "zero") return ZERO;
      return mean ? ratio(total(), q.divisor) : total();
    },
    batch_gradient: q => new Matrix(rows.length, T, (b, i) => {
      const row = rows[b];
      if (weights[b].isZero || row.scaled[i].odd === -Infinity) return ZERO;
      const found = weights[b].mul(row.gradient[i]);
      return mean && !q.divisor.isZero ? found.div(q.divisor) : found;
    }),
    conventions: q => state.conventions.map(kind => ratio(total(), {
      "weights": sum(q.shares),
      "rows": Many.of(rows.length),
      "counted": Many.of(counted.filter(Boolean).length),
      "row weights": sum(weights),
      "sum": ONE,
    }[kind])),
  };
}

/** The logarithms of the largest number and of half the smallest one of float16, bfloat16, float32 and float64. */
function formatLimits() {
  const formats = [[11, -14, 15], [8, -126, 127], [24, -126, 127], [53, -1022, 1023]];
  const two = k => (k < 0 ? ONE.div(new Many(1n << BigInt(-k))) : new Many(1n << BigInt(k)));
  return {
    overflow_limits: () => formats.map(([bits, , top]) => Many.of(2).sub(two(1 - bits)).mul(two(top)).log()),
    underflow_limits: () => formats.map(([bits, low]) => Many.of(low - bits).mul(Many.of(2).log())),
  };
}

const EIGEN_CLASSES = 24; // Python computes the eigenvalues of no larger matrix

/** The eigenvalues of a symmetric matrix in increasing order; `nulls` of them are known to be 0, and `mass` is what it was cancelled from. */
function eigenvalues(matrix, nulls, mass) {
  if (matrix.rows > EIGEN_CLASSES) return [];
  const entries = matrix.nested();
  if (entries.flat().some(x => !x.isFinite)) return entries.map(() => Many.odd(NaN));
  const scale = entries.flat().reduce((a, x) => Math.max(a, Math.abs(Number(x))), 0);
  const floats = scale ? jacobi(entries.map(row => row.map(x => Number(x) / scale)), FLOATS).map(x => x * scale) : [];
  const largest = floats.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
  const small = floats.filter(x => Math.abs(x) <= 1e-8 * largest);
  const precise = small.length <= nulls && largest > 1e-290; // no small one whose figures a float would lose
  const found = precise ? floats.map(x => Many.of(small.includes(x) ? 0 : x)) : jacobi(entries, MANY);
  const top = found.reduce((a, x) => (x.abs().compare(a) > 0 ? x.abs() : a), mass).mul(new Many(1n, 10 - Many.digits));
  return found.map(x => (x.abs().compare(top) <= 0 ? ZERO : x)).sort((a, b) => a.compare(b));
}

const FLOATS = { add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b, div: (a, b) => a / b, root: Math.sqrt, one: 1, below: x => x < 0, negligible: (x, a, b) => Math.abs(x) <= 1e-17 * Math.sqrt(Math.abs(a)) * Math.sqrt(Math.abs(b)) || Math.abs(x) < 1e-300 };
const MANY = {
  add: (a, b) => a.add(b),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  div: (a, b) => a.div(b),
  root: a => (a.isZero ? a : a.log().div(2).exp()),
  one: ONE,
  below: x => x.sign < 0,
  negligible: (x, a, b) => x.isZero || x.mul(x).compare(a.mul(b).abs().mul(new Many(1n, -Many.digits - 24))) <= 0 || x.abs().compare(new Many(1n, -Many.digits - 6)) <= 0,
};

/** Jacobi's method: rotations that make one entry after the other 0. */
function jacobi(entries, { add, sub, mul, div, root, one, below, negligible }) {
  const a = entries.map(row => [...row]), n = a.length;
  for (let sweep = 0; sweep < 40; sweep++) {
    let turned = false;
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        if (negligible(a[i][j], a[i][i], a[j][j])) continue;
        turned = true;
        const theta = div(sub(a[j][j], a[i][i]), mul(a[i][j], add(one, one)));
        const length = root(add(mul(theta, theta), one));
        const t = div(one, below(theta) ? sub(theta, length) : add(theta, length));
        const c = div(one, root(add(mul(t, t), one))), s = mul(t, c);
        for (let k = 0; k < n; k++) [a[k][i], a[k][j]] = [sub(mul(c, a[k][i]), mul(s, a[k][j])), add(mul(s, a[k][i]), mul(c, a[k][j]))];
        for (let k = 0; k < n; k++) [a[i][k], a[j][k]] = [sub(mul(c, a[i][k]), mul(s, a[j][k])), add(mul(s, a[i][k]), mul(c, a[j][k]))];
      }
    }
    if (!turned) break;
  }
  return a.map((row, k) => row[k]);
}

/** An entry of a quantity. */
function entryOf(values, name, index) {
  let found = values[name];
  if (found instanceof Matrix) return found.at(index[0], index[1]);
  for (const k of index) found = found[k];
  return found;
}
