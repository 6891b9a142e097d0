"""One implementation on trial: called and differentiated on problems, and held against the oracle.

What an implementation computes is held against the oracle in two ways. *Right* means within 64 eps of the largest
entry or of what a row counts for: no known mistake passes, and every honest way of rounding does. *Accurate* is what
the contract promises: each loss within 4 eps of itself and each entry of a derivative within 8 eps of the sum of the
magnitudes of its terms. An option that a function does not take, a derivative that it does not have and an input that
it refuses with an exception are listed and not held against it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from mpmath import mp

from luce.check.calling.arrays import Native, UserFunction
from luce.check.calling.errors import Unsupported
from luce.check.calling.frameworks import FRAMEWORKS, Differentiable
from luce.check.conformance_suite.adapters import Implementation
from luce.check.inputs.problems import DrawnProblem
from luce.check.truth.oracle import Exact, to_exact
from luce.check.truth.tolerance import Wrong, deviation, errors, levelled
from luce.contract.options import Options
from luce.derivation.quantities import Array, OptionValue

__all__ = ["DEFAULTS", "Trial", "along", "gradient_of", "problem", "with_target"]

DEFAULTS: dict[str, OptionValue] = Options._field_defaults
WIDEST_IDENTITY = 300
"""A layer for one row of more classes has the logits as its weights: an identity would be too large."""


@functools.cache
def problem(**description: OptionValue) -> DrawnProblem:
    """Build a problem once for all implementations."""
    return DrawnProblem(**description)


@functools.cache
def gradient_of(problem: DrawnProblem) -> Exact:
    """Return the oracle's gradient, computed once."""
    return problem.exact.gradient()


@functools.cache
def product_of(problem: DrawnProblem) -> Exact:
    """Return the oracle's Hessian product with the problem's vector, computed once."""
    return problem.exact.hvp(problem.vector)


def with_target(like: DrawnProblem, target: Native) -> DrawnProblem:
    """Return the problem with another target."""
    p = DrawnProblem(n_rows=0, dtype=str(like.dtype), **like.options)
    p.logits, p.target, p.vector = like.logits, target, like.vector
    return p


def along(gradient: Exact, vector: Array, reduction: str) -> Exact:
    """Return the derivative of the value along a vector: of each row's loss, or of their sum."""
    with mp.workdps(60):
        parts = [gradient.value * to_exact(vector), gradient.scale * abs(to_exact(vector))]
        value, scale = (part.sum(axis=-1) if reduction == "none" else part.sum() for part in parts)
        return Exact(np.asarray(value + mp.zero), np.asarray(scale + mp.zero))


def unit_of(problem: DrawnProblem) -> float:
    """Return the size of a row's derivatives, and of its loss where the model is not sure."""
    return float(max(problem.exact.row_factor, default=0.0))


