"""The classifiers that minimise our objective: how each is made for a table, a tolerance and its best settings."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.machine import THREADS

AS_FOUND = ((THREADS, THREADS),)
ENOUGH = 1_000_000  # iterations: the tolerance decides, or the time limit
TOLERANCES = [10.0**-k for k in range(2, 11)]
HESSIAN_BYTES = 4 << 30  # what scikit-learn's newton-cholesky may form


@dataclass(frozen=True)
class Classifier:
    """A program: ``make(table, tol, rows)`` gives an estimator, ``takes(table, shape)`` whether it has this objective.

    ``threads``: the settings of OpenMP and BLAS that it may choose from, as pairs. Two pools of two threads on two CPUs
    wait for each other: scikit-learn's solvers, which have both, can take 50 times as long with the settings that
    they find as with the best.
    """

    module: str
    make: Callable
    takes: Callable = lambda table, shape: True
    tolerances: tuple = tuple(TOLERANCES)
    threads: tuple = ((THREADS, 1), (1, THREADS), (1, 1), (THREADS, THREADS))

    def available(self, table, shape):
        """Whether it is installed and takes this table."""
        return importlib.util.find_spec(self.module) is not None and self.takes(table, shape)


def _luce(table, tol, rows):
    import luce

    options = {"l1_ratio": table.l1_ratio} if table.l1_ratio else {}
    if tol is not None:
        options |= {"tol": tol, "max_iter": ENOUGH}
    return luce.SoftmaxClassifier(C=table.C, **options)


def _logistic_regression(module, solver, **options):
    def make(table, tol, rows):
        LogisticRegression = importlib.import_module(module).LogisticRegression
        return LogisticRegression(
            solver=solver, C=table.C, l1_ratio=table.l1_ratio, tol=tol, max_iter=ENOUGH, random_state=0, **options
        )

    return make


def _skglm(table, tol, rows):
    """Its objective is the mean loss and the penalty times alpha."""
    from skglm import SparseLogisticRegression

    return SparseLogisticRegression(
        alpha=1 / (table.C * rows), l1_ratio=table.l1_ratio, tol=tol, max_iter=ENOUGH, max_epochs=ENOUGH
    )


def _ridge(table, shape):
    return table.l1_ratio == 0


def _ridge_with_hessian(table, shape):
    return _ridge(table, shape) and 8 * (shape["classes"] * (shape["columns"] + 1)) ** 2 <= HESSIAN_BYTES


def _binary(table, shape):
    """Of several classes these make one-against-the-rest models: another objective."""
    return shape["classes"] == 2


_SKLEARN, _INTELEX = "sklearn.linear_model", "sklearnex.linear_model"

OURS = {
    "luce": Classifier("luce", _luce, threads=AS_FOUND),
    "luce, default": Classifier("luce", _luce, tolerances=(None,), threads=AS_FOUND),
}
RIVALS = {
    "lbfgs": Classifier("sklearn", _logistic_regression(_SKLEARN, "lbfgs"), _ridge),
    "newton-cg": Classifier("sklearn", _logistic_regression(_SKLEARN, "newton-cg"), _ridge),
    "newton-cholesky": Classifier("sklearn", _logistic_regression(_SKLEARN, "newton-cholesky"), _ridge_with_hessian),
    "sag": Classifier("sklearn", _logistic_regression(_SKLEARN, "sag"), _ridge),
    "saga": Classifier("sklearn", _logistic_regression(_SKLEARN, "saga")),
    # it penalises its intercept, divided by this
    "liblinear": Classifier("sklearn", _logistic_regression(_SKLEARN, "liblinear", intercept_scaling=1e3), _binary),
    "skglm": Classifier("skglm", _skglm, _binary),
    "intelex lbfgs": Classifier("sklearnex", _logistic_regression(_INTELEX, "lbfgs"), _ridge),
    "intelex newton-cg": Classifier("sklearnex", _logistic_regression(_INTELEX, "newton-cg"), _ridge),
}
CLASSIFIERS = {**OURS, **RIVALS}
