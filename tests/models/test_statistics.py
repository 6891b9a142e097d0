"""Standard errors and what is made of them, against statsmodels and dense NumPy."""

import re
import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import sparse
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning

from luce.models.classifier import SoftmaxClassifier


@pytest.fixture(scope="module")
def anes96():
    """The American national election study of 1996: party identification in 7 classes."""
    data = sm.datasets.anes96.load_pandas()
    X = data.exog.copy()
    X.columns = [str(name) for name in X.columns]
    y = data.endog.astype(int)
    return X, y, sm.MNLogit(y, sm.add_constant(X, prepend=False)).fit(method="newton", maxiter=100, disp=0)


def fitted(X, y, weight=None, **options):
    options = {"C": np.inf, "tol": 1e-11, "standard_errors": True, **options}
    return SoftmaxClassifier(**options).fit(X, y, weight)


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_all_of_it_equals_statsmodels(anes96, level):
    X, y, theirs = anes96
    ours = fitted(X, y).summary(reference=0, level=level)
    tight = {"rtol": 1e-6}
    assert ours.classes == [str(k) for k in range(1, 7)] and ours.reference == "0"
    assert ours.terms == [*X.columns, "intercept"]
    np.testing.assert_allclose(ours.coefficient, theirs.params.to_numpy().T, **tight)
    np.testing.assert_allclose(ours.standard_error, theirs.bse.to_numpy().T, **tight)
    np.testing.assert_allclose(ours.z, theirs.tvalues.to_numpy().T, **tight)
    np.testing.assert_allclose(ours.p, theirs.pvalues.to_numpy().T, rtol=1e-5, atol=1e-300)
    low, high = theirs.conf_int(1 - level).to_numpy().reshape(6, -1, 2).transpose(2, 0, 1)
    np.testing.assert_allclose(ours.low, low, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.high, high, rtol=1e-6, atol=1e-8)
    assert ours.log_likelihood == pytest.approx(theirs.llf, rel=1e-10)
    counts = np.bincount(y)
    assert ours.null_log_likelihood == pytest.approx(counts @ np.log(counts / len(y)), rel=1e-13)
    assert ours.null_log_likelihood == pytest.approx(theirs.llnull, rel=1e-8)  # which is walked to
    assert ours.degrees_of_freedom == pytest.approx(theirs.df_model + 6)
    assert ours.observations == theirs.nobs
    assert ours.aic == pytest.approx(theirs.aic, rel=1e-10)
    assert ours.bic == pytest.approx(theirs.bic, rel=1e-10)
    assert ours.mcfadden == pytest.approx(theirs.prsquared, rel=1e-7)


def test_the_covariance_against_a_reference_is_statsmodels(anes96):
    X, y, theirs = anes96
    found, columns = fitted(X, y).covariance_, X.shape[1] + 1
    change = np.kron(np.column_stack([-np.ones(6), np.eye(6)]), np.eye(columns))
    expected = theirs.cov_params().to_numpy()
    np.testing.assert_allclose(change @ found @ change.T, expected, atol=1e-6 * np.abs(expected).max())


