"""The page of an explanation in a browser: the script's numbers are Python's, and all is seen, reached and shared."""

import json
import re
from functools import cache
from weakref import WeakKeyDictionary

import numpy as np
import pytest
from mpmath import mp

import luce
from browsers import installed_browser
from luce.explanation.faces.page import html
from luce.explanation.quantities import _QUANTITIES as QUANTITIES
from luce.explanation.shown import slot_at

playwright = pytest.importorskip("playwright.sync_api")
COMPARISONS = "two-classes", "ranking", "other-losses", "descent"
LARGEST_PAGE = 1_000_000  # bytes
PAGES = WeakKeyDictionary()  # that were written

# what the script computes, as floats by name
COMPUTED = """() => {
  const floats = x => x instanceof luce.Matrix ? floats(x.nested())
    : Array.isArray(x) ? x.map(floats) : String(Number(x));
  return Object.fromEntries(Object.keys(luce.values).map(name => [name, floats(luce.values[name])]));
}"""
PLACES = """() => {
  luce.show({ atOnce: true });
  return [...document.querySelectorAll("[data-slot]")]
    .filter(e => !e.closest("[hidden]") && !e.closest(".edited [data-static]"))
    .map(e => [e.dataset.slot, e.textContent, "several" in e.dataset]);
}"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=installed_browser(), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of a derivation; the console is read at the end, and nothing may be on it."""
    contexts, console = [], []

    def open_it(derivation, fragment="", **context):
        place = tmp_path / f"{len(contexts)}.html"
        if derivation not in PAGES:
            PAGES[derivation] = html(derivation)
        place.write_text(PAGES[derivation], "utf-8")
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: console.append(message.text))
        page.on("pageerror", lambda error: console.append(str(error)))
        page.goto(place.as_uri() + fragment)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert console == []


def until(page, condition):
    """Wait for a condition; the page's policy forbids what Playwright has for this."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never {condition}")


def written(x):
    return np.format_float_positional(x, trim="-")


def drawn(seed):
    """Return logits, a target and options, drawn."""
    rng = np.random.default_rng(seed)
    classes = 1 + seed % 10
    z = np.round(rng.normal(scale=rng.choice([0.5, 3, 30, 300]), size=classes), 3)
    target = int(rng.integers(classes)) if seed % 2 else np.round(rng.dirichlet(np.ones(classes)), 4)
    options = {}
    if rng.random() < 0.5:
        options["temperature"] = round(float(rng.uniform(0.2, 4)), 3)
    if rng.random() < 0.5:
        options["label_smoothing"] = round(float(rng.uniform(0.01, 0.9)), 3)
    if rng.random() < 0.5:
        options["weight"] = np.round(rng.uniform(0, 3, size=classes), 3)
    return z, target, options


def edited(page, z, target, options):
    """Bring the numbers of a page to others by its inputs."""
    numbers = {f"z{k}": written(x) for k, x in enumerate(z)}
    if np.ndim(target):
        numbers |= {f"t{k}": written(x) for k, x in enumerate(target)}
    else:
        page.check(f"input[name=target][value='{target}']")
    numbers |= {f"w{k}": written(x) for k, x in enumerate(options.get("weight", np.ones(len(z))))}
    numbers |= {"T": written(options.get("temperature", 1)), "e": written(options.get("label_smoothing", 0))}
    page.evaluate(
        """numbers => { for (const [key, text] of Object.entries(numbers)) {
          const input = document.querySelector(`[data-key="${key}"]`);
          input.value = text;
          input.dispatchEvent(new Event("input", { bubbles: true }));
        } luce.show({ atOnce: true }); }""",
        numbers,
    )


def assert_same_numbers(page, derivation):
    computed = page.evaluate(COMPUTED)
    parts = {part.key for part in derivation.parts}
    for name, found in computed.items():
        part = getattr(QUANTITIES.get(name), "__module__", "").rpartition(".")[2].replace("_", "-")
        if part in COMPARISONS and part not in parts:  # there is no such part of a row without a target
            continue
        if name not in QUANTITIES or (name == "softcap" and derivation.values.derived.softcap is None):
            continue
        if name == "eigenvalues" and derivation.case.n_classes > 24:
            continue
        expected = derivation.values[name].astype(np.float64)
        found = np.array(found, dtype=object).reshape(expected.shape).astype(np.float64)
        scale = np.maximum(np.abs(expected), 1)
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        with np.errstate(invalid="ignore"):
            assert (same | (np.abs(found - expected) <= 1e-12 * scale)).all(), name
    return set(computed)


def assert_same_text(page, derivation):
    places = page.evaluate(PLACES)
    assert len(places) > 20
    with mp.workdps(derivation.case.digits):
        for place, text, several in places:
            number = derivation.shown(slot_at(place))
            expected = number.text
            if several and (number.latex.startswith("-") or " - " in number.latex):
                expected = f"({expected})"
            assert plain(text) == plain(expected), place


def plain(text):
    """Return a number as it is written in text, from text or from a formula's."""
    text = re.sub(r"\s", "", text)
    return re.sub(r"×10(−?\d+)", r"e\1", re.sub(r"10\^\((.*)\)", r"10\1", text))


