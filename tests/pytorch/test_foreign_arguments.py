"""What people have instead of plain tensors, for every argument: the right numbers, or one error that names it."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import luce.torch

N, V, K, D = 4, 3, 2, 5
GENERATOR = torch.Generator().manual_seed(0)


def quarters(*shape):
    return torch.randint(-8, 8, shape, generator=GENERATOR) / 4


LOGITS, X, W, B = quarters(N, V), quarters(N, D), quarters(V, D), quarters(V)
LABELS = torch.tensor([0, 2, 1, 0])
DISTRIBUTION = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.25, 0.25, 0.5]])
INDICES, PROBABILITIES = torch.tensor([[0, 1], [2, 0], [1, 2], [0, 2]]), torch.tensor([[0.5, 0.25]] * N)
CLASS_WEIGHT, ROW_WEIGHT = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 3.0, 4.0])
IMAGES, PLACES = quarters(2, V, 4, 2), torch.tensor([[[0, 1]] * 4, [[2, 0]] * 4])


def cross_entropy(**change):
    return luce.torch.cross_entropy(**{"input": LOGITS, "target": LABELS} | change)


def layer(**change):
    arguments = {"input": X, "linear_weight": W, "linear_bias": B, "target": LABELS}
    return luce.torch.linear_cross_entropy(**arguments | change)


def of_images(**change):
    return luce.torch.cross_entropy(**{"input": IMAGES, "target": PLACES} | change)


def module(a):
    return luce.torch.CrossEntropyLoss(weight=a)(LOGITS, LABELS)


def layer_module(a):
    torch.manual_seed(0)
    return luce.torch.LinearCrossEntropyLoss(D, V, weight=a)(X, LABELS)


def lse_of_layer(**change):
    return luce.torch.linear_logsumexp(**{"input": X, "linear_weight": W, "linear_bias": B} | change)


# For each argument: the call with it, a good tensor, and the name that an error begins with
ARGUMENTS = {
    "input": (lambda a: cross_entropy(input=a), LOGITS, "input"),
    "input beside weights": (lambda a: cross_entropy(input=a, weight=CLASS_WEIGHT), LOGITS, "input"),
    "input of images": (lambda a: of_images(input=a), IMAGES, "input"),
    "target: classes": (lambda a: cross_entropy(target=a), LABELS, "target"),
    "target: classes of images": (lambda a: of_images(target=a), PLACES, "target"),
    "target: distribution": (lambda a: cross_entropy(target=a), DISTRIBUTION, "target"),
    "target: distribution of images": (lambda a: of_images(target=a), IMAGES.softmax(1), "target"),
    "target: indices": (lambda a: cross_entropy(target=(a, PROBABILITIES)), INDICES, "target"),
    "target: probabilities": (lambda a: cross_entropy(target=(INDICES, a)), PROBABILITIES, "target"),
    "weight": (lambda a: cross_entropy(weight=a), CLASS_WEIGHT, "weight"),
    "weight of a distribution": (lambda a: cross_entropy(target=DISTRIBUTION, weight=a), CLASS_WEIGHT, "weight"),
    "sample_weight": (lambda a: cross_entropy(sample_weight=a), ROW_WEIGHT, "sample_weight"),
    "layer's input": (lambda a: layer(input=a), X, "input"),
    "linear_weight": (lambda a: layer(linear_weight=a), W, "linear_weight"),
    "linear_bias": (lambda a: layer(linear_bias=a), B, "linear_bias"),
    "layer's target": (lambda a: layer(target=a), LABELS, "target"),
    "layer's distribution": (lambda a: layer(target=a), DISTRIBUTION, "target"),
    "layer's weight": (lambda a: layer(weight=a), CLASS_WEIGHT, "weight"),
    "layer's sample_weight": (lambda a: layer(sample_weight=a), ROW_WEIGHT, "sample_weight"),
    "logsumexp": (luce.torch.logsumexp, LOGITS, "input"),
    "linear_logsumexp": (lambda a: lse_of_layer(input=a), X, "input"),
    "linear_logsumexp's weight": (lambda a: lse_of_layer(linear_weight=a), W, "linear_weight"),
    "linear_logsumexp's bias": (lambda a: lse_of_layer(linear_bias=a), B, "linear_bias"),
    "module's weight": (module, CLASS_WEIGHT, "weight"),
    "layer module's weight": (layer_module, CLASS_WEIGHT, "weight"),
}
CLASSES = {name for name, (_, good, _) in ARGUMENTS.items() if good.dtype == torch.int64}
INPUTS = {name for name, (*_, argument) in ARGUMENTS.items() if argument in ("input", "linear_weight", "linear_bias")}
WEIGHTS = {name for name, (*_, argument) in ARGUMENTS.items() if argument in ("weight", "sample_weight")}
MODULES = {"module's weight", "layer module's weight"}


class Marked(torch.Tensor):
    """A tensor that says it is something else."""


class Mask(torch.Tensor):
    """Another one, whose rules PyTorch asks for."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return super().__torch_function__(function, types, args, kwargs or {})


