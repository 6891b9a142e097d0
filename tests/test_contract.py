"""An error for each line of the contract's Edges: it names the argument, what it got and wanted, and writes nothing."""

import numpy as np
import pytest

import luce

N, V, K, D = 4, 3, 2, 5
LONGDOUBLE = np.dtype(np.longdouble).name


def pair(indices=((0, 1),) * N, probabilities=((0.5, 0.25),) * N):
    return np.asarray(indices), np.asarray(probabilities)


def changed(array, index, value):
    array = np.array(array, dtype=float)
    array[index] = value
    return array


LABELS = np.array([0, 2, 1, 0])
UNIFORM = np.full((N, V), 1 / 3)
BAD_NUMBERS = [(-1.0, "-1"), (np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")]

INDEX_ERRORS = [
    ({"target": np.array([0, 3, 7, 0])}, ["target", "3", "1"]),
    ({"target": np.array([0, 1, 1, -1])}, ["target", "-1", "3"]),
    ({"target": np.array([0, -100, 1, -1]), "ignore_index": -1}, ["target", "-100", "1"]),
    ({"target": np.array([0, 1, 2, 2**40])}, ["target", str(2**40), "3"]),
    ({"target": np.array([0, 1, 2, 2**63], dtype=np.uint64)}, ["target", str(2**63), "3"]),
    ({"target": pair(indices=[[0, 1], [0, 1], [0, 5], [0, 9]])}, ["target", "5", "2"]),
    ({"target": pair(indices=[[0, 1], [0, 1], [-100, 1], [0, 1]])}, ["target", "-100", "2"]),
]
VALUE_ERRORS = [
    *[({"target": changed(UNIFORM, (2, 1), bad)}, ["target", word]) for bad, word in BAD_NUMBERS],
    *[
        ({"target": pair(probabilities=changed(np.ones((N, K)), (1, 0), bad))}, ["target", word])
        for bad, word in BAD_NUMBERS
    ],
    *[({"weight": changed(np.ones(V), 1, bad)}, ["weight", word]) for bad, word in BAD_NUMBERS],
    *[({"sample_weight": changed(np.ones(N), 3, bad)}, ["sample_weight", word]) for bad, word in BAD_NUMBERS],
    *[({"label_smoothing": bad}, ["label_smoothing", word]) for bad, word in [*BAD_NUMBERS, (1.5, "1.5")]],
    *[({"z_loss": bad}, ["z_loss", word]) for bad, word in BAD_NUMBERS],
    *[({"softcap": bad}, ["softcap", word]) for bad, word in [*BAD_NUMBERS, (0.0, "0")]],
    *[({"temperature": bad}, ["temperature", word]) for bad, word in [*BAD_NUMBERS, (0.0, "0")]],
    *[({"normalizer": bad}, ["normalizer", word]) for bad, word in BAD_NUMBERS],
    ({"reduction": "average"}, ["reduction", "average", "mean"]),
    ({"reduction": None}, ["reduction", "None", "mean"]),
    ({"on_empty": "skip"}, ["on_empty", "skip", "nan"]),
    ({"tail": "rest", "target": pair()}, ["tail", "rest", "uniform"]),
    ({"tail": "uniform"}, ["tail", "uniform"]),
    ({"tail": "uniform", "target": pair(probabilities=np.ones((N, K)))}, ["target", "tail", "2.0"]),
    ({"normalizer": 0.0}, ["normalizer", "0"]),
    ({"normalizer": 2.0, "reduction": "sum"}, ["normalizer", "sum"]),
    ({"n_threads": 0}, ["n_threads", "0"]),
    ({"n_threads": -2}, ["n_threads", "-2"]),
    # shapes
    ({"logits": np.float64(1.0)}, ["logits", "()"]),
    ({"logits": np.zeros((N, 0))}, ["logits", "(4, 0)"]),
    ({"target": np.array([0, 1, 2])}, ["target", "(3,)", "(4, 3)"]),
    ({"target": LABELS[:, None]}, ["target", "(4, 1)", "(4, 3)"]),
    ({"target": np.array(1)}, ["target", "()", "(4, 3)"]),
    ({"target": np.ones((N, V + 1))}, ["target", "(4, 4)", "(4, 3)"]),
    ({"target": np.ones((N + 1, V))}, ["target", "(5, 3)", "(4, 3)"]),
    ({"target": (np.zeros((N, 2), int), np.ones((N, 3)))}, ["target", "(4, 2)", "(4, 3)"]),
    ({"target": (np.zeros((N + 1, 2), int), np.ones((N + 1, 2)))}, ["target", "(5, 2)", "(4, k)"]),
    ({"target": (np.zeros(N, int), np.ones(N))}, ["target", "(4,)", "(4, k)"]),
    ({"weight": np.ones(V + 1)}, ["weight", "(4,)", "(3,)"]),
    ({"weight": np.ones((1, V))}, ["weight", "(1, 3)", "(3,)"]),
    ({"sample_weight": np.ones(N + 1)}, ["sample_weight", "(5,)", "(4,)"]),
    ({"sample_weight": np.ones((N, 1))}, ["sample_weight", "(4, 1)", "(4,)"]),
]
TYPE_ERRORS = [
    ({"logits": np.zeros((N, V), bool)}, ["logits", "bool"]),
    ({"logits": np.zeros((N, V), complex)}, ["logits", "complex128"]),
    ({"logits": np.zeros((N, V), object)}, ["logits", "object"]),
    ({"logits": np.zeros((N, V), np.longdouble)}, ["logits", LONGDOUBLE]),
    ({"logits": np.full((N, V), "a")}, ["logits", "<U1"]),
    ({"target": LABELS.astype(bool)}, ["target", "bool"]),
    ({"target": LABELS.astype(float)}, ["target", "float64"]),
    ({"target": UNIFORM.astype(complex)}, ["target", "complex128"]),
    ({"target": UNIFORM.astype(object)}, ["target", "object"]),
    ({"target": np.full(N, "cat")}, ["target", "<U3"]),
    ({"target": (np.zeros((N, K)), np.ones((N, K)))}, ["target", "float64"]),
    ({"target": (np.zeros((N, K), int), np.ones((N, K), complex))}, ["target", "complex128"]),
    ({"weight": np.ones(V, complex)}, ["weight", "complex128"]),
    ({"sample_weight": np.ones(N, object)}, ["sample_weight", "object"]),
    ({"label_smoothing": "0.1"}, ["label_smoothing", "0.1"]),
    ({"temperature": None}, ["temperature", "None"]),
    ({"ignore_index": 1.5}, ["ignore_index", "1.5"]),
    ({"n_threads": 1.5}, ["n_threads", "1.5"]),
]
ERRORS = [
    *[(IndexError, *line) for line in INDEX_ERRORS],
    *[(ValueError, *line) for line in VALUE_ERRORS],
    *[(TypeError, *line) for line in TYPE_ERRORS],
]


def name_of(value):
    if isinstance(value, dict):
        return ",".join(f"{k}={v!r}".replace("\n", "") for k, v in value.items())
    return value.__name__ if isinstance(value, type) else ""


def refused(error, words, call):
    with pytest.raises(error) as caught:
        call()
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{caught.value!r} does not say {missing}"


@pytest.mark.parametrize(("error", "change", "words"), ERRORS, ids=name_of)
def test_logits(error, change, words):
    arguments = {"logits": np.zeros((N, V)), "target": LABELS, **change}
    refused(error, words, lambda: luce.cross_entropy(**arguments))
    out = np.full((N, V), 7.0)
    refused(error, words, lambda: luce.cross_entropy_and_grad(**arguments, out=out))
    assert (out == 7).all()
    refused(error, words, lambda: luce.cross_entropy_hvp(vector=np.zeros((N, V)), **arguments))


@pytest.mark.parametrize(("error", "change", "words"), [e for e in ERRORS if "logits" not in e[1]], ids=name_of)
def test_linear(error, change, words):
    x, w = np.zeros((N, D)), np.zeros((V, D))
    arguments = {"input": x, "linear_weight": w, "target": LABELS, **change}
    words = [word for word in words if word != "(4, 3)"]  # the layer may name its own shapes
    refused(error, words, lambda: luce.linear_cross_entropy(**arguments))
    refused(error, words, lambda: luce.linear_cross_entropy_and_grad(**arguments))
    refused(error, words, lambda: luce.linear_cross_entropy_hvp(vector=(x, w, None), **arguments))


@pytest.mark.parametrize(
    ("error", "change", "words"),
    [
        (ValueError, {"linear_weight": np.zeros((V, D + 1))}, ["linear_weight", "(3, 6)", "(4, 5)"]),
        (ValueError, {"linear_weight": np.zeros(D)}, ["linear_weight", "(5,)"]),
        (ValueError, {"linear_bias": np.zeros(V + 1)}, ["linear_bias", "(4,)", "(3,)"]),
        (ValueError, {"linear_bias": np.zeros((V, 1))}, ["linear_bias", "(3, 1)", "(3,)"]),
        (ValueError, {"input": np.float64(0)}, ["input", "()"]),
        (TypeError, {"input": np.zeros((N, D), bool)}, ["input", "bool"]),
        (TypeError, {"linear_weight": np.zeros((V, D), complex)}, ["linear_weight", "complex128"]),
        (TypeError, {"linear_bias": np.zeros(V, object)}, ["linear_bias", "object"]),
        (TypeError, {"input": np.zeros((N, D), np.longdouble)}, ["input", LONGDOUBLE]),
    ],
    ids=name_of,
)
def test_layer(error, change, words):
    x, w = np.zeros((N, D)), np.zeros((V, D))
    arguments = {"input": x, "linear_weight": w, "target": LABELS, **change}
    refused(error, words, lambda: luce.linear_cross_entropy(**arguments))
    refused(error, words, lambda: luce.linear_cross_entropy_and_grad(**arguments))
    refused(error, words, lambda: luce.linear_cross_entropy_hvp(vector=(x, w, None), **arguments))


@pytest.mark.parametrize(
    ("error", "vector", "words"),
    [
        (ValueError, (np.zeros((N, D + 1)), None, None), ["(4, 6)", "(4, 5)"]),
        (ValueError, (None, np.zeros((V + 1, D)), None), ["(4, 5)", "(3, 5)"]),
        (ValueError, (None, None, np.zeros(V + 1)), ["(4,)", "(3,)"]),
        (TypeError, (np.zeros((N, D), complex), None, None), ["complex128"]),
    ],
)
def test_direction_of_the_layer(error, vector, words):
    x, w, b = np.zeros((N, D)), np.zeros((V, D)), np.zeros(V)
    refused(error, words, lambda: luce.linear_cross_entropy_hvp(x, w, LABELS, vector, linear_bias=b))


@pytest.mark.parametrize(
    ("error", "vector", "words"),
    [
        (ValueError, np.zeros((N, V + 1)), ["vector", "(4, 4)", "(4, 3)"]),
        (ValueError, np.zeros(V), ["vector", "(3,)", "(4, 3)"]),
        (TypeError, np.zeros((N, V), complex), ["vector", "complex128"]),
        (TypeError, np.zeros((N, V), bool), ["vector", "bool"]),
    ],
)
def test_vector(error, vector, words):
    z = np.zeros((N, V))
    refused(error, words, lambda: luce.cross_entropy_hvp(z, LABELS, vector))
    refused(error, words, lambda: luce.softmax_jvp(z, vector))
    refused(error, words, lambda: luce.softmax_vjp(z, vector))


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("error", "out", "words"),
    [
        (ValueError, np.zeros((N, V + 1)), ["out", "(4, 4)", "(4, 3)"]),
        (ValueError, np.zeros(N * V), ["out", "(12,)", "(4, 3)"]),
        (ValueError, read_only(np.zeros((N, V))), ["out", "read-only"]),
        (TypeError, np.zeros((N, V), np.float32), ["out", "float32", "float64"]),
        (TypeError, np.zeros((N, V), int), ["out", "int64", "float64"]),
        (TypeError, [[0.0] * V] * N, ["out", "list"]),
    ],
)
def test_out(error, out, words):
    refused(error, words, lambda: luce.cross_entropy_and_grad(np.ones((N, V)), LABELS, out=out))
    assert not np.any(out)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize(
    ("error", "logits", "words"),
    [(error, *line) for error, *line in ((e, c["logits"], w) for e, c, w in ERRORS if "logits" in c)],
)
def test_softmax_logits(name, error, logits, words):
    refused(error, words, lambda: getattr(luce, name)(logits))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_softmax_axis(name):
    function = getattr(luce, name)
    refused(ValueError, ["axis", "2"], lambda: function(np.zeros((N, V)), axis=2))
    refused(ValueError, ["axis", "-3"], lambda: function(np.zeros((N, V)), axis=-3))
    refused(TypeError, ["axis", "0.5"], lambda: function(np.zeros((N, V)), axis=0.5))
    refused(ValueError, ["n_threads", "0"], lambda: function(np.zeros((N, V)), n_threads=0))


def test_target_gradient_needs_a_target_of_floats():
    refused(TypeError, ["target", "int64"], lambda: luce.cross_entropy_target_grad(np.zeros((N, V)), LABELS))


def test_an_empty_mean_is_raised_before_anything_is_written():
    out = np.full((1, V), 7.0)
    refused(
        ValueError,
        ["on_empty"],
        lambda: luce.cross_entropy_and_grad(np.zeros((1, V)), [-100], on_empty="raise", out=out),
    )
    assert (out == 7).all()


def test_options_are_keywords():
    with pytest.raises(TypeError):
        luce.cross_entropy(np.zeros((N, V)), LABELS, np.ones(V))


def test_an_in_place_error_leaves_the_logits():
    z = np.arange(12.0).reshape(N, V)
    with pytest.raises(IndexError):
        luce.cross_entropy_and_grad(z, [0, 1, 2, 3], out=z)
    assert (z == np.arange(12.0).reshape(N, V)).all()


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True])
def test_set_num_threads(count):
    refused((TypeError, ValueError), ["n"], lambda: luce.set_num_threads(count))


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"weight": [1e39, 1.0]}, ValueError, "weight: too large for the logits' float32"),
        ({"ignore_index": 2**70}, ValueError, "ignore_index"),
        ({"z_loss": np.array([0.0])}, TypeError, "z_loss"),
        ({"temperature": np.array([1.0])}, TypeError, "temperature"),
        ({"temperature": True}, TypeError, "temperature"),
    ],
)
def test_what_only_looks_like_the_default_is_checked(options, error, named):
    with pytest.raises(error, match=named):
        luce.cross_entropy(np.zeros((2, 2), np.float32), [0, 1], **options)