def test_any_reference_gives_the_same_differences(anes96):
    X, y, _ = anes96
    model = fitted(X, y)
    plain = model.summary()
    np.testing.assert_allclose(plain.coefficient.sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(plain.coefficient[:, :-1], model.coef_)
    np.testing.assert_allclose(plain.standard_error, model.standard_errors_)
    for reference in (3, "6"):
        at = int(reference)
        summary = model.summary(reference=reference)
        expected = np.delete(plain.coefficient - plain.coefficient[at], at, axis=0)
        np.testing.assert_allclose(summary.coefficient, expected)
        assert summary.classes == [str(k) for k in range(7) if k != at]
    against = model.summary(reference=0).standard_error[2], model.summary(reference=3).standard_error[0]
    np.testing.assert_allclose(against[0], against[1], rtol=1e-8)  # 3 against 0, and 0 against 3


def binary():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:, [0, 1, 4, 8]], y


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_two_classes_equal_statsmodels_logit(fit_intercept):
    X, y = binary()
    theirs = sm.Logit(y, sm.add_constant(X, prepend=False) if fit_intercept else X).fit(disp=0, tol=1e-12)
    ours = fitted(X, y, fit_intercept=fit_intercept).summary()
    assert ours.classes == ["1"] and ours.reference == "0"
    np.testing.assert_allclose(ours.coefficient[0], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(ours.standard_error[0], theirs.bse, rtol=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.llf, rel=1e-10)
    assert ours.null_log_likelihood == pytest.approx(theirs.llnull, rel=1e-8)
    assert ours.degrees_of_freedom == pytest.approx(len(theirs.params))
    assert ours.aic == pytest.approx(theirs.aic, rel=1e-10)


@pytest.mark.parametrize("penalty", [np.inf, 0.7])
def test_weights_are_repeated_rows(penalty):
    X, y = load_wine(return_X_y=True)
    X = X[:, :3]
    times = np.arange(len(y)) % 4
    by_weight = fitted(X, y, times.astype(float), C=penalty)
    by_row = fitted(X.repeat(times, axis=0), y.repeat(times), C=penalty)
    largest = np.abs(by_row.covariance_).max()
    np.testing.assert_allclose(by_weight.covariance_, by_row.covariance_, atol=1e-8 * largest)
    for name in ("log_likelihood_", "null_log_likelihood_", "degrees_of_freedom_", "observations_"):
        assert getattr(by_weight, name) == pytest.approx(getattr(by_row, name), rel=1e-9)


def dense_information(model, X, fit_intercept):
    """Σ (diag p − p pᵀ) ⊗ x̃x̃ᵀ over all K(D + 1) coefficients."""
    wide = np.column_stack([X, np.ones(len(X))]) if fit_intercept else X
    scores = X @ model.coef_.T + model.intercept_
    if scores.shape[1] == 1:
        p = softmax(np.column_stack([0 * scores, scores]), axis=1)[:, 1]
        return (wide * (p * (1 - p))[:, None]).T @ wide
    p = softmax(scores, axis=1)
    return sum(np.kron(np.diag(q) - np.outer(q, q), np.outer(x, x)) for q, x in zip(p, wide, strict=True))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [0.01, 1.0, 50.0])
def test_with_a_penalty_it_is_the_inverse_of_curvature_and_penalty(classes, fit_intercept, C):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < classes], y[y < classes]
    model = fitted(X, y, C=C, fit_intercept=fit_intercept)
    width, rows = X.shape[1] + fit_intercept, len(model.coef_)
    information = dense_information(model, X, fit_intercept)
    decay = np.tile(np.append(np.full(4, 1 / C), np.zeros(int(fit_intercept))), rows)
    if rows > 1 and fit_intercept:  # the shift of all intercepts is not there: take it out
        shift = np.zeros(rows * width)
        shift[width - 1 :: width] = 1 / np.sqrt(rows)
        inverse = np.linalg.inv(information + np.diag(decay) + np.outer(shift, shift)) - np.outer(shift, shift)
    else:
        inverse = np.linalg.inv(information + np.diag(decay))
    if rows > 1:  # and of all weights: coefficients that sum to 0
        centre = np.kron(np.eye(rows) - 1 / rows, np.eye(width))
        inverse = centre @ inverse @ centre
    kept = np.concatenate([k * (X.shape[1] + 1) + np.arange(width) for k in range(rows)])
    found = model.covariance_[np.ix_(kept, kept)]
    np.testing.assert_allclose(found, inverse, atol=1e-8 * np.abs(inverse).max())
    assert np.delete(model.covariance_, kept, axis=0).size == 0 or not np.delete(model.covariance_, kept, axis=0).any()
    freedom = np.trace(inverse @ information)
    assert model.degrees_of_freedom_ == pytest.approx(freedom, rel=1e-8)


