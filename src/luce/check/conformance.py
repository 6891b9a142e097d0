"""The conformance suite: the contract's options, edges and accuracy tried on any implementation of the loss.

What an implementation computes is held against the oracle in two ways. *Right* means within 64 eps of the largest
entry or of what a row counts for: no known mistake passes, and every honest way of rounding does. *Accurate* is what
the contract promises: each loss within 4 eps of itself and each entry of a derivative within 8 eps of the sum of the
magnitudes of its terms. An option that a function does not take, a derivative that it does not have and an input that
it refuses with an exception are listed and not held against it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

from luce.check import cases
from luce.check.adapters import Implementation, implementation
from luce.check.compare import (
    GRADIENT_EPS,
    LOSS_EPS,
    PRODUCT_EPS,
    Precision,
    assert_same_bits,
    assert_same_kind,
    errors,
    precision,
)
from luce.check.frameworks import FRAMEWORKS, TWICE, Call, Unsupported
from luce.check.oracle import Exact, LinearCrossEntropy, to_exact
from luce.check.pairs import all_pairs
from luce.check.problems import Problem
from luce.check.scorecard import Result, Scorecard

__all__ = ["CHECKS", "Check", "assert_conforms", "conformance"]

RIGHT_EPS = 64
"""Rounding alone: shifted logits up to 20 cost 10 eps of exp, a sum of some hundred terms as many in the worst case."""

DEFAULTS: dict[str, Any] = {
    "weight": None,
    "sample_weight": None,
    "ignore_index": -100,
    "label_smoothing": 0.0,
    "z_loss": 0.0,
    "softcap": None,
    "temperature": 1.0,
    "tail": None,
    "reduction": "mean",
    "normalizer": None,
}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "weight": [{"weight": "some"}, {"weight": "some", "target": "distribution"}],
    "sample_weight": [{"sample_weight": "some"}, {"sample_weight": "some", "target": "distribution"}],
    "ignore_index": [{"target": "ignored"}, {"target": "ignored", "ignore_index": 1}],
    "label_smoothing": [{"label_smoothing": 0.1}, {"label_smoothing": 1.0}],
    "z_loss": [{"z_loss": 1e-3}, {"z_loss": 0.5}],
    "softcap": [{"softcap": 30.0}, {"softcap": 2.0}],
    "temperature": [{"temperature": 0.5}, {"temperature": 3.0}],
    "normalizer": [{"normalizer": 7.5}],
    "tail": [{"target": "top-k", "tail": "uniform"}],
}
"""Each option, by problems that show it."""

KINDS = {
    "distribution": "distributions",
    "unnormalised": "targets of any mass",
    "top-k": "top-k targets",
}
ACCURATE = ["normal", "tenth", "uniform", "high", "low", "ties", "near tie", "staircase", "hated", "hundredfold"]
MARGINS = [10.0, 17.0, 40.0, 60.0, 80.0]
WIDE = 300
"""A layer for one row of so many classes has the logits as its weights: an identity would be too large."""


@functools.cache
def problem(**description: Any) -> Problem:
    """Build a problem once for all implementations."""
    return Problem(**description)


@functools.cache
def gradient_of(problem: Problem) -> Exact:
    """The oracle's gradient, once."""
    return problem.exact.gradient()


@functools.cache
def product_of(problem: Problem) -> Exact:
    """The oracle's Hessian product with the problem's vector, once."""
    return problem.exact.hvp(problem.vector)


def along(gradient: Exact, vector: NDArray[Any], reduction: str) -> Exact:
    """The derivative of the value along a vector: of each row's, or of all."""
    with mp.workdps(60):
        parts = [gradient.value * to_exact(vector), gradient.scale * abs(to_exact(vector))]
        value, scale = (part.sum(axis=-1) if reduction == "none" else part.sum() for part in parts)
        return Exact(np.asarray(value + mp.zero), np.asarray(scale + mp.zero))


def levelled(exact: Exact, unit: float) -> Exact:
    """The same values, all held against the largest scale, or against a unit if that is larger."""
    level = max([mp.mpf(unit), *(scale for scale in exact.scale.flat if mp.isfinite(scale))])
    return Exact(exact.value, np.full(np.shape(exact.value), level, dtype=object))


def shown(error: float, kind: Precision) -> float:
    """An error in eps; for numbers of 16 bits in half units of their last place, of which one is the rounding's own."""
    return 1 + 2 * error * kind.computed / kind.eps if kind.rounded_once else error