class Trial:
    """One implementation on trial: how to call it on a problem, and what was found in the check that runs."""

    def __init__(self, it: Implementation) -> None:
        self.it = it
        self.framework = FRAMEWORKS[it.framework]()
        self.reductions = ["mean"]
        self.dtype = "float32"
        self.one_hot = False
        self.start()
        self.reductions = self._reductions()
        if self.computes_in("float64"):
            self.dtype = "float64"

    def start(self) -> None:
        """Forget what the last check found."""
        self.failures: list[tuple[float, str]] = []
        self.refusals: list[str] = []
        self.tried = 0
        self.worst: float | None = None

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Note what fails and what is refused within, and go on."""
        try:
            yield
            self.tried += 1
        except AssertionError as error:
            words = f"{what}: {error}" if what else str(error)
            self.failures.append((getattr(error, "error", np.inf), words))
        except Unsupported as refusal:
            self.refusals.append(str(refusal))

    # problems and calls

    def problem(self, **description: OptionValue) -> DrawnProblem:
        """Build a problem in the base dtype, with a reduction that the implementation has."""
        return problem(**{"dtype": self.dtype, "reduction": self.reductions[0], "n_rows": 7, **description})

    def bind(
        self, problem: DrawnProblem, logits: Native = None, arguments: Native = None
    ) -> tuple[Differentiable, list[Native]]:
        """Return the implementation as a function of the logits, and the logits; ``arguments`` are target and options.

        A layer gets the identity as its weights, so that its logits are the given ones to the last bit; for a single
        row of very many classes, an input of 1 and the logits as the weights. Classes that cannot happen have a bias of
        −inf, where there is one: in forward mode 0 · −inf, of an input that does not change, is no fault of the loss.
        """
        it, array = self.it, self.framework.array
        kind, (rows, classes), impossible = str(problem.dtype), problem.logits.shape, np.isneginf(problem.logits)
        t, options = self.arguments(problem) if arguments is None else arguments
        as_weights = it.layer and rows == 1 and (classes > WIDEST_IDENTITY or np.isinf(problem.logits).any())
        if it.layer and not as_weights and impossible.any():
            raise Unsupported("a layer's logits of −inf are tried in one row")
        values = problem.logits
        if as_weights and impossible.any() and it.takes("linear_bias"):
            values = np.where(impossible, 0, values)
            options = {**options, "linear_bias": array(np.where(impossible[0], -np.inf, 0), kind)}
        z = array(values, kind) if logits is None else logits
        other = array(np.ones((1, 1)) if as_weights else np.eye(classes), kind) if it.layer else None

        def before_target(z: Native) -> tuple[Native, ...]:
            return (other, z.T) if as_weights else (z, other) if it.layer else (z,)

        def of_logits(parts: Native) -> list[Native]:
            return [parts[1].T] if as_weights else [parts[0]] if it.layer else [parts]

        gradient, product = it.gradient, it.product

        def own_gradient(z: Native) -> list[Native]:
            assert gradient is not None
            return of_logits(self.called(gradient, *before_target(z), t, **options))

        def own_product(z: Native, v: Native) -> list[Native]:
            assert product is not None
            vector = (None, v.T) if as_weights else (v, None) if it.layer else v
            if "linear_bias" in options:
                vector = (*vector, None)
            return of_logits(self.called(product, *before_target(z), t, vector, **options))

        call = Differentiable(
            lambda z: self.called(it.function, *before_target(z), t, **options),
            own_gradient if gradient else None,
            own_product if product else None,
        )
        return call, [z]

    def arguments(self, problem: DrawnProblem) -> tuple[Native, dict[str, OptionValue]]:
        """Return target and options as the implementation takes them, without options at their defaults."""
        array, target = self.framework.array, problem.target
        hard = isinstance(target, np.ndarray) and target.dtype.kind == "i"
        options = {}
        for name, value in problem.options.items():
            if name == "ignore_index" and not hard:
                continue
            if name == "reduction" and not self.it.takes("reduction"):
                if value not in self.reductions:
                    raise Unsupported(f"has no reduction {value!r}")
                continue
            if not self.it.takes(name):
                if value is not DEFAULTS[name] and value != DEFAULTS[name]:
                    raise Unsupported(f"takes no {name}")
            elif isinstance(value, np.ndarray):
                options[name] = array(value)
            elif name == "reduction" or value != DEFAULTS[name]:
                options[name] = value
        if isinstance(target, tuple):
            return tuple(map(array, target)), options
        if hard and self.one_hot:
            if not np.all((target >= 0) & (target < problem.logits.shape[-1])):
                raise Unsupported("takes one-hot rows")
            return array(np.eye(problem.logits.shape[-1])[target], str(problem.dtype)), options
        return array(target), options

    def called(self, function: UserFunction, *arguments: Native, **options: Native) -> Native:
        """Call the implementation; an exception is a refusal."""
        return refused(lambda: function(*arguments, **options))

    def derived(self, method: str, *arguments: Native) -> Native:
        """Call a method of the framework; an exception is a refusal."""
        return refused(lambda: getattr(self.framework, method)(*arguments))

    def value(self, problem: DrawnProblem, **bound: Native) -> Array:
        """Return the value of a problem."""
        return self.derived("value", *self.bind(problem, **bound))  # type: ignore[no-any-return]

    def slope(self, problem: DrawnProblem, upstream: Native = None, **bound: Native) -> Array:
        """Return the gradient of a problem in its logits."""
        return self.derived("gradient", *self.bind(problem, **bound), upstream)[0]  # type: ignore[no-any-return]

    def vector(self, problem: DrawnProblem) -> list[Native]:
        """Return the problem's vector, as the list that a product takes."""
        return [self.framework.array(problem.vector, str(problem.dtype))]

    # judging

    def judge(
        self,
        what: str,
        got: Array,
        exact: Exact,
        dtype: Native,
        limit: float | None = None,
        unit: float = 0.0,
    ) -> None:
        """Hold numbers against the oracle's: right without a limit, else accurate to so many eps."""
        try:
            error = deviation(what, got, exact, dtype, limit=limit, unit=unit, flushed=self.framework.flushes)
        except Wrong as wrong:
            self.worst = max(self.worst or 0.0, wrong.error)
            raise
        self.worst = max(self.worst or 0.0, error)

    def loss(self, problem: DrawnProblem, limit: float | None = None, what: str = "") -> None:
        """Judge the value."""
        with self.attempt(what):
            self.judge("loss", self.value(problem), problem.exact.value, problem.dtype, limit, unit_of(problem))

    def gradient(self, problem: DrawnProblem, limit: float | None = None, what: str = "") -> None:
        """Judge the gradient."""
        with self.attempt(what):
            self.judge("gradient", self.slope(problem), gradient_of(problem), problem.dtype, limit, unit_of(problem))

    def product(self, problem: DrawnProblem, limit: float | None = None, what: str = "") -> None:
        """Judge the Hessian product."""
        with self.attempt(what):
            found = self.derived("product", *self.bind(problem), self.vector(problem))[0]
            self.judge("Hessian product", found, product_of(problem), problem.dtype, limit, unit_of(problem))

    def forward(self, problem: DrawnProblem, limit: float | None = None, what: str = "") -> None:
        """Judge forward mode."""
        with self.attempt(what):
            if self.it.layer and np.isneginf(problem.logits).any():
                self.require("linear_bias")
            found = self.derived("forward", *self.bind(problem), self.vector(problem))
            exact = along(gradient_of(problem), problem.vector, problem.options["reduction"])
            self.judge("derivative along a vector", found, exact, problem.dtype, limit, unit_of(problem))

    def value_and_gradient(self, problem: DrawnProblem, what: str = "") -> None:
        """Judge the value, and the gradient if there is one."""
        self.loss(problem, what=what)
        if "gradient" in self.derivatives:
            self.gradient(problem, what=what)

    def everything(self, problem: DrawnProblem, what: str = "") -> None:
        """Judge the value and the derivatives that there are."""
        self.loss(problem, what=what)
        for name in self.derivatives:
            getattr(self, name)(problem, what=what)

    # what the implementation has

    def require(self, option: str) -> None:
        """Raise Unsupported where the implementation does not take an option."""
        if not self.it.takes(option):
            raise Unsupported(f"takes no {option}")

    def require_dtype(self, dtype: str) -> None:
        """Raise Unsupported where the implementation does not compute in a dtype."""
        if not self.computes_in(dtype):
            raise Unsupported(f"does not compute in {dtype}")

    @property
    def derivatives(self) -> list[str]:
        """The names of gradient, product and forward as far as they are right in an ordinary problem."""
        return [name for name, status in self.statuses.items() if status == "passed"]

    @functools.cached_property
    def statuses(self) -> dict[str, str]:
        """The status of gradient, product and forward in an ordinary problem."""
        return {name: self._status(name) for name in ("gradient", "product", "forward")}

    def _status(self, name: str) -> str:
        """Return how an ordinary problem goes, and leave what the running check has found as it is."""
        mine = self.failures, self.refusals, self.tried, self.worst
        self.start()
        getattr(self, name)(self.problem())
        status = "failed" if self.failures else "passed" if self.tried else "unsupported"
        self.failures, self.refusals, self.tried, self.worst = mine
        return status

    def computes_in(self, dtype: str) -> bool:
        """Return whether logits of a dtype are taken, and float64 not as float32, which the error gives away."""
        p = self.problem(dtype=dtype)
        try:
            found = self.value(p)
        except Unsupported:
            return False
        if dtype != "float64" or found.shape != np.shape(p.exact.value.value):
            return True
        away = float(errors(found, levelled(p.exact.value, 1.0), "float64").max()) * 2.0**-52
        return found.dtype == np.float64 and not 2.0**-40 < away < 2.0**-16

    def _reductions(self) -> list[str]:
        """Return the reductions that work; without such an option, the one that the function computes.

        A function that takes no class indices is given them as one-hot rows.
        """
        ordinary = {r: problem(dtype="float32", n_rows=7, reduction=r) for r in ("mean", "sum", "none")}
        self.reductions = list(ordinary)
        values: dict[str, Array] = {}
        for self.one_hot in (False, True):
            for name, each in ordinary.items():
                with self.attempt(""):
                    values[name] = self.value(each)
            if values:
                break
        else:
            expected = "input, linear_weight, target" if self.it.layer else "logits, target"
            raise ValueError(f"{self.it.name} cannot be called with ({expected}): {self.refusals[0]}")
        if self.it.takes("reduction"):
            return list(values)
        value = values["mean"]
        if value.ndim:
            return ["none"]
        return [min(("mean", "sum"), key=lambda r: abs(float(value) - float(ordinary[r].exact.value.value)))]


def refused(run: Callable[[], Native]) -> Native:
    """Run somebody else's code: its exceptions become refusals, its warnings are ignored."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return run()
    except Unsupported:
        raise
    except Exception as error:
        words = " ".join(str(error).split())
        raise Unsupported(f"{type(error).__name__}: {words[:160]}" if words else type(error).__name__) from error