def negated_view(a):
    view = torch.complex(torch.zeros_like(a), -a).conj().imag
    assert view.is_neg()
    return view


def read_only(a):
    array = a.numpy().copy()
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.from_numpy(array)


def inference(a):
    with torch.inference_mode():
        return a.clone()


RIGHT = {
    "parameter": (lambda a: torch.nn.Parameter(a.clone(), requires_grad=a.is_floating_point()), None),
    "subclass": (lambda a: a.as_subclass(Marked), None),
    "subclass with rules": (lambda a: a.as_subclass(Mask), None),
    "with a graph": (lambda a: a.clone().requires_grad_() * 1, ARGUMENTS.keys() - CLASSES),
    "negated view": (negated_view, ARGUMENTS.keys() - CLASSES),
    "read-only": (read_only, None),
    "inference": (inference, ARGUMENTS.keys() - {"layer module's weight"}),  # PyTorch saves none for backward
    "strided": (lambda a: a.repeat_interleave(2, dim=-1)[..., ::2], None),
    "columns first": (lambda a: a.mT.contiguous().mT if a.dim() > 1 else a.clone(), None),
    "shared": (lambda a: a, None),
    **{
        f"{dtype}": (lambda a, dtype=dtype: a.to(dtype), CLASSES | WEIGHTS)
        for dtype in (torch.int8, torch.int16, torch.int32, torch.uint8, torch.uint16, torch.uint32, torch.uint64)
    },
    "int64": (lambda a: a.long(), WEIGHTS),
    **{
        f"{dtype}": (lambda a, dtype=dtype: a.to(dtype), WEIGHTS)
        for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn)
    },
}


def plain(value):
    return torch.Tensor.detach(value).as_subclass(torch.Tensor)


@pytest.mark.parametrize(
    ("kind", "argument"), [(k, a) for k, (_, where) in RIGHT.items() for a in ARGUMENTS if where is None or a in where]
)
def test_what_stands_for_a_tensor(kind, argument):
    call, good, _ = ARGUMENTS[argument]
    wanted = call(good)
    got = call(RIGHT[kind][0](good))
    assert got.dtype == wanted.dtype
    torch.testing.assert_close(plain(got), plain(wanted), rtol=1e-6, atol=0)
    assert wanted.all()


def quiet(make):
    def maker(a):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # prototypes and deprecations are PyTorch's affair
            return make(a)

    return maker


def quantised(a):
    return torch.quantize_per_tensor(a.float(), 0.25, 0, torch.quint8)


def masked(a):
    return torch.masked.masked_tensor(a.clone(), torch.ones(a.shape, dtype=torch.bool))


def jax_array(a):
    return pytest.importorskip("jax").numpy.asarray(a.numpy())