def unit_of(problem: Problem) -> float:
    """What a row counts for: the size of its derivatives, and of its loss where the model is not sure."""
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
        self.failures: list[str] = []
        self.refusals: list[str] = []
        self.tried = 0
        self.worst: float | None = None

    def result(self, check: str) -> Result:
        """What the check that ran has found."""
        if self.failures:
            return Result(check, "failed", self.failures[0], self.worst)
        if self.refusals and not self.tried:
            return Result(check, "unsupported", self.refusals[0])
        return Result(check, "passed", f"not tried: {self.refusals[0]}" if self.refusals else "", self.worst)

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Note what fails and what is refused within, and go on."""
        try:
            yield
            self.tried += 1
        except AssertionError as error:
            self.failures.append(f"{what}: {error}" if what else str(error))
        except Unsupported as refusal:
            self.refusals.append(str(refusal))

    # problems and calls

    def problem(self, **description: Any) -> Problem:
        """Build a problem in the base dtype, with a reduction that the implementation has."""
        return problem(**{"dtype": self.dtype, "reduction": self.reductions[0], "n_rows": 7, **description})

    def bind(self, problem: Problem, logits: Any = None, target: Any = None) -> tuple[Call, list[Any]]:
        """The implementation as a function of the logits, and these.

        A layer gets the identity as its weights, so that its logits are the given ones to the last bit; for a single
        row of very many classes, an input of 1 and the logits as the weights.
        """
        it, array = self.it, self.framework.array
        kind = str(problem.dtype)
        z = array(problem.logits, kind) if logits is None else logits
        t, options = self._arguments(problem)
        t = t if target is None else target
        rows, classes = problem.logits.shape
        as_weights = it.layer and rows == 1 and (classes > WIDE or np.isinf(problem.logits).any())
        if it.layer and not as_weights and np.isneginf(problem.logits).any():
            raise Unsupported("a layer's logits of −inf are tried in one row")
        other = array(np.ones((1, 1)) if as_weights else np.eye(classes), kind) if it.layer else None

        def arguments(z: Any) -> tuple[Any, ...]:
            return (other, z.T) if as_weights else (z, other) if it.layer else (z,)

        def of_logits(parts: Any) -> list[Any]:
            return [parts[1].T] if as_weights else [parts[0]] if it.layer else [parts]

        gradient, product = it.gradient, it.product

        def own_gradient(z: Any) -> list[Any]:
            assert gradient is not None
            return of_logits(self.called(gradient, *arguments(z), t, **options))

        def own_product(z: Any, v: Any) -> list[Any]:
            assert product is not None
            vector = (None, v.T) if as_weights else (v, None) if it.layer else v
            return of_logits(self.called(product, *arguments(z), t, vector, **options))

        call = Call(
            lambda z: self.called(it.function, *arguments(z), t, **options),
            own_gradient if gradient else None,
            own_product if product else None,
        )
        return call, [z]

    def _arguments(self, problem: Problem) -> tuple[Any, dict[str, Any]]:
        """Target and options as the implementation takes them; options at their defaults are left out."""
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

    def called(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call the implementation; an exception is a refusal."""
        return refused(lambda: function(*arguments, **options))

    def derived(self, method: str, *arguments: Any) -> Any:
        """Call the framework; an exception is a refusal."""
        return refused(lambda: getattr(self.framework, method)(*arguments))

    def value(self, problem: Problem, **bound: Any) -> NDArray[Any]:
        """The value of a problem."""
        return self.derived("value", *self.bind(problem, **bound))  # type: ignore[no-any-return]

    def slope(self, problem: Problem, upstream: Any = None, **bound: Any) -> NDArray[Any]:
        """The gradient of a problem in its logits."""
        return self.derived("gradient", *self.bind(problem, **bound), upstream)[0]  # type: ignore[no-any-return]

    def vector(self, problem: Problem) -> list[Any]:
        """The problem's vector."""
        return [self.framework.array(problem.vector, str(problem.dtype))]

    # judging

    def judge(
        self,
        what: str,
        got: NDArray[Any],
        exact: Exact,
        dtype: Any,
        limit: float | None = None,
        unit: float = 0.0,
    ) -> None:
        """Hold numbers against the oracle's: right without a limit, else accurate to so many eps."""
        kind = precision(str(dtype))
        found = errors(got, levelled(exact, unit) if limit is None else exact, kind.name)
        finite = found[~np.isnan(found)]
        if finite.size:
            self.worst = max(self.worst or 0.0, shown(float(finite.max()), kind))
        assert_same_kind(got, exact)
        if (finite > (RIGHT_EPS if limit is None else limit)).any():
            at = tuple(int(i) for i in np.unravel_index(np.nanargmax(found), found.shape))
            error = f"{shown(float(found[at]), kind):.2g}"
            raise AssertionError(
                f"{what}{list(at) if at else ''} is {got[at]:.9g}, should be {mp.nstr(exact.value[at], 9)}, "
                + (f"off by {error} roundings" if kind.rounded_once else f"off by {error} eps of {kind.name}")
            )

    def loss(self, problem: Problem, limit: float | None = None, what: str = "") -> None:
        """Judge the value."""
        with self.attempt(what):
            self.judge("loss", self.value(problem), problem.exact.value, problem.dtype, limit, unit_of(problem))

    def gradient(self, problem: Problem, limit: float | None = None, what: str = "") -> None:
        """Judge the gradient."""
        with self.attempt(what):
            self.judge("gradient", self.slope(problem), gradient_of(problem), problem.dtype, limit, unit_of(problem))

    def product(self, problem: Problem, limit: float | None = None, what: str = "") -> None:
        """Judge the Hessian product."""
        with self.attempt(what):
            found = self.derived("product", *self.bind(problem), self.vector(problem))[0]
            self.judge("Hessian product", found, product_of(problem), problem.dtype, limit, unit_of(problem))

    def forward(self, problem: Problem, limit: float | None = None, what: str = "") -> None:
        """Judge forward mode."""
        with self.attempt(what):
            found = self.derived("forward", *self.bind(problem), self.vector(problem))
            exact = along(gradient_of(problem), problem.vector, problem.options["reduction"])
            self.judge("derivative along a vector", found, exact, problem.dtype, limit, unit_of(problem))

    def value_and_gradient(self, problem: Problem, what: str = "") -> None:
        """Judge the value, and the gradient if there is one."""
        self.loss(problem, what=what)
        if "gradient" in self.derivatives:
            self.gradient(problem, what=what)

    def everything(self, problem: Problem, what: str = "") -> None:
        """Judge the value and the derivatives that there are."""
        self.loss(problem, what=what)
        for name in self.derivatives:
            getattr(self, name)(problem, what=what)

    # what the implementation has

    @functools.cached_property
    def derivatives(self) -> list[str]:
        """Those of gradient, product and forward that are right in an ordinary problem: others have failed already."""
        return [name for name in ("gradient", "product", "forward") if self._works(name)]

    def _works(self, name: str) -> bool:
        mine = self.failures, self.refusals, self.tried, self.worst
        self.start()
        getattr(self, name)(self.problem())
        works = not self.failures and self.tried > 0
        self.failures, self.refusals, self.tried, self.worst = mine
        return works

    def computes_in(self, dtype: str) -> bool:
        """Whether logits of a dtype are taken, and float64 not as float32, which the size of the error gives away."""
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
        """Those that work; where there is no such option, the one whose value comes out.

        A function that takes no class indices is given them as one-hot rows.
        """
        ordinary = {r: problem(dtype="float32", n_rows=7, reduction=r) for r in ("mean", "sum", "none")}
        self.reductions = list(ordinary)
        for self.one_hot in (False, True):
            try:
                self.value(ordinary["mean"])
                break
            except Unsupported:
                continue
        else:
            self.one_hot = False
        if self.it.takes("reduction"):
            found = []
            for name, each in ordinary.items():
                try:
                    self.value(each)
                    found.append(name)
                except Unsupported:
                    continue
            return found or ["mean"]
        try:
            value = self.value(ordinary["mean"])
        except Unsupported:
            return ["mean"]
        if value.shape == (7,):
            return ["none"]
        apart = {
            r: abs(float(value) - float(ordinary[r].exact.value.value)) for r in ("mean", "sum") if value.ndim == 0
        }
        return [min(apart, key=lambda r: apart[r])] if apart else ["mean"]


