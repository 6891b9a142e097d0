"""Problems as tensors of PyTorch: calls of `luce.torch` and what the oracle says of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import luce.torch
from luce.check.inputs.problems import DrawnProblem
from luce.check.truth.oracle import Exact
from luce.check.truth.tolerance import (
    GRADIENT_EPS,
    assert_contraction,
    assert_gradient,
    assert_loss,
    assert_product,
    assert_same_bits,
)
from luce.torch import kernels
from luce.torch import tensors as torch_tensors

DTYPES = {name: getattr(torch, name) for name in ("float64", "float32", "bfloat16", "float16")}


def tensor(value, *, requires_grad=False):
    """An array, or a pair of them, as tensors with memory of their own; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(tensor(part, requires_grad=requires_grad and part.dtype.kind == "f") for part in value)
    return torch.tensor(value, requires_grad=requires_grad) if isinstance(value, np.ndarray) else value


def array(found: Tensor) -> np.ndarray:
    """A tensor's numbers; those of bfloat16, which NumPy lacks, in float32."""
    found = found.detach()
    return (found.float() if found.dtype == torch.bfloat16 else found).numpy()


class Call:
    """A problem as arguments of `luce.torch.cross_entropy`; what is floating is a leaf that wants a gradient."""

    def __init__(self, problem: DrawnProblem) -> None:
        self.input = tensor(problem.logits, requires_grad=True)
        self.target = tensor(problem.target, requires_grad=problem.has_target_gradient)
        self.options = {name: tensor(value) for name, value in problem.options.items()}
        if problem.has_target_gradient:
            self.options.pop("ignore_index", None)  # PyTorch has none for probabilities
        self.probabilities = self.target[1] if isinstance(self.target, tuple) else self.target

    def loss(self, **more):
        return luce.torch.cross_entropy(self.input, self.target, **{**self.options, **more})

    def tensors(self) -> list[Tensor]:
        target = self.target if isinstance(self.target, tuple) else (self.target,)
        return [self.input, *target, *(value for value in self.options.values() if isinstance(value, Tensor))]


def elsewhere(monkeypatch, rows=3):
    """Send tensors of the CPU the way of all other devices, a few rows at a time."""

    def chunks(z):
        return [slice(first, first + rows) for first in range(0, max(1, z.shape[0]), rows)]

    monkeypatch.setattr(torch_tensors, "compiled", lambda z: False)
    monkeypatch.setattr(kernels, "_chunks", chunks)


def of_operations(exact: Exact, problem: DrawnProblem) -> Exact:
    """What PyTorch's operations may miss beside: they round u before its exponential, and 2z/cap before that of du/dz.

    That costs |u|/2 eps for each of two; and what is subnormal on the way may be 0.
    """
    logits = np.where(np.isfinite(problem.logits), abs(problem.logits), 0).astype(np.float64)
    largest = logits.max(initial=0.0)
    cap, temperature = problem.options.get("softcap"), problem.options.get("temperature", 1.0)
    span = (largest if cap is None else min(largest, cap)) / temperature + (0 if cap is None else 2 * largest / cap)
    info = np.finfo(problem.dtype)
    return Exact(exact.value, exact.scale * (1 + span / GRADIENT_EPS) + float(info.smallest_normal / info.eps))


def check_all(problem: DrawnProblem, path: str = "kernels") -> None:
    """Loss, gradients and Hessian product against the oracle; the inputs as they were."""
    call, exact = Call(problem), problem.exact
    room = (lambda of: of_operations(of, problem)) if path == "formulas" else (lambda of: of)
    before = [part.detach().clone() for part in call.tensors()]
    wanted = [call.input, *([call.probabilities] if problem.has_target_gradient else [])]
    loss = call.loss()
    assert loss.dtype == call.input.dtype
    assert_loss(array(loss), room(exact.value))
    gradient, *of_target = torch.autograd.grad(loss.sum(), wanted)
    assert_gradient(array(gradient), room(exact.gradient()))
    for found in of_target:
        assert_gradient(array(found), of_operations(exact.target_gradient(), problem))
    (again,) = torch.autograd.grad(call.loss().sum(), call.input, create_graph=True)
    assert_same_bits(array(again), array(gradient))
    (product,) = torch.autograd.grad(again, call.input, tensor(problem.vector))
    assert_product(array(product), room(exact.hvp(problem.vector)))
    for was, part in zip(before, call.tensors(), strict=True):
        assert_same_bits(array(was), array(part))


class LayerCall:
    """A layer of the NumPy tests as tensors that want gradients."""

    def __init__(self, layer) -> None:
        self.parts = [tensor(a, requires_grad=True) for a in (layer.input, layer.linear_weight, layer.linear_bias)]
        self.leaves = [part for part in self.parts if part is not None]
        self.target = tensor(layer.target)
        self.options = {name: tensor(value) for name, value in layer.options.items()}
        self.direction = [tensor(part) for part in layer.direction if part is not None]

    def loss(self, **more):
        x, w, b = self.parts
        return luce.torch.linear_cross_entropy(x, w, self.target, linear_bias=b, **{**self.options, **more})


def assert_parts(found, exact, terms_input, terms_weight):
    """Gradients (x, W, b) against the oracle's."""
    truths, terms = (exact.input, exact.linear_weight, exact.linear_bias), (terms_input, terms_weight, terms_weight)
    for got, truth, count in zip(found, truths, terms, strict=False):
        assert_contraction(array(got), truth, count)


def check_layer(layer) -> None:
    """Loss, gradients, Hessian products and forward mode against the oracle."""
    call, exact = LayerCall(layer), layer.exact()
    (n, _), v = layer.input.shape, len(layer.linear_weight)
    loss = call.loss()
    assert_loss(array(loss), exact.loss, layer.dtype)
    gradients = torch.autograd.grad(loss.sum(), call.leaves)
    assert_parts(gradients, exact.gradient(), v, n)
    again = torch.autograd.grad(call.loss().sum(), call.leaves, create_graph=True)
    products = torch.autograd.grad(again, call.leaves, call.direction)
    assert_parts(products, exact.hvp(*layer.direction), 2 * v, 2 * n)
    tangent = torch.func.jvp(
        lambda *parts: luce.torch.linear_cross_entropy(
            parts[0], parts[1], call.target, linear_bias=parts[2] if len(parts) > 2 else None, **call.options
        ).sum(),
        tuple(leaf.detach() for leaf in call.leaves),
        tuple(call.direction),
    )[1]
    parts = [(g.double() * along.double()).flatten() for g, along in zip(gradients, call.direction, strict=True)]
    terms = torch.cat(parts)
    info = np.finfo(layer.dtype)
    assert abs(float(tangent - terms.sum())) <= 40 * info.eps * max(float(terms.abs().sum()), float(info.tiny))
