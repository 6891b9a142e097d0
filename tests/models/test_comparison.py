"""The comparison: its measures against scikit-learn's on the same folds, its curves, its table, picture and errors."""

import dataclasses
import sys
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.metrics import label_ranking_average_precision_score, log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, LeaveOneOut, ShuffleSplit, StratifiedKFold, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import luce
from luce.models.comparison.built_in import BUILT_IN
from luce.models.comparison.measures import MEASURES
from luce.models.comparison.result import Comparison

MODELS = ["softmax", "sigmoid", "svm-crammer-singer", "svm-ovr", "ridge"]
AT = {field: index for index, field in enumerate(MEASURES)}


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return X, np.array(["barbera", "grignolino", "barolo"])[y]


@pytest.fixture(scope="module")
def result(wine):
    return luce.compare(*wine, C=0.5)


def folds(y, n=5, seed=0):
    return list(StratifiedKFold(n, shuffle=True, random_state=seed).split(np.zeros(len(y)), y))


def test_accuracy_and_f1_are_scikit_learns(wine, result):
    X, y = wine
    assert result.models == tuple(MODELS)
    for index, name in enumerate(MODELS):
        theirs = cross_validate(
            make_pipeline(StandardScaler(), BUILT_IN[name].build(0.5, 0)),
            X,
            y,
            cv=folds(y),
            scoring=["accuracy", "f1_macro"] + ["neg_log_loss"] * (index < 2),
        )
        np.testing.assert_allclose(result.folds[index, :, AT["accuracy"]], theirs["test_accuracy"])
        np.testing.assert_allclose(result.folds[index, :, AT["f1"]], theirs["test_f1_macro"])
        if index < 2:
            np.testing.assert_allclose(result.folds[index, :, AT["log_loss"]], -theirs["test_neg_log_loss"])
        else:
            assert np.isnan(result.folds[index, :, AT["log_loss"]]).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_ranks_and_auc_by_the_margins_are_scikit_learns(wine, weighted):
    X, y = wine
    weights = np.random.default_rng(0).integers(1, 4, len(y)).astype(float) if weighted else None
    ours = luce.compare(X, y, C=0.01, models=["svm-ovr"], sample_weight=weights).folds[0]
    classes = np.unique(y)
    for (train, test), measures in zip(folds(y), ours, strict=True):
        w_train, w_test = (None, None) if weights is None else (weights[train], weights[test])
        scaler = StandardScaler().fit(X[train], sample_weight=w_train)
        model = BUILT_IN["svm-ovr"].build(0.01, 0).fit(scaler.transform(X[train]), y[train], sample_weight=w_train)
        scores = model.decision_function(scaler.transform(X[test]))
        one_hot = (y[test][:, None] == classes).astype(int)
        margins = np.column_stack([scores[:, k] - np.delete(scores, k, axis=1).max(axis=1) for k in range(3)])
        expected = label_ranking_average_precision_score(one_hot, scores, sample_weight=w_test)
        np.testing.assert_allclose(measures[AT["reciprocal_rank"]], expected)
        expected = roc_auc_score(one_hot, margins, average="macro", sample_weight=w_test)
        np.testing.assert_allclose(measures[AT["auc"]], expected)
        accuracy = np.average(model.predict(scaler.transform(X[test])) == y[test], weights=w_test)
        np.testing.assert_allclose(measures[AT["accuracy"]], accuracy)


def test_the_auc_does_not_depend_on_what_a_row_adds_to_its_scores():
    class Shifted(LogisticRegression):
        def decision_function(self, X):
            return super().decision_function(X) + 100 * np.sin(1e4 * X[:, :1])

    X, y = load_iris(return_X_y=True)
    plain, shifted = luce.compare(X, y, models={"plain": LogisticRegression(), "shifted": Shifted()}).rows
    assert plain.auc == pytest.approx(shifted.auc, abs=1e-12)


