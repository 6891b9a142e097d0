"""The tests of `luce.torch` are tested: with the kernels' results made wrong in known ways, each comparison refuses."""

import functools

import pytest
import torch

from luce.check.inputs.problems import DrawnProblem
from luce.torch import kernels
from luce.torch.tensors import formulas
from tensors import check_all, check_layer
from test_linear import Layer

ROWS, CLASSES = 6, 5
PROBLEM = functools.partial(
    DrawnProblem, n_rows=ROWS, n_classes=CLASSES, target="ignored", weight="some", sample_weight="some", seed=11
)
MUTATIONS = {
    "zeroed": lambda part: part * 0,
    "shifted by one class": lambda part: part.roll(1, dims=-1),
    "shifted by one row": lambda part: part.roll(1, dims=0),
    "too large by the batch": lambda part: part * ROWS,
    "too small by the batch": lambda part: part / ROWS,
    "the other sign": lambda part: -part,
    "32 eps of float32": lambda part: part * (1 + 32 * torch.finfo(torch.float32).eps),
    "one NaN": lambda part: part.index_fill(0, torch.tensor([0]), torch.nan),
    "rounded to bfloat16": lambda part: part.bfloat16().to(part.dtype),
}


def mutate(monkeypatch, module, name, mutation, field=None):
    """Let a function's result, or one field of it, go through a mutation, in place where it wrote in place."""
    right = getattr(module, name)

    def wrong(*arguments, **options):
        found = right(*arguments, **options)
        part = found if field is None else getattr(found, field)
        if part is not None and part.dim():
            part.copy_(mutation(part.clone()))
        return found

    monkeypatch.setattr(module, name, wrong)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_what_is_right_is_accepted(dtype, reduction):
    check_all(PROBLEM(dtype=dtype, reduction=reduction))


PARTS = {
    "loss": (kernels, "forward", "loss"),
    "gradient of the first pass": (kernels, "forward", "gradient"),
    "gradient": (kernels, "gradient", None),
    "product": (kernels, "product", None),
}
SAME_FOR_A_SUM = {("loss", "shifted by one class"), ("loss", "shifted by one row")}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("part", PARTS)
def test_what_is_wrong_is_refused(part, mutation, dtype, monkeypatch):
    reduction = "none" if (part, mutation) in SAME_FOR_A_SUM else "mean"
    problem = PROBLEM(dtype=dtype, reduction=reduction)
    module, name, field = PARTS[part]
    mutate(monkeypatch, module, name, MUTATIONS[mutation], field)
    with pytest.raises(AssertionError):
        check_all(problem)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_wrong_gradient_of_the_target_is_refused(mutation, monkeypatch):
    problem = DrawnProblem(
        n_rows=ROWS, n_classes=CLASSES, target="distribution", dtype="float32", reduction="none", seed=3
    )
    check_all(problem)
    right = formulas.losses
    change = MUTATIONS[mutation]

    class Wrong(torch.autograd.Function):
        """What is passed on as it is, with a wrong derivative."""

        @staticmethod
        def forward(t):
            return t.view_as(t)

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, upstream):
            return change(upstream)

    def wrong(z, target, scale, options):
        return right(z, target._replace(dense=Wrong.apply(target.dense)), scale, options)

    monkeypatch.setattr(formulas, "losses", wrong)
    with pytest.raises(AssertionError):
        check_all(problem)


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("part", ["gradient of the first pass", "product"])
def test_wrong_parts_of_a_layer_are_refused(part, mutation, monkeypatch):
    layer = Layer(shape=(ROWS, 3, CLASSES), target="ignored", weight="some")
    check_layer(layer)
    module, name, field = PARTS[part]
    mutate(monkeypatch, module, name, MUTATIONS[mutation], field)
    with pytest.raises(AssertionError):
        check_layer(layer)
