// The quantities of the parts that compare: two classes and odds, ranking, other losses, and descent.

const placeOfLargest = (values, but = -1) => values.reduce((best, x, k) => (k !== but && (best < 0 || x.compare(values[best]) > 0) ? k : best), -1);
const larger = (a, b) => (b.compare(a) > 0 ? b : a);
const NOTHING = Many.odd(NaN);

/** The place of the target's class, the one with most mass; of the largest score where there is no target. */
function labelOf(q, target) {
  if (target?.class !== undefined) return target.class;
  return placeOfLargest(q.target_given.some(t => t.sign > 0) ? q.target_given : q.scores);
}

function softmaxOf(u) {
  const m = u.reduce(larger);
  if (m.odd === -Infinity) return u.map(() => NOTHING);
  const e = u.map(x => x.sub(m).exp()), total = sum(e);
  return e.map(x => x.div(total));
}

function twoClassQuantities(own, target) {
  const y = labelOf(own, target), r = placeOfLargest(own.scores, y), u = own.scaled;
  const difference = (a, b) => (!a.isFinite && !b.isFinite ? NOTHING : a.sub(b));
  return {
    own_score: () => u[y],
    rival_score: () => u[r],
    score_difference: () => difference(u[y], u[r]),
    sigmoid_of_difference: () => softmaxOf([u[y], u[r]])[0],
    odds: () => u.map(x => difference(u[y], x).exp()),
    rival_odds: () => difference(u[y], u[r]).exp(),
    probabilities_without: () => softmaxOf(u.map((x, k) => (k === r ? Many.odd(-Infinity) : x))),
    probabilities_with_twin: () => softmaxOf([...u, u[r]]),
  };
}

function rankingQuantities(own) {
  const discounted = (gains, ranks) => sum(gains.map((g, k) => g.mul(Many.of(2).log()).div(ranks[k].add(1).log())));
  const held = (q, values) => values.filter((_, k) => !q.gains[k].isZero);
  return {
    ranks: () => own.scores.map(z => Many.of(own.scores.filter(x => x.compare(z) >= 0).length)),
    reciprocal_ranks: q => q.ranks.map(r => ONE.div(r)),
    gains: () => own.target_given.map(t => t.div(sum(own.target_given))),
    ranking_loss: q => sum(timesTarget(q.gains, own.log_probabilities)).neg(),
    reciprocal_rank: q => held(q, q.reciprocal_ranks).reduce(larger),
    reciprocal_rank_loss: q => q.reciprocal_rank.log().neg(),
    ndcg: q => {
      const sorted = [...q.gains].sort((a, b) => b.compare(a));
      return discounted(q.gains, q.ranks).div(discounted(sorted, sorted.map((_, k) => Many.of(k + 1))));
    },
    ndcg_loss: q => q.ndcg.log().neg(),
  };
}

const sigmoid = x => (x.sign >= 0 ? ONE.div(ONE.add(x.neg().exp())) : x.exp().div(ONE.add(x.exp())));
const softplus = x => {
  if (!x.isFinite) return x.odd > 0 ? x : x.isNaN ? NOTHING : ZERO;
  return larger(x, ZERO).add(logOfOneAnd(x.abs().neg().exp()));
};

/** log(1 + x), with all figures where x is tiny: x − x²/2 + x³/3 − …, and each term adds eight figures or more. */
function logOfOneAnd(x) {
  if (x.abs().compare(new Many(1n, -8)) > 0) return ONE.add(x).log();
  let found = ZERO, term = x;
  for (let k = 1; k < Many.digits / 8 + 2; k++) {
    found = found.add(term.div(k));
    term = term.mul(x).neg();
  }
  return found;
}

/** The losses in the order of Python's `LOSSES`: each gives its value and its derivative in the scores z, for the target t of class y. */
const OTHER_LOSSES = [
  (z, t) => {
    const log = logSoftmax(z), mass = sum(t);
    return [sum(timesTarget(t, log)).neg(), log.map((x, k) => mass.mul(x.exp()).sub(t[k]))];
  },
  (z, t) => {
    const p = logSoftmax(z).map(x => x.exp()), miss = p.map((x, k) => x.sub(t[k])), mean = sum(times(p, miss));
    return [sum(times(miss, miss)), p.map((x, k) => x.mul(2).mul(miss[k].sub(mean)))];
  },
  (z, t) => {
    const miss = z.map((x, k) => sigmoid(x).sub(t[k]));
    return [sum(times(miss, miss)), z.map((x, k) => miss[k].mul(2).mul(sigmoid(x)).mul(sigmoid(x.neg())))];
  },
  (z, t) => {
    const less = t.map(x => ONE.sub(x));
    const terms = [...timesTarget(t, z.map(x => softplus(x.neg()))), ...timesTarget(less, z.map(softplus))];
    return [sum(terms), z.map((x, k) => sigmoid(x).sub(t[k]))];
  },
  (z, t, y) => {
    const signs = z.map((_, k) => (k === y ? ONE : ONE.neg())), short = z.map((x, k) => ONE.sub(signs[k].mul(x)));
    return [sum(short.map(x => larger(ZERO, x))), short.map((x, k) => (x.sign > 0 ? signs[k].neg() : ZERO))];
  },
  (z, t, y) => {
    const short = ONE.sub(marginOf(z, y)), r = placeOfLargest(z, y);
    if (r < 0 || short.sign <= 0) return [ZERO, z.map(() => ZERO)];
    return [short, z.map((_, k) => (k === y ? ONE.neg() : k === r ? ONE : ZERO))];
  },
  (z, t, y) => [marginOf(z, y).sign > 0 ? ZERO : ONE, z.map(() => ZERO)],
];

