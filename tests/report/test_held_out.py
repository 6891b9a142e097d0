"""The facts about held-out rows: by hand, and that no report measures anything anew."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

import luce
from luce.models.evaluation import metrics
from luce.report.held_out import Confusion, HeldOut
from luce.report.page import page
from reports import facts_of, held
from subprocesses import output

P = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.5, 0.3], [0.5, 0.25, 0.25], [0.1, 0.7, 0.2]])
TRUE = np.array([0, 0, 1, 2, 0])


def judged(**changes):
    given = {"method": "by hand", "true": TRUE, "probabilities": P, "baseline": np.full(3, 1 / 3)}
    return HeldOut(**{**given, "row_numbers": np.arange(5) + 10, **changes})


def test_confusions_by_hand():
    found = judged()
    assert found.confusion_matrix.tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 0]]
    assert found.confusions == [Confusion(0, 1, 2.0, pytest.approx(2 / 3)), Confusion(2, 0, 1.0, 1.0)]
    assert (found.wrong, found.total) == (3, 5)
    assert judged(true=P.argmax(axis=1)).confusions == []


def test_weights_count_in_all_of_it():
    weights = np.array([1.0, 0.5, 2.0, 3.0, 0.25])
    found = judged(weights=weights)
    np.testing.assert_allclose(found.confusion_matrix, confusion_matrix(TRUE, P.argmax(axis=1), sample_weight=weights))
    assert [(c.true, c.predicted, c.mass) for c in found.confusions] == [(2, 0, 3.0), (0, 1, 0.75)]
    assert found.total == pytest.approx(6.75) and found.wrong == pytest.approx(3.75)


def test_losses_and_the_hardest_rows():
    found = judged()
    np.testing.assert_allclose(found.losses, -np.log([0.8, 0.3, 0.5, 0.25, 0.1]))
    assert found.hardest.tolist() == [4, 3, 1, 2, 0]
    soft = np.eye(3)[TRUE] * 0.6 + 0.4 / 3
    shares = judged(true=soft)
    np.testing.assert_allclose(shares.losses, -(soft * np.log(P)).sum(axis=1))
    assert shares.total == pytest.approx(5)
    np.testing.assert_allclose(shares.confusion_matrix.sum(axis=1), soft.sum(axis=0))


def test_a_class_of_probability_0_is_infinitely_hard_only_where_it_happened():
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = HeldOut("", np.array([0, 0]), p, np.full(2, 0.5), np.arange(2))
    assert found.losses.tolist() == [0, np.inf]
    soft = HeldOut("", np.array([[1.0, 0.0], [0.5, 0.5]]), p, np.full(2, 0.5), np.arange(2))
    assert soft.losses.tolist() == [0, np.inf] and soft.hardest.tolist() == [1, 0]


def test_stages_are_measured_apart():
    facts = facts_of()
    found = facts.held_out
    assert list(found.scores) == ["model", "calibrated", "baseline"]
    assert found.scores["calibrated"] == metrics.scores(found.true, found.calibrated)
    assert list(held(facts, calibrated=None, temperature=None).held_out.scores) == ["model", "baseline"]
    assert list(found.reliability) == ["model", "calibrated"]
    model = found.reliability["model"]
    assert model.right.mean() == found.scores["model"].accuracy.value
    np.testing.assert_array_equal(model.confidence, found.probabilities.max(axis=1))


def test_changed_facts_are_measured_anew():
    facts = facts_of()
    before = facts.held_out.scores["model"].accuracy
    assert held(facts, probabilities=np.roll(facts.held_out.probabilities, 1, axis=1)).held_out.scores[
        "model"
    ].accuracy != pytest.approx(before)


def counted(monkeypatch):
    calls = Counter()

    def count(name):
        function = getattr(metrics, name)

        def counting(*args):
            calls[name] += 1
            return function(*args)

        monkeypatch.setattr(metrics, name, counting)

    for name in ("scores", "per_class", "confusion_matrix", "losses_of_rows", "confidence_bins"):
        count(name)
    return calls


def test_the_page_measures_once(monkeypatch):
    facts = facts_of()
    calls = counted(monkeypatch)
    assert page(facts) == page(facts)
    assert calls == {
        "scores": 3,
        "per_class": 1,
        "confusion_matrix": 1,
        "losses_of_rows": 1,
        "confidence_bins": 2,
    }


def test_a_run_measures_once_for_all_its_reports(monkeypatch, tmp_path, capsys):
    pytest.importorskip("typer")
    from luce.cli import main

    calls = counted(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--report", "page.html", "--json"]) in (0, None)
    assert '"held_out"' in capsys.readouterr().out and Path("page.html").exists()
    assert calls["scores"] == 3 and calls["per_class"] == calls["confusion_matrix"] == calls["losses_of_rows"] == 1


def test_facts_load_no_more_than_arrays():
    code = "import sys, luce.report.facts; print(sorted({'scipy', 'sklearn', 'jinja2'} & set(sys.modules)))"
    assert output(code) == "[]"


def test_row_numbers_are_those_of_all_rows_also_where_some_have_no_weight(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 2
    X[:, 0] += 3 * y
    X[50, 0] -= 20 * (2 * y[50] - 1)  # by far the hardest row
    weights = (np.arange(60) >= 20).astype(float)
    luce.SoftmaxClassifier().fit(X, y, weights).report(tmp_path / "page.html", X, y, weights)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert text.partition("<h3>Row ")[2].startswith("51 ")
