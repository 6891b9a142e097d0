"""The faces of a derivation: readable, whole, and right in every number that can be run."""

import json
import re
import shutil
import subprocess
from functools import cache

import numpy as np
import pytest
from rich.cells import cell_len

import luce
from drawn import drawn
from luce.explanation.faces.latex import plain
from luce.explanation.faces.terminal import plain_text
from luce.explanation.faces.text import as_block, as_line, statements

INF = np.inf
EDGES = {
    "impossible": lambda: luce.explain([1.0, -INF, 3.0], 0),
    "target on impossible": lambda: luce.explain([1.0, -INF, 3.0], 1),
    "NaN": lambda: luce.explain([1.0, np.nan, 3.0], 1),
    "infinite": lambda: luce.explain([1.0, INF, 3.0], 1),
    "all impossible": lambda: luce.explain([-INF, -INF], 0),
    "one class": lambda: luce.explain([3.0], 0),
    "many classes": lambda: luce.explain(np.random.default_rng(0).normal(size=200) * 5, 17),
    "no mass": lambda: luce.explain([3.0, 1.0], [0.0, 0.0]),
    "more mass": lambda: luce.explain([3.0, 1.0], [1.0, 2.0]),
    "ignored": lambda: luce.explain([[1.0, 2.0], [3.0, 4.0]], [-100, 1], row=0, z_loss=0.1, label_smoothing=0.1),
    "all ignored": lambda: luce.explain([[1.0, 2.0]], [-100]),
    "no weight": lambda: luce.explain([[1.0, 2.0], [np.nan, 1.0]], [0, 1], sample_weight=[1.0, 0.0], row=1),
    "class without weight": lambda: luce.explain([[1.0, INF], [0.0, 1.0]], [0, 1], weight=[0.0, 1.0], row=0),
    "another row with NaN": lambda: luce.explain(x=[[np.nan, 1.0], [1, 2]], W=[[1.0, 2], [0, 1]], target=[0, 1], row=1),
    "huge": lambda: luce.explain([1e300, -1e300, 0.0], 1),
    "layer with NaN": lambda: luce.explain(x=[np.nan, 1.0], W=[[1.0, 2.0], [0.0, 1.0]], target=0),
    "tiny": lambda: luce.explain([1e-300, -1e-300], 0),
}
WORDS = {
    "impossible": "Class 1 has the score −∞: it can't happen; its probability is 0",
    "target on impossible": "The target is on a class that can't happen: the loss is infinite.",
    "NaN": "The row holds a NaN: so is everything that follows",
    "infinite": "Class 1 has the score +∞",
    "all impossible": "All scores are −∞",
    "one class": "There is one class: its probability is 1 and the loss is 0, whatever the score.",
    "no mass": "The target has no mass, Σ t = 0",
    "more mass": "The target does not sum to 1",
    "ignored": "The row is ignored",
    "all ignored": "Nothing is left to average",
    "no weight": "The row has the weight 0",
    "class without weight": "The row has the weight 0, its own or its class's",
}
NAMES = ["a_b&c", r"$ #{x}\y", "[中文] | é", "*b*", "<b>50%</b>", '"q" \n `r`', "~^α²"]


@cache
def everything():
    rng = np.random.default_rng(0)
    options = {"temperature": 2.0, "label_smoothing": 0.1, "weight": [1, 2, 3.0, 1], "softcap": 3.0, "z_loss": 0.1}
    return [
        luce.explain(),
        luce.explain(x=[1.0, -2.0], W=[[1, 0], [0, 1.0], [1, 1]], target=2),
        luce.explain(rng.normal(size=(5, 4)), [[0.1, 0.2, 0.7, 0]] * 5, sample_weight=[1, 2, 0, 1, 0.5], **options),
        luce.explain(rng.normal(size=(20, 9)), rng.integers(0, 9, 20), reduction="none", z_loss=0.1),
        luce.explain(rng.normal(size=9) * 1e-9, 3, digits=12, softcap=1.0),
        *(edge() for edge in EDGES.values()),
    ]


def named():
    rng = np.random.default_rng(1)
    W, x = rng.normal(size=(7, 7)), rng.normal(size=7)
    return luce.explain(x=x, W=W, target=3, class_names=NAMES, feature_names=NAMES[::-1])


