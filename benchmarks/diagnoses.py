"""How often the gradient doctor names two mistakes made at once: pairs drawn from the planted ones of the tests.

python benchmarks/diagnoses.py --pairs 500 --seed 0
"""

import argparse
import sys
import time
from pathlib import Path

import luce.check

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from planted import NUMPY, build, drawn_pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    right, among_ties, start = 0, 0, time.perf_counter()
    drawn = drawn_pairs(wanted.pairs, wanted.seed)
    for one, other, edits in drawn:
        report = luce.check.gradient(build(NUMPY, edits))
        found = {mistake.name for mistake in report.diagnosis if mistake.kind != "limit"}
        if found == {one, other}:
            right += 1
            continue
        tied = any({mistake.name for mistake in tie} == {one, other} for tie in report.ties)
        among_ties += tied
        print(
            f"{one} + {other}: {' + '.join(sorted(found)) or report.reason or 'unknown'}{', tied' * tied}", flush=True
        )
    each = (time.perf_counter() - start) / len(drawn)
    print(f"{right} of {len(drawn)} pairs first ({right / len(drawn):.1%}), {among_ties} more tied; {each:.2f} s each")


if __name__ == "__main__":
    main()