def test_no_target():
    with pytest.raises(TypeError, match="target"):
        luce.cross_entropy(np.zeros((2, 2)), None)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"temperature": 10**400}, ValueError, ["temperature", "10000"]),
        ({"z_loss": 10**5000}, ValueError, ["z_loss", "an int"]),
        ({"ignore_index": True}, TypeError, ["ignore_index", "True"]),
        ({"ignore_index": 2**70}, ValueError, ["ignore_index", "64 bits"]),
        ({"n_threads": True}, TypeError, ["n_threads", "True"]),
        ({"smoothing": 0.1}, TypeError, ["no option 'smoothing'", "label_smoothing", "sample_weight"]),
        ({"weight": [2**1100, 1, 1]}, TypeError, ["weight", "an integer beyond 64 bits at [0]"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_beyond_what_they_can_be(options, error, words):
    refused(error, words, lambda: luce.cross_entropy(np.zeros((N, V)), LABELS, **options))


def test_an_axis_is_no_truth():
    refused(TypeError, ["axis", "True"], lambda: luce.softmax(np.zeros((N, V)), axis=True))
    refused(ValueError, ["logits", "()"], lambda: luce.softmax(1.0))


@pytest.mark.parametrize("name", ["cross_entropy_hvp", "softmax_jvp", "softmax_vjp"])
def test_a_vector_that_float32_cannot_hold(name):
    z, vector = np.zeros((N, V), np.float32), np.ones((N, V))
    vector[2, 1] = 1e300
    arguments = (z, LABELS, vector) if name == "cross_entropy_hvp" else (z, vector)
    refused(
        ValueError, ["vector: too large for the logits' float32 at [2, 1]"], lambda: getattr(luce, name)(*arguments)
    )
    vector[2, 1] = np.inf  # is itself
    with np.errstate(invalid="ignore"):
        result = getattr(luce, name)(*arguments)
    assert np.isnan(result[2]).all() and np.isfinite(result[[0, 1, 3]]).all()


MEMORY = np.zeros((8, 8))
SHARED = {
    "broadcast": np.lib.stride_tricks.as_strided(MEMORY, (N, V), (0, 8)),
    "windows": np.lib.stride_tricks.sliding_window_view(np.zeros(N + V - 1), V, writeable=True),
    "transposed windows": np.lib.stride_tricks.sliding_window_view(np.zeros(N + V - 1), N, writeable=True).T,
}


@pytest.mark.parametrize("kind", SHARED)
def test_a_result_has_a_place_for_each_entry(kind):
    refused(
        ValueError, ["out", "strides"], lambda: luce.cross_entropy_and_grad(np.ones((N, V)), LABELS, out=SHARED[kind])
    )
    assert not SHARED[kind].any()


OUTPUTS = {
    "Fortran": lambda: np.zeros((N, V), order="F"),
    "every second": lambda: np.zeros((N, 2 * V))[:, ::2],
    "backwards": lambda: np.zeros((N, V))[::-1, ::-1],
    "a corner": lambda: np.zeros((N + 2, V + 3))[1:-1, 2:-1],
    "other axes first": lambda: np.zeros((V, N)).T,
    "unaligned": lambda: np.zeros(N * V * 8 + 1, np.uint8)[1:].view(float).reshape(N, V),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_result_of_any_layout(kind):
    z = np.arange(N * V).reshape(N, V) % 5 / 2.0
    out = OUTPUTS[kind]()
    grad = luce.cross_entropy_and_grad(z, LABELS, out=out)[1]
    assert grad is out
    np.testing.assert_array_equal(out, luce.cross_entropy_and_grad(z, LABELS)[1])


def test_a_result_over_what_it_is_computed_from():
    memory = np.arange(1.0, N * V + 4)
    z, shifted = memory[: N * V].reshape(N, V), memory[3:].reshape(N, V)
    wanted = luce.cross_entropy_and_grad(z.copy(), LABELS)[1]
    assert np.any(wanted)
    np.testing.assert_array_equal(luce.cross_entropy_and_grad(z, LABELS, out=shifted)[1], wanted)

    z = np.arange(1.0, N * V + 1).reshape(N, V)
    np.testing.assert_array_equal(luce.cross_entropy_and_grad(z, LABELS, out=z[::-1])[1], wanted)

    target = UNIFORM.copy()
    wanted = luce.cross_entropy_and_grad(shifted.copy(), target)[1]
    np.testing.assert_array_equal(luce.cross_entropy_and_grad(shifted.copy(), target, out=target)[1], wanted)

    labels = np.zeros((N, V), np.int64)
    wanted = luce.cross_entropy_and_grad(UNIFORM, labels[:, 0].copy(), z_loss=0.5)[1]
    out = labels.view(float)
    np.testing.assert_array_equal(luce.cross_entropy_and_grad(UNIFORM, labels[:, 0], z_loss=0.5, out=out)[1], wanted)


def test_types_of_logits_and_weights_may_differ():
    z = np.arange(N * V).reshape(N, V) % 5 / 2.0
    weight, rows = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.5, 2.0, 4.0])
    wanted = luce.cross_entropy(z, LABELS, weight=weight, sample_weight=rows)
    for kind in (">f4", "<f4", ">f8", "f2"):
        got = luce.cross_entropy(z, LABELS.astype(">i4"), weight=weight.astype(kind), sample_weight=rows.astype(kind))
        assert got == wanted
    single = luce.cross_entropy(z.astype(np.float32), LABELS, weight=weight, sample_weight=rows)
    assert single.dtype == np.float32 and single == pytest.approx(wanted, rel=4e-7)
