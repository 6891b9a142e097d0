"""Loss and gradient of logits under PyTorch's autograd, beside `F.cross_entropy` eager and compiled."""

import numpy as np

from benchmarks import options, peers
from benchmarks.loss_and_gradient import TARGETS, inputs
from benchmarks.machine import THREADS
from benchmarks.timing import compared, interleaved

SECTION = "torch logits"
TOLERANCES = {"float32": 1e-3, "bfloat16": 2**-5}  # PyTorch sums chunks in 8 bits
VARIANTS = {"reduction none": {"reduction": "none"}, "label smoothing 0.1": {"label_smoothing": 0.1}}


def run(quick):
    """Yield the lines of this section."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(THREADS)
    for dtype in TOLERANCES:
        for shape in [(1, 10), *TARGETS]:
            if not (quick and np.prod(shape) > 10**7):
                targets = TARGETS.get(shape, {}) if dtype == "float32" else {}
                yield from _one(shape, dtype, {}, quick, targets)
        for what, given in VARIANTS.items():
            for shape in options.SHAPES[: 1 if quick else None]:
                yield from _one(shape, dtype, given, quick, {}, what=what)


def _one(shape, dtype, given, quick, targets, **what):
    import torch

    import luce.torch

    rows, classes = shape
    z, y = inputs(rows, classes, "float32")
    logits = torch.from_numpy(z).to(getattr(torch, dtype)).requires_grad_()
    target = torch.from_numpy(y)
    upstream = None
    if given.get("reduction") == "none":  # other rows, other weights, as a mask or a reward gives them
        upstream = torch.rand(rows, generator=torch.Generator().manual_seed(0)).to(logits.dtype)

    def differentiated(function):
        def call():
            loss = function(logits, target, **given)
            return loss, *torch.autograd.grad(loss, logits, upstream)

        return call

    theirs = torch.nn.functional.cross_entropy
    programs = {"luce": differentiated(luce.torch.cross_entropy), "PyTorch eager": differentiated(theirs)}
    case = {"N": rows, "V": classes, "dtype": dtype, **what}
    try:
        programs["torch.compile"] = differentiated(peers.compiled(theirs, logits, target, **given))
    except Exception as error:  # no compiler, or one that inductor can't use
        print(f"  {case}  torch.compile: can't compile here: {type(error).__name__}", flush=True)
    check(programs, TOLERANCES[dtype])
    times = interleaved(programs, 3 if quick else 7)
    for name in list(programs)[1:]:
        yield compared(SECTION, case, times, name, at_least=targets.get(name))


def check(programs, tolerance):
    """Raise an AssertionError where a program's tensors differ from ours by more than that part of the largest."""
    names = list(programs)
    expected = programs[names[0]]()
    for name in names[1:]:
        for found, ours in zip(programs[name](), expected, strict=True):
            largest, off = float(ours.detach().abs().max()), float((found - ours).detach().abs().max())
            assert off <= tolerance * largest, f"{name}: off by {off:.2g} of {largest:.2g}"
