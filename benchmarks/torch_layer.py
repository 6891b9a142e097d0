"""The fused last layer under PyTorch's autograd, beside `F.linear_cross_entropy`, its bare products and its memory.

``python -m benchmarks.torch_layer N D V DTYPE PROGRAM`` prints the memory of one call of a program in bytes: the peak
of this process beyond what it held before and the gradients.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.linear_layer import inputs, workspace
from benchmarks.machine import THREADS
from benchmarks.timing import compared, interleaved
from benchmarks.torch_logits import TOLERANCES, check

SECTION = "torch layer"
SHAPES = [(2048, 512, 32000), (2048, 768, 50257), (1024, 2304, 128256), (8192, 256, 1000)]  # N, D, V
AT_MOST = {"float32": 1.05, "bfloat16": 1.15}
SECOND_ORDER_AT_MOST = 1.10
REFERENCE, AUTO, CHUNKED = "PyTorch reference", "PyTorch fused, auto", "PyTorch fused, 256 rows"
NARROW = "PyTorch fused, 256 rows, sums in bfloat16"
AT_LEAST = {REFERENCE: 1, AUTO: 2, CHUNKED: 1, NARROW: 1}
TOLERANCE, TOLERANCE_AT_MOST = 1e-4, 0.7
WHOLE, CHUNKS = "bare products", "bare products, our chunks"


def run(quick):
    """Yield the lines of this section."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(THREADS)
    for dtype in TOLERANCES:
        for shape in [(512, 256, 8000)] if quick else SHAPES:
            x, w, y, along = _tensors(shape, dtype)
            case = dict(zip(("N", "D", "V"), shape, strict=True)) | {"dtype": dtype}
            yield from _gradient(case, x, w, y)
            yield from _memory(case, shape, dtype)
            yield from _second_order(case, x, w, y, along)


def _tensors(shape, dtype):
    """x, W, class indices, and a direction in both."""
    import torch

    x, w, y, along = map(torch.from_numpy, inputs(*shape))
    x, w, along = (part.to(getattr(torch, dtype)) for part in (x, w, along))
    return x.requires_grad_(), w.requires_grad_(), y, (x.detach().flip(0), along)


def _programs(x, w, y):
    """Value and both gradients."""
    import torch

    import luce.torch

    chosen = torch.nn.LinearCrossEntropyOptions
    chunks = {"batch_chunk_size": 256, "chunking_method": None}
    settings = {REFERENCE: None, AUTO: chosen(), CHUNKED: chosen(**chunks)}
    if x.dtype == torch.bfloat16:
        settings[NARROW] = chosen(**chunks, acc_policy="accurate")
    theirs = {
        name: _differentiated(torch.nn.functional.linear_cross_entropy, x, w, y, options=setting)
        for name, setting in settings.items()
    }
    return {"luce": _differentiated(luce.torch.linear_cross_entropy, x, w, y), **theirs}


def _differentiated(function, x, w, y, **given):
    import torch

    def call():
        loss = function(x, w, y, **given)
        return loss, *torch.autograd.grad(loss, (x, w))

    return call


def _gradient(case, x, w, y):
    programs = _programs(x, w, y)
    check(programs, TOLERANCES[case["dtype"]])
    tolerant = _tolerant(_sure(x, w, y), w, y, TOLERANCES[case["dtype"]])
    times = interleaved({**programs, **tolerant, **_bare(_three_products, x, w)}, 3)
    case = {**case, "what": "value and gradient"}
    for floor in (WHOLE, CHUNKS):
        yield compared(SECTION, case, times, floor, at_most=AT_MOST[case["dtype"]])
    for name in list(programs)[1:]:
        yield compared(SECTION, case, times, name, at_least=AT_LEAST[name])
    case = {**case, "what": "value and gradient, rows from unsure to sure"}
    for name in tolerant:
        yield compared(SECTION, case, times, WHOLE, ours=name, at_most=TOLERANCE_AT_MOST)


