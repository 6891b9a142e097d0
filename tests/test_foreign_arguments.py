"""What people have instead of arrays, for every argument: the right numbers, or one error that names it."""

import array
import datetime
import decimal
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

import luce
from luce import jacobians
from luce.rows import core

N, V, K, D = 4, 3, 2, 5
RNG = np.random.default_rng(0)
LOGITS, VECTOR = RNG.integers(-8, 8, (2, N, V)) / 4.0
LABELS = np.array([0, 2, 1, 0])
DISTRIBUTION = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.25, 0.25, 0.5]])
INDICES, PROBABILITIES = np.array([[0, 1], [2, 0], [1, 2], [0, 2]]), np.array([[0.5, 0.25]] * N)
X, W, B = RNG.integers(-8, 8, (N, D)) / 4.0, RNG.integers(-8, 8, (V, D)) / 4.0, np.array([0.5, -0.25, 0.0])
CLASS_WEIGHT, ROW_WEIGHT = np.array([1.0, 2.0, 0.5]), np.array([1.0, 2.0, 3.0, 0.5])


def cross_entropy(**change):
    return luce.cross_entropy_and_grad(**{"logits": LOGITS, "target": LABELS} | change)


def hvp(**change):
    return luce.cross_entropy_hvp(**{"logits": LOGITS, "target": LABELS, "vector": VECTOR} | change)


def layer(**change):
    arguments = {"input": X, "linear_weight": W, "linear_bias": B, "target": LABELS}
    return luce.linear_cross_entropy_and_grad(**arguments | change)


def direction(place):
    parts = [X, W, B]
    return lambda a: luce.linear_cross_entropy_hvp(
        X, W, LABELS, (*parts[:place], a, *parts[place + 1 :]), linear_bias=B
    )


def sigmoid(**change):
    return luce.sigmoid_cross_entropy_and_grad(**{"logits": LOGITS, "target": DISTRIBUTION} | change)


# For each argument: the call with it, a good array, and the name that an error begins with
ARGUMENTS = {
    "logits": (lambda a: cross_entropy(logits=a), LOGITS, "logits"),
    "logits of the value": (lambda a: luce.cross_entropy(a, LABELS), LOGITS, "logits"),
    "target: classes": (lambda a: cross_entropy(target=a), LABELS, "target"),
    "target of the value": (lambda a: luce.cross_entropy(LOGITS, a), LABELS, "target"),
    "target: distribution": (lambda a: cross_entropy(target=a), DISTRIBUTION, "target"),
    "target: indices": (lambda a: cross_entropy(target=(a, PROBABILITIES)), INDICES, "target"),
    "target: probabilities": (lambda a: cross_entropy(target=(INDICES, a)), PROBABILITIES, "target"),
    "target of its gradient": (lambda a: luce.cross_entropy_target_grad(LOGITS, a), DISTRIBUTION, "target"),
    "weight": (lambda a: cross_entropy(weight=a), CLASS_WEIGHT, "weight"),
    "sample_weight": (lambda a: cross_entropy(sample_weight=a), ROW_WEIGHT, "sample_weight"),
    "logits of the product": (lambda a: hvp(logits=a), LOGITS, "logits"),
    "vector": (lambda a: hvp(vector=a), VECTOR, "vector"),
    "input": (lambda a: layer(input=a), X, "input"),
    "linear_weight": (lambda a: layer(linear_weight=a), W, "linear_weight"),
    "linear_bias": (lambda a: layer(linear_bias=a), B, "linear_bias"),
    "target of the layer": (lambda a: layer(target=a), LABELS, "target"),
    "direction of the input": (direction(0), X, "vector: input"),
    "direction of the weight": (direction(1), W, "vector: linear_weight"),
    "direction of the bias": (direction(2), B, "vector: linear_bias"),
    "softmax": (luce.softmax, LOGITS, "logits"),
    "log_softmax": (luce.log_softmax, LOGITS, "logits"),
    "logsumexp": (luce.logsumexp, LOGITS, "logits"),
    "softmax_jvp": (lambda a: luce.softmax_jvp(a, VECTOR), LOGITS, "logits"),
    "softmax_jvp's vector": (lambda a: luce.softmax_jvp(LOGITS, a), VECTOR, "vector"),
    "sigmoid's logits": (lambda a: sigmoid(logits=a), LOGITS, "logits"),
    "sigmoid's target": (lambda a: sigmoid(target=a), DISTRIBUTION, "target"),
    "sigmoid's weight": (lambda a: sigmoid(weight=a), CLASS_WEIGHT, "weight"),
    "sigmoid's sample_weight": (lambda a: sigmoid(sample_weight=a), ROW_WEIGHT, "sample_weight"),
    "sigmoid's pos_weight": (lambda a: sigmoid(pos_weight=a), CLASS_WEIGHT, "pos_weight"),
    "jacobian of the softmax": (jacobians.softmax, LOGITS, "logits"),
    "jacobian of the layer": (lambda a: jacobians.linear(a, 2), X, "input"),
    "jacobian's input": (lambda a: jacobians.softmax_linear(a, W, B), X, "input"),
    "jacobian's linear_weight": (lambda a: jacobians.softmax_linear(X, a, B), W, "linear_weight"),
    "jacobian's linear_bias": (lambda a: jacobians.softmax_linear(X, W, a), B, "linear_bias"),
    "jacobian's target": (lambda a: jacobians.cross_entropy_linear(X, W, a, B), LABELS, "target"),
}
TRUTHS = {
    "weight",
    "sample_weight",
    "sigmoid's target",
    "sigmoid's weight",
    "sigmoid's sample_weight",
    "sigmoid's pos_weight",
}
BROADCASTS = {"sigmoid's weight", "sigmoid's pos_weight"}


