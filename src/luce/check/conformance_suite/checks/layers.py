"""Checks of a last layer: the derivatives in input, weights and bias."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from mpmath import mp

from luce.check.calling.arrays import Native
from luce.check.calling.errors import Unsupported
from luce.check.calling.frameworks import Differentiable
from luce.check.conformance_suite.checks.registry import check
from luce.check.conformance_suite.trial import Trial, along
from luce.check.truth.oracle import LinearCrossEntropy, to_exact
from luce.derivation.quantities import Array


@functools.cache
def _layer(dtype: str, reduction: str, bias: bool) -> tuple[list[Array], Array, LinearCrossEntropy]:
    """Draw input, weights and bias, numbers of few digits, with target and truth."""
    rng = np.random.default_rng(11)
    shapes = ((7, 4), (5, 4), (5,))[: 3 if bias else 2]
    parts = [(rng.integers(-16, 17, shape) / 8).astype(dtype) for shape in shapes]
    target = rng.integers(0, 5, 7)
    exact = LinearCrossEntropy(parts[0], parts[1], target, linear_bias=parts[2] if bias else None, reduction=reduction)
    return parts, target, exact


def _of_layer(t: Trial, bias: bool) -> tuple[Differentiable, list[Native], list[Array], LinearCrossEntropy]:
    """Return a layer as a function of its two or three parts."""
    if not t.it.layer:
        raise Unsupported("takes logits")
    if bias and not t.it.takes("linear_bias"):
        raise Unsupported("takes no linear_bias")
    parts, target, exact = _layer(t.dtype, t.reductions[0], bias)
    y = t.framework.array(target)
    options = {"reduction": t.reductions[0]} if t.it.takes("reduction") else {}
    own_gradient, own_product = t.it.gradient, t.it.product

    def arguments(given: Sequence[Native]) -> tuple[tuple[Native, ...], dict[str, Native]]:
        return (*given[:2], y), {**options, **({"linear_bias": given[2]} if bias else {})}

    def function(*given: Native) -> Native:
        plain, named = arguments(given)
        return t.called(t.it.function, *plain, **named)

    def gradient(*given: Native) -> Native:
        assert own_gradient is not None
        plain, named = arguments(given)
        return t.called(own_gradient, *plain, **named)

    def product(*given: Native) -> Native:
        assert own_product is not None
        plain, named = arguments(given[: len(parts)])
        return t.called(own_product, *plain, given[len(parts) :], **named)

    call = Differentiable(function, gradient if own_gradient else None, product if own_product else None)
    return call, [t.framework.array(part) for part in parts], parts, exact


def _judge_parts(t: Trial, found: Sequence[Array], exact: Native) -> None:
    """Hold the parts of a derivative against the oracle's."""
    for name, got in zip(("input", "linear_weight", "linear_bias"), found, strict=False):
        t.judge(name, got, getattr(exact, name), t.dtype)


def _enter_gradient(name: str, what: str, bias: bool) -> None:
    """Enter a check of a layer's gradients, with or without a bias."""

    @check(name, what)
    def run(t: Trial) -> None:
        with t.attempt(""):
            call, primals, _, exact = _of_layer(t, bias)
            t.judge("loss", t.derived("value", call, primals), exact.loss.value, t.dtype)
            _judge_parts(t, t.derived("gradient", call, primals), exact.gradient())


_enter_gradient("layer: gradient", "∂L/∂x = G W, ∂L/∂W = Gᵀ x", bias=False)
_enter_gradient("layer: bias", "∂L/∂b = Gᵀ 1, and the bias is added once", bias=True)


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