def refused(run: Callable[[], Any]) -> Any:
    """Run somebody else's code: its exceptions are refusals, its warnings nobody's business."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return run()
    except Unsupported:
        raise
    except Exception as error:
        words = " ".join(str(error).split())
        raise Unsupported(f"{type(error).__name__}: {words[:160]}" if words else type(error).__name__) from error


@dataclass(frozen=True)
class Check:
    """A part of the suite: its name, what it shows, and how."""

    name: str
    what: str
    run: Callable[[Trial], None]


CHECKS: dict[str, Check] = {}
"""The checks by name, in the order in which they run."""


def check(name: str, what: str) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Enter a function into :data:`CHECKS`."""

    def enter(run: Callable[[Trial], None]) -> Callable[[Trial], None]:
        CHECKS[name] = Check(name, what, run)
        return run

    return enter


# values and derivatives


@check("loss", "the value for class indices, under each reduction")
def _loss(t: Trial) -> None:
    for reduction in t.reductions:
        for classes in (3, 10):
            t.loss(t.problem(n_classes=classes, reduction=reduction), what=reduction)


@check("gradient", "its derivative in the logits")
def _gradient(t: Trial) -> None:
    for reduction in t.reductions:
        for classes in (3, 10):
            t.gradient(t.problem(n_classes=classes, reduction=reduction), what=reduction)


@check("upstream gradient", "the backward pass multiplies by what comes from above: any number, 0, one for each row")
def _upstream(t: Trial) -> None:
    for reduction in t.reductions:
        p = t.problem(reduction=reduction)
        shape = np.shape(p.exact.value.value)
        for upstream in (np.random.default_rng(3).standard_normal(shape), np.zeros(shape)):
            with t.attempt(reduction):
                found = t.slope(p, t.framework.array(np.asarray(upstream, dtype=p.dtype), str(p.dtype)))
                factor = to_exact(np.asarray(upstream, dtype=p.dtype))
                factor = factor[:, None] if reduction == "none" else factor
                with mp.workdps(60):
                    g = gradient_of(p)
                    exact = Exact(g.value * factor, g.scale * abs(factor))
                t.judge("gradient", found, exact, p.dtype)


@check("second backward", "a second backward pass through the same graph gives the same")
def _second_backward(t: Trial) -> None:
    p, g = t.problem(), gradient_of(t.problem())
    with t.attempt(""):
        (first,), (second,) = t.derived("twice", *t.bind(p))
        exact = Exact(g.value * TWICE, g.scale * TWICE)
        t.judge("first gradient", first, exact, p.dtype)
        t.judge("second gradient", second, exact, p.dtype)


