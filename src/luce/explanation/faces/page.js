// The page: it shows what `quantities` gives for the state, and takes the reader's edits.

const written = JSON.parse(document.getElementById("state").textContent);
const every = selector => [...document.querySelectorAll(selector)];
const byId = id => document.getElementById(id);

let state = structuredClone(written), values = null, asked = 0;

// ---- showing

const FIXED = /^(curve|slope)_|^margins$|^descent_steps$|^(lost|exact)_margins$|^stalling$/; // curves that no number of the reader's moves
const isHidden = element => element.closest("[hidden], [data-static]") !== null; // or stands for the written numbers
const slotOf = place => {
  const [name, ...index] = place.split(",");
  return [name, index.map(Number)];
};

/** A number by its place, as it is shown; null where the script does not compute it. */
function numberAt(place, seen) {
  if (!seen.has(place)) {
    const [name, index] = slotOf(place), found = name in values ? entryOf(values, name, index) : undefined;
    seen.set(place, found === undefined ? null : { value: found, ...shown(found, written.digits) });
  }
  return seen.get(place);
}

function fillText(element, number) {
  if (element.textContent !== number.text) element.textContent = number.text;
}

/** Fill the places of a formula, and write ≈ before what was rounded. */
function fillMath(math, seen) {
  let relation = null;
  const close = () => { if (relation) relation.textContent = relation.rounded ? "≈" : "="; };
  for (const element of math.querySelectorAll("[data-slot], [data-eq]")) {
    if (element.hasAttribute("data-eq")) {
      close();
      relation = element;
      relation.rounded = false;
      continue;
    }
    const number = numberAt(element.dataset.slot, seen);
    if (!number) return;
    if (relation && number.rounded) relation.rounded = true;
    if (element.filledWith === number.text) continue;
    element.filledWith = number.text;
    const several = "several" in element.dataset && /^−| − /.test(number.text);
    element.innerHTML = several ? `<mo stretchy="false">(</mo>${mathOf(number)}<mo stretchy="false">)</mo>` : mathOf(number);
  }
  close();
}

/** Draw bars and cells as shares of the largest of their value. */
function fillShares(group, seen) {
  const marks = [...group.querySelectorAll("[data-bar], td.cell[data-slot]")];
  const numbers = marks.map(mark => numberAt(mark.dataset.bar ?? mark.dataset.slot, seen));
  const floats = numbers.map(number => (number ? Number(number.value) : 0));
  const largest = floats.reduce((a, x) => (Number.isFinite(x) ? Math.max(a, Math.abs(x)) : a), 0);
  group.querySelector(".bars")?.classList.toggle("signed", floats.some(x => x < 0));
  marks.forEach((mark, k) => {
    if (numbers[k]) mark.style.setProperty("--share", largest && Number.isFinite(floats[k]) ? (floats[k] / largest).toFixed(3) : 0);
  });
}

/** Draw the probabilities in the editor, whose bars are shares of 1. */
function fillProbabilities(seen) {
  for (const bar of every("[data-of-one]")) {
    bar.style.setProperty("--share", Number(numberAt(bar.dataset.bar, seen)?.value ?? 0).toFixed(4));
  }
}

/** Fill all places in a part of the page. */
function fill(root, seen) {
  for (const element of root.querySelectorAll(":not(mrow)[data-slot]")) {
    const number = isHidden(element) ? null : numberAt(element.dataset.slot, seen);
    if (number) fillText(element, number);
  }
  for (const math of root.querySelectorAll("math")) if (!isHidden(math)) fillMath(math, seen);
  for (const group of root.querySelectorAll("[data-value]")) if (!isHidden(group)) fillShares(group, seen);
}

const inSight = new Set(), sight = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) inSight[isIntersecting ? "add" : "delete"](target);
}, { rootMargin: "60%" });

let round = 0;

/** Show the state: what is in sight at once, the rest of the page right after this frame. */
function show({ atOnce = false } = {}) {
  values = quantities(state);
  const mask = String(optionsOf(state, written.said)), seen = new Map(), own = ++round;
  for (const element of every("[data-when]")) element.hidden = !element.dataset.when.split(" ").includes(mask);
  for (const note of every(".own-shift")) note.hidden = !state.shift;
  const away = toFragment(state, written) !== "";
  document.body.classList.toggle("edited", away);
  if (byId("numbers")) {
    const chosen = byId("numbers").querySelector("[data-slot-of-target] [data-slot]");
    if (chosen && state.target) chosen.dataset.slot = `probabilities,${state.target.class}`;
    fill(byId("numbers"), seen);
    fillProbabilities(seen);
    byId("away").hidden = !away || !document.querySelector("[data-static]");
  }
  const later = [];
  for (const article of every("article")) {
    if (atOnce || inSight.has(article)) fill(article, seen);
    else later.push(article);
  }
  const next = () => {
    const until = performance.now() + 8;
    while (later.length && own === round && performance.now() < until) fill(later.shift(), seen);
    if (later.length && own === round) setTimeout(next, 8);
  };
  setTimeout(next, 8);
}