def test_equal_scores_take_the_worst_rank():
    class Undecided(LogisticRegression):
        def decision_function(self, X):
            return np.zeros((len(X), 3))

        def predict(self, X):
            return np.zeros(len(X), int)

    row = luce.compare(*load_iris(return_X_y=True), models={"undecided": Undecided()}).rows[0]
    assert row.reciprocal_rank.value == pytest.approx(1 / 3)
    assert row.auc.value == 0.5


def test_values_are_means_with_standard_errors_and_the_time_a_median(result):
    for row, values in zip(result.rows, result.folds, strict=True):
        assert row.accuracy.value == pytest.approx(values[:, 0].mean())
        assert row.accuracy.error == pytest.approx(values[:, 0].std(ddof=1) / np.sqrt(5))
        assert row.fit_time.value == np.median(values[:, 5]) > 0
        assert row.fit_time.error == pytest.approx(np.sqrt(np.pi / 2) * values[:, 5].std(ddof=1) / np.sqrt(5))
    assert not np.isnan(result.rows[0].log_loss.value) and np.isnan(result.rows[4].log_loss).all()


def test_two_classes():
    X, y = load_breast_cancer(return_X_y=True)
    result = luce.compare(X, y, models=["softmax", "svm-crammer-singer", "ridge"], cv=3)
    theirs = cross_validate(
        make_pipeline(StandardScaler(), luce.SoftmaxClassifier()),
        X,
        y,
        cv=folds(y, 3),
        scoring=["roc_auc", "neg_log_loss"],
    )
    np.testing.assert_allclose(result.folds[0, :, AT["auc"]], theirs["test_roc_auc"])
    np.testing.assert_allclose(result.folds[0, :, AT["log_loss"]], -theirs["test_neg_log_loss"])
    accuracy, ranks = result.folds[..., AT["accuracy"]], result.folds[..., AT["reciprocal_rank"]]
    np.testing.assert_allclose(ranks, (1 + accuracy) / 2)
    assert result.n_classes == 2 and (accuracy > 0.9).all()