@check("second derivative", "the Hessian times a vector")
def _product(t: Trial) -> None:
    for classes in (3, 10):
        t.product(t.problem(n_classes=classes))


@check("gradient penalty", "the gradient of loss + ½‖gradient‖², whose second-order part must not be dropped")
def _penalty(t: Trial) -> None:
    p = t.problem()
    with t.attempt(""):
        found = t.derived("penalised", *t.bind(p))[0]
        g = gradient_of(p)
        with mp.workdps(60):
            h = p.exact.hvp(g.value)
            exact = Exact(g.value + h.value, g.scale + h.scale)
        t.judge("gradient", found, exact, p.dtype)


@check("forward mode", "the derivative along a vector, without a backward pass")
def _forward(t: Trial) -> None:
    for classes in (3, 10):
        t.forward(t.problem(n_classes=classes))


@check("target gradient", "the derivative in a distribution")
def _target_gradient(t: Trial) -> None:
    p = t.problem(target="distribution")
    with t.attempt(""):
        array, (target, options) = t.framework.array, t._arguments(p)
        z = array(p.logits, str(p.dtype))
        if t.it.framework == "numpy":
            if t.it.target_gradient is None:
                raise Unsupported("returns no gradient in the target")
            found = t.framework.numbers(t.called(t.it.target_gradient, z, target, **options))
        else:
            call = Call(lambda target: t.bind(p, target=target)[0].function(z))
            found = t.derived("gradient", call, [target])[0]
        t.judge("target gradient", found, p.exact.target_gradient(), p.dtype)


# targets and options


def _enter_kind(kind: str, name: str) -> None:
    @check(name, cases.TARGETS[kind].reason)
    def run(t: Trial) -> None:
        t.everything(t.problem(target=kind))
        if kind == "top-k":
            for other in ("mixture", "duplicates"):
                t.everything(t.problem(target=other), what=other)


def _enter_option(option: str, problems: Sequence[dict[str, Any]]) -> None:
    @check(option, f"the option {option}, with every derivative that there is")
    def run(t: Trial) -> None:
        if not t.it.takes(option):
            t.refusals.append(f"takes no {option}")
            return
        for description in problems:
            if option == "normalizer":
                description = {**description, "reduction": "mean"}
            t.everything(t.problem(**description), what=", ".join(f"{k}={v}" for k, v in description.items()))


for _kind, _name in KINDS.items():
    _enter_kind(_kind, _name)
for _option, _problems in OPTIONS.items():
    _enter_option(_option, _problems)


@check("options together", "every pair of the options and targets that are taken")
def _together(t: Trial) -> None:
    factors: dict[str, list[Any]] = {"n_classes": [4, 17], "target": [], "reduction": list(t.reductions)}
    for kind in ("index", "distribution", "top-k"):
        try:
            t.value(t.problem(target=kind))
            factors["target"].append("ignored" if kind == "index" and t.it.takes("ignore_index") else kind)
        except Unsupported:
            continue
    for option, descriptions in OPTIONS.items():
        if option != "ignore_index" and t.it.takes(option):
            factors[option] = [DEFAULTS[option], *(d[option] for d in descriptions[:2] if d[option] != "some")]
            factors[option] += ["some"] if len(factors[option]) == 1 else []
    if len(factors) == 3 and len(factors["target"]) < 2:
        t.refusals.append("takes no options")
        return
    for seed, row in enumerate(all_pairs({name: values for name, values in factors.items() if values})):
        t.everything(t.problem(seed=seed, **row), what=", ".join(f"{k}={v}" for k, v in row.items()))


# edges


@check("vocabulary tails", "numbers of classes that are no multiple of any tile, up to 4,099")
def _tails(t: Trial) -> None:
    for classes in (2, 7, 17, 33, 65, 100, 129, 257):
        t.value_and_gradient(t.problem(n_classes=classes, n_rows=3), what=f"V={classes}")
    for classes in (2049, 4099):
        t.value_and_gradient(_low(t.dtype, t.reductions[0], classes), what=f"V={classes}")


@functools.cache
def _low(dtype: str, reduction: str, classes: int) -> Problem:
    """Equal logits of −19.25: a padded column of logit 0 would take all."""
    p = Problem(case="uniform", n_rows=1, n_classes=classes, dtype=dtype, reduction=reduction)
    p.logits -= 19.25
    return p


@check("one class", "V = 1: the loss and the gradient are 0")
def _one_class(t: Trial) -> None:
    t.everything(t.problem(n_classes=1, n_rows=3))


@check("no rows", "N = 0: sums are 0, means are NaN or 0")
def _no_rows(t: Trial) -> None:
    for reduction in t.reductions:
        p = t.problem(n_rows=0, reduction=reduction)
        with t.attempt(reduction):
            _empty(t.value(p), reduction)
        with t.attempt(reduction):
            shape = t.slope(p).shape
            if shape != p.logits.shape:
                raise AssertionError(f"gradient of shape {shape}, should be {p.logits.shape}")