/** Show the state at the next frame, and then say it and write it into the address. */
function follow() {
  asked ||= requestAnimationFrame(() => {
    asked = 0;
    show();
  });
  later("said", say, 700);
  later("address", writeAddress, 300);
}

const timers = {};
function later(name, act, wait) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(act, wait);
}

function say() {
  const text = byId("numbers").querySelector(".result").textContent.replace(/\s+/g, " ").trim();
  if (byId("said").textContent !== text) byId("said").textContent = text;
}

// ---- what the script does not compute

/** Mark every place of a quantity that the script does not compute: it stands for the numbers the page was written with. */
function markStatic() {
  for (const element of every("[data-slot]")) {
    const [name] = slotOf(element.dataset.slot);
    if (!(name in values) && !FIXED.test(name)) element.closest(".numbers, .formula, .value, .remark, .tabled, .figure")?.setAttribute("data-static", "");
  }
  for (const figure of every("[data-curves]")) if (figure.dataset.curves.split(" ").some(name => !FIXED.test(name))) figure.setAttribute("data-static", "");
  for (const element of every("[data-static]:not(button, a, span)")) {
    const mark = document.createElement("p");
    mark.className = "stale";
    mark.textContent = "For the numbers the page was written with:";
    element.prepend(mark);
  }
}

// ---- editing

function inputs() { return every(".editor input[data-key]"); }

/** Write the state into the inputs, but for the one that is being typed into. */
function fillInputs(typedInto = null) {
  for (const input of inputs()) {
    const text = read(state, input.dataset.key);
    if (input !== typedInto) {
      input.value = text.replace(/^-/, "−");
      input.removeAttribute("aria-invalid");
    }
    const number = Number(Many.read(text) ?? NaN);
    if (Number.isFinite(number)) input.setAttribute("aria-valuenow", String(number));
    else input.removeAttribute("aria-valuenow");
    input.setAttribute("aria-valuetext", text || "the largest score");
  }
  for (const radio of every(".editor input[type=radio]")) radio.checked = Number(radio.value) === state.target?.class;
}

function edit(input, text, typed) {
  const wrong = set(state, input.dataset.key, text);
  input.toggleAttribute("aria-invalid", false);
  if (wrong) input.setAttribute("aria-invalid", "true");
  byId("trouble").textContent = wrong && `${input.getAttribute("aria-label")}: ${wrong}`;
  if (wrong) return;
  fillInputs(typed ? input : null);
  follow();
}

/** Move a number by steps; what may not be is not set. */
function move(input, by) {
  const text = read(state, input.dataset.key) || values.shift.valueOf().toString(), number = Many.read(text);
  if (!number?.isFinite) return;
  edit(input, plain(number.add(by)), false);
}

/** A decimal number without a power of ten. */
function plain(number) {
  const digits = String(number.m < 0n ? -number.m : number.m), minus = number.m < 0n ? "-" : "";
  if (number.e >= 0) return minus + digits + "0".repeat(number.m ? number.e : 0);
  const padded = digits.padStart(1 - number.e, "0"), whole = padded.slice(0, number.e), rest = padded.slice(number.e).replace(/0+$/, "");
  return minus + whole + (rest && `.${rest}`);
}

const stepOf = event => (event.shiftKey ? "1" : event.altKey ? "0.01" : "0.1");

function onKey(event) {
  const input = event.target.closest("input[data-key]");
  if (!input) return;
  const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
  if (steps) {
    event.preventDefault();
    move(input, Many.read(stepOf(event)).mul(steps));
  }
}

/** Drag a number sideways: four pixels are a step. */
function onDrag(event) {
  const input = event.target.closest("input[data-key]");
  if (!input || event.button) return;
  let from = event.clientX, moved = false;
  const drag = e => {
    const steps = Math.trunc((e.clientX - from) / 4);
    if (!moved && Math.abs(e.clientX - from) < 6) return;
    moved = true;
    input.classList.add("dragged");
    if (steps) {
      from += 4 * steps;
      move(input, Many.read(stepOf(e)).mul(steps));
    }
    getSelection().removeAllRanges();
  };
  const stop = () => {
    input.classList.remove("dragged");
    removeEventListener("pointermove", drag);
    removeEventListener("pointerup", stop);
    removeEventListener("pointercancel", stop);
  };
  addEventListener("pointermove", drag);
  addEventListener("pointerup", stop);
  addEventListener("pointercancel", stop);
}

// ---- the address