class Subclass(np.ndarray):
    """An array that says it is something else."""


class Holder:
    """Something with `__array__` and nothing else."""

    def __init__(self, held):
        self.held = held

    def __array__(self, dtype=None, copy=None):
        return self.held


class Interface:
    """Something with `__array_interface__` and nothing else."""

    def __init__(self, held):
        self.held = held
        self.__array_interface__ = held.__array_interface__


def frame(a, series, table):
    return series(a) if a.ndim == 1 else table({f"c{i}": column for i, column in enumerate(a.T)})


def nullable(a):
    kind = "Int64" if a.dtype.kind == "i" else "Float64"
    return frame(a, lambda c: pd.Series(c, dtype=kind), lambda c: pd.DataFrame(c).astype(kind))


def strided(a):
    wide = np.repeat(a, 2, axis=-1)
    return wide[..., ::2]


def arrow(a):
    pa = pytest.importorskip("pyarrow")
    return frame(a, pa.array, pa.table)


def jax_array(a):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        return jax.numpy.asarray(a)


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


RIGHT = {
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()),
    "list of arrays": list,
    "masked array without masked entries": lambda a: np.ma.masked_array(a, mask=np.zeros(a.shape, bool)),
    "matrix": np.asmatrix,
    "subclass": lambda a: a.view(Subclass),
    "pandas": lambda a: frame(a, pd.Series, pd.DataFrame).set_axis([9, 7, 8, 6][: len(a)]),
    "pandas' nullable types": nullable,
    "polars": lambda a: frame(a, pl.Series, pl.DataFrame),
    "Arrow": arrow,
    "tensor": lambda a: torch.tensor(a),
    "list of tensors": lambda a: list(torch.tensor(a)),
    "JAX": jax_array,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "Fortran order": np.asfortranarray,
    "strided": strided,
    "backwards": lambda a: a[::-1].copy()[::-1],
    "read-only": read_only,
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "array.array": lambda a: array.array("q" if a.dtype.kind == "i" else "d", a),
    "memoryview": memoryview,
    "__array__": Holder,
    "__array_interface__": Interface,
}


DIMENSIONS = {"matrix": 2, "array.array": 1}  # of what has no others


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (kind, a)
        for kind in RIGHT
        for a in ARGUMENTS
        if DIMENSIONS.get(kind, ARGUMENTS[a][1].ndim) == ARGUMENTS[a][1].ndim
    ],
)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_what_stands_for_an_array(kind, argument):
    call, good, _ = ARGUMENTS[argument]
    got, wanted = call(RIGHT[kind](good)), call(good)
    same(got, wanted)


def same(got, wanted):
    if isinstance(wanted, tuple):
        for g, w in zip(got, wanted, strict=True):
            same(g, w)
        return
    assert type(got) is type(wanted)
    if wanted is not None:
        np.testing.assert_array_equal(got, wanted, strict=True)
        assert np.any(wanted)


def masked(a, at=(0,)):
    m = np.ma.masked_array(a, mask=np.zeros(a.shape, bool))
    m[at] = np.ma.masked
    return m


def tensor_of(change):
    def make(a):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # prototypes and deprecations are PyTorch's affair
            return change(torch.tensor(a, dtype=torch.float32))

    return make


def bfloat16(a):
    return a.astype(pytest.importorskip("ml_dtypes").bfloat16)


def entry(value):
    def make(a):
        strange = a.astype(object)
        strange.flat[-1] = value
        return strange

    return make


