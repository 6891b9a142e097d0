"""Checks of the value and of each derivative, for class indices without options."""

from __future__ import annotations

import numpy as np
from mpmath import mp

from luce.check.calling.errors import Unsupported
from luce.check.calling.frameworks import TWICE, Differentiable
from luce.check.conformance_suite.checks.registry import check
from luce.check.conformance_suite.trial import Trial, gradient_of
from luce.check.truth.oracle import Exact, to_exact


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
        array, (target, options) = t.framework.array, t.arguments(p)
        z = array(p.logits, str(p.dtype))
        if t.it.framework == "numpy":
            if t.it.target_gradient is None:
                raise Unsupported("returns no gradient in the target")
            found = t.framework.numbers(t.called(t.it.target_gradient, z, target, **options))
        else:
            call = Differentiable(lambda target: t.bind(p, arguments=(target, options))[0].function(z))
            found = t.derived("gradient", call, [target])[0]
        t.judge("target gradient", found, p.exact.target_gradient(), p.dtype)