@pytest.mark.parametrize("seed", range(30))
def test_the_script_computes_what_python_does(opened, seed):
    z, target, options = drawn(seed)
    page = opened(of_zeros(len(z), np.ndim(target) == 0))
    edited(page, z, target, options)
    derivation = luce.explain(z, target, **options)
    assert_same_text(page, derivation)
    assert {"probabilities", "hessian", "value", "eigenvalues"} <= assert_same_numbers(page, derivation)


CASES = {
    "example": {},
    "one class": {"logits": [2.0], "target": 0},
    "200 classes": {"logits": np.sin(np.arange(200)), "target": 100},
    "-inf": {"logits": [2.0, -np.inf, 0.1], "target": 0},
    "impossible": {"logits": [2.0, -np.inf, 0.1], "target": 1},
    "nan": {"logits": [2.0, np.nan, 0.1], "target": 0},
    "saturated": {"logits": [40.0, -300.0, 0.5], "target": 1, "digits": 7},
    "layer": {"x": [1.0, 2.0], "W": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "b": [0.0, 0.1, 0.0], "target": 2},
    "large layer": {"x": np.linspace(-1, 1, 30), "W": np.sin(np.arange(120)).round(3).reshape(4, 30), "target": 2},
    "softcap": {"logits": [2.0, 1.0, 0.1], "target": 0, "softcap": 2.0, "z_loss": 0.1, "temperature": 0.5},
    "batch": {
        "logits": [[2.0, 1.0, 0.1], [0.0, 3.0, 1.0], [1.0, 1.0, 1.0], [5.0, 0.0, 1.0]],
        "target": [0, 1, -100, 2],
        "weight": [1.0, 2.0, 0.5],
        "sample_weight": [1.0, 2.0, 1.0, 0.5],
    },
    "layer of a batch": {
        "x": [[1.0, 2.0], [0.5, -1.0]],
        "W": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
        "target": [2, 0],
        "reduction": "sum",
    },
    "distribution": {"logits": [2.0, 1.0, 0.1], "target": [0.7, 0.2, 0.2], "label_smoothing": 0.1},
    "no reduction": {"logits": [[2.0, 1.0], [0.0, 3.0]], "target": [0, 1], "reduction": "none"},
    "ignored": {"logits": [[2.0, 1.0], [0.0, 3.0]], "target": [-100, 1], "row": 0},
}


@cache
def explained(name):
    return luce.explain(**CASES[name])


@cache
def of_zeros(classes, hard):
    return luce.explain(np.zeros(classes), 0 if hard else np.eye(classes)[0])