def _sure(x, w, y):
    """Rows as training leaves them: the target's logit raised by 0 to 60, in no order."""
    import torch

    with torch.no_grad():
        raised = torch.linspace(0, 60, len(x), dtype=torch.float64)
        raised = raised[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
        raised /= torch.square(w.double()).sum(1)[y]
        return (x + raised[:, None] * w[y]).to(x.dtype).requires_grad_()


def _tolerant(x, w, y, tolerance):
    """Ours with gradients that leave out blocks whose norm is at most that share of the whole, checked."""
    import luce.torch

    name, ours = f"luce, tolerance {TOLERANCE:g}", luce.torch.linear_cross_entropy
    tolerant = _differentiated(ours, x, w, y, tolerance=TOLERANCE)
    check({"luce": _differentiated(ours, x, w, y), name: tolerant}, tolerance)
    return {name: tolerant}


def _second_order(case, x, w, y, along):
    """The second backward alone: the Hessian's product with a direction, once the gradient's graph stands."""
    import torch

    import luce.torch

    def prepared(function):
        grads = torch.autograd.grad(function(x, w, y), (x, w), create_graph=True)
        return lambda: torch.autograd.grad(grads, (x, w), along, retain_graph=True)

    programs = {
        "luce": prepared(luce.torch.linear_cross_entropy),
        REFERENCE: prepared(torch.nn.functional.linear_cross_entropy),
    }
    check(programs, TOLERANCES[case["dtype"]])
    times = interleaved({**programs, **_bare(_seven_products, x, w, *along)}, 3)
    case = {**case, "what": "Hessian times a direction"}
    for floor in (WHOLE, CHUNKS):
        yield compared(SECTION, case, times, floor, at_most=SECOND_ORDER_AT_MOST)
    yield compared(SECTION, case, times, REFERENCE, at_least=1)


def _bare(products, x, *rest):
    """The products that a derivative needs, into tensors that exist: of all rows at once, and of our chunks of them."""
    from luce.torch.layer.chunked_layer import chunks

    parts = [part.detach() for part in (x, *rest)]
    rows, classes = x.shape[0], rest[0].shape[0]
    ours = list(chunks(rows, products.buffers * classes * x.element_size()))
    return {WHOLE: products(*parts, [slice(0, rows)]), CHUNKS: products(*parts, ours)}


def _three_products(x, w, chunks):
    import torch

    z, grad_x, grad_w = x.new_empty(chunks[0].stop, w.shape[0]), torch.empty_like(x), torch.empty_like(w)

    def call():
        for part in chunks:
            logits = z[: part.stop - part.start]
            torch.mm(x[part], w.t(), out=logits)
            torch.mm(logits, w, out=grad_x[part])
            _sum(grad_w, logits, x[part], part)

    return call


_three_products.buffers = 1


def _seven_products(x, w, along_x, along_w, chunks):
    import torch

    z, product_x, product_w = x.new_empty(chunks[0].stop, w.shape[0]), torch.empty_like(x), torch.empty_like(w)
    dz = torch.empty_like(z)

    def call():
        for part in chunks:
            logits, tangent = z[: part.stop - part.start], dz[: part.stop - part.start]
            torch.mm(x[part], w.t(), out=logits)
            torch.mm(along_x[part], w.t(), out=tangent).addmm_(x[part], along_w.t())
            torch.mm(tangent, w, out=product_x[part]).addmm_(logits, along_w)
            _sum(product_w, tangent, x[part], part)
            product_w.addmm_(logits.t(), along_x[part])

    return call


_seven_products.buffers = 2


def _sum(whole, slope, x, part):
    """slopeᵀ x, of the first chunk, or added to what the chunks before gave."""
    import torch

    if part.start:
        whole.addmm_(slope.t(), x)
    else:
        torch.mm(slope.t(), x, out=whole)


def _memory(case, shape, dtype):
    """Ours at N rows and at 4 N, and what PyTorch takes there."""
    few, *rest = shape
    for rows in (few, 4 * few):
        case = {**case, "N": rows, "what": "memory beyond the gradients"}
        extra = {name: _in_a_process(rows, *rest, dtype, name) for name in ("luce", REFERENCE, CHUNKED)}
        yield workspace(SECTION, case, extra["luce"])
        for name in (REFERENCE, CHUNKED):
            yield {
                "section": SECTION,
                "case": case,
                "against": name,
                "ours_bytes": extra["luce"],
                "theirs_bytes": extra[name],
                "ratio": extra[name] / max(extra["luce"], 1),
                "ratio_is": "theirs / ours",
                "target": None,
                "target_is": None,
                "met": None,
            }


def _in_a_process(*arguments):
    command = [sys.executable, "-m", "benchmarks.torch_layer", *map(str, arguments)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _extra(shape, dtype, name):
    """The peak of this process during a call, less what it held before and the gradients."""
    import torch

    torch.set_num_threads(THREADS)
    x, w, y, _ = _tensors(shape, dtype)
    small = _tensors((16, 16, 16), dtype)[:3]
    _programs(*small)[name]()  # what is loaded at the first call is not the call's
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = _resident("VmRSS")
    result = _programs(x, w, y)[name]()
    extra = _resident("VmHWM") - before
    return extra - sum(part.nbytes for part in result)


def _resident(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(what))


if __name__ == "__main__":
    *shape, dtype, name = sys.argv[1:]
    print(_extra(tuple(map(int, shape)), dtype, name))
