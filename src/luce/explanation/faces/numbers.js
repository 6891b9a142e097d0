// Decimal numbers of many digits, so that the page shows the exact value rounded and never a float's own error:
// m · 10^e with a BigInt m. What is no number (NaN, ∞, −∞) is held by `odd`, a float.

const GUARD = 8; // digits that are computed beyond those that are asked for
const LARGEST_EXPONENT = 1e15; // beyond it only the power of ten is right
const POWERS = [1n];

function power(k) {
  while (POWERS.length <= k) POWERS.push(POWERS[POWERS.length - 1] * 10n);
  return POWERS[k];
}

const lengthOf = m => (m < 0n ? -m : m).toString().length;

class Many {
  static digits = 60;

  constructor(m, e = 0, odd = null) {
    this.m = m;
    this.e = e;
    this.odd = odd;
  }

  static odd(value) {
    return new Many(0n, 0, value);
  }

  /** A number as it is written: 0.1 is one tenth; null where it can't be read. */
  static read(text) {
    const written = String(text).trim().replace(/−/g, "-").toLowerCase();
    if (/^[+-]?(inf|infinity|∞)$/.test(written)) return Many.odd(written.startsWith("-") ? -Infinity : Infinity);
    if (written === "nan") return Many.odd(NaN);
    const found = /^([+-]?)(\d*)[.,]?(\d*)(?:e([+-]?\d{1,6}))?$/.exec(written);
    if (!found || !(found[2] + found[3])) return null;
    const many = new Many(BigInt(found[1] + "1") * BigInt(found[2] + found[3]), Number(found[4] ?? 0) - found[3].length);
    return Number.isFinite(many.valueOf()) ? many : Many.odd(many.valueOf()); // beyond a float's range it is infinite
  }

  static of(value) {
    if (value instanceof Many) return value;
    return Number.isFinite(value) ? Many.read(String(value)) : Many.odd(value);
  }

  get isZero() { return this.odd === null && this.m === 0n; }
  get isFinite() { return this.odd === null; }
  get isNaN() { return Number.isNaN(this.odd); }
  get sign() { return this.odd !== null ? Math.sign(this.odd) : this.m > 0n ? 1 : this.m < 0n ? -1 : 0; }

  valueOf() {
    if (this.odd !== null) return this.odd;
    const digits = this.m.toString();
    return Number(digits + "e" + this.e);
  }

  /** The same number with no more digits than are computed with. */
  rounded(digits = Many.digits + GUARD) {
    const over = lengthOf(this.m) - digits;
    if (over <= 0) return this;
    const unit = power(over), half = this.m < 0n ? -unit / 2n : unit / 2n;
    return new Many((this.m + half) / unit, this.e + over);
  }

  neg() { return this.odd !== null ? Many.odd(-this.odd) : new Many(-this.m, this.e); }
  abs() { return this.sign < 0 ? this.neg() : this; }

  add(other) {
    other = Many.of(other);
    if (this.odd !== null || other.odd !== null) return Many.odd((this.odd ?? 0) + (other.odd ?? 0));
    if (this.m === 0n) return other;
    if (other.m === 0n) return this;
    const [high, low] = this.e >= other.e ? [this, other] : [other, this];
    const top = x => x.e + lengthOf(x.m);
    if (Math.abs(top(this) - top(other)) > 3 * (Many.digits + GUARD)) return top(this) > top(other) ? this : other;
    return new Many(high.m * power(high.e - low.e) + low.m, low.e).rounded();
  }

  sub(other) { return this.add(Many.of(other).neg()); }

  mul(other) {
    other = Many.of(other);
    if (this.odd !== null || other.odd !== null) {
      return Many.odd((this.odd ?? this.sign) * (other.odd ?? other.sign));
    }
    return new Many(this.m * other.m, this.e + other.e).rounded();
  }

  div(other) {
    other = Many.of(other);
    if (this.odd !== null || other.odd !== null) {
      if (this.odd === null && !other.isNaN) return ZERO;
      return Many.odd((this.odd ?? this.sign) / (other.odd ?? (other.sign || 0)));
    }
    if (other.m === 0n) return Many.odd(this.sign / 0);
    const more = Math.max(0, Many.digits + GUARD + lengthOf(other.m) - lengthOf(this.m));
    return new Many((this.m * power(more)) / other.m, this.e - other.e - more).rounded();
  }

  /** −1, 0 or 1; NaN where one is NaN. */
  compare(other) {
    const rest = this.sub(other);
    if (this.odd !== null && this.odd === Many.of(other).odd) return 0;
    return rest.isNaN ? NaN : rest.sign;
  }

  exp() {
    if (this.odd !== null) return this.odd === -Infinity ? ZERO : Many.odd(Math.exp(this.odd));
    const size = this.isZero ? 0 : Math.max(0, this.e + lengthOf(this.m));
    if (size > 16) return this.sign < 0 || size < 300 ? new Many(1n, Math.floor(Number(this) / Math.LN10)) : Many.odd(Infinity);
    const digits = Many.digits + GUARD + size, one = power(digits);
    const x = fixed(this, digits), ten = constants(digits).ten;
    let k = x / ten;
    if (x < 0n) k -= 1n;
    return new Many(expFixed(x - k * ten, one), Number(k) - digits).rounded();
  }