@pytest.mark.parametrize(
    "latex, text",
    [
        (r"p_i = \frac{e_i}{S}", "pᵢ = eᵢ/S"),
        (r"\frac{a + b}{c d}", "(a + b)/(cd)"),
        (r"\frac{\partial \ell}{\partial z_j}", "∂ℓ/∂zⱼ"),
        (r"-\frac{t_i}{p_i}", "−tᵢ/pᵢ"),
        (r"e^{-1}, \quad e^{\U_i - m}".replace(r"\U", "z"), "e⁻¹,  e^(zᵢ − m)"),
        (r"p\, p^\top - J^2", "p pᵀ − J²"),
        (r"p_{y} + w_{y_b}", "p_y + w_(y_b)"),
        (r"\left(-0.5,\; -1\right)", "(−0.5, −1)"),
        (r"1.2\times 10^{-7}", "1.2×10⁻⁷"),
        (r"\sum_{j \ne k} x_j \le \max_k x_k", "Σ_(j≠k) xⱼ ≤ maxₖ xₖ"),
        (r"\begin{pmatrix}1 & -2 \\ 3 & 4\end{pmatrix}", "(1 −2; 3 4)"),
        (r"\begin{cases} 1 & i = j \\ 0 & i \ne j \end{cases}", "(1 if i = j, 0 if i ≠ j)"),
        (r"\mathrm{lse}(z) + 2 \zeta\, \mathrm{lse}", "lse(z) + 2ζ lse"),
        (r"\frac{a}{b} \frac{c}{d} x", "a/b · c/d · x"),
        (r"\text{one-hot of } y", "one-hot of y"),
    ],
)
def test_formulas_read_as_one_would_write_them(latex, text):
    assert as_line(latex) == text


def test_matrices_are_aligned():
    block = as_block(r"J \approx \begin{pmatrix}0.25 & -0.125 \\ -10 & \dots\end{pmatrix}")
    assert block.text.splitlines() == ["J ≈ ⎛  0.25  −0.125⎞", "    ⎝−10          …⎠"]


def test_an_unknown_macro_is_an_error_and_not_left_out():
    with pytest.raises(ValueError, match="no text for the macro undefined"):
        as_line(r"\undefined{x}")


def formulas(derivation):
    for step in derivation:
        yield from (step.symbol, step.formula, step.numbers)
        yield from (step.fill(note.formula) for note in step.notes)


def test_no_formula_leaves_latex_in_the_text():
    seen = 0
    for derivation in everything():
        for latex in filter(None, formulas(derivation)):
            texts = [as_line(latex), as_block(latex).text, *map(as_line, statements(latex))]
            assert not re.search(r"[\\{}&$]|slot", "".join(texts)), latex
            seen += 1
    assert seen > 1000


def test_the_terminal_shows_every_step_and_keeps_to_the_width():
    for derivation in everything():
        for width in (60, 100):
            text = plain_text(derivation, width)
            assert "\x1b" not in text
            for step in derivation:
                assert step.title in text
            wide = [line for line in text.splitlines() if cell_len(line) > width]
            assert not wide, wide[:2]


def test_a_rendering_holds_the_numbers():
    text = plain_text(luce.explain(), 80)
    assert "p ≈ (0.6590, 0.2424, 0.09857)" in text
    assert "⎛ 0.2247   −0.1598   −0.06496⎞" in text
    assert "∂ℓ/∂z ≈ (−0.3410, 0.2424, 0.09857)" in text
    assert str(luce.explain()).startswith("The softmax cross-entropy and its derivatives\nOne row, 3 classes")


def test_numbers_that_a_step_does_not_show_are_shown_as_its_value():
    layer = luce.explain(x=[1.0, 2.0], W=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], target=2)
    assert "∂ℓ/∂b ≈ (0.09003, 0.2447, −0.3348)" in plain_text(layer, 100)


@pytest.mark.parametrize("edge", EDGES)
def test_edges_are_told_in_words_in_every_face(edge):
    derivation = EDGES[edge]()
    text = " ".join(plain_text(derivation, 100).split())
    data = json.loads(derivation.to_json())
    assert WORDS.get(edge, "") in text
    for remark in derivation.remarks:
        assert remark in text
        assert remark in data["remarks"]
        assert plain(remark) in derivation.to_latex()
        assert remark[:20] in derivation.to_markdown()
    assert derivation.remarks or edge not in WORDS


def run(code):
    exec(compile(code, "script", "exec"), {"__name__": "script"})


@pytest.mark.parametrize("seed", range(4))
def test_the_script_recomputes_every_number(seed, capsys):
    rng = np.random.default_rng(seed)
    for _ in range(6):
        derivation = luce.explain(**drawn(rng))
        code = derivation.to_code()
        assert "luce" not in code.lower()
        run(code)
        assert "every number as it should be" in capsys.readouterr().out