ALONE = {"logsumexp", "linear_logsumexp"} | MODULES  # nothing is beside them, or their place is not known yet
WRONG = {
    "a list": (lambda a: a.tolist(), TypeError, ["expected a tensor, got a list", "torch.as_tensor"], None),
    "a tuple": (lambda a: (a, a, a), TypeError, ["expected a tensor, got a tuple"], None),
    "an array": (lambda a: a.numpy(), TypeError, ["expected a tensor, got an array of NumPy", "luce itself"], None),
    "pandas": (lambda a: pd.DataFrame(a.flatten(1).numpy() if a.dim() > 1 else a), TypeError, ["a DataFrame"], None),
    "polars": (lambda a: pl.Series(a.flatten().numpy()), TypeError, ["a Series"], None),
    "JAX": (jax_array, TypeError, ["expected a tensor, got an ArrayImpl"], None),
    "a number": (lambda a: 1.0, TypeError, ["expected a tensor, got a float"], None),
    "a dict": (lambda a: {0: 1.0}, TypeError, ["expected a tensor, got a dict"], None),
    "text": (lambda a: "balanced", TypeError, ["expected a tensor, got a str"], None),
    "None": (
        lambda a: None,
        TypeError,
        ["expected a tensor, got None"],
        ARGUMENTS.keys() - WEIGHTS - {"linear_bias", "linear_logsumexp's bias"},
    ),
    "another device": (
        lambda a: a.to("meta"),
        ValueError,
        ["expected a tensor on cpu, where the input is, got one on meta"],
        {a for a, (*_, name) in ARGUMENTS.items() if name != "input"} - ALONE,
    ),
    "complex": (lambda a: a.to(torch.complex64), TypeError, ["real numbers, got torch.complex64"], None),
    "truths": (lambda a: a > 0, TypeError, ["torch.bool"], ARGUMENTS.keys() - WEIGHTS),
    "sparse": (lambda a: a.to_sparse(), TypeError, ["dense tensor, got torch.sparse_coo", "to_dense"], None),
    "compressed": (
        quiet(lambda a: a.flatten(1).to_sparse_csr()),
        TypeError,
        ["dense tensor, got torch.sparse_csr", "to_dense"],
        {a for a, (_, good, _) in ARGUMENTS.items() if good.dim() > 1},
    ),
    "jagged": (quiet(lambda a: torch.nested.nested_tensor([a, a], layout=torch.jagged)), TypeError, ["nested"], None),
    "nested": (quiet(lambda a: torch.nested.nested_tensor([a, a[:1]])), TypeError, ["nested", "unbind"], None),
    "quantised": (quiet(quantised), TypeError, ["quantized", "dequantize"], None),
    "masked": (quiet(masked), TypeError, ["masked", "to_tensor"], ARGUMENTS.keys() - CLASSES),
    "float8": (lambda a: a.to(torch.float8_e5m2), TypeError, ["bfloat16", "got torch.float8_e5m2"], INPUTS),
    "integers": (lambda a: a.long(), TypeError, ["floating-point numbers", "got torch.int64"], INPUTS),
    "classes that are no integers": (lambda a: a.float(), TypeError, ["must be integers, got torch.float32"], CLASSES),
    "a dimension more": (lambda a: a[None], ValueError, ["expected", "(1, "], WEIGHTS - MODULES),
    "a dimension less": (lambda a: a[0], ValueError, ["expected", "()"], WEIGHTS - MODULES),
}


@pytest.mark.parametrize(
    ("kind", "argument"), [(k, a) for k, (*_, where) in WRONG.items() for a in ARGUMENTS if where is None or a in where]
)
def test_what_does_not(kind, argument):
    make, error, words, _ = WRONG[kind]
    call, good, name = ARGUMENTS[argument]
    given = make(good)
    with pytest.raises(error) as caught:
        call(given)
    said = str(caught.value)
    assert said.startswith(f"{name}:"), said
    assert "\n" not in said and len(said) < 300, said
    assert not [word for word in words if word not in said], said


def test_two_subclasses_do_not_quarrel():
    z = LOGITS.clone().as_subclass(Marked).requires_grad_()
    value = luce.torch.cross_entropy(z, LABELS.as_subclass(Mask), weight=CLASS_WEIGHT.as_subclass(Mask))
    value.backward()
    leaf = LOGITS.clone().requires_grad_()
    wanted = luce.torch.cross_entropy(leaf, LABELS, weight=CLASS_WEIGHT)
    wanted.backward()
    assert type(value) is Marked
    torch.testing.assert_close(plain(value), plain(wanted))
    torch.testing.assert_close(plain(z.grad), leaf.grad)


def test_the_other_device_is_the_one_beside_the_input():
    with pytest.raises(ValueError, match="target: expected a tensor on meta, where the input is, got one on cpu"):
        luce.torch.cross_entropy(LOGITS.to("meta"), LABELS)


def test_the_parts_of_a_nested_tensor_are_rows():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        z = torch.nested.nested_tensor([LOGITS, LOGITS[:2]], layout=torch.jagged)
        y = torch.nested.nested_tensor([LABELS, LABELS[:2]], layout=torch.jagged)
        value = luce.torch.cross_entropy(torch.cat(z.unbind()), torch.cat(y.unbind()))
    torch.testing.assert_close(value, luce.torch.cross_entropy(LOGITS[[0, 1, 2, 3, 0, 1]], LABELS[[0, 1, 2, 3, 0, 1]]))


@pytest.mark.parametrize("shape", [(N, 1), (1, N)])
def test_labels_with_an_axis_of_1(shape):
    for call in (cross_entropy, layer):
        with pytest.raises(ValueError, match=r"^target: .* have shape \(4,\), got .*; squeeze its .*axis") as caught:
            call(target=LABELS.reshape(shape))
        assert str(shape) in str(caught.value)