function logSoftmax(z) {
  const m = z.reduce(larger), lse = sum(z.map(x => x.sub(m).exp())).log();
  return z.map(x => x.sub(m).sub(lse));
}

/** The score of y less the largest other; ∞ without others, 0 between two of −∞. */
function marginOf(z, y) {
  const r = placeOfLargest(z, y);
  if (r < 0) return Many.odd(Infinity);
  return z[y].compare(z[r]) === 0 ? ZERO : z[y].sub(z[r]);
}

function otherLossQuantities(own, target) {
  const z = own.scores, y = labelOf(own, target);
  const found = lazily({ all: () => {
    const t = own.target_given.map(x => x.div(sum(own.target_given)));
    return OTHER_LOSSES.map(loss => loss(z, t, y));
  } });
  return {
    other_losses: () => found.all.map(([value]) => value),
    other_gradients: () => new Matrix(OTHER_LOSSES.length, z.length, (k, c) => found.all[k][1][c]),
    own_probability: () => logSoftmax(z)[y].exp(),
    complement: () => sum(logSoftmax(z).filter((_, k) => k !== y).map(x => x.exp())),
    saturation: q => q.own_probability.mul(q.complement),
  };
}

const DESCENT_STEPS = 10;

function descentQuantities(own, target, common, layer) {
  const y = labelOf(own, target), T = own.scores.length;
  const at = z => lazily(rowQuantities(z, target, common, null));
  const path = (size, gradientOf) => {
    const found = [own.scores];
    for (let k = 0; k < DESCENT_STEPS; k++) {
      const z = found[k], g = gradientOf(at(z));
      found.push(z.map((x, c) => (x.odd === -Infinity ? x : x.sub(size.mul(g[c])))));
    }
    return found;
  };
  const right = q => q.gradient, wrong = q => times(q.probabilities.map(p => q.mass.mul(p)), q.slope); // the target is not subtracted
  const smaller = (a, b) => (b.compare(a) < 0 ? b : a);
  const quantitiesOf = (name, size, gradientOf) => ({
    [`${name}_path`]: q => path(size(q), gradientOf),
    [`${name}_states`]: q => q[`${name}_path`].map(at),
    [name]: q => new Matrix(DESCENT_STEPS + 1, T, (k, c) => q[`${name}_path`][k][c]),
    [`${name}_losses`]: q => q[`${name}_states`].map(s => s.loss),
    [`${name}_probabilities`]: q => q[`${name}_states`].map(s => s.probabilities[y]),
    [`${name}_along`]: q => new Matrix(2, DESCENT_STEPS + 1, (i, k) => q[`${name}_${i ? "probabilities" : "losses"}`][k]),
  });
  return {
    descent_steps: () => Array.from({ length: DESCENT_STEPS + 1 }, (_, k) => Many.of(k)),
    steepest: () => {
      const { temperature: tau, softcap: cap, zLoss: zeta } = common, pull = zeta.isZero ? own.mass : own.mass.add(zeta.mul(2).mul(own.log_sum_exp.abs()));
      const found = pull.div(2).add(zeta.mul(2)).div(tau).div(tau);
      return cap ? found.add(pull.mul(4).div(root(3).mul(3).mul(cap).mul(tau))) : found;
    },
    step_size: q => smaller(ONE, ONE.div(q.steepest)),
    ...quantitiesOf("descent", q => q.step_size, right),
    ...quantitiesOf("wrong_descent", q => q.step_size, wrong),
    ...(layer && {
      layer_factor: () => sum(times(layer.x, layer.x)).add(1),
      layer_step_size: q => smaller(ONE, ONE.div(q.steepest.mul(q.layer_factor))),
      ...quantitiesOf("layer_descent", q => q.layer_step_size.mul(q.layer_factor), right),
    }),
  };
}

const root = k => Many.of(k).log().div(2).exp();
