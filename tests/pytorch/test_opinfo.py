"""PyTorch's own test inputs of its cross-entropies: loss and gradients against its reference path in float64."""

import random

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing._internal.common_methods_invocations import op_db

import luce.torch
from tensors import DTYPES, elsewhere

OPS = {op.full_name: op for op in op_db if op.name.endswith((".cross_entropy", ".linear_cross_entropy"))}
VARIANTS = ["", ".chunked", ".chunked_none"]
assert set(OPS) >= {"nn.functional.cross_entropy", *(f"nn.functional.linear_cross_entropy{v}" for v in VARIANTS)}


def samples(op, dtype):
    torch.manual_seed(0)
    random.seed(0)
    found = list(op.sample_inputs("cpu", dtype, requires_grad=True))
    assert len(found) > 20
    return found


def leaves(sample):
    """What of a sample wants a gradient, by name."""
    named = {"input": sample.input, **dict(zip(("first", "second"), sample.args, strict=False)), **sample.kwargs}
    return {name: part for name, part in named.items() if isinstance(part, Tensor) and part.requires_grad}


def check_logits(op, sample, dtype):
    """As exact as float32 and one rounding for 16 bits, else 16 eps of the largest entry: class weights may cancel."""
    given, ref = leaves(sample), sample.transform(doubled)
    found, want = (
        luce.torch.cross_entropy(sample.input, *sample.args, **sample.kwargs),
        op(ref.input, *ref.args, **ref.kwargs),
    )
    upstream = torch.ones_like(want) if dtype.itemsize == 2 else torch.randn_like(want)
    gradients = torch.autograd.grad(found, list(given.values()), upstream.to(dtype))
    truths = torch.autograd.grad(want, list(leaves(ref).values()), upstream.to(dtype).double())
    rounding = torch.finfo(dtype).eps / 2 if dtype.itemsize == 2 else 0.0
    eps = torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps
    for got, truth in zip((found, *gradients), (want, *truths), strict=True):
        assert got.dtype == dtype and got.shape == truth.shape
        error = abs(got.double() - truth)
        allowed = rounding * (abs(truth) + torch.finfo(dtype).tiny) + 16 * eps * abs(truth).max()
        allowed = allowed + 2 * torch.finfo(torch.float64).eps * abs(upstream).max()  # p − 1 in the reference
        assert (error <= allowed).all(), (sample, error)


def doubled(part):
    if isinstance(part, Tensor) and part.is_floating_point():
        return part.detach().double().requires_grad_(part.requires_grad)
    return part


def check_layer(sample, dtype):
    """Within what any product of this type rounds: its logits, and for 16 bits the logits' gradient, once each."""
    given, ref = leaves(sample), sample.transform(doubled)
    found = luce.torch.linear_cross_entropy(sample.input, *sample.args, **sample.kwargs)
    weight, target = ref.args
    kwargs = {name: part for name, part in ref.kwargs.items() if name not in ("options", "linear_bias")}
    bias = ref.kwargs.get("linear_bias")
    x, w = (part.reshape(-1, part.shape[-1]) for part in (ref.input, weight))
    z = x @ w.T
    b = None if bias is None else bias.reshape(-1)
    z = z if b is None else z + b
    reach = abs(x) @ abs(w).T + (0 if b is None else abs(b))
    if dtype.itemsize == 2:  # from the logits on that PyTorch's product in this type gives
        rounded = F.linear(x.to(dtype), w.to(dtype), None if b is None else b.to(dtype)).double()
        z = z + (rounded - z).detach()
    shape = (*ref.input.shape[:-1], *weight.shape[:-1])
    want = F.cross_entropy(z.reshape(shape), target, **kwargs)
    upstream = torch.ones_like(want) if dtype.itemsize == 2 else torch.randn_like(want)
    gradients = torch.autograd.grad(found, list(given.values()), upstream.to(dtype))
    *truths, of_z = torch.autograd.grad(want, [*leaves(ref).values(), z], upstream.to(dtype).double())
    of_z = abs(of_z)
    terms = {"input": of_z @ abs(w), "first": of_z.T @ abs(x), "second": None, "linear_bias": of_z.sum(0)}
    eps = torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps
    rounding = torch.finfo(dtype).eps / 2 if dtype.itemsize == 2 else 0.0
    felt = 16 + (0 if rounding else (x.shape[1] + 2) * float(reach.detach().max()))  # (D + 1)/2 eps of a logit, twice
    for name, got, truth in zip((None, *given), (found, *gradients), (want, *truths), strict=True):
        assert got.dtype == dtype and got.shape == truth.shape
        error = abs(got.double() - truth)
        allowed = rounding * (abs(truth) + torch.finfo(dtype).tiny) + felt * eps * abs(truth).max()
        if terms.get(name) is not None:
            allowed = allowed + (rounding + 8 * eps) * terms[name].detach().reshape(truth.shape)
        assert (error <= allowed).all(), (sample, name, error, allowed)


def check(name, dtype):
    for sample in samples(OPS[name], dtype):
        if "linear" in name:
            check_layer(sample, dtype)
        else:
            check_logits(OPS[name], sample, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPS)
def test_samples(name, dtype):
    check(name, DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_as_on_a_device(dtype, monkeypatch):
    elsewhere(monkeypatch)
    check("nn.functional.cross_entropy", DTYPES[dtype])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_samples_of_a_layer_as_on_a_device(dtype, monkeypatch):
    elsewhere(monkeypatch)
    check("nn.functional.linear_cross_entropy", DTYPES[dtype])


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.error_inputs_func])
def test_what_raises_there_raises_here(name):
    function = luce.torch.linear_cross_entropy if "linear" in name else luce.torch.cross_entropy
    for case in OPS[name].error_inputs("cpu"):
        sample = case.sample_input
        with pytest.raises((ValueError, TypeError, IndexError, RuntimeError)):
            function(sample.input, *sample.args, **sample.kwargs)
