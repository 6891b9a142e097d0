"""Checks of what an implementation does beside computing: inputs unchanged, the same bits again, threads, batches."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

import numpy as np

from luce.check.conformance_suite.checks.registry import check
from luce.check.conformance_suite.trial import Trial, with_target
from luce.check.inputs.problems import DrawnProblem
from luce.check.truth.tolerance import assert_same_bits


@check("inputs unchanged", "no argument is written to")
def _unchanged(t: Trial) -> None:
    for option in [None, *filter(t.it.takes, ("weight", "sample_weight"))]:
        p = t.problem(**({option: "some"} if option else {}))
        with t.attempt(""):
            (given, fresh), (z,) = (t.arguments(p), t.arguments(p)), t.bind(p)[1]
            after = t.derived("afterwards", *t.bind(p, arguments=given))[0]
            pairs = {"logits": (after, z), "target": (given[0], fresh[0])}
            if option:
                pairs[option] = given[1][option], fresh[1][option]
            for name, (found, before) in pairs.items():
                with t.attempt(name):
                    assert_same_bits(t.framework.numbers(found), t.framework.numbers(before))


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
def _large(reduction: str) -> DrawnProblem:
    """Draw a problem that is worth several threads."""
    return DrawnProblem(n_rows=2000, n_classes=521, dtype="float32", reduction=reduction)


@check("place in the batch", "a row's loss and gradient are the same bits in any place of any batch")
def _place(t: Trial) -> None:
    reduction = next((r for r in ("none", "sum") if r in t.reductions), "mean")
    like = t.problem(n_rows=37, n_classes=19, reduction=reduction)
    places = [np.arange(37)[::-1]] + ([] if reduction == "mean" else [np.array([30]), np.arange(5, 16)])
    for rows in places:
        p = with_target(like, like.target[rows])
        p.logits = np.ascontiguousarray(like.logits[rows])
        if reduction == "none":
            with t.attempt("loss"):
                assert_same_bits(t.value(p), t.value(like)[rows])
        with t.attempt("gradient"):
            assert_same_bits(t.slope(p), t.slope(like)[rows])