def test_sigmoids_have_the_errors_of_separate_fits():
    X, y = load_wine(return_X_y=True)
    X = X[:, [0, 9, 11]]
    together = fitted(X, y, loss="sigmoid", C=2.0)
    for k in range(3):
        alone = fitted(X, (y == k).astype(int), C=2.0)
        np.testing.assert_allclose(together.standard_errors_[k], alone.standard_errors_[0], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_constant_columns_without_a_penalty_are_named(form, dtype):
    X, y = binary()
    wide = np.insert(X, 1, 3.0, axis=1).astype(dtype)
    with pytest.raises(
        ValueError, match=r"column 'x1' of X is constant, as the intercept is; drop it or set a finite C"
    ):
        fitted(form(wide), y)
    with pytest.raises(ValueError, match=r"columns 'x1', 'x2' of X are constant"):
        fitted(form(np.insert(wide, 1, 0.0, axis=1)), y)
    with pytest.raises(ValueError, match=r"column 'x1' of X is 0 in every row; drop it"):
        fitted(form(np.insert(X, 1, 0.0, axis=1).astype(dtype)), y, fit_intercept=False)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("constant", [3.0, -1e6, 0.0])
def test_a_constant_column_with_a_penalty_has_the_variance_of_its_prior(constant, classes):
    """Against the dense inverse of information and penalty over (W, b), in which the constant is a column as any."""
    X, y = load_iris(return_X_y=True)
    X, y = np.insert(X[:, :2], 1, constant, axis=1)[y >= 3 - classes], y[y >= 3 - classes]
    model = fitted(X, y, C=2.0)
    assert (model.coef_[:, 1] == 0).all()
    expected = np.sqrt(2.0) if classes == 2 else np.sqrt(2.0 * (1 - 1 / 3))
    np.testing.assert_allclose(model.standard_errors_[:, 1], expected, rtol=1e-12)
    rows = np.hstack([X, np.ones((len(X), 1))])
    p = model.predict_proba(X)
    H = sum(np.kron(np.diag(q) - np.outer(q, q), np.outer(x, x)) for q, x in zip(p, rows, strict=True))
    basis = np.array([[0.0], [1.0]]) if classes == 2 else np.linalg.svd(np.ones((1, 3)))[2][1:].T
    wide = np.kron(basis, np.eye(4))
    inner = wide.T @ H @ wide + np.kron(np.eye(classes - 1), np.diag([0.5, 0.5, 0.5, 0.0]))
    found = wide @ np.linalg.inv(inner) @ wide.T
    found = found[4:, 4:] if classes == 2 else found
    if abs(constant) < 10:
        np.testing.assert_allclose(model.covariance_, found, rtol=1e-6, atol=1e-8)
    assert np.isfinite(model.standard_errors_).all() and (model.standard_errors_ > 0).all()
    assert (model.summary().z[:, 1] == 0).all() and "nan" not in str(model.summary())


def test_unidentified_columns_are_named_by_their_frame():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, 300)
    frame = pd.DataFrame({"age": rng.normal(size=300), **{f"is_{k}": (level == k) * 1.0 for k in range(3)}})
    y = (frame.age + level + rng.normal(size=300) * 2 > 1).astype(int)
    with pytest.raises(
        ValueError, match=r"the columns 'is_0', 'is_1', 'is_2' of X are collinear \(a combination of them is constant"
    ):
        fitted(frame, y)
    assert np.isfinite(fitted(frame, y, fit_intercept=False).standard_errors_).all()
    assert np.isfinite(fitted(frame, y, C=1.0).standard_errors_).all()
    assert np.isfinite(fitted(frame.drop(columns="is_0"), y).standard_errors_).all()
    twice = frame.assign(years=12 * frame.age + 3).drop(columns="is_0")
    for table in (twice, twice.astype(np.float32)):
        with pytest.raises(ValueError, match=r"the columns 'age', 'years' of X are collinear"):
            fitted(table.assign(years=table.age * 4), y)
    with pytest.raises(ValueError, match=r"'age', 'years' of X are collinear \(a combination of them is 0\)"):
        fitted(twice.assign(years=2 * twice.age), y, fit_intercept=False)


def test_sparse_and_single_precision():
    X, y = load_wine(return_X_y=True)
    X = X[:, :4]
    plain = fitted(X, y, C=1.0)
    np.testing.assert_allclose(
        fitted(sparse.csr_array(X), y, C=1.0).standard_errors_, plain.standard_errors_, rtol=1e-6
    )
    single = fitted(X.astype(np.float32), y, C=1.0, tol=1e-5)
    np.testing.assert_allclose(single.standard_errors_, plain.standard_errors_, rtol=1e-3)


def test_wide_data_have_errors_too():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 50)), np.arange(20) % 2
    model = fitted(X, y, C=0.1)
    expected = np.linalg.inv(dense_information(model, X, True) + np.diag(np.append(np.full(50, 10.0), 0.0)))
    np.testing.assert_allclose(model.covariance_, expected, atol=1e-9)


def test_collinear_columns_are_an_error():
    X, y = binary()
    with pytest.raises(ValueError, match=r"Fisher information is singular.*collinear.*finite C"):
        fitted(np.column_stack([X, X[:, 0] - 2 * X[:, 1]]), y)