@pytest.mark.parametrize("axis", [1, 3])
def test_labels_of_images_with_an_axis_of_1(axis):
    y = PLACES.unsqueeze(axis)
    words = "last axis" if axis == 3 else "axis 1"
    with pytest.raises(ValueError, match=f"squeeze its {words}, of length 1") as caught:
        of_images(target=y)
    for shape in (tuple(IMAGES.shape), tuple(PLACES.shape), tuple(y.shape)):
        assert str(shape) in str(caught.value)


def test_shapes_are_those_that_were_given():
    with pytest.raises(ValueError, match=r"target: expected shape \(2, 3, 4, 2\) .*, got \(2, 4, 2, 3\)"):
        of_images(target=IMAGES.softmax(1).movedim(1, -1))


UNSIGNED = [2**63, 2**63 + 1, 2**64 - 100, 2**64 - 1]


@pytest.mark.parametrize("label", UNSIGNED)
def test_labels_beyond_int64(label):
    y = torch.tensor([0, label, 1, 0], dtype=torch.uint64)
    for call in (cross_entropy, layer):
        with pytest.raises(IndexError, match=rf"^target\[1\] is {label}, expected 0 <= class < 3"):
            call(target=y)
    with pytest.raises(IndexError, match=rf"^target: indices\[1, 0\] is {label}, expected 0 <= class < 3"):
        cross_entropy(target=(y[:, None], torch.ones(N, 1)))


@pytest.mark.parametrize("label", UNSIGNED)
def test_no_label_is_ignored_because_it_wraps(label):
    compiled = torch.compile(luce.torch.cross_entropy, backend="aot_eager")
    with pytest.raises(IndexError, match=r"target\[1\] is"):
        compiled(LOGITS, torch.tensor([0, label, 1, 0], dtype=torch.uint64))


def test_a_bad_label_is_shown_where_the_user_has_it():
    x, y = quarters(2, 5, D), torch.tensor([[7, 0, 1, 2, 0], [0, 1, 2, 3, 0]])
    with pytest.raises(IndexError, match=r"^target\[0, 0\] is 7"):
        luce.torch.linear_cross_entropy(x, W, y)
    with pytest.raises(IndexError, match=r"^target\[1, 3\] is 3"):  # the first place of a sequence isn't predicted
        luce.torch.linear_cross_entropy(x, W, y, shift=True)
    y[1, 3] = 0
    assert torch.isfinite(luce.torch.linear_cross_entropy(x, W, y, shift=True))


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_shifted_labels_count_what_is_used(dtype):
    x, y = quarters(2, 5, D), torch.tensor([[0, 1, 2, 255, 0], [255, 1, 255, 2, 0]]).to(dtype)
    value = luce.torch.linear_cross_entropy(x, W, y, shift=True, ignore_index=255)
    rows, labels = x[:, :-1].reshape(-1, D), y[:, 1:].reshape(-1).long()
    torch.testing.assert_close(value, torch.nn.functional.cross_entropy(rows @ W.T, labels, ignore_index=255))


@pytest.mark.parametrize(
    ("normalizer", "error", "words"),
    [
        (torch.tensor(-2.0), ValueError, "-2.0"),
        (torch.tensor(0), ValueError, "> 0, got 0"),
        (torch.tensor(float("nan")), ValueError, "nan"),
        (torch.tensor(float("inf")), ValueError, "inf"),
        (torch.tensor(2 + 1j), TypeError, "complex64"),
        (torch.tensor(2.0, device="meta"), ValueError, "on cpu, where the input is, got one on meta"),
        (torch.ones(1), ValueError, "(1,)"),
        (np.ones(2), TypeError, "array"),
        ("4", TypeError, "'4'"),
        (True, TypeError, "True"),
    ],
)
def test_normalizer(normalizer, error, words):
    with pytest.raises(error) as caught:
        cross_entropy(normalizer=normalizer)
    assert str(caught.value).startswith("normalizer: expected") and words in str(caught.value)


@pytest.mark.parametrize("value", [1.5, "1", torch.tensor(1.0), 2**63], ids=repr)
def test_ignore_index(value):
    with pytest.raises((TypeError, ValueError), match=r"^ignore_index: expected an integer"):
        cross_entropy(ignore_index=value)


def test_modules_know_their_options():
    with pytest.raises(TypeError, match="CrossEntropyLoss: there is no option 'smoothing'"):
        luce.torch.CrossEntropyLoss(smoothing=0.1)
    with pytest.raises(TypeError, match="LinearCrossEntropyLoss: there is no option 'classes'"):
        luce.torch.LinearCrossEntropyLoss(D, V, classes=3)
    assert luce.torch.CrossEntropyLoss(z_loss=0.1, size_average=True)(LOGITS, LABELS)


