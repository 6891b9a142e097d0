"""The path over the strength of the penalty."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

import luce
from luce.models.path import softmax_path

CS = [0.01, 1.0, 100.0]


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_a_path_holds_what_separate_fits_find(l1_ratio):
    X, y = load_wine(return_X_y=True)
    path = softmax_path(X, y, Cs=CS[::-1], l1_ratio=l1_ratio, tol=1e-9, max_iter=500)
    assert path.Cs.tolist() == CS
    for C, coef, intercept in zip(path.Cs, path.coefs, path.intercepts, strict=True):
        alone = luce.SoftmaxClassifier(C=C, l1_ratio=l1_ratio, tol=1e-9, max_iter=500).fit(X, y)
        np.testing.assert_allclose(coef, alone.coef_, atol=1e-4 * np.abs(alone.coef_).max())
        np.testing.assert_allclose(intercept, alone.intercept_, atol=1e-4 * np.abs(alone.intercept_).max())
    if l1_ratio:
        assert (np.diff(path.n_nonzero) >= 0).all() and path.n_nonzero[0] < path.coefs[0].size


def test_the_path_is_walked_on_from_where_it_was():
    X, y = load_breast_cancer(return_X_y=True)
    Cs = np.geomspace(0.5, 2, 8)
    path = softmax_path(X, y, Cs=Cs)
    cold = sum(luce.SoftmaxClassifier(C=C).fit(X, y).n_iter_[0] for C in Cs)
    assert sum(model.n_iter_[0] for model in path.models) < 0.7 * cold


def test_a_path_can_be_drawn():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    path = softmax_path(*load_iris(return_X_y=True), Cs=4, l1_ratio=1.0)
    axes = path.plot()
    assert [axis.get_title() for axis in axes] == ["0", "1", "2"]
    assert [len(axis.lines) for axis in axes] == [5, 5, 5]
    matplotlib.pyplot.close("all")


def test_an_interrupt_ends_the_path(monkeypatch):
    X, y = load_iris(return_X_y=True)
    solve, begun = luce.models.linear.assembly.LinearProblem.solve, []

    def stopped(self, C, **options):
        begun.append(C)
        return solve(self, C, callback=stop, **options)

    def stop(iterate):
        if iterate.iteration == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("luce.models.linear.assembly.LinearProblem.solve", stopped)
    with pytest.raises(KeyboardInterrupt):
        softmax_path(X, y, Cs=CS)
    assert len(begun) == 1


def test_a_path_takes_no_single_strength():
    with pytest.raises(TypeError, match="takes Cs"):
        softmax_path(*load_iris(return_X_y=True), C=1.0)