@pytest.mark.parametrize("name", CASES)
def test_the_page_starts_with_the_same_numbers(opened, name):
    derivation = explained(name)
    page = opened(derivation)
    assert_same_numbers(page, derivation)
    assert_same_text(page, derivation)
    assert page.locator("[data-static] > .stale:visible").count() == 0
    assert len(PAGES[derivation].encode()) < LARGEST_PAGE


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_wider_than_the_window(opened, name, width):
    page = opened(explained(name), viewport={"width": width, "height": 900})
    page.add_style_tag(content="article { content-visibility: visible !important }")
    client, scroll = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
    assert scroll == client


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["example", "200 classes", "impossible", "layer", "batch", "distribution"])
def test_nothing_keeps_a_reader_out(opened, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(explained(name), color_scheme=scheme)
    page.add_style_tag(content="article { content-visibility: visible !important }")
    page.evaluate("luce.show({ atOnce: true })")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_what_keeps_a_reader_out_would_be_found(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(luce.explain())
    page.evaluate("document.querySelector('[data-key=z0]').removeAttribute('aria-label')")
    assert axe.Axe().run(page).violations_count > 0


def test_arrow_keys_typing_and_dragging_change_a_score(opened):
    page = opened(luce.explain())
    score = page.locator("[data-key=z0]")
    score.focus()
    for key, expected in (
        ("ArrowUp", "2.1"),
        ("Shift+ArrowDown", "1.1"),
        ("Alt+ArrowUp", "1.11"),
        ("PageDown", "0.11"),
    ):
        page.keyboard.press(key)
        assert score.input_value() == expected
    score.fill("−3.5")
    assert page.evaluate("luce.state.scores[0]") == "−3.5"
    score.fill("three")
    assert page.evaluate("luce.state.scores[0]") == "−3.5"
    assert "three" in page.locator("#trouble").text_content()
    assert score.get_attribute("aria-invalid") == "true"
    score.fill("1e400")  # what no float holds is infinite, as on the command line
    assert page.evaluate("luce.show({atOnce: true}); Number.isNaN(Number(luce.values.probabilities[0]))")
    score.fill("-inf")
    page.locator("[data-key=z1]").focus()
    assert page.evaluate("luce.show({atOnce: true}); Number(luce.values.probabilities[0])") == 0
    page.click("#reset")
    box = score.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 10, steps=8)
    page.mouse.up()
    assert score.input_value() == "3"
    until(page, "document.querySelector('#said').textContent.includes('loss')")


def test_an_option_brings_its_steps_and_its_letter(opened):
    page = opened(luce.explain())
    assert (
        not page.locator("#scaled").is_visible()
        and "z" in page.locator("#exponentials .formula:not([hidden]) math").text_content()
    )
    page.locator("[data-key=T]").fill("2")
    until(page, "!document.querySelector('#scaled').hidden")
    page.evaluate("luce.show({ atOnce: true })")
    derivation = luce.explain([2.0, 1.0, 0.1], 0, temperature=2.0)
    assert_same_text(page, derivation)
    shown = page.evaluate("[...document.querySelectorAll('article')].filter(a => !a.hidden).map(a => a.id)")
    assert shown == list(derivation.keys())
    assert "u" in page.locator("#exponentials .formula:not([hidden]) math").text_content()


def test_the_address_carries_the_numbers(opened):
    first = opened(luce.explain())
    first.locator("[data-key=z1]").fill("3.25")
    first.check("input[name=target][value='2']")
    first.locator("[data-key=e]").fill("0.1")
    until(first, "location.hash.includes('y=2')")
    fragment = first.evaluate("location.hash")
    second = opened(luce.explain(), fragment)
    assert second.evaluate("luce.state.scores.join()") == "2,3.25,0.1"
    assert_same_text(second, luce.explain([2.0, 3.25, 0.1], 2, label_smoothing=0.1))
    assert second.locator("[data-key=e]").input_value() == "0.1"
    second.click("nav a >> nth=3")
    until(second, "location.hash.startsWith('#part-jacobian&') && location.hash.includes('z1=3.25')")
    second.click("#reset")
    until(second, "location.hash === '#part-jacobian'")
    broken = opened(luce.explain(), "#z0=abc&T=-1&y=9&q=1&z1=%E0%A4%A&z2=7")
    assert (
        broken.evaluate("[luce.state.scores.join(), luce.state.temperature, luce.state.target.class].join()")
        == "2,1,7,1,0"
    )


def test_a_shift_of_the_readers_own_changes_no_probability(opened):
    page = opened(luce.explain())
    page.locator("[data-key=m]").fill("-5")
    page.evaluate("luce.show({ atOnce: true })")
    assert page.evaluate("Number(luce.values.exponentials[0])") == pytest.approx(np.exp(7))
    assert page.evaluate("Number(luce.values.loss)") == pytest.approx(float(luce.explain()["loss"].value), rel=1e-15)
    assert page.locator("#shift .own-shift").is_visible()


def test_what_does_not_follow_is_marked(opened):
    page = opened(luce.explain())
    mark = page.locator("#shift .stale")
    assert not mark.is_visible()
    page.locator("[data-key=z0]").fill("900")
    page.evaluate("luce.show({ atOnce: true })")
    assert mark.is_visible() and "nothing overflows" in page.locator("#shift [data-static]").inner_text()
    unknown = page.evaluate("""[...document.querySelectorAll("[data-slot]")].filter(e => !e.closest("[data-static]"))
        .map(e => e.dataset.slot.split(",")[0]).filter(name => !(name in luce.values))""")
    one, other = luce.explain(), luce.explain([5.0, -3.0, 0.25], 1)
    for name in set(unknown):  # what has nothing to do with the reader's numbers
        assert one.values[name].astype(float).tolist() == other.values[name].astype(float).tolist(), name


def test_the_same_quantity_is_lit_everywhere(opened):
    page = opened(luce.explain())
    page.locator("#probabilities td[data-slot='probabilities,1']").hover()
    lit = page.evaluate(
        "[...document.querySelectorAll('.lit')].map(e => e.tagName + (e.dataset.slot ?? e.dataset.bar ?? ''))"
    )
    assert {"mrowprobabilities,1", "TDprobabilities,1", "Iprobabilities,1", "mi"} <= set(lit)
    page.locator("#jacobian td[data-slot='jacobian,0,0']").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.slot") == "jacobian,1,0"
    assert "mrowjacobian,1,0" in page.evaluate(
        "[...document.querySelectorAll('.lit')].map(e => e.tagName + e.dataset.slot)"
    )


def test_copied_code_runs_with_the_readers_numbers(opened):
    page = opened(luce.explain())
    page.locator("[data-key=z0]").fill("4")
    page.evaluate("luce.show({ atOnce: true })")
    derivation, codes = (
        luce.explain([4.0, 1.0, 0.1], 0),
        page.evaluate(
            "[...document.querySelectorAll('button.copy')].filter(b => !b.closest('[hidden]'))"
            ".map(b => [b.closest('article').id, luce.codeOf(b.dataset.code)])"
        ),
    )
    assert len(codes) > 8
    for name, code in codes:
        made = {"counts": np.array([True])}
        exec(code, made)  # the page's own code
        if name in made:
            np.testing.assert_allclose(np.ravel(made[name]), np.ravel(derivation[name].value), rtol=1e-12, atol=1e-15)


def test_the_page_allows_its_own_script_alone_and_names_are_text():
    page = html(luce.explain([1.0, 2.0], 0, class_names=["</script><b>", "a&b"]))
    assert page.count("<script") == 2 and "</script><b>" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-[\w+/=]+'", policy
    )
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert json.loads(re.search(r'id="state">(.*)</script>', page)[1])["scores"] == ["1", "2"]


def test_a_notebook_shows_the_classes_and_the_loss():
    shown = luce.explain([1.0, 2.0], 0, class_names=["<a>", "b"])._repr_html_()
    assert "&lt;a&gt;" in shown and "0.2689" in shown and len(shown) < 10_000


def test_the_quiz_tells_the_mistakes_apart(opened):
    page = opened(luce.explain())
    assert page.locator(".quiz input").count() > 3
    question = page.locator("#question").text_content()
    for known in (True, False):
        page.evaluate(
            """([question, known]) => [...document.querySelectorAll(".quiz input")]
              .find(i => (i.dataset.numbers === question) === known).click()""",
            [page.locator("#question").text_content(), known],
        )
        assert page.locator("#verdict").text_content().startswith("Yes" if known else "No")
        page.click("#another")
        assert page.locator("#question").text_content() != question or not known