def test_sigmoid_is_fitted_to_each_class_against_the_rest(wine):
    X, y = wine
    X = StandardScaler().fit_transform(X)
    model = BUILT_IN["sigmoid"].build(2.0, 0).fit(X, y)
    for k, label in enumerate(np.unique(y)):
        alone = luce.SoftmaxClassifier(C=2.0).fit(X, y == label)
        np.testing.assert_allclose(model.decision_function(X)[:, k], alone.decision_function(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_a_weight_is_a_repetition(name):
    X, y = load_iris(return_X_y=True)
    X = X / X.std(axis=0)
    weights = np.random.default_rng(1).integers(0, 3, len(y))
    train, test = folds(y, 3)[0]
    repeated = np.repeat(np.arange(len(y)), weights)
    of_train, of_test = (np.flatnonzero(np.isin(repeated, rows)) for rows in (train, test))
    options = {"models": [name], "C": 0.05}
    weighted = luce.compare(X, y, cv=[(train, test)], sample_weight=weights, **options)
    plain = luce.compare(X[repeated], y[repeated], cv=[(of_train, of_test)], **options)
    np.testing.assert_allclose(weighted.folds[..., :5], plain.folds[..., :5], rtol=2e-4)
    assert weighted.n_rows == np.count_nonzero(weights)


def test_a_class_of_weight_0_is_absent():
    X, y = load_iris(return_X_y=True)
    splits = folds(y, 3)
    absent = luce.compare(X, y, cv=splits, sample_weight=y < 2)
    left = [tuple(rows[y[rows] < 2] for rows in split) for split in splits]
    plain = luce.compare(X[y < 2], y[y < 2], cv=left)  # the rows of class 2 are the last
    np.testing.assert_allclose(absent.folds[..., :5], plain.folds[..., :5], rtol=1e-6, atol=1e-6)
    assert absent.n_classes == 2 and absent.n_rows == 100


def test_frames_and_lists_are_arrays(wine, result):
    X, y = wine
    names = [f"x{k}" for k in range(X.shape[1])]
    for same in ((pd.DataFrame(X, columns=names), pd.Series(y, dtype="str")), (X.tolist(), y.tolist())):
        np.testing.assert_array_equal(luce.compare(*same, C=0.5).folds[..., :5], result.folds[..., :5])


def test_sparse_features_are_scaled_and_not_centred():
    X, y = load_digits(return_X_y=True)
    X, y = X[:400], y[:400]
    options = {"models": MODELS, "C": 0.01, "cv": 3}
    sparse = luce.compare(csr_matrix(X), y, **options)
    by_hand = []
    for train, test in folds(y, 3):
        scale = X[train].std(axis=0)
        scale[scale == 0] = 1
        fold = luce.compare(X / scale, y, scale=False, **{**options, "cv": [(train, test)]})
        by_hand.append(fold.folds[:, 0])
    np.testing.assert_allclose(sparse.folds[..., :5], np.stack(by_hand, axis=1)[..., :5], atol=2e-3)


def test_scale_can_be_left_out():
    X, y = load_wine(return_X_y=True)
    ours = luce.compare(X, y, models=["ridge"], scale=False)
    theirs = cross_validate(BUILT_IN["ridge"].build(1.0, 0), X, y, cv=folds(y))
    np.testing.assert_allclose(ours.folds[0, :, 0], theirs["test_score"])


def test_models_of_ones_own():
    X, y = load_iris(return_X_y=True)
    own = GaussianNB()
    result = luce.compare(X, y, models={"Bayes": own, "softmax, the usual": "softmax", "svm": LinearSVC()}, scale=False)
    assert result.models == ("Bayes", "softmax, the usual", "svm")
    bayes, _, svm = result.rows
    proba = [GaussianNB().fit(X[a], y[a]).predict_proba(X[b]) for a, b in folds(y)]
    expected = np.mean([log_loss(y[b], p) for (_, b), p in zip(folds(y), proba, strict=True)])
    assert bayes.log_loss.value == pytest.approx(expected)
    assert np.isnan(svm.log_loss.value)
    assert not hasattr(own, "classes_"), "the user's estimator was fitted"
    assert result.losses(0.0) == {}
    assert luce.compare(X, y, models="ridge").models == ("ridge",)


def test_a_probability_of_zero_costs_infinitely_much():
    X, y = load_iris(return_X_y=True)
    nearest = KNeighborsClassifier(1)
    result = luce.compare(X, y, models={"nearest": nearest, "softmax": "softmax"})
    assert result.rows[0].log_loss.value == np.inf and np.isnan(result.rows[0].log_loss.error)
    assert str(result).splitlines()[1].split()[4] == "inf"
    result.plot()
    matplotlib.pyplot.close("all")


def test_splitters():
    X, y = load_iris(return_X_y=True)
    options = {"models": ["ridge"]}
    one = luce.compare(X, y, cv=ShuffleSplit(1, random_state=0), **options)
    assert np.isnan(one.rows[0].accuracy.error) and "±" not in str(one).split("\n\n")[0]
    left_out = luce.compare(X[::5], y[::5], cv=LeaveOneOut(), **options)
    assert left_out.folds.shape == (1, 30, 6) and np.isnan(left_out.rows[0].auc).all()
    groups = np.arange(150) % 4
    by_group = luce.compare(X, y, cv=GroupKFold(4), groups=groups, **options)
    assert by_group.folds.shape[1] == 4
    masks = [(groups != 0, groups == 0)]
    np.testing.assert_array_equal(
        luce.compare(X, y, cv=masks, **options).folds[..., :5],
        luce.compare(X, y, cv=[tuple(map(np.flatnonzero, masks[0]))], **options).folds[..., :5],
    )


def test_the_seed_decides_the_folds_and_jobs_do_not():
    X, y = load_iris(return_X_y=True)

    def measures(**options):
        return luce.compare(X, y, cv=3, **options).folds[..., :5]

    three, four = measures(random_state=3), measures(random_state=4)
    np.testing.assert_array_equal(three, measures(random_state=3, n_jobs=2))
    assert (three[0] != four[0]).any()


def test_verbose_writes_a_line_for_each_fit(capsys):
    X, y = load_iris(return_X_y=True)
    luce.compare(X, y, models=["softmax", "ridge"], cv=2, verbose=True)
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 4 and captured.out == ""
    assert lines[3].startswith("fold 2/2  ridge  accuracy 0.8")


def test_a_fit_that_did_not_converge_is_told_once():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="'short' did not converge in 5 of 5 folds") as caught:
        luce.compare(X, y, models={"short": Perceptron(max_iter=1, tol=1e-9)})
    assert len(caught) == 1 and caught[0].filename == __file__


def test_other_warnings_pass():
    class Warns(GaussianNB):
        def fit(self, X, y):
            warnings.warn("a word", RuntimeWarning, stacklevel=2)
            return super().fit(X, y)

    with pytest.warns(RuntimeWarning, match="a word"):
        luce.compare(*load_iris(return_X_y=True), models={"warns": Warns()})


# ---- the curves


def formulas(m):
    sigma = 1 / (1 + np.exp(m))
    half = 1 / (1 + np.exp(m / 2))
    short = np.maximum(0, 1 - m)
    return {
        "softmax": (np.log1p(np.exp(-m)), -sigma),
        "sigmoid": (2 * np.log1p(np.exp(-m / 2)), -half),
        "svm-crammer-singer": (short, -(m < 1).astype(float)),
        "svm-ovr": (short**2, -2 * short),
        "ridge": ((1 - m) ** 2, -2 * (1 - m)),
    }


def test_losses_are_their_formulas(result):
    m = np.linspace(-6, 6, 49).reshape(7, 7)
    curves = result.losses(m)
    assert list(curves) == MODELS
    for name, (loss, gradient) in formulas(m).items():
        np.testing.assert_allclose(curves[name].loss, loss, rtol=1e-12, atol=0, err_msg=name)
        np.testing.assert_allclose(curves[name].gradient, gradient, rtol=1e-12, atol=0, err_msg=name)


def test_gradients_are_the_slopes_of_the_losses(result):
    m, step = np.linspace(-3.05, 3.05, 62), 1e-6
    above, at, below = result.losses(m + step), result.losses(m), result.losses(m - step)
    for name in MODELS:
        slope = (above[name].loss - below[name].loss) / (2 * step)
        np.testing.assert_allclose(at[name].gradient, slope, rtol=1e-7, atol=1e-8, err_msg=name)


def test_the_far_ends_of_the_curves_are_exact(result):
    far = result.losses([800.0, -800.0])
    assert far["softmax"].loss.tolist() == [0.0, 800.0] and far["softmax"].gradient[1] == -1
    assert result.losses(60).get("softmax").gradient == pytest.approx(-np.exp(-60), rel=1e-14)
    assert result.losses(1.0)["svm-crammer-singer"].gradient == 0


@pytest.mark.parametrize("name", ["softmax", "svm-ovr", "ridge"])
def test_the_curve_is_the_loss_that_two_classes_are_fitted_by(name):
    """At the minimum the derivatives over all rows balance the penalty's."""
    X, y = load_breast_cancer(return_X_y=True)
    X, sign = StandardScaler().fit_transform(X), 2 * y - 1
    model = BUILT_IN[name].build(0.03, 0).fit(X, y)
    gradient = BUILT_IN[name].curve(sign * model.decision_function(X)).gradient
    np.testing.assert_allclose(-0.03 * X.T @ (sign * gradient), model.coef_.ravel(), atol=1e-3)
    assert np.abs(model.coef_).max() > 0.1


# ---- how it shows itself


@pytest.fixture
def known():
    """Two models over two folds, of measures that are known."""
    values = np.array(
        [
            [[0.9, 0.25, 0.95, 0.99, 0.9, 0.01], [1.0, 0.75, 0.95, 0.97, 0.8, 0.02]],
            [[0.8, np.nan, 0.94, 0.99, 0.85, 0.1], [0.9, np.nan, 0.94, 0.97, 0.85, 0.2]],
        ]
    )
    return Comparison(("softmax", "<b>"), values, 20, 2)


def test_the_table(known):
    header = "        accuracy          log loss   reciprocal rank         macro AUC          macro F1   fit time, ms"
    first = "0.9500 ± 0.0500*  0.5000 ± 0.2500   0.9500 ± 0.0000*  0.9800 ± 0.0100*  0.8500 ± 0.0500*    15.0 ± 6.3*"
    second = "0.8500 ± 0.0500                 –   0.9400 ± 0.0000   0.9800 ± 0.0100*  0.8500 ± 0.0000*  150.0 ± 62.7"
    caption = "* best of its column; mean ± standard error over 2 folds, fit time: median; 20 rows, 2 classes"
    assert str(known).splitlines() == [f"        {header}", f"softmax  {first}", f"<b>      {second}", "", caption]


def test_the_notebooks_table(known):
    text = known._repr_html_()
    assert "<th>&lt;b&gt;</th><td>0.8500 ± 0.0500</td><td>–</td>" in text
    assert "<td><b>0.9500 ± 0.0500</b></td>" in text and text.count("<b>") == 7


def test_the_frame(known):
    frame = known.to_frame()
    assert frame.index.tolist() == ["softmax", "<b>"] and frame.index.name == "model"
    assert frame.columns.tolist()[:3] == ["accuracy", "accuracy_error", "log_loss"] and frame.shape == (2, 12)
    assert frame.loc["softmax", "log_loss"] == 0.5 and frame.loc["softmax", "log_loss_error"] == 0.25
    assert frame.loc["<b>", "log_loss":"log_loss_error"].isna().all()


def test_it_is_frozen(known):
    with pytest.raises(dataclasses.FrozenInstanceError):
        known.models = ()


@pytest.fixture
def pyplot():
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def test_the_picture(pyplot, result, tmp_path):
    figure = result.plot()
    figure.savefig(tmp_path / "picture.png")
    *measures, loss, slope = figure.axes
    assert [panel.get_title()[:-2] for panel in measures] == [measure.heading for measure in MEASURES.values()]
    for panel, field, measure in zip(measures, MEASURES, MEASURES.values(), strict=True):
        assert panel.get_title()[-1] == ("↓" if field in ("log_loss", "fit_time") else "↑")
        known = [row for row in result.rows if not np.isnan(getattr(row, field).value)]
        drawn = [(dot.lines[0].get_xdata()[0], dot.lines[0].get_ydata()[0]) for dot in panel.containers]
        expected = [(getattr(row, field).value * measure.unit, MODELS.index(row.model)) for row in known]
        np.testing.assert_allclose(drawn, expected)
        (bar,) = panel.containers[0].lines[2]
        ends = bar.get_segments()[0][:, 0]
        half = getattr(result.rows[0], field).error * measure.unit
        np.testing.assert_allclose(np.diff(ends), 2 * half, rtol=1e-9, atol=1e-12)
        assert len(panel.texts) == 5 - len(known)
    for panel, which in ((loss, "loss"), (slope, "gradient")):
        lines = panel.lines[:5]
        for line, name in zip(lines, MODELS, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), getattr(result.losses(line.get_xdata())[name], which))
    names = [text.get_text().split(":")[0] for text in slope.get_legend().get_texts()]
    assert names == MODELS