def _empty(value: NDArray[Any], reduction: str) -> None:
    """Zeros, or for a mean NaN."""
    if not np.all((value == 0) | (np.isnan(value) if reduction == "mean" else False)):
        raise AssertionError(f"{reduction} of nothing is {value}")


@check("−inf", "classes that cannot happen: here and there, blocks of them, all but one")
def _impossible(t: Trial) -> None:
    for p, what in _holes(t, "index"):
        t.everything(p, what=what)
    wide = _long_block(t.dtype, t.reductions[0])
    t.loss(wide, what="a block of 33,000")
    if "gradient" not in t.derivatives:
        return
    with t.attempt("a block of 33,000"):
        found = t.slope(wide)
        last = gradient_of(_long_block_alone(t.dtype, t.reductions[0]))
        if found[:, :-3].any():
            raise AssertionError(f"a gradient of {np.abs(found[:, :-3]).max()} where nothing can happen")
        t.judge("gradient", found[:, -3:], last, t.dtype)


def _holes(t: Trial, kind: str) -> Iterator[tuple[Problem, str]]:
    """Problems with classes that cannot happen and have no mass."""
    for case in ("holes", "block", "only last"):
        for classes in (5, 100):
            for seed in range(2):
                yield _hole(t.dtype, t.reductions[0], case, kind, classes, seed, 1 if t.it.layer else 3), case


@functools.cache
def _hole(dtype: str, reduction: str, case: str, kind: str, classes: int, seed: int, rows: int) -> Problem:
    p = Problem(seed=seed, case=case, target=kind, n_rows=rows, n_classes=classes, dtype=dtype, reduction=reduction)
    if kind == "index":
        p.target = p.logits.argmax(axis=-1)
    else:
        p.target = np.where(np.isneginf(p.logits), 0, p.target)
    return p


@functools.cache
def _long_block(dtype: str, reduction: str) -> Problem:
    """More impossible classes than any kernel takes at a time, then three others, which are what the oracle sees."""
    alone = _long_block_alone(dtype, reduction)
    p = Problem(n_rows=1, n_classes=3, dtype=dtype, reduction=reduction)
    p.exact = alone.exact
    p.logits = np.concatenate([np.full((1, 33_000), -np.inf, p.logits.dtype), alone.logits], axis=1)
    p.target = alone.target + 33_000
    return p


@functools.cache
def _long_block_alone(dtype: str, reduction: str) -> Problem:
    return Problem(n_rows=1, n_classes=3, dtype=dtype, reduction=reduction)


@check("−inf in distributions", "0 · −inf is 0: a class that cannot happen and has no mass adds nothing")
def _impossible_mass(t: Trial) -> None:
    with t.attempt(""):
        t.value(t.problem(target="distribution"))
    if t.refusals:
        return
    for p, what in _holes(t, "distribution"):
        t.everything(p, what=what)


@check("−inf at the target", "a target that cannot happen costs +inf")
def _impossible_target(t: Trial) -> None:
    p = problem(case="only last", n_rows=1, n_classes=5, dtype=t.dtype, reduction=t.reductions[0], seed=1)
    p = _with_target(p, np.array([0]))
    t.loss(p)


def _with_target(like: Problem, target: Any) -> Problem:
    p = Problem(n_rows=0, dtype=str(like.dtype), **like.options)
    p.logits, p.target, p.vector = like.logits, target, like.vector
    return p


@check("−inf under a softcap", "a class that cannot happen does not come back as −cap")
def _impossible_capped(t: Trial) -> None:
    if not t.it.takes("softcap"):
        t.refusals.append("takes no softcap")
        return
    for seed in range(2):
        rows = 1 if t.it.layer else 3
        p = Problem(
            seed=seed, case="holes", n_rows=rows, n_classes=100, dtype=t.dtype, reduction=t.reductions[0], softcap=5.0
        )
        p.target = p.logits.argmax(axis=-1)
        t.everything(p)


@check("broken rows", "NaN or +inf in a row makes that row's loss and gradient not finite, and no other's")
def _broken(t: Trial) -> None:
    reduction = "none" if "none" in t.reductions else t.reductions[0]
    for bad in (np.nan, np.inf):
        like = t.problem(n_rows=4, n_classes=5, reduction=reduction)
        p = _with_target(like, like.target)
        p.logits = like.logits.copy()
        p.logits[1, 2] = bad
        with t.attempt(str(bad)):
            found = t.value(p)
            if np.isfinite(found[1] if reduction == "none" else found):
                raise AssertionError(f"the loss of a row with {bad} is finite: {found}")
            if reduction == "none":
                t.judge("loss", np.delete(found, 1), _without_row(p.exact.value, 1), p.dtype)
        with t.attempt(str(bad)):
            found = t.slope(p)
            if np.isfinite(found[1]).all():
                raise AssertionError(f"the gradient of a row with {bad} is finite: {found[1]}")
            if reduction != "mean" and "gradient" in t.derivatives:
                t.judge("gradient", np.delete(found, 1, axis=0), _without_row(gradient_of(p), 1), p.dtype)


def _without_row(exact: Exact, row: int) -> Exact:
    return Exact(np.delete(exact.value, row, axis=0), np.delete(exact.scale, row, axis=0))


