"""The options are said once, in the contract, and every front end has those: names, defaults, texts and checks."""

import inspect

import pytest

import luce
import luce.torch
from luce.contract.form import Form, RowOptions, TargetRows
from luce.contract.options import (
    GivenOptions,
    GivenSetOptions,
    GivenSigmoidOptions,
    Options,
    SetOptions,
    SigmoidOptions,
    checked,
    described,
)

KINDS = {
    "softmax": (Options, GivenOptions, [getattr(luce, name) for name in luce.__all__ if "cross_entropy" in name]),
    "sets": (SetOptions, GivenSetOptions, [getattr(luce.sets, n) for n in luce.sets.__all__ if "cross_entropy" in n]),
    "sigmoid": (SigmoidOptions, GivenSigmoidOptions, [luce.sigmoid_cross_entropy, luce.sigmoid_cross_entropy_and_grad]),
}
KINDS["softmax"] = (*KINDS["softmax"][:2], [f for f in KINDS["softmax"][2] if f not in KINDS["sigmoid"][2]])
BY_NAME = [(kind, name) for kind, _, _ in KINDS.values() for name in kind._fields]
TORCH = [luce.torch.cross_entropy, luce.torch.linear_cross_entropy]


@pytest.mark.parametrize("kind", KINDS)
def test_type_checkers_see_the_same_options(kind):
    options, given, _ = KINDS[kind]
    assert list(given.__annotations__) == list(options._fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_function_shows_them(kind):
    options, _, functions = KINDS[kind]
    assert len(functions) > 1
    for function in functions:
        shown = {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if name in options._fields
        }
        assert shown == options._field_defaults, function
        for name, option in described(options).items():
            assert f"    {name} : {option.kind}, " in function.__doc__ and option.text in function.__doc__


@pytest.mark.parametrize("function", TORCH, ids=lambda function: function.__name__)
def test_tensors_have_the_same_options_and_defaults(function):
    shown = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    expected = dict(Options._field_defaults)
    if function is luce.torch.linear_cross_entropy:
        expected["ignore_index"] = None  # as in PyTorch: it stands for -100 with class indices
    assert {name: shown.get(name, "missing") for name in expected} == expected


@pytest.mark.parametrize(("kind", "name"), BY_NAME, ids=str)
def test_a_default_is_what_it_may_be(kind, name):
    default = kind._field_defaults[name]
    assert checked(kind, {name: default}) == kind()
    assert getattr(checked(kind, {}), name) == default


@pytest.mark.parametrize(("kind", "name"), BY_NAME, ids=str)
def test_what_is_no_array_is_checked(kind, name):
    option = described(kind)[name]
    if option.check is None:
        assert option.kind.startswith("array_like")
        return
    with pytest.raises((TypeError, ValueError), match=rf"^{name}: expected"):
        checked(kind, {name: "no such value"})


def test_a_row_has_a_field_for_each_of_its_options():
    options = checked(Options, {"label_smoothing": 0.25, "z_loss": 0.5, "softcap": 3.0, "temperature": 2.0})
    for given in (options, RowOptions.of(options, None)):
        form = Form.of(5, given, TargetRows())
        assert form._replace(given_share=0, background=0) == Form(
            0, None, None, None, None, None, None, 0, 0, None, z_loss=0.5, softcap=3.0, temperature=2.0
        )
        assert (form.given_share, form.background) == (0.75, 0.05)
    assert Form.of(5, Options(), TargetRows()).softcap == 0.0