  log() {
    if (this.odd !== null) return Many.odd(Math.log(this.odd));
    if (this.m === 0n) return Many.odd(-Infinity);
    if (this.m < 0n) return Many.odd(NaN);
    const digits = Many.digits + GUARD, one = power(digits), length = lengthOf(this.m);
    const size = Number(new Many(this.m, -length)) > 0.3 ? length : length - 1;
    const near = new Many(this.m, -size), part = fixed(near, digits); // 0.3 to 3: the logarithm of 1 is 0 and nothing else
    let y = fixed(Many.of(Math.log(Number(near))), digits);
    for (let right = 14; right < digits; right *= 3) { // Halley's step triples the digits that are right
      const e = expFixed(y, one);
      y += (2n * one * (part - e)) / (part + e);
    }
    return new Many(y, -digits).add(new Many(constants(digits).ten, -digits).mul(this.e + size));
  }

  tanh() {
    if (this.odd !== null) return Many.of(Math.tanh(this.odd));
    const e = this.abs().mul(-2).exp(), found = ONE.sub(e).div(ONE.add(e));
    return this.sign < 0 ? found.neg() : found;
  }
}

const ZERO = new Many(0n), ONE = new Many(1n);

/** A number as a multiple of 10^−digits. */
function fixed(x, digits) {
  const shift = x.e + digits;
  if (shift >= 0) return x.m * power(shift);
  return -shift > lengthOf(x.m) ? 0n : x.m / power(-shift);
}

/** exp of a multiple of 1 / one, |x| < 3 one: the series of x / 256, squared eight times. */
function expFixed(x, one) {
  const more = 1000000n, unit = one * more, small = (x * more) / 256n;
  let term = unit, sum = unit;
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    term = (term * small) / (unit * k);
    sum += term;
  }
  for (let k = 0; k < 8; k++) sum = (sum * sum) / unit;
  return sum / more;
}

const found = new Map();

/** The logarithm of 10 as a multiple of 10^−digits: 46 artanh 1/31 + 34 artanh 1/49 + 20 artanh 1/161. */
function constants(digits) {
  if (!found.has(digits)) {
    const one = power(digits + 5);
    const artanh = n => {
      let term = one / n, sum = term;
      for (let k = 3n; term; k += 2n) {
        term /= n * n;
        sum += term / k;
      }
      return sum;
    };
    found.set(digits, { ten: (46n * artanh(31n) + 34n * artanh(49n) + 20n * artanh(161n)) / 100000n });
  }
  return found.get(digits);
}

/** A number as it is shown, by the rules of Python's `shown`: {text, latex-free parts, rounded}. */
function shown(x, digits) {
  if (x.isNaN) return { text: "NaN", rounded: false };
  if (!x.isFinite) return { text: x.odd > 0 ? "∞" : "−∞", rounded: false };
  if (x.isZero) return { text: "0", rounded: false };
  // digits beyond those that are right are noise of the computation: rounded away first, as they are not the number's
  const right = x.rounded(Math.max(digits + 2, Many.digits - 10)), short = right.rounded(digits);
  const figures = (short.m < 0n ? -short.m : short.m).toString(), exponent = short.e + figures.length - 1;
  if (Math.abs(exponent) > 9999) {
    const beyond = shown(Many.of(exponent), digits);
    return { text: `10^(${beyond.text})`, power: beyond.text, rounded: true };
  }
  const cut = right.compare(short) !== 0;
  if (cut && Math.abs(Number(short)) === 1 && right.abs().compare(1) < 0) {
    const rest = shown(ONE.sub(right.abs()), 2);
    return { text: x.sign < 0 ? `−(1 − ${rest.text})` : `1 − ${rest.text}`, below: rest, negative: x.sign < 0, rounded: true };
  }
  const kept = cut ? figures.padEnd(digits, "0").slice(0, digits) : figures.replace(/0+$/, "");
  const minus = x.sign < 0 ? "−" : "";
  if (exponent < -4 || exponent >= 6) {
    const mantissa = kept.length > 1 ? `${kept[0]}.${kept.slice(1)}` : kept;
    return { text: `${minus}${mantissa}e${exponent}`.replace("e-", "e−"), mantissa, exponent, negative: x.sign < 0, rounded: cut };
  }
  return { text: minus + pointed(kept, exponent), rounded: cut };
}

/** Figures with the decimal point after the one of that power of ten. */
function pointed(figures, exponent) {
  const point = exponent + 1;
  if (point <= 0) return `0.${"0".repeat(-point)}${figures}`;
  const padded = figures.padEnd(point, "0"), rest = padded.slice(point);
  return padded.slice(0, point) + (rest && `.${rest}`);
}

/** The same in MathML. */
function mathOf(number) {
  const minus = "<mo form=\"prefix\">−</mo>";
  if (number.power) return `<msup><mn>10</mn>${row(numeral(number.power))}</msup>`;
  if (number.below) {
    const inner = `<mn>1</mn><mo>−</mo>${mathOf(number.below)}`;
    return number.negative ? `${minus}<mo>(</mo>${inner}<mo>)</mo>` : inner;
  }
  if (number.mantissa) {
    return `${number.negative ? minus : ""}<mn>${number.mantissa}</mn><mo>×</mo><msup><mn>10</mn>${row(numeral(String(number.exponent)))}</msup>`;
  }
  return numeral(number.text);

  function row(inner) { return `<mrow>${inner}</mrow>`; }
  function numeral(text) {
    const negative = /^[-−]/.test(text), rest = negative ? text.slice(1) : text;
    const tag = /\d/.test(rest) ? "mn" : "mi";
    return `${negative ? minus : ""}<${tag}>${rest}</${tag}>`;
  }
}