@pytest.mark.parametrize(("classes", "kind"), [(2, "linearly separable"), (3, "quasi-separable")])
@pytest.mark.parametrize("tol", [1e-6, 1e-11])
def test_separable_classes_are_an_error(classes, kind, tol):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=f"standard_errors: the classes are .*{kind}.* set a finite C"):
        fitted(X[y < classes], y[y < classes], tol=tol)


def test_the_column_along_which_classes_are_separable_is_named():
    rng = np.random.default_rng(0)
    k = rng.integers(0, 2, 300)
    X = pd.DataFrame({"age": k + rng.normal(size=300), "voter": ((rng.random(300) < 0.2) & (k == 1)).astype(float)})
    with pytest.raises(ValueError, match=r"quasi-separable\) along 'voter', their coefficients unbounded"):
        SoftmaxClassifier(C=np.inf, standard_errors=True).fit(X, k)
    with pytest.warns(ConvergenceWarning, match=r"along 'voter' and there is no penalty"):
        SoftmaxClassifier(C=np.inf).fit(X, k)


def test_what_has_no_errors_says_so(monkeypatch):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="standard_errors: a model with an L1 penalty has none"):
        fitted(X, y, C=1.0, l1_ratio=0.5)
    with pytest.raises(ValueError, match="fit with standard_errors=True"):
        SoftmaxClassifier().fit(X, y).summary()
    model = fitted(X, y, C=1.0)
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match=f"level must be a probability between 0 and 1, got {level}"):
            model.summary(level=level)
    with pytest.raises(ValueError, match=r"reference must be one of the classes \['0', '1', '2'\], got 7"):
        model.summary(reference=7)
    two = fitted(X[y > 0], y[y > 0], C=1.0)
    assert two.summary(reference=1).coefficient.tolist() == two.summary().coefficient.tolist()
    with pytest.raises(ValueError, match="with two classes it is the first, '1', got 2"):
        two.summary(reference=2)
    monkeypatch.setattr("luce.models.linear.information.MOST_PARAMETERS", 9)
    with pytest.raises(ValueError, match="10 parameters; the covariance of 9 is the most"):
        fitted(X, y, C=1.0)


def test_a_refit_without_errors_forgets_them():
    X, y = load_iris(return_X_y=True)
    model = fitted(X, y, C=1.0)
    model.set_params(standard_errors=False).fit(X, y)
    assert not hasattr(model, "covariance_")


def test_a_frame_of_it():
    X, y = load_iris(return_X_y=True, as_frame=True)
    summary = fitted(X, y, C=1.0).summary()
    frame = summary.to_frame()
    assert list(frame.columns) == ["coefficient", "standard error", "z", "p", "[0.025", "0.975]"]
    assert frame.index.names == ["class", "term"] and len(frame) == 15
    assert frame.loc[("1", "petal length (cm)"), "coefficient"] == summary.coefficient[1, 2]
    assert frame.loc[("2", "intercept"), "0.975]"] == summary.high[2, 4]
    assert list(fitted(X, y, C=1.0).summary(level=0.9).to_frame().columns)[-2:] == ["[0.05", "0.95]"]


def test_a_frame_needs_pandas(monkeypatch):
    X, y = load_iris(return_X_y=True)
    summary = fitted(X, y, C=1.0).summary()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        summary.to_frame()


def test_it_prints_as_a_table_with_every_number():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "<b>", "virginica"])[y]
    summary = fitted(X, names, C=1.0, fit_intercept=False).summary(reference="setosa")
    text = str(summary)
    assert text.splitlines()[0] == "Softmax classifier: coefficients against setosa"
    assert "150 observations" in text and f"{summary.log_likelihood:.4f}" in text and f"{summary.mcfadden:.4f}" in text
    assert f"AIC {summary.aic:.3f}, BIC {summary.bic:.3f}" in text
    body = text[text.index("---") :].splitlines()[1:]
    assert len(body) == 8
    cells = [re.split(r"\s{2,}", line) for line in body]
    assert [row[:2] for row in cells] == [[k, f"x{j}"] for k in ("<b>", "virginica") for j in range(4)]
    np.testing.assert_allclose([float(row[2]) for row in cells], summary.coefficient.ravel(), rtol=1e-4)
    np.testing.assert_allclose([float(row[3]) for row in cells], summary.standard_error.ravel(), rtol=1e-3)
    assert "intercept" not in text
    assert "coefficients of all classes, summing to 0" in str(fitted(X, y, C=1.0).summary())
    page = summary._repr_html_()
    assert "&lt;b&gt;" in page and "<b>" not in page and page.count("<tr>") == 9
