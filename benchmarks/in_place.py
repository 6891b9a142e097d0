"""The floor: loss and gradient written over the logits, beside a memory copy of the same bytes by as many threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

import luce
from benchmarks.loss_and_gradient import inputs
from benchmarks.timing import compared, interleaved

SECTION = "in place"
SHAPES = [(8192, 1000), (2048, 32000), (512, 128256)]
AT_MOST = 1.15


def run(quick):
    """Yield the lines of this section."""
    with ThreadPoolExecutor(1) as other:
        for dtype in ("float32", "float64"):
            for rows, classes in SHAPES[: 1 if quick else None]:
                yield from _one(rows, classes, dtype, other, 3 if quick else 9)


def _one(rows, classes, dtype, other, rounds):
    z, y = inputs(rows, classes, dtype)
    work, prepared, half = z.copy(), np.zeros_like(z), rows // 2

    def copy_into(destination):
        """Half the rows by another thread, half by this one: NumPy copies without the interpreter's lock."""
        rest = other.submit(np.copyto, destination[half:], work[half:])
        np.copyto(destination[:half], work[:half])
        rest.result()

    def restore():
        """Every program finds the logits just written, and in the caches what that left."""
        np.copyto(work, z)

    programs = {
        "luce": lambda: luce.cross_entropy_and_grad(work, y, out=work),
        "luce into a prepared array": lambda: luce.cross_entropy_and_grad(work, y, out=prepared),
        "luce into a fresh array": lambda: luce.cross_entropy_and_grad(work, y),
        "copy into a prepared array": lambda: copy_into(prepared),
        "copy into a fresh array": lambda: copy_into(np.empty_like(work)),
    }
    times = interleaved(programs, rounds, dict.fromkeys(programs, restore))
    case = {"N": rows, "V": classes, "dtype": dtype}
    yield compared(SECTION, case, times, "copy into a prepared array", at_most=AT_MOST)
    for where in ("a prepared array", "a fresh array"):
        yield compared(SECTION, case, times, f"copy into {where}", ours=f"luce into {where}", floor=True)
