"""The form of the loss crosses to the compiled core by the names of its fields, wherever they are in the tuple."""

from collections import namedtuple

import numpy as np
import pytest

from luce import _core
from luce.arrays.calls import checked_call
from luce.contract.form import Form

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((9, 7))
TARGET = RNG.integers(0, 7, 9)
OPTIONS = {
    "weight": RNG.uniform(0.5, 2.0, 7),
    "sample_weight": RNG.uniform(0.5, 2.0, 9),
    "label_smoothing": 0.3,
    "z_loss": 0.01,
    "softcap": 5.0,
    "temperature": 0.7,
    "ignore_index": 3,
}


def results(form):
    losses, grad, product = np.empty(len(LOGITS)), np.empty_like(LOGITS), np.empty_like(LOGITS)
    _core.cross_entropy(LOGITS, form, 0.5, losses, grad, 1)
    _core.cross_entropy_hvp(LOGITS, form, 0.5, LOGITS, product, None, 1)
    return losses, grad, product


def renamed(names, form):
    """A form of another type with these fields in this order; those that Form lacks are 0."""
    return namedtuple("Other", names)(**{name: getattr(form, name, 0.0) for name in names})


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_fields_does_not_matter(seed):
    form = checked_call(LOGITS.shape, LOGITS.dtype, TARGET, **OPTIONS).form
    names = list(np.random.default_rng(seed).permutation(Form._fields))
    assert names != list(Form._fields)
    for found, expected in zip(results(renamed(names, form)), results(form), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", Form._fields)
def test_a_field_that_is_missing_is_named(name):
    form = checked_call(LOGITS.shape, LOGITS.dtype, TARGET).form
    with pytest.raises(ValueError, match=rf"^luce\._core: the form has no field {name}$"):
        results(renamed([field for field in Form._fields if field != name], form))
    results(form)


def test_a_field_that_no_kernel_reads_is_an_error():
    form = checked_call(LOGITS.shape, LOGITS.dtype, TARGET).form
    with pytest.raises(ValueError, match=r"^luce\._core: the form has a field that no kernel reads: margin$"):
        results(renamed([*Form._fields, "margin"], form))


def test_a_tuple_without_names_is_an_error():
    with pytest.raises(TypeError, match="form"):
        results(tuple(checked_call(LOGITS.shape, LOGITS.dtype, TARGET).form))
