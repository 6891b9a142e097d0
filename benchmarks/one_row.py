"""One call on one row of ten classes: what the way into the kernel costs."""

import statistics
import timeit

from benchmarks import peers
from benchmarks.loss_and_gradient import inputs
from benchmarks.timing import compared

SECTION = "one row"
SECONDS = 3e-6


def run(quick):
    """Yield the lines of this section: the first has the promised time itself as the other side."""
    z, y = inputs(1, 10, "float32")
    chosen = ["PyTorch eager", "JAX", "SciPy"]
    programs = {"luce": peers.luce(z, y), **peers.available(z, y, chosen)}
    timers = {name: timeit.Timer(program) for name, program in programs.items()}
    counts = {name: max(1, int(0.02 / (timer.timeit(100) / 100))) for name, timer in timers.items()}
    rounds = [{name: timer.timeit(counts[name]) / counts[name] for name, timer in timers.items()} for _ in range(9)]
    times = {name: statistics.median(turn[name] for turn in rounds) for name in programs}
    times["3 µs"] = SECONDS
    case = {"N": 1, "V": 10, "dtype": "float32"}
    yield compared(SECTION, case, times, "3 µs", at_most=1.0)
    for name in list(programs)[1:]:
        yield compared(SECTION, case, times, name)