WRONG = {
    "masked": (masked, ValueError, ["masked", "fill", "[0"]),
    "a list with a masked row": (lambda a: [masked(row, ...) for row in a], ValueError, ["masked", "[0"]),
    "a list with the masked constant": (lambda a: [*a.ravel()[:-1].tolist(), np.ma.masked], ValueError, ["masked"]),
    "None": (lambda a: None, TypeError, ["None"]),
    "0-d": (lambda a: a.dtype.type(0), ValueError, ["()"]),
    "a dict": (lambda a: dict(enumerate(a.tolist())), TypeError, ["dict"]),
    "a set": (lambda a: set(a.ravel().tolist()), TypeError, ["set"]),
    "a generator": (lambda a: (x for x in a), TypeError, ["generator"]),
    "a ragged list": (lambda a: [[1.0, 2.0], [1.0]], ValueError, ["inhomogeneous"]),
    "objects": (lambda a: a.astype(object), TypeError, ["object", "astype"]),
    "a missing entry": (entry(None), TypeError, ["object", "None at ["]),
    "pandas' missing entry": (entry(pd.NA), TypeError, ["object", "<NA> at ["]),
    "a category": (entry("cat"), TypeError, ["object", "'cat' at ["]),
    "decimals": (entry(decimal.Decimal(1)), TypeError, ["object", "Decimal"]),
    "integers beyond 64 bits": (lambda a: [2**70] * len(a), TypeError, ["object"]),
    "strings": (lambda a: a.astype(str), TypeError, ["<U"]),
    "strings of pandas": (lambda a: pd.Series(["a"] * len(a)), TypeError, ["object", "'a'"]),
    "strings of polars": (lambda a: pl.Series(["a"] * len(a)), TypeError, ["<U1"]),
    "bytes": (lambda a: b"abc", TypeError, ["|S3"]),
    "dates": (lambda a: [datetime.date(2024, 1, 1)] * len(a), TypeError, ["object", "date"]),
    "datetimes": (lambda a: a.astype("datetime64[s]"), TypeError, ["datetime64"]),
    "timedeltas": (lambda a: a.astype("timedelta64[s]"), TypeError, ["timedelta64"]),
    "structured": (lambda a: a.ravel().view([("a", a.dtype)]), TypeError, ["'a'"]),
    "complex": (lambda a: a.astype(complex), TypeError, ["complex128"]),
    "long": (lambda a: a.astype(np.longdouble), TypeError, [np.dtype(np.longdouble).name]),
    "truths": (lambda a: a.astype(bool), TypeError, ["bool"]),
    "bfloat16": (bfloat16, TypeError, ["bfloat16", "astype(numpy.float32)"]),
    "SciPy's sparse": (lambda a: scipy.sparse.csr_array(np.atleast_2d(a)), TypeError, ["csr_array", "toarray"]),
    "a lazy frame": (lambda a: pl.LazyFrame({"a": a[:, 0] if a.ndim > 1 else a}), TypeError, ["LazyFrame"]),
    "a tensor with a graph": (tensor_of(lambda t: t.requires_grad_()), TypeError, ["requires grad", "luce.torch"]),
    "tensors with a graph": (tensor_of(lambda t: list(t.requires_grad_())), TypeError, ["grad", "luce.torch"]),
    "a tensor of 16 bits": (tensor_of(lambda t: t.bfloat16()), TypeError, ["BFloat16", "luce.torch"]),
    "a meta tensor": (tensor_of(lambda t: t.to("meta")), TypeError, ["meta", "luce.torch"]),
    "a sparse tensor": (tensor_of(lambda t: t.to_sparse()), TypeError, ["Sparse", "luce.torch"]),
    "a nested tensor": (
        tensor_of(lambda t: torch.nested.nested_tensor([t, t], layout=torch.jagged)),
        TypeError,
        ["Nested", "luce.torch"],
    ),
    "a quantised tensor": (
        tensor_of(lambda t: torch.quantize_per_tensor(t, 0.25, 0, torch.quint8)),
        TypeError,
        ["QUInt8", "luce.torch"],
    ),
    "a negated view": (
        tensor_of(lambda t: torch.complex(t, t).conj().imag),
        TypeError,
        ["negative bit", "luce.torch"],
    ),
}
HARMLESS = {  # what is right for some arguments
    "None": {"weight", "sample_weight", "linear_bias", "direction of the input", "direction of the weight",
             "direction of the bias", "sigmoid's weight", "sigmoid's sample_weight", "sigmoid's pos_weight",
             "jacobian's linear_bias"},
    "0-d": BROADCASTS | {"sigmoid's logits"},
    "truths": TRUTHS,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "argument"), [(kind, a) for kind in WRONG for a in ARGUMENTS if a not in HARMLESS.get(kind, ())]
)
def test_what_does_not(kind, argument):
    make, error, words = WRONG[kind]
    call, good, name = ARGUMENTS[argument]
    given = make(good)
    with pytest.raises(error) as caught:
        call(given)
    said = str(caught.value)
    assert said.startswith(f"{name}:"), said
    assert "\n" not in said and len(said) < 300, said
    assert not [word for word in words if word not in said], said