@pytest.mark.parametrize("name", ["label_smoothing", "z_loss", "temperature", "softcap", "normalizer"])
@pytest.mark.parametrize("value", [torch.ones(3), np.ones(3), [0.5], "0.5", torch.ones(40, 40)], ids=type)
def test_options_are_numbers(name, value):
    for call in (cross_entropy, layer):
        with pytest.raises((TypeError, ValueError), match=f"^{name}: expected a ") as caught:
            call(**{name: value})
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["ignore_index", "reduction", "on_empty", "tail"])
def test_words_are_no_tensors(name):
    for call in (cross_entropy, layer):
        with pytest.raises((TypeError, ValueError), match=f"^{name}: expected "):
            call(**{name: torch.ones(3)})


def test_zeros_without_memory():
    zeros = torch._efficientzerotensor((N, V))
    torch.testing.assert_close(cross_entropy(input=zeros, weight=CLASS_WEIGHT), torch.tensor(V).log())
    labels = torch._efficientzerotensor((N,), dtype=torch.int64)
    torch.testing.assert_close(cross_entropy(target=labels), cross_entropy(target=torch.zeros_like(LABELS)))


def test_autocast_leaves_float64_alone():
    x, w = X.double(), W.double()
    wanted = torch.nn.functional.cross_entropy(x @ w.T, LABELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = luce.torch.linear_cross_entropy(x, w, LABELS)
        lse = luce.torch.linear_logsumexp(x, w)
        with pytest.raises(TypeError, match=r"expected one dtype, got .*float64"):
            luce.torch.linear_cross_entropy(X, w, LABELS)
    torch.testing.assert_close(got, wanted, rtol=1e-14, atol=0)
    torch.testing.assert_close(lse, (x @ w.T).logsumexp(1), rtol=1e-14, atol=0)


@pytest.fixture(scope="module")
def compiled():
    torch._dynamo.reset()
    return torch.compile(luce.torch.cross_entropy, backend="aot_eager", fullgraph=True)


def test_compiled_with_another_normalizer(compiled):
    for normalizer in (2.0, 4.0, 5.5):
        got = compiled(LOGITS, LABELS, normalizer=normalizer)
        torch.testing.assert_close(got, cross_entropy(normalizer=normalizer))


def test_compiled_negated_view(compiled):
    view = negated_view(LOGITS)
    torch.testing.assert_close(compiled(view, LABELS, CLASS_WEIGHT), cross_entropy(weight=CLASS_WEIGHT))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"softcap": 0.0}, "softcap: expected a finite number > 0"),
        ({"weight": [1.0, 2.0, 3.0]}, "weight: expected a tensor, got a list"),
        ({"weight": torch.ones(3, device="meta")}, "weight: expected a tensor on cpu"),
        ({"weight": torch.ones(3, dtype=torch.complex64)}, "weight: expected real numbers"),
        ({"sample_weight": torch.ones(N, 1)}, "sample_weight: expected shape"),
        ({"temperature": 0.0}, "temperature: expected a finite number > 0"),
    ],
)
def test_compiled_errors_name_the_argument(change, words):
    torch._dynamo.reset()
    with pytest.raises(Exception, match=words):
        torch.compile(luce.torch.cross_entropy, backend="aot_eager")(LOGITS, LABELS, **change)


def test_modes_of_the_whole_process():
    def losses():
        leaf = LOGITS.clone().requires_grad_()
        value = cross_entropy(input=leaf, weight=CLASS_WEIGHT, label_smoothing=0.1)
        (slope,) = torch.autograd.grad(value, leaf)
        return value.detach(), slope

    wanted = losses()
    torch.use_deterministic_algorithms(True)
    try:
        got = losses()
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(got, wanted, rtol=0, atol=0)
    with torch.inference_mode():
        assert torch.equal(cross_entropy(weight=CLASS_WEIGHT, label_smoothing=0.1), wanted[0])
        assert torch.equal(layer(), layer())


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
@pytest.mark.parametrize("layer", [False, True])
def test_signed_labels_of_any_width(dtype, layer):
    z, x = torch.randn(3, 4), torch.randn(3, 2)
    w = torch.randn(4, 2)

    def loss(target):
        target = torch.tensor(target, dtype=dtype)
        return luce.torch.linear_cross_entropy(x, w, target) if layer else luce.torch.cross_entropy(z, target)

    torch.testing.assert_close(
        loss([1, -100, 3]), torch.nn.functional.cross_entropy(x @ w.T if layer else z, torch.tensor([1, -100, 3]))
    )
    with pytest.raises(IndexError, match=r"target\[1\] is -101, expected 0 <= class < 4 or ignore_index=-100"):
        loss([1, -101, 3])