def test_the_picture_in_a_place_of_the_users(pyplot, known):
    figure, (left, right) = pyplot.subplots(1, 2, layout="constrained", width_ratios=(1, 3), figsize=(14, 5))
    assert known.plot(right) is figure and not right.axison and left.axison
    figure.canvas.draw()
    assert len(figure.axes) == 2 + 6 + 2
    assert all(panel.get_position().x0 > left.get_position().x1 for panel in figure.axes[2:])
    with pytest.raises(ValueError, match="ax: expected axes of a grid"):
        known.plot(pyplot.figure().add_axes((0, 0, 1, 1)))


def test_without_built_in_models_there_are_no_curves(pyplot, known):
    figure = Comparison(("mine", "yours"), known.folds, 20, 2).plot()
    figure.canvas.draw()
    assert len(figure.axes) == 6


@pytest.mark.parametrize(
    ("method", "package", "module"), [("to_frame", "pandas", "pandas"), ("plot", "matplotlib", "matplotlib.pyplot")]
)
def test_a_missing_package_is_named(known, monkeypatch, method, package, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"Comparison.{method} needs {package}: pip install {package}"):
        getattr(known, method)()


def test_compare_is_the_function():
    assert luce.compare is sys.modules["luce.models.comparison.compare"].compare and "compare" in luce.__all__