@check("all rows ignored", "sums are 0, means are NaN or 0, and the gradient is 0")
def _all_ignored(t: Trial) -> None:
    if not t.it.takes("ignore_index"):
        t.refusals.append("takes no ignore_index")
        return
    for reduction in t.reductions:
        like = t.problem(n_rows=3, reduction=reduction)
        p = _with_target(like, np.full(3, -100))
        with t.attempt(reduction):
            _empty(t.value(p), reduction)
        with t.attempt(reduction):
            found = t.slope(p)
            if not np.all(found == 0):
                raise AssertionError(f"gradient of {found.flat[0]}, should be 0")


@check("ignored rows count for nothing", "whatever is in them, NaN too, and their gradient is 0 to the last bit")
def _ignored_garbage(t: Trial) -> None:
    if not t.it.takes("ignore_index"):
        t.refusals.append("takes no ignore_index")
        return
    like = t.problem(target="ignored", n_classes=5)
    for garbage in (1e30, np.nan):
        p = _with_target(like, like.target)
        p.logits = like.logits.copy()
        p.logits[like.target == -100] = garbage
        t.loss(p, what=str(garbage))
        with t.attempt(str(garbage)):
            found = t.slope(p)
            if "gradient" in t.derivatives:
                t.judge("gradient", found, gradient_of(p), p.dtype)
            if found[like.target == -100].any():
                raise AssertionError("the gradient of an ignored row is not 0")


@check("class out of range", "an exception, or NaN where a framework cannot raise; never a finite loss")
def _out_of_range(t: Trial) -> None:
    like = t.problem(n_rows=3, n_classes=5)
    bad = [5, -1, 1000] + ([] if t.it.takes("ignore_index") else [-100])
    for label in bad:
        p = _with_target(like, np.array([0, label, 2]))
        try:
            found = t.value(p)
        except Unsupported:
            t.tried += 1
            continue
        with t.attempt(f"class {label} of 5"):
            bad_rows = found[1] if found.ndim else found
            if np.isfinite(bad_rows):
                raise AssertionError(f"the loss is {bad_rows}")


@check("layouts", "the same numbers laid out otherwise in memory")
def _layouts(t: Trial) -> None:
    p = t.problem()
    try:
        names = list(t.derived("layouts", p.logits))
    except Unsupported as refusal:
        t.refusals.append(str(refusal))
        return
    for name in names:
        for what, compute, exact in (("loss", t.value, p.exact.value), ("gradient", t.slope, gradient_of(p))):
            if what in ("loss", *t.derivatives):
                with t.attempt(name):
                    found = compute(p, logits=t.framework.layouts(p.logits)[name])
                    t.judge(what, found, exact, p.dtype)


# accuracy


def _per_row(t: Trial, dtype: str, limits: Iterable[tuple[str, float]], **description: Any) -> None:
    """Judge problems that show each row's loss: all rows where they come out alone, else one row at a time."""
    alone = "none" not in t.reductions
    for seed in range(3 if alone else 1):
        p = problem(
            seed=seed,
            n_rows=1 if alone else 6,
            dtype=dtype,
            reduction=t.reductions[0] if alone else "none",
            **description,
        )
        for name, limit in limits:
            if name in ("loss", *t.derivatives):
                getattr(t, name)(p, limit, what=description["case"])


def _enter_accuracy(dtype: str) -> None:
    def entered(name: str, what: str, quantity: str, limit: float) -> None:
        @check(f"accurate {name}, {dtype}", f"{what} within {limit:g} eps, whatever the logits")
        def run(t: Trial) -> None:
            if not t.computes_in(dtype):
                t.refusals.append(f"does not compute in {dtype}")
            elif quantity != "loss" and quantity not in t.derivatives:
                t.refusals.append(f"{quantity} is missing or wrong")
            else:
                for case in ACCURATE:
                    for classes in (5, 65):
                        _per_row(t, dtype, [(quantity, limit)], case=case, n_classes=classes)

    entered("losses", "each loss", "loss", LOSS_EPS)
    entered("gradients", "each entry", "gradient", GRADIENT_EPS)
    entered("products", "each entry of a Hessian product", "product", PRODUCT_EPS)
    entered("forward mode", "each derivative along a vector", "forward", PRODUCT_EPS)

    @check(f"confident rows, {dtype}", "loss and gradient keep their digits at margins from 10 to 80")
    def confident(t: Trial) -> None:
        if not t.computes_in(dtype):
            t.refusals.append(f"does not compute in {dtype}")
            return
        for margin in MARGINS:
            p = _confident(dtype, t.reductions[0], margin)
            t.loss(p, LOSS_EPS, what=f"margin {margin:g}")
            if "gradient" in t.derivatives:
                t.gradient(p, GRADIENT_EPS, what=f"margin {margin:g}")


@functools.cache
def _confident(dtype: str, reduction: str, margin: float) -> Problem:
    p = Problem(case="uniform", n_rows=1, n_classes=4, dtype=dtype, reduction=reduction)
    p.logits[0, 2] = margin
    p.target = np.array([2])
    return p


for _dtype in ("float64", "float32"):
    _enter_accuracy(_dtype)


