// The state: the numbers that the reader edits. A key names each of them: z0, t0, w0, T, e, m, x0, W0.1, b0, and y for the class.

/** What a number may be: a condition and its words. */
const WANTED = {
  z: [() => true, "a number"],
  t: [x => x.isFinite && x.sign >= 0, "a number of at least 0"],
  w: [x => x.isFinite && x.sign >= 0, "a number of at least 0"],
  T: [x => x.isFinite && x.sign > 0, "a number above 0"],
  e: [x => x.isFinite && x.sign >= 0 && x.compare(1) <= 0, "a number from 0 to 1"],
  m: [x => x.isFinite, "a number, or nothing for the largest score"],
  x: [x => x.isFinite, "a number"],
  W: [x => x.isFinite, "a number"],
  b: [x => x.isFinite, "a number"],
};

/** Where a key's text is held: an object and the name in it. */
function placeOf(state, key) {
  const [first, second] = key.slice(1).split(".").map(Number);
  switch (key[0]) {
    case "z": return [state.scores, first];
    case "t": return [state.target.shares, first];
    case "w": return [state.weights, first];
    case "T": return [state, "temperature"];
    case "e": return [state, "smoothing"];
    case "m": return [state, "shift"];
    case "x": return [state.layer.x, first];
    case "W": return [state.layer.W[first], second];
    case "b": return [state.layer.b, first];
  }
}

function read(state, key) {
  const [holder, name] = placeOf(state, key);
  return holder[name];
}

/** Set a number; returns what is wrong with the text, or nothing. */
function set(state, key, text) {
  const [holder, name] = placeOf(state, key), [allowed, words] = WANTED[key[0]], trimmed = text.trim();
  const number = Many.read(trimmed);
  if (key !== "m" || trimmed) {
    if (number === null || !allowed(number)) return `expected ${words}, got “${trimmed}”`;
  }
  holder[name] = trimmed;
  return "";
}

/** The keys of all numbers that can be edited. */
function keysOf(state) {
  const { edits } = state, keys = [];
  if (edits.scores) keys.push(...state.scores.map((_, k) => `z${k}`));
  if (edits.target && state.target.shares) keys.push(...state.target.shares.map((_, k) => `t${k}`));
  keys.push(...state.weights.map((_, k) => `w${k}`), "T", "e", "m");
  if (edits.layer) {
    const { x, W, b } = state.layer;
    keys.push(...x.map((_, k) => `x${k}`), ...W.flatMap((w, t) => w.map((_, n) => `W${t}.${n}`)), ...b.map((_, k) => `b${k}`));
  }
  return keys;
}

/** The state as the fragment of an address says it: what differs from the numbers that the page was written with. */
function toFragment(state, written) {
  const said = keysOf(state).filter(key => read(state, key) !== read(written, key)).map(key => `${key}=${encodeURIComponent(read(state, key))}`);
  if (state.edits.target && state.target.class !== undefined && state.target.class !== written.target.class) said.push(`y=${state.target.class}`);
  return said.join("&");
}

/** The state that a fragment says; what it says wrongly is left as it was written. */
function fromFragment(fragment, written) {
  const state = structuredClone(written), keys = new Set(keysOf(state));
  for (const piece of fragment.replace(/^#/, "").split("&")) {
    const [key, coded] = piece.split("=");
    if (coded === undefined) continue;
    let text = "";
    try {
      text = decodeURIComponent(coded);
    } catch {
      continue;
    }
    if (keys.has(key)) set(state, key, text);
    else if (key === "y" && state.edits.target && state.target.class !== undefined && /^\d+$/.test(text) && Number(text) < state.weights.length) {
      state.target = { class: Number(text) };
    }
  }
  return state;
}

/** The options that are used, as the page's pieces list them: 1 temperature, 2 label smoothing, 4 class weights. */
function optionsOf(state, said) {
  const one = text => Many.read(text).compare(1) === 0;
  const used = (one(state.temperature) ? 0 : 1) | (Many.read(state.smoothing).isZero ? 0 : 2) | (state.weights.every(one) ? 0 : 4);
  return used | said;
}