const anchorOf = hash => hash.replace(/^#/, "").split("&").find(piece => piece && !piece.includes("=")) ?? "";

function writeAddress() {
  const fragment = [anchorOf(location.hash), toFragment(state, written)].filter(Boolean).join("&");
  if (`#${fragment}` === location.hash || (!fragment && !location.hash)) return;
  try {
    history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  } catch { /* a page inside of another has no address of its own */ }
}

function readAddress() {
  if (location.hash.includes("=")) {
    state = fromFragment(location.hash, written);
    fillInputs();
    show();
  } else writeAddress();
  arrive();
}

/** Go to the place in the address; steps that were out of sight get their height first. */
function arrive() {
  const place = byId(anchorOf(location.hash));
  if (!place) return;
  document.body.classList.add("whole");
  place.scrollIntoView({ behavior: "instant" });
  requestAnimationFrame(() => requestAnimationFrame(() => {
    document.body.classList.remove("whole");
    place.scrollIntoView({ behavior: "instant" });
  }));
}

// ---- the same quantity everywhere

function light(event) {
  for (const element of every(".lit, .near")) element.classList.remove("lit", "near");
  const element = event.target.closest?.("[data-slot], [data-bar], [data-q]");
  if (!element || event.type === "pointerout" || event.type === "focusout") return;
  const place = element.dataset.slot ?? element.dataset.bar, name = element.dataset.q ?? slotOf(place)[0];
  for (const other of every(`[data-q="${name}"]`)) other.classList.add("lit");
  if (place) for (const other of every(`[data-slot="${place}"], [data-bar="${place}"]`)) other.classList.add("lit");
  else for (const other of every(`[data-slot="${name}"], [data-slot^="${name},"], [data-bar^="${name},"]`)) other.classList.add("lit");
}

/** One cell of a value can be reached by Tab, the others by arrow keys. */
function onArrow(event) {
  const cell = event.target.closest("[data-value] [data-slot]"), by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  if (!cell?.matches("td") || !by) return;
  const line = cell.parentElement, lines = [...line.parentElement.rows], place = cell.cellIndex + by[1];
  let other = lines[lines.indexOf(line) + by[0]]?.cells[place];
  while (other && !other.matches("[data-slot]")) {
    const row = lines.indexOf(other.parentElement) + by[0];
    other = by[0] ? lines[row]?.cells[place] : other.parentElement.cells[other.cellIndex + by[1]];
  }
  if (!other) return;
  event.preventDefault();
  cell.tabIndex = -1;
  other.tabIndex = 0;
  other.focus();
}

function makeReachable() {
  for (const group of every("[data-value]")) group.querySelectorAll("td[data-slot], output").forEach((cell, k) => { cell.tabIndex = k ? -1 : 0; });
  const wide = () => {
    for (const box of every(".scroll")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  wide();
  addEventListener("resize", wide);
}

// ---- copying

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("aria-hidden", "true");
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.dataset.label ??= button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = button.dataset.label; }, 1500);
}

/** A value as NumPy writes it. */
function asNumpy(value) {
  if (value instanceof Matrix) return `np.array(${asList(value.nested())})`;
  return Array.isArray(value) ? `np.array(${asList(value)})` : asList(value);

  function asList(x) {
    if (Array.isArray(x)) return `[${x.map(asList).join(", ")}]`;
    const number = Number(x);
    if (Number.isNaN(number)) return "np.nan";
    if (Number.isFinite(number)) return /[.e]/.test(String(number)) ? String(number) : `${number}.0`;
    return number > 0 ? "np.inf" : "-np.inf";
  }
}

/** The code of a step after the quantities that it takes, with the reader's numbers: it runs as it is. */
function codeOf(code) {
  const lines = ["import numpy as np", ""], made = new Set([...code.matchAll(/^\s*(\w+)\s*=[^=]/gm)].map(found => found[1]));
  for (const name of new Set(code.match(/(?<![.\w])[a-z_]\w*/g))) {
    if (name in values && !made.has(name)) lines.push(`${name} = ${asNumpy(values[name])}`);
  }
  return [...lines, code, ""].join("\n");
}

// ---- start

for (const article of every("article")) sight.observe(article);
values = quantities(state);
markStatic();
show();
if (byId("numbers")) {
  fillInputs();
  fillProbabilities(new Map());
  const editor = byId("numbers");
  editor.addEventListener("input", ({ target }) => {
    if (target.matches("[data-key]")) edit(target, target.value, true);
    if (target.matches("[type=radio]")) {
      state.target = { class: Number(target.value) };
      follow();
    }
  });
  editor.addEventListener("focusout", ({ target }) => {
    if (target.matches("[data-key][aria-invalid]")) byId("trouble").textContent = "";
    fillInputs();
  });
  editor.addEventListener("keydown", onKey);
  editor.addEventListener("pointerdown", onDrag);
  byId("reset").addEventListener("click", () => {
    state = structuredClone(written);
    fillInputs();
    follow();
  });
  byId("share").addEventListener("click", ({ target }) => {
    writeAddress();
    copy(location.href, target);
  });
}
makeReachable();
startQuiz();
for (const type of ["pointerover", "pointerout", "focusin", "focusout"]) document.addEventListener(type, light);
document.addEventListener("keydown", onArrow);
document.addEventListener("click", ({ target }) => {
  const button = target.closest("button.copy");
  if (button) copy(codeOf(button.dataset.code), button);
});
addEventListener("hashchange", readAddress);
if (location.hash) readAddress();
globalThis.luce = { quantities, Many, Matrix, codeOf, show, get state() { return state; }, get values() { return values; } };