def _enter_narrow(dtype: str) -> None:
    @check(dtype, "losses and gradients are the true ones, rounded once: no more than 8 eps of float32 beside that")
    def narrow(t: Trial) -> None:
        if not t.computes_in(dtype):
            t.refusals.append(f"does not compute in {dtype}")
            return
        for case in ("normal", "tenth", "ties", "peaked"):
            for classes in (5, 65):
                _per_row(t, dtype, [("loss", LOSS_EPS), ("gradient", GRADIENT_EPS)], case=case, n_classes=classes)


for _dtype in ("bfloat16", "float16"):
    _enter_narrow(_dtype)


# behaviour


@check("inputs unchanged", "no argument is written to")
def _unchanged(t: Trial) -> None:
    options = {name: "some" for name in ("weight", "sample_weight") if t.it.takes(name)}
    p = t.problem(**options)
    with t.attempt(""):
        call, primals = t.bind(p)
        found = t.derived("afterwards", call, primals)[0]
        assert_same_bits(np.asarray(found), t.framework.numbers(t.framework.array(p.logits, str(p.dtype))))


@check("second call", "the same call gives the same bits, also after another one")
def _second_call(t: Trial) -> None:
    p, other = t.problem(n_classes=17), t.problem(n_classes=9, seed=5, n_rows=11)
    with t.attempt("loss"):
        first = t.value(p)
        t.value(other)
        assert_same_bits(t.value(p), first)
    with t.attempt("gradient"):
        first = t.slope(p).copy()
        t.slope(other)
        assert_same_bits(t.slope(p), first)


@check("threads", "the same bits for any number of threads")
def _threads(t: Trial) -> None:
    p = _large(t.reductions[-1])

    def threads(n: int) -> AbstractContextManager[None]:
        return (t.it.threads or t.framework.threads)(n)

    for what, compute in (("loss", t.value), ("gradient", t.slope)):
        with t.attempt(what):
            with threads(1):
                alone = compute(p)
            for n in (2, 3):
                with threads(n):
                    assert_same_bits(compute(p), alone)


@functools.cache
def _large(reduction: str) -> Problem:
    return Problem(n_rows=2000, n_classes=521, dtype="float32", reduction=reduction)


@check("place in the batch", "a row's loss and gradient are the same bits in any place of any batch")
def _place(t: Trial) -> None:
    reduction = next((r for r in ("none", "sum") if r in t.reductions), "mean")
    like = t.problem(n_rows=37, n_classes=19, reduction=reduction)
    places = [np.arange(37)[::-1]] + ([] if reduction == "mean" else [np.array([30]), np.arange(5, 16)])
    for rows in places:
        p = _with_target(like, like.target[rows])
        p.logits = np.ascontiguousarray(like.logits[rows])
        if reduction == "none":
            with t.attempt("loss"):
                assert_same_bits(t.value(p), t.value(like)[rows])
        with t.attempt("gradient"):
            assert_same_bits(t.slope(p), t.slope(like)[rows])


# layers


@functools.cache
def _layer(dtype: str, reduction: str, bias: bool) -> tuple[list[NDArray[Any]], NDArray[Any], LinearCrossEntropy]:
    """Input, weights and bias, numbers of few digits, with target and truth."""
    rng = np.random.default_rng(11)
    shapes = ((7, 4), (5, 4), (5,))[: 3 if bias else 2]
    parts = [(rng.integers(-16, 17, shape) / 8).astype(dtype) for shape in shapes]
    target = rng.integers(0, 5, 7)
    exact = LinearCrossEntropy(parts[0], parts[1], target, linear_bias=parts[2] if bias else None, reduction=reduction)
    return parts, target, exact