# ---- what it refuses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": [1] * 6}, r"y: expected at least two classes .* got \[1\]"),
        ({"y": [1, 2]}, "inconsistent numbers of samples"),
        ({"X": [[np.nan]] * 6}, "X: column 0 holds NaN, a missing value, in row 0"),
        ({"y": [0.5, 0.1, 0.2, 0.3, 0.4, 0.6]}, "Unknown label type: continuous"),
        ({"y": [0, 1, 0, 1, 0, np.nan]}, "y: 1 of .* missing, the first in row .*NaN"),
        ({"models": ["softmax", "svm"]}, r"models: expected names among \['softmax', .*'ridge'\], got 'svm'"),
        ({"models": {"mine": "softmaxx"}}, "got 'softmaxx'"),
        ({"models": []}, "models: expected at least one"),
        ({"models": {"softmax": LinearSVC()}}, "'softmax' is the name of a built-in model"),
        ({"models": {"mine": SVC(decision_function_shape="ovo")}, "y": [0, 1, 2, 3] * 2, "X": np.eye(8)}, "6 scores"),
        ({"C": 0}, "C must be a positive finite number, got 0"),
        ({"C": np.inf}, "C must be a positive finite number, got inf"),
        ({"cv": 1}, "n_splits=1"),
        ({"cv": [([0, 2], [1])]}, r"cv: the training rows of fold 1 lack the classes \[1\]"),
        ({"cv": [([0, 1], [2]), ([0, 1], [])]}, "cv: fold 2 has no held-out row"),
        ({"sample_weight": [1, 1, 1]}, "sample_weight"),
        ({"sample_weight": [1, 1, 1, 1, 1, -1]}, "Negative values"),
        ({"sample_weight": [1, 0, 1, 0, 1, 0]}, r"positive weight, got \[0\]"),
        ({"sample_weight": [1] * 6, "models": {"k": KNeighborsClassifier()}}, "the model 'k' takes no weights"),
    ],
)
def test_bad_input(change, message):
    good = {"X": np.arange(6.0)[:, None], "y": [0, 1] * 3, "cv": 2, "models": ["ridge"]}
    with pytest.raises(ValueError, match=message):
        luce.compare(**{**good, **change})


@pytest.mark.parametrize("model", [LinearSVC, StandardScaler(), None, 3])
def test_what_is_no_classifier(model):
    with pytest.raises(
        TypeError, match=r"expected classifiers with decision_function or predict_proba, got .* for 'mine'"
    ):
        luce.compare(*load_iris(return_X_y=True), models={"mine": model})


def test_the_input_is_left_as_it_was(wine):
    X, y = wine
    copies = X.copy(), y.copy()
    luce.compare(X, y, models=["softmax", "ridge"], cv=2, sample_weight=np.ones(len(y)))
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(y, copies[1])


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(score):
    class Broken(LogisticRegression):
        def decision_function(self, X):
            return np.full((len(X), 3), score)

    with pytest.raises(ValueError, match="models: 'broken' gives scores that are NaN or infinite"):
        luce.compare(*load_iris(return_X_y=True), models={"broken": Broken()})
