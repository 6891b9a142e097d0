"""Checks of the edges: odd sizes, classes that cannot happen, broken and ignored rows, wrong labels, layouts."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from luce.check.calling.errors import Unsupported
from luce.check.conformance_suite.checks.registry import check
from luce.check.conformance_suite.trial import Trial, gradient_of, problem, with_target
from luce.check.inputs.problems import DrawnProblem
from luce.check.truth.oracle import Exact
from luce.derivation.quantities import Array


@check("vocabulary tails", "numbers of classes that are no multiple of any tile, up to 4,099")
def _tails(t: Trial) -> None:
    for classes in (2, 7, 17, 33, 65, 100, 129, 257):
        t.value_and_gradient(t.problem(n_classes=classes, n_rows=3), what=f"V={classes}")
    for classes in (2049, 4099):
        t.value_and_gradient(_low(t.dtype, t.reductions[0], classes), what=f"V={classes}")


@functools.cache
def _low(dtype: str, reduction: str, classes: int) -> DrawnProblem:
    """Draw equal logits of −19.25: a padded column of logit 0 would take all."""
    p = DrawnProblem(case="uniform", n_rows=1, n_classes=classes, dtype=dtype, reduction=reduction)
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


def _empty(value: Array, reduction: str) -> None:
    """Raise an AssertionError unless the values are zeros, or for a mean NaN."""
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


def _holes(t: Trial, kind: str) -> Iterator[tuple[DrawnProblem, str]]:
    """Yield problems with classes that cannot happen and have no mass."""
    for case in ("holes", "block", "only last"):
        for classes in (5, 100):
            for seed in range(2):
                yield _hole(t.dtype, t.reductions[0], case, kind, classes, seed, 1 if t.it.layer else 3), case


@functools.cache
def _hole(dtype: str, reduction: str, case: str, kind: str, classes: int, seed: int, rows: int) -> DrawnProblem:
    """Draw a problem with classes that cannot happen, whose target has no mass there."""
    p = DrawnProblem(
        seed=seed, case=case, target=kind, n_rows=rows, n_classes=classes, dtype=dtype, reduction=reduction
    )
    if kind == "index":
        p.target = p.logits.argmax(axis=-1)
    else:
        p.target = np.where(np.isneginf(p.logits), 0, p.target)
    return p


@functools.cache
def _long_block(dtype: str, reduction: str) -> DrawnProblem:
    """Draw more impossible classes than any kernel takes at a time, then three others; the oracle sees these alone."""
    alone = _long_block_alone(dtype, reduction)
    p = DrawnProblem(n_rows=1, n_classes=3, dtype=dtype, reduction=reduction)
    p.exact = alone.exact
    p.logits = np.concatenate([np.full((1, 33_000), -np.inf, p.logits.dtype), alone.logits], axis=1)
    p.target = alone.target + 33_000
    return p


@functools.cache
def _long_block_alone(dtype: str, reduction: str) -> DrawnProblem:
    return DrawnProblem(n_rows=1, n_classes=3, dtype=dtype, reduction=reduction)


@check("−inf in distributions", "0 · −inf is 0: a class that cannot happen and has no mass adds nothing")
def _impossible_mass(t: Trial) -> None:
    t.value(t.problem(target="distribution"))
    for p, what in _holes(t, "distribution"):
        t.everything(p, what=what)


@check("−inf at the target", "a target that cannot happen costs +inf")
def _impossible_target(t: Trial) -> None:
    p = problem(case="only last", n_rows=1, n_classes=5, dtype=t.dtype, reduction=t.reductions[0], seed=1)
    p = with_target(p, np.array([0]))
    t.loss(p)


@check("−inf under a softcap", "a class that cannot happen does not come back as −cap")
def _impossible_capped(t: Trial) -> None:
    t.require("softcap")
    for seed in range(2):
        rows = 1 if t.it.layer else 3
        p = DrawnProblem(
            seed=seed, case="holes", n_rows=rows, n_classes=100, dtype=t.dtype, reduction=t.reductions[0], softcap=5.0
        )
        p.target = p.logits.argmax(axis=-1)
        t.everything(p)


@check("broken rows", "NaN or +inf in a row makes that row's loss and gradient not finite, and no other's")
def _broken(t: Trial) -> None:
    reduction = "none" if "none" in t.reductions else t.reductions[0]
    for bad in (np.nan, np.inf):
        like = t.problem(n_rows=4, n_classes=5, reduction=reduction)
        p = with_target(like, like.target)
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
    t.require("ignore_index")
    for reduction in t.reductions:
        like = t.problem(n_rows=3, reduction=reduction)
        p = with_target(like, np.full(3, -100))
        with t.attempt(reduction):
            _empty(t.value(p), reduction)
        with t.attempt(reduction):
            found = t.slope(p)
            if not np.all(found == 0):
                raise AssertionError(f"gradient of {found.flat[0]}, should be 0")


@check("ignored rows count for nothing", "whatever is in them, NaN too, and their gradient is 0 to the last bit")
def _ignored_garbage(t: Trial) -> None:
    t.require("ignore_index")
    like = t.problem(target="ignored", n_classes=5)
    for garbage in (1e30, np.nan):
        p = with_target(like, like.target)
        p.logits = like.logits.copy()
        p.logits[like.target == -100] = garbage
        t.loss(p, what=str(garbage))
        with t.attempt(str(garbage)):
            found = t.slope(p)
            if "gradient" in t.derivatives:
                t.judge("gradient", found, gradient_of(p), p.dtype)
            if found[like.target == -100].any():
                raise AssertionError("the gradient of an ignored row is not 0")


@check("rows of weight 0 count for nothing", "whatever is in them, NaN too, and their gradient is 0 to the last bit")
def _weightless_garbage(t: Trial) -> None:
    t.require("sample_weight")
    like = t.problem(n_classes=5)
    weights = (np.arange(len(like.logits)) % 2).astype(like.vector.dtype)
    for garbage in (1e30, np.nan):
        p = with_target(like, like.target)
        p.options = {**like.options, "sample_weight": weights}
        p.logits = like.logits.copy()
        p.logits[weights == 0] = garbage
        t.loss(p, what=str(garbage))
        with t.attempt(str(garbage)):
            found = t.slope(p)
            if "gradient" in t.derivatives:
                t.judge("gradient", found, gradient_of(p), p.dtype)
            if found[weights == 0].any():
                raise AssertionError("the gradient of a row of weight 0 is not 0")


@check("class out of range", "an exception, or NaN where a framework cannot raise; never a finite loss")
def _out_of_range(t: Trial) -> None:
    like = t.problem(n_rows=3, n_classes=5)
    bad = [5, -1, 1000] + ([] if t.it.takes("ignore_index") else [-100])
    finite = []
    for label in bad:
        try:
            found = t.value(with_target(like, np.array([0, label, 2])))
        except Unsupported:
            continue
        finite += [str(label)] if np.isfinite(found[1] if found.ndim else found) else []
    with t.attempt(""):
        if finite:
            raise AssertionError(f"a finite loss for class {', '.join(finite)} of 5")


@check("layouts", "the same numbers laid out otherwise in memory")
def _layouts(t: Trial) -> None:
    p = t.problem()
    for name in t.derived("layouts", p.logits):
        for what, compute, exact in (("loss", t.value, p.exact.value), ("gradient", t.slope, gradient_of(p))):
            if what in ("loss", *t.derivatives):
                with t.attempt(name):
                    found = compute(p, logits=t.framework.layouts(p.logits)[name])
                    t.judge(what, found, exact, p.dtype)