def _of_layer(t: Trial, bias: bool) -> tuple[Call, list[Any], list[NDArray[Any]], LinearCrossEntropy]:
    """A layer as a function of its two or three parts."""
    if not t.it.layer:
        raise Unsupported("takes logits")
    if bias and not t.it.takes("linear_bias"):
        raise Unsupported("takes no linear_bias")
    parts, target, exact = _layer(t.dtype, t.reductions[0], bias)
    y = t.framework.array(target)
    options = {"reduction": t.reductions[0]} if t.it.takes("reduction") else {}
    own_gradient, own_product = t.it.gradient, t.it.product

    def arguments(given: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (*given[:2], y), {**options, **({"linear_bias": given[2]} if bias else {})}

    def function(*given: Any) -> Any:
        plain, named = arguments(given)
        return t.called(t.it.function, *plain, **named)

    def gradient(*given: Any) -> Any:
        assert own_gradient is not None
        plain, named = arguments(given)
        return t.called(own_gradient, *plain, **named)

    def product(*given: Any) -> Any:
        assert own_product is not None
        plain, named = arguments(given[: len(parts)])
        return t.called(own_product, *plain, given[len(parts) :], **named)

    call = Call(function, gradient if own_gradient else None, product if own_product else None)
    return call, [t.framework.array(part) for part in parts], parts, exact


def _judge_parts(t: Trial, found: Sequence[NDArray[Any]], exact: Any) -> None:
    for name, got in zip(("input", "linear_weight", "linear_bias"), found, strict=False):
        t.judge(name, got, getattr(exact, name), t.dtype)


@check("layer: gradient", "∂L/∂x = G W, ∂L/∂W = Gᵀ x")
def _layer_gradient(t: Trial) -> None:
    with t.attempt(""):
        call, primals, _, exact = _of_layer(t, bias=False)
        t.judge("loss", t.derived("value", call, primals), exact.loss.value, t.dtype)
        _judge_parts(t, t.derived("gradient", call, primals), exact.gradient())


@check("layer: bias", "∂L/∂b = Gᵀ 1, and the bias is added once")
def _layer_bias(t: Trial) -> None:
    with t.attempt(""):
        call, primals, _, exact = _of_layer(t, bias=True)
        t.judge("loss", t.derived("value", call, primals), exact.loss.value, t.dtype)
        _judge_parts(t, t.derived("gradient", call, primals), exact.gradient())


@check("layer: second derivative", "the Hessian in input, weights and bias together, times a vector")
def _layer_product(t: Trial) -> None:
    with t.attempt(""):
        call, primals, parts, exact = _of_layer(t, bias=t.it.takes("linear_bias"))
        vectors = [np.roll(part, 1, axis=0) for part in parts]
        found = t.derived("product", call, primals, [t.framework.array(v) for v in vectors])
        _judge_parts(t, found, exact.hvp(*vectors))


@check("layer: forward mode", "the derivative along a direction of all parts")
def _layer_forward(t: Trial) -> None:
    with t.attempt(""):
        call, primals, parts, exact = _of_layer(t, bias=t.it.takes("linear_bias"))
        x, w, *b = (to_exact(part) for part in parts)
        vectors = [np.roll(part, 1, axis=0) for part in parts]
        dx, dw, *db = (to_exact(v) for v in vectors)
        found = t.derived("forward", call, primals, [t.framework.array(v) for v in vectors])
        with mp.workdps(60):
            direction = dx @ w.T + x @ dw.T + (db[0] if b else mp.zero)
            truth = along(exact.loss.gradient(), direction, t.reductions[0])
        t.judge("derivative along a vector", found, truth, t.dtype)


# the suite


def conformance(
    fn: Any,
    framework: str | None = None,
    *,
    layer: bool | None = None,
    name: str | None = None,
    only: str | Iterable[str] | None = None,
) -> Scorecard:
    """Hold an implementation of the softmax cross-entropy to the contract.

    Parameters
    ----------
    fn, framework, layer, name
        As for :func:`luce.check.adapters.implementation`: a function of (logits, target, **options) or, for a layer,
        of (input, linear_weight, target, **options); options go by the contract's names, which are PyTorch's.
    only : str or iterable of str, optional
        Names of checks, keys of :data:`CHECKS`; all by default.

    Returns
    -------
    Scorecard
        What passed, what failed and how, and what is not supported.

    Raises
    ------
    ValueError
        For a check that does not exist.

    Examples
    --------
    A textbook loss of SciPy's parts, whose confident rows lose their digits in float32:

    >>> import numpy as np
    >>> from scipy.special import log_softmax
    >>> def textbook(logits, target):
    ...     return -log_softmax(logits, axis=1)[np.arange(len(target)), target]
    >>> card = conformance(textbook, only=["loss", "gradient", "confident rows, float32"])
    >>> for result in card.results:
    ...     print(result.check, result.status)
    loss passed
    gradient unsupported
    confident rows, float32 failed
    """
    wanted = list(CHECKS) if only is None else [only] if isinstance(only, str) else list(only)
    unknown = [check for check in wanted if check not in CHECKS]
    if unknown:
        raise ValueError(f"only: no check {unknown[0]!r}, expected some of {', '.join(CHECKS)}")
    it = implementation(fn, framework, layer=layer, name=name)
    trial = Trial(it)
    results = []
    for check in wanted:
        trial.start()
        CHECKS[check].run(trial)
        results.append(trial.result(check))
    return Scorecard(it.name, it.versions, tuple(results))


def assert_conforms(
    fn: Any,
    framework: str | None = None,
    *,
    layer: bool | None = None,
    only: str | Iterable[str] | None = None,
    required: Iterable[str] = (),
) -> None:
    """Raise an AssertionError that says what an implementation gets wrong; for test suites.

    Parameters
    ----------
    fn, framework, layer, only
        As for :func:`conformance`.
    required : iterable of str
        Checks that must not come out as not supported.

    Raises
    ------
    AssertionError
        With each check that failed, or that is required and was not supported.

    Examples
    --------
    One test for each check:

    >>> import pytest, luce.check
    >>> @pytest.mark.parametrize("check", luce.check.CHECKS)
    ... def test_my_loss(check):
    ...     luce.check.assert_conforms(luce.cross_entropy, only=check)
    >>> test_my_loss("gradient")
    """
    card = conformance(fn, framework, layer=layer, only=only)
    wrong = [*card.failures, *(result for result in card.unsupported if result.check in set(required))]
    if wrong:
        lines = [f"{result.check} ({CHECKS[result.check].what}): {result.detail}" for result in wrong]
        raise AssertionError("\n".join([f"{card.name} does not conform:", *lines]))
