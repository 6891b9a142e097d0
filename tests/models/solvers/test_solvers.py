"""The solvers on functions whose minimum is known, without any data."""

import ast
from pathlib import Path

import numpy as np
import pytest

import luce.models.solvers
from luce.models.solvers import SOLVERS, Newton, minimise


class Function:
    """A convex function from its value, gradient and Hessian, offered as an objective."""

    resolution = 8 * np.finfo(float).eps

    def __init__(self, value, gradient, hessian, lacking=()):
        self.value, self.gradient, self.hessian, self.lacking = value, gradient, hessian, lacking
        self.evaluations = 0

    def at(self, parameters):
        self.evaluations += 1
        point = type("Place", (), {})()
        point.parameters = parameters
        point.value = float(self.value(parameters))
        point.gradient = self.gradient(parameters)
        point.gap, point.objective = np.inf, self
        hessian = self.hessian(parameters)
        point.hessian = hessian.copy
        point.hvp = lambda vector: hessian @ vector
        point.preconditioner = lambda strength: lambda vector: vector / np.diagonal(hessian)
        point.strong_preconditioner_cost = 10.0
        for name in self.lacking:
            delattr(point, name)
        return point


def quadratic(size=8, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    matrix, minimum = root @ root.T + 0.1 * np.eye(size), rng.normal(size=size)
    return (
        Function(
            lambda x: 0.5 * (x - minimum) @ matrix @ (x - minimum) + 1,
            lambda x: matrix @ (x - minimum),
            lambda x: matrix,
        ),
        minimum,
    )


def steep():
    """Σ log cosh(x − m): full Newton steps from afar diverge, so the step must be damped."""
    minimum = np.array([1.0, -2.0, 0.5])
    return (
        Function(
            lambda x: np.sum(np.logaddexp(x - minimum, minimum - x)),
            lambda x: np.tanh(x - minimum),
            lambda x: np.diag(1 - np.tanh(x - minimum) ** 2),
        ),
        minimum,
    )


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_quadratics_are_solved(name):
    function, minimum = quadratic()
    last = minimise(SOLVERS[name](), function, np.zeros(8), tol=1e-10, max_iter=50)
    assert last.converged
    np.testing.assert_allclose(last.point.parameters, minimum, atol=1e-8)


def test_newton_solves_a_quadratic_in_one_step():
    function, _ = quadratic()
    assert minimise(Newton(), function, np.zeros(8), tol=1e-8, max_iter=50).iteration == 1


@pytest.mark.parametrize("name", sorted(SOLVERS))
@pytest.mark.parametrize("distance", [0.1, 2.0, 6.0])
def test_steps_are_damped_where_full_ones_diverge(name, distance):
    function, minimum = steep()
    values = []
    last = minimise(
        SOLVERS[name](),
        function,
        minimum + distance,
        tol=1e-9,
        max_iter=100,
        callback=lambda iterate: values.append(iterate.point.value),
    )
    assert last.status == "converged"
    np.testing.assert_allclose(last.point.parameters, minimum, atol=1e-8)
    assert (np.diff(values) <= 1e-12).all()


def test_the_limit_is_kept_and_said():
    function, minimum = steep()
    seen = []
    last = minimise(Newton(), function, minimum + 2, tol=1e-12, max_iter=2, callback=seen.append)
    assert (last.status, last.iteration, last.converged) == ("limit", 2, False)
    assert [iterate.iteration for iterate in seen] == [0, 1, 2]
    assert [iterate.status for iterate in seen] == ["running", "running", "limit"]


def test_a_small_gradient_is_not_enough_where_there_is_much_to_gain():
    flat = Function(lambda x: 0.5e-9 * (x[0] - 1e4) ** 2, lambda x: 1e-9 * (x - 1e4), lambda x: np.array([[1e-9]]))
    last = minimise(Newton(), flat, np.zeros(1), tol=1e-4, max_iter=10)
    assert last.status == "converged"
    assert last.point.parameters[0] == pytest.approx(1e4, rel=1e-6)


def test_rounding_ends_the_walk():
    def rounded(x):
        return np.float64(np.float32(0.5 * x @ x + 1))

    coarse = Function(
        rounded, lambda x: x + 1e-5, lambda x: np.eye(3)
    )  # no zero of the gradient where the value is least
    coarse.resolution = 8 * float(np.finfo(np.float32).eps)
    coarse.gradient = lambda x: np.where(np.abs(x) < 1e-3, 1e-5, x)
    last = minimise(Newton(), coarse, np.ones(3), tol=1e-12, max_iter=50)
    assert last.status == "precision"
    assert last.iteration < 50


def test_an_uphill_or_broken_direction_is_called_stalled():
    broken = Function(lambda x: np.nan, lambda x: np.full(2, np.nan), lambda x: np.full((2, 2), np.nan))
    assert minimise(Newton(), broken, np.zeros(2), tol=1e-8, max_iter=5).status == "stalled"
    wrong = Function(lambda x: np.sum(x), lambda x: -np.ones(2), lambda x: np.eye(2))  # gradient of the wrong sign
    assert minimise(Newton(), wrong, np.zeros(2), tol=1e-8, max_iter=5).status == "stalled"


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_a_singular_hessian_moves_nothing_along_its_kernel(name):
    matrix = np.diag([2.0, 3.0, 0.0])
    function = Function(lambda x: 0.5 * x @ matrix @ x + 1, lambda x: matrix @ x, lambda x: matrix)
    if name != "newton":
        function.hessian = lambda x: matrix + np.diag([0, 0, 1e-300])
    last = minimise(SOLVERS[name](), function, np.array([1.0, -1.0, 5.0]), tol=1e-10, max_iter=50)
    np.testing.assert_allclose(last.point.parameters, [0, 0, 5.0], atol=1e-8)


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_a_pairing_that_lacks_something_fails_at_once(name):
    function, _ = quadratic()
    function.lacking = {"newton": ["hessian"]}.get(name, ["hvp"])
    with pytest.raises(TypeError, match=f"{name}.*{function.lacking[0]}"):
        minimise(SOLVERS[name](), function, np.zeros(8), tol=1e-8, max_iter=5)
    assert function.evaluations == 1


def test_solvers_know_no_data():
    """No module of the solvers imports the objective, the estimator or the losses."""
    for path in Path(luce.models.solvers.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("luce"):
                assert node.module.startswith(("luce.models.solvers", "luce.matrices")), path
