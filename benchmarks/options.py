"""Targets and options that PyTorch has too: distributions, label smoothing, class weights, beside PyTorch eager."""

import numpy as np

import luce
from benchmarks.loss_and_gradient import inputs
from benchmarks.machine import THREADS
from benchmarks.timing import compared, interleaved

SECTION = "options"
SHAPES = [(8192, 1000), (2048, 32000)]


def run(quick):
    """Yield the lines of this section."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(THREADS)
    for rows, classes in SHAPES[: 1 if quick else None]:
        z, y = inputs(rows, classes, "float32")
        rng = np.random.default_rng(1)
        t = rng.random((rows, classes), np.float32)
        t /= t.sum(axis=1, keepdims=True)
        weight = rng.random(classes, np.float32)
        ignored = np.where(rng.random(rows) < 0.3, -100, y)
        variants = {
            "label smoothing 0.1": (y, {"label_smoothing": 0.1}),
            "a distribution for a target": (t, {}),
            "class weights": (y, {"weight": weight}),
            "30 % of the rows ignored": (ignored, {}),
        }
        for what, (target, options) in variants.items():
            programs = {"luce": _ours(z, target, options), "PyTorch eager": _theirs(torch, z, target, options)}
            np.testing.assert_allclose(programs["luce"]()[1], programs["PyTorch eager"](), rtol=1e-3, atol=1e-9)
            times = interleaved(programs, 3 if quick else 5)
            case = {"N": rows, "V": classes, "dtype": "float32", "what": what}
            yield compared(SECTION, case, times, "PyTorch eager")


def _ours(z, target, options):
    return lambda: luce.cross_entropy_and_grad(z, target, **options)


def _theirs(torch, z, target, options):
    options = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    logits, target = torch.from_numpy(z).requires_grad_(), torch.from_numpy(target)

    def run():
        logits.grad = None
        torch.nn.functional.cross_entropy(logits, target, **options).backward()
        return logits.grad

    return run