@pytest.mark.parametrize("argument", sorted(TRUTHS))
def test_truths_are_the_weights_0_and_1(argument):
    call, good, _ = ARGUMENTS[argument]
    truths = np.arange(good.size).reshape(good.shape) % 2 == 0
    same(call(truths), call(truths.astype(float)))


@pytest.mark.parametrize(
    "argument",
    [name for name, (_, good, _) in ARGUMENTS.items() if good.ndim == 1 and name not in BROADCASTS],
)
def test_a_last_axis_of_1_is_squeezed_by_the_user(argument):
    call, good, name = ARGUMENTS[argument]
    for shape in ((*good.shape, 1), (1, *good.shape)):
        with pytest.raises(ValueError, match=f"^{name}: .*squeeze its .*axis.*, of length 1") as caught:
            call(good.reshape(shape))
        assert str(good.shape) in str(caught.value) and str(shape) in str(caught.value)


def test_labels_of_images():
    z, y = np.zeros((2, 3, 4, 5)), np.zeros((2, 3, 4, 1), int)
    with pytest.raises(ValueError, match=r"have shape \(2, 3, 4\), got \(2, 3, 4, 1\); squeeze its last axis"):
        luce.cross_entropy(z, y)
    with pytest.raises(ValueError, match=r"got \(2, 1, 3, 4\); squeeze its axis 1, of length 1"):
        luce.cross_entropy(z, y.reshape(2, 1, 3, 4))


@pytest.mark.parametrize(
    "missing", [pd.Series([0, 2, None, 1], dtype="Int64"), pl.Series([0, 2, None, 1])], ids=["pd", "pl"]
)
def test_a_missing_label_is_told(missing):
    with pytest.raises(TypeError, match=r"target: .* integers, got dtype float64 \(NaN, a missing value, at \[2\]\)"):
        luce.cross_entropy(LOGITS, missing)


def test_a_tuple_of_two_numbers_is_two_labels():
    assert luce.cross_entropy(LOGITS[:2], (0, 2)) == luce.cross_entropy(LOGITS[:2], [0, 2])


def test_a_pair_is_a_tuple():
    with pytest.raises(ValueError, match=r"target: .*tuple of indices and probabilities"):
        luce.cross_entropy(LOGITS, [INDICES, PROBABILITIES])


def test_nothing_is_written_under_a_mask():
    out = np.ma.masked_array(np.zeros((N, V)), mask=np.eye(N, V, dtype=bool))
    with pytest.raises(TypeError, match=r"^out: .* without a mask, got a MaskedArray"):
        luce.cross_entropy_and_grad(LOGITS, LABELS, out=out)
    assert not out.data.any()


def test_a_masked_label_does_not_take_the_short_cut():
    masked_labels = np.ma.masked_array(LABELS, mask=[0, 0, 1, 0])
    with pytest.raises(ValueError, match=r"^target: the entry at \[2\] is masked"):
        luce.cross_entropy(LOGITS, masked_labels)


@pytest.mark.parametrize("name", ["label_smoothing", "z_loss", "softcap", "temperature", "normalizer"])
@pytest.mark.parametrize(
    "value",
    [
        "0.5",
        [0.5],
        np.array(0.5),
        np.ones((50, 50)),
        torch.tensor(0.5),
        np.complex128(0.5),
        decimal.Decimal("0.5"),
        True,
    ],
    ids=lambda v: type(v).__name__,
)
def test_options_are_numbers(name, value):
    with pytest.raises(TypeError, match=f"^{name}: expected a .*number.*, got ") as caught:
        luce.cross_entropy(LOGITS, LABELS, **{name: value})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["label_smoothing", "temperature", "softcap", "normalizer", "z_loss"])
def test_options_are_numbers_of_any_library(name):
    wanted = luce.cross_entropy(LOGITS, LABELS, **{name: 0.5})
    for value in (np.float32(0.5), np.float64(0.5), np.float16(0.5)):
        assert luce.cross_entropy(LOGITS, LABELS, **{name: value}) == wanted


def test_the_core_is_given_no_number_that_is_not_aligned():
    unaligned = RIGHT["unaligned"](np.ones((3, 4)))
    assert not unaligned.flags.aligned and unaligned.flags.c_contiguous
    taken = core.in_one_piece(unaligned)
    assert taken.flags.aligned and taken.tolist() == unaligned.tolist() and core.in_one_piece(taken) is not None
    with pytest.raises(ValueError, match="not aligned"):
        core.softmax(unaligned, np.empty((3, 4)))
    assert core.plain_mean(unaligned, np.zeros(3, np.int64), None) is None