@pytest.mark.parametrize("edge", EDGES)
def test_the_script_of_an_edge_runs(edge, capsys):
    derivation = EDGES[edge]()
    run(derivation.to_code())
    assert "every number as it should be" in capsys.readouterr().out


def test_the_script_fails_where_any_number_is_another(capsys):
    code = luce.explain(x=[1.0, -2.0], W=[[1.5, 0.5], [0.3, 1.0], [1, 1]], target=2, temperature=2.0).to_code()
    run(code)
    lines = code.splitlines()
    checks = [place for place, line in enumerate(lines) if line.startswith("check(") and line.endswith(")")]
    assert len(checks) > 15
    for place in checks:
        number = next(found for found in re.finditer(r"-?\d+\.\d+", lines[place]) if float(found[0]) != 0)
        changed = f"{float(number[0]) * (1 + 1e-6)!r}"
        broken = [*lines]
        broken[place] = lines[place][: number.start()] + changed + lines[place][number.end() :]
        with pytest.raises(AssertionError):
            run("\n".join(broken))
    for given in ("temperature = 2.0", "1.5"):
        with pytest.raises(AssertionError):
            run(code.replace(given, given.replace("2.0", "2.1").replace("1.5", "1.6"), 1))


def test_the_script_checks_every_step_that_can_be_recomputed():
    derivation = luce.explain()
    code = derivation.to_code()
    for step in derivation:
        assert (f'check("{step.name}"' in code) == bool(step.code or step.name in ("scores", "target_given"))
    left = {step.name for step in derivation if not step.code and step.name not in ("scores", "target_given")}
    assert left == {"losses_in_formats", "gradients_in_formats", "mistaken_gradients", "mistaken_entries"}


def test_the_script_of_a_part_is_that_of_all_parts():
    derivation = luce.explain()
    assert derivation.only("jacobian").to_code() == derivation.to_code()
    assert derivation.only("jacobian").keys() == ("jacobian",)
    with pytest.raises(KeyError, match="no part 'nope'; the parts are scores, shift"):
        derivation.only("nope")


LATEX = shutil.which("pdflatex") or shutil.which("latex")


@pytest.mark.skipif(LATEX is None, reason="there is no LaTeX")
@pytest.mark.parametrize("make", [named, *(lambda k=k: everything()[k] for k in (0, 1, 2, 3, 4, 8, 11))])
def test_the_document_compiles(make, tmp_path):
    (tmp_path / "derivation.tex").write_text(make().to_latex())
    done = subprocess.run(
        [LATEX, "-interaction=nonstopmode", "-halt-on-error", "derivation.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert len(list(tmp_path.glob("derivation.pdf")) + list(tmp_path.glob("derivation.dvi"))) == 1


def test_the_document_is_plain_ascii():
    for derivation in (*everything(), named()):
        assert derivation.to_latex().isascii()


def test_markdown_keeps_names_and_tables_in_form():
    text = named().to_markdown()
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert len(tables) > 5
    assert r"\<b\>50%\</b\>" in text
    assert text.count("$$") % 2 == 0
    assert luce.explain()._repr_markdown_() == luce.explain().to_markdown()


def test_data_holds_every_step():
    derivation = luce.explain(x=[1.0, 2.0], W=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], target=2, weight=np.ones(3))
    data = json.loads(derivation.to_json())
    assert [step["name"] for step in data["steps"]] == list(derivation.keys())
    by_name = {step["name"]: step for step in data["steps"]}
    np.testing.assert_array_equal(by_name["weight_gradient"]["value"], derivation["weight_gradient"].value)
    assert by_name["weight_jacobian"]["shape"] == [3, 6]
    assert by_name["jacobian"]["rule"] == "quotient rule"
    assert data["options"] == {"weight": [1.0, 1.0, 1.0]}
    lost = json.loads(luce.explain([1.0, -INF], 1).to_json())
    assert {step["name"]: step["value"] for step in lost["steps"]}["loss"] == "inf"


def test_the_value_is_what_the_library_computes():
    rng = np.random.default_rng(7)
    for _ in range(12):
        given = drawn(rng)
        found = luce.explain(**given)
        if "logits" in given:
            logits, target = given.pop("logits"), given.pop("target")
            value, gradient = luce.cross_entropy_and_grad(logits, target, **given)
            np.testing.assert_allclose(found["value"].value, value, rtol=1e-9, atol=1e-12)
            own = found["batch_gradient"].value.reshape(np.shape(gradient))
            np.testing.assert_allclose(own, gradient, rtol=1e-9, atol=1e-12)
