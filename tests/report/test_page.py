"""The page: what it says, what it escapes, how it degrades, how large it may become."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from luce import __version__
from luce.report.facts import Coefficients, Data
from luce.report.held_out import HeldOut
from luce.report.page import page, write_page
from reports import EVIL, NAMES, Reading, facts_of, held


def reading(facts):
    found = Reading(page(facts))
    assert not found.faults
    return found


SIZES = {
    "two classes": facts_of(K=2),
    "one class": facts_of(K=1, n=9),
    "300 classes": facts_of(K=300, n=900),
    "one feature": facts_of(D=1),
    "5000 features": facts_of(D=5000),
    "not judged": facts_of(judged=False),
    "no intervals": facts_of(errors=False),
    "none wrong": facts_of(sharpness=50.0),
    "one row": facts_of(n=1),
    "fewer rows than classes": facts_of(K=30, n=20),
}


@pytest.mark.parametrize("facts", SIZES.values(), ids=SIZES)
def test_every_size_gives_a_whole_page(facts):
    found = reading(facts)
    assert "nan" not in re.split(r"\W+", found.words.lower())
    assert not {"None", "inf", "Undefined"} & set(re.split(r"\W+", found.words))
    assert f"Luce {__version__}" in found.words
    numbers = [v for _, name, v in found.attributes if name in ("x1", "y1", "x2", "y2", "cx", "cy", "points", "width")]
    assert numbers and not [value for value in numbers if "nan" in value or "inf" in value]


@pytest.mark.parametrize("facts", SIZES.values(), ids=SIZES)
def test_nothing_is_loaded_and_nothing_runs(facts):
    found = reading(facts)
    assert not {"script", "img", "iframe", "object", "embed", "form", "base"} & set(found.tags)
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("src", "href"):
            assert value.startswith("#") or value == "data:,", (tag, value)
    assert "url(" not in page(facts) and "@import" not in page(facts)


def test_names_are_text_and_never_markup():
    plain, evil = facts_of(K=8, D=8), facts_of(K=8, D=8, labels=NAMES, features=NAMES[::-1])
    evil = replace(evil, title=EVIL, model=replace(evil.model, name=EVIL, notes=[EVIL], parameters={EVIL: EVIL}))
    evil = replace(evil, data=replace(evil.data, source=EVIL, target=EVIL, columns=[(EVIL, EVIL, EVIL, False)] * 3))
    evil = held(evil, method=EVIL, rows={EVIL: [EVIL] * 120})
    found = reading(evil)
    kinds = set(reading(plain).tags) | {"wbr"}
    assert set(found.tags) <= kinds
    assert {name for _, name, _ in found.attributes} <= {name for _, name, _ in reading(plain).attributes} | {"title"}
    assert EVIL[:60] in found.words and "{{ 7 * 7 }}" in found.words
    assert "🌋 volcano" in found.words and "(empty)" in found.words and "שלום עולם" in found.words
    assert max(len(text) for text in found.text) < 700


@pytest.mark.parametrize("name", ["a" * 10_000, "&" * 10_000, "🌋" * 10_000, "_" * 10_000])
def test_the_largest_page_is_below_2_megabytes(name):
    K, D = 300, 5000
    facts = facts_of(
        K=K, D=D, n=2000, labels=[name + str(k) for k in range(K)], features=[name + str(j) for j in range(D)]
    )
    facts = replace(facts, model=replace(facts.model, notes=[name] * 50, loss_curve=np.geomspace(1, 1e-9, 100_000)))
    facts = held(facts, rows={name + str(j): [name] * 2000 for j in range(60)})
    assert len(page(facts).encode()) < 2_000_000


def test_it_says_the_numbers_of_the_measures():
    facts = facts_of(K=2, n=4)
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    words = reading(held(facts, probabilities=p, true=np.array([0, 1, 0, 1]), calibrated=None, temperature=None)).words
    assert "names the right class for 75.0% ± 21.7%" in words
    assert "always naming the most frequent class is right for 50" in words
    assert "1 row of 4 is given another class than its own" in words
    assert "class 0, taken for class 1" in words and "Row 1,002 loss 0.916" in words
    assert "calibrated" not in words.lower().replace("calibration", "")


def test_the_hardest_rows_come_first_and_the_easiest_not_at_all():
    facts = facts_of()
    judged = facts.held_out
    of_true = judged.probabilities[np.arange(120), judged.true]
    told = re.findall(r"Row ([\d,]+) loss", reading(facts).words)
    assert [int(number.replace(",", "")) - 1000 for number in told] == np.argsort(of_true)[:8].tolist()


def test_the_reliability_diagram_tells_its_bins():
    facts = facts_of(K=2, n=100)
    p = np.full((100, 2), [0.8, 0.2])
    true = (np.arange(100) >= 70).astype(int)
    source = page(held(facts, probabilities=p, true=true, calibrated=None, temperature=None))
    assert "100 rows at 80.0% on average: 70.0% right (95% interval 60.4% to 78.1%)" in source
    assert "70 right" in source and "30 wrong" in source


def test_calibrated_probabilities_stand_beside_the_others():
    facts = facts_of()
    found = reading(facts)
    assert "Calibrated, temperature 1.500" in found.words
    assert sum(tag == "figure" for tag in found.tags) == 4
    assert sum(tag == "figure" for tag in reading(held(facts, calibrated=None, temperature=None)).tags) == 3


def test_the_matrix_counts_the_rows():
    facts = facts_of(K=3, n=150)
    source = page(facts)
    cells = [int(cell) for cell in re.findall(r'<td class="(?:right|wrong)[^>]*>(\d+)</td>', source)]
    predicted = facts.held_out.probabilities.argmax(axis=1)
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (facts.held_out.true, predicted), 1)
    assert cells == counts[counts > 0].tolist()


def test_many_classes_give_the_most_frequent_confusions():
    facts = facts_of(K=30, n=300, sharpness=50.0)
    p = facts.held_out.probabilities.copy()
    p[facts.held_out.true == 4] = np.eye(30)[7]
    found = reading(held(facts, probabilities=p))
    assert "class 4 class 7 10 100.0%" in found.words
    assert "matrix" not in {value for _, name, value in found.attributes if name == "class"}


@pytest.mark.parametrize(
    ("gap", "said"),
    [(3e-9, "within 3e-9 of the optimum"), (0.0, "within rounding of the optimum"), (None, ""), (np.inf, "")],
)
def test_how_near_the_optimum(gap, said):
    facts = facts_of()
    words = reading(replace(facts, model=replace(facts.model, gap=gap))).words
    assert said in words
    assert ("of the optimum" in words) == bool(said)
    assert ("above the lowest reached" in words) == (not said)


def test_the_loss_falls_to_the_bound():
    facts = facts_of(judged=False)
    curve = np.array([1.0, 0.5, 0.1])
    source = page(replace(facts, model=replace(facts.model, loss_curve=curve, n_iter=2, gap=1e-3)))
    assert [f"iteration {i}: {value}" in source for i, value in enumerate(("0.901", "0.401", "0.001"))] == [True] * 3
    unknown = page(replace(facts, model=replace(facts.model, loss_curve=curve, gap=None))).partition("Norm of")[0]
    assert "iteration 1: 0.4<" in unknown and "iteration 2" not in unknown


@pytest.mark.parametrize("curve", [[0.5], [0.5, 0.1], [0.5, np.inf, np.nan, 0.0, 0.1], [], [0.0]])
def test_curves_of_every_kind(curve):
    facts = facts_of(judged=False)
    model = replace(facts.model, loss_curve=np.array(curve), grad_norm_curve=np.array(curve), gap=None, n_iter=1)
    assert reading(replace(facts, model=model)).tags.count("figure") <= 2


def test_intervals_hold_what_the_standard_errors_say():
    facts = facts_of(K=2, D=2)
    learnt = Coefficients(["sure", "unsure"], np.array([[2.0, 1.0]]), np.array([0.5]), np.array([[0.5, 1.0]]))
    source = page(replace(facts, coefficients=learnt))
    assert "1.020 to 2.980" in source and "−0.960 to 2.960" in source
    dots = re.findall(r'<circle class="([^"]+)"', source.partition('class="wide forest"')[2].partition("</table>")[0])
    assert dots == ["dot", "dot open"]
    assert "its log-odds" in Reading(source).words


def test_scales_rank_features_of_different_units():
    facts = facts_of(K=2, D=2)
    learnt = Coefficients(["metres", "years"], np.array([[2.0, 1.0]]), np.array([0.5]))
    forest = reading(replace(facts, coefficients=learnt)).words
    scaled = reading(replace(facts, coefficients=replace(learnt, scales=np.array([0.1, 7.0])))).words
    assert forest.index("metres 2.000") < forest.index("years 1.000")
    assert scaled.index("years 7.000") < scaled.index("metres 0.200")
    assert "per standard deviation" in scaled and "per unit" in forest


@pytest.mark.parametrize("error", [np.inf, np.nan])
def test_errors_that_are_no_numbers(error):
    facts = facts_of(K=2, D=2)
    learnt = replace(facts.coefficients, standard_errors=np.array([[error, 1.0]]))
    assert "nan" not in page(replace(facts, coefficients=learnt)).split("</style>")[1].lower()


def test_an_infinite_loss_is_told():
    facts = facts_of(K=2, n=4)
    assert "∞" in reading(held(facts, probabilities=np.eye(2)[[0, 1, 1, 1]])).words


def test_warnings_are_told():
    facts = facts_of()
    assert (
        "Warning did not converge"
        in reading(replace(facts, model=replace(facts.model, notes=["did not converge"]))).words
    )


WRONG = {
    "class_counts must have shape (2,), got (3,)": lambda f: Data("", "", ["a", "b"], np.ones(3), 3),
    "feature_names must have shape (4,), got (1,)": lambda f: replace(f.coefficients, feature_names=["a"]),
    "coef must be a matrix": lambda f: replace(f.coefficients, coef=np.ones(4)),
    "coef must be finite": lambda f: replace(f.coefficients, coef=np.full((3, 4), np.nan)),
    "standard_errors must have shape (3, 4)": lambda f: replace(f.coefficients, standard_errors=np.ones((3, 1))),
    "scales must have shape (4,)": lambda f: replace(f.coefficients, scales=np.ones(1)),
    "true must be in [0, 3), got 0 to 3": lambda f: held(f, true=np.arange(120) % 4),
    "true must have shape (120,), got (1,)": lambda f: held(f, true=np.zeros(1, int)),
    "probabilities must be in [0, 1]": lambda f: held(f, probabilities=np.full((120, 3), np.nan)),
    "baseline must have shape (120, 3), got (2,)": lambda f: held(f, baseline=np.ones(2)),
    "calibrated and temperature go together": lambda f: held(f, temperature=None),
    "rows['a'] must have shape (120,), got (1,)": lambda f: held(f, rows={"a": ["1"]}),
    "at least one of each, got shape (0, 3)": lambda f: HeldOut("", *[np.zeros((0, 3))] * 4),
    "coef must have 1 rows for 2 classes, got 3": lambda f: replace(f, data=Data("", "", "ab", np.ones(2), 2)),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_does_not_fit_is_named(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        WRONG[message](facts_of())


def test_it_is_written_whole_or_not_at_all(tmp_path: Path):
    place = tmp_path / "page.html"
    write_page(place, facts_of())
    assert place.read_text("utf-8") == page(facts_of())
    before = place.read_bytes()
    with pytest.raises(ZeroDivisionError):
        write_page(place, replace(facts_of(), model=replace(facts_of().model, parameters={"bad": Bad()})))
    assert place.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    write_page(place, replace(facts_of(), title="lone \ud800 surrogate"))
    assert "lone ? surrogate" in place.read_text("utf-8")


class Bad:
    def __str__(self):
        return str(1 // 0)


def test_the_same_facts_give_the_same_page():
    assert page(facts_of()) == page(facts_of())
