"""Loss and gradient of class-index targets, standard normal logits times 3, fresh arrays on every side."""

import numpy as np

from benchmarks import peers
from benchmarks.timing import compared, interleaved

SECTION = "loss and gradient"
# shape: how many times faster than each peer we mean to be, float32
TARGETS = {
    (65536, 10): {"PyTorch eager": 8, "torch.compile": 2, "JAX": 2.5, "SciPy": 10, "scikit-learn": 4},
    (16384, 100): {"PyTorch eager": 4, "torch.compile": 4, "JAX": 1.5, "SciPy": 15, "scikit-learn": 14},
    (8192, 1000): {"PyTorch eager": 3, "torch.compile": 4, "JAX": 10, "SciPy": 9, "scikit-learn": 11},
    (2048, 32000): {"PyTorch eager": 8, "torch.compile": 5, "JAX": 4.5, "SciPy": 6},
    (512, 128256): {"PyTorch eager": 8, "torch.compile": 4, "JAX": 3, "SciPy": 6},
}
FLOAT64 = {"PyTorch eager": 5}


def inputs(rows, classes, dtype):
    """Logits and class indices, the same in every section."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal((rows, classes)) * 3).astype(dtype), rng.integers(0, classes, rows)


def run(quick):
    """Yield the lines of this section."""
    for dtype in ("float32", "float64"):
        for (rows, classes), targets in TARGETS.items():
            if quick and rows * classes > 10**7:
                continue
            z, y = inputs(rows, classes, dtype)
            programs = {"luce": peers.luce(z, y), **peers.available(z, y)}
            times = interleaved(programs, 3 if quick else 7)
            wanted = targets if dtype == "float32" else FLOAT64
            case = {"N": rows, "V": classes, "dtype": dtype}
            for name in list(programs)[1:]:
                yield compared(SECTION, case, times, name, at_least=wanted.get(name))
