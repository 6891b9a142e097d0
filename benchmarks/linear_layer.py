"""The fused linear layer beside its own bare matrix products, and the memory that it takes beyond its results."""

import tracemalloc

import numpy as np

import luce
from benchmarks.machine import THREADS
from benchmarks.timing import compared, interleaved

SECTION = "linear layer"
SHAPES = [(2048, 768, 32000), (1024, 2304, 64000)]  # N, D, V
AT_MOST = 1.10
WORKSPACE = 128 << 20


def inputs(rows, width, classes):
    """x, W, class indices and a direction in W, float32; logits about normal times 3."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, width), np.float32)
    w = rng.standard_normal((classes, width), np.float32) * np.float32(3 / np.sqrt(width))
    along = rng.standard_normal((classes, width), np.float32) * np.float32(1 / np.sqrt(width))
    return x, w, rng.integers(0, classes, rows), along


def run(quick):
    """Yield the lines of this section."""
    for rows, width, classes in [(512, 256, 8000)] if quick else SHAPES:
        x, w, y, along = inputs(rows, width, classes)
        case = {"N": rows, "D": width, "V": classes, "dtype": "float32"}
        yield from _gradient(case, x, w, y)
        yield from _second_order(case, x, w, y, along)


def _gradient(case, x, w, y):
    z, grad_x, grad_w = np.empty((len(x), len(w)), x.dtype), np.empty_like(x), np.empty_like(w)

    def products():
        np.matmul(x, w.T, out=z)
        np.matmul(z, w, out=grad_x)
        np.matmul(z.T, x, out=grad_w)

    def fresh():
        logits = np.matmul(x, w.T)
        return np.matmul(logits, w), np.matmul(logits.T, x)

    def ours():
        return luce.linear_cross_entropy_and_grad(x, w, y)

    into = "3 bare products into arrays that exist"
    programs = {"luce": ours, "3 bare products": fresh, into: products, **_torch(x, w, y)}
    times = interleaved(programs, 3)
    case = {**case, "what": "value and gradient"}
    yield compared(SECTION, case, times, "3 bare products", at_most=AT_MOST)
    yield compared(SECTION, case, times, into, floor=True)
    for name in list(programs)[3:]:
        yield compared(SECTION, case, times, name)
    yield _workspace(case, ours)


def _second_order(case, x, w, y, along):
    z, product_x, product_w = np.empty((len(x), len(w)), x.dtype), np.empty_like(x), np.empty_like(w)
    dz, second_x = np.empty_like(z), np.empty_like(x)

    def products():
        np.matmul(x, w.T, out=z)
        np.matmul(x, along.T, out=dz)
        np.matmul(dz, w, out=product_x)
        np.matmul(z, along, out=second_x)
        np.matmul(dz.T, x, out=product_w)

    def fresh():
        logits, tangent = np.matmul(x, w.T), np.matmul(x, along.T)
        return np.matmul(tangent, w), np.matmul(logits, along), np.matmul(tangent.T, x)

    def ours():
        return luce.linear_cross_entropy_hvp(x, w, y, (None, along, None))

    into = "5 bare products into arrays that exist"
    times = interleaved({"luce": ours, "5 bare products": fresh, into: products}, 3)
    case = {**case, "what": "Hessian times a direction in the weight"}
    yield compared(SECTION, case, times, "5 bare products", at_most=AT_MOST)
    yield compared(SECTION, case, times, into, floor=True)
    yield _workspace(case, ours)


def _torch(x, w, y):
    """The layer and the loss one after the other, and PyTorch's own fused form with the chunks that suit a CPU best."""
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(THREADS)
    inner, weight = torch.from_numpy(x).requires_grad_(), torch.from_numpy(w).requires_grad_()
    target = torch.from_numpy(y)

    def differentiated(loss):
        def call():
            inner.grad = weight.grad = None
            loss().backward()

        return call

    functional = torch.nn.functional
    programs = {"PyTorch eager": differentiated(lambda: functional.cross_entropy(inner @ weight.T, target))}
    if hasattr(functional, "linear_cross_entropy"):
        options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=256, chunking_method=None)
        programs["PyTorch fused, 256 rows"] = differentiated(
            lambda: functional.linear_cross_entropy(inner, weight, target, options=options)
        )
    return programs


def _workspace(case, call):
    """The most that NumPy held during the call, less what the call returned."""
    tracemalloc.start()
    result = call()
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return workspace(SECTION, case, peak - current)


def workspace(section, case, extra):
    """One line of the results: bytes beyond a call's results beside the 128 MiB that we promise."""
    return {
        "section": section,
        "case": case,
        "against": "workspace beyond the results",
        "ours_bytes": extra,
        "theirs_bytes": WORKSPACE,
        "ratio": extra / WORKSPACE,
        "ratio_is": "bytes / 128 MiB",
        "target": 1.0,
        "target_is": "at most",
        "met": extra <= WORKSPACE,
    }
