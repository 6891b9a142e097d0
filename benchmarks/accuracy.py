"""The largest componentwise errors of losses and gradients, per dtype and instruction-set level, in eps of the dtype.

Runs every case of ``luce.check.inputs.cases`` at many widths and every pair of options against the multi-precision
oracle, with the suite's own comparison functions, and writes ``results/accuracy.md`` and ``results/accuracy.json``.

    python benchmarks/accuracy.py
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

import luce
from luce import _core
from luce.check.inputs import cases
from luce.check.inputs.pairs import all_pairs
from luce.check.inputs.problems import FACTORS, SIZES, DrawnProblem
from luce.check.truth.tolerance import GRADIENT_EPS, LOSS_EPS, PRODUCT_EPS, assert_same_kind, errors

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from levels import at_every_level  # noqa: E402

DTYPES = ["float32", "float64"]
QUANTITIES = {
    "loss": LOSS_EPS,
    "gradient": GRADIENT_EPS,
    "Hessian-vector product": PRODUCT_EPS,
    "target gradient": GRADIENT_EPS,
}


def problems():
    """Every case at every width with class indices, then every pair of options."""
    for dtype in DTYPES:
        for case in cases.LOGITS:
            for v in SIZES:
                rows = max(1, min(33, 300 // v))
                yield DrawnProblem(seed=v, case=case, n_rows=rows, n_classes=v, dtype=dtype, reduction="none")
        for seed, row in enumerate(all_pairs({**FACTORS, "dtype": [dtype]})):
            yield DrawnProblem(seed=seed, **row)


def measured(problem):
    """Quantity and error of each entry, at the level in force; the exact values are computed once."""
    loss = problem.exact
    calls = {
        "loss": (lambda: luce.cross_entropy(*problem.arguments, **problem.options), loss.value),
        "gradient": (lambda: luce.cross_entropy_and_grad(*problem.arguments, **problem.options)[1], loss.gradient()),
        "Hessian-vector product": (
            lambda: luce.cross_entropy_hvp(*problem.arguments, problem.vector, **problem.options),
            loss.hvp(problem.vector),
        ),
    }
    if problem.has_target_gradient:
        calls["target gradient"] = (
            lambda: luce.cross_entropy_target_grad(*problem.arguments, **problem.options),
            loss.target_gradient(),
        )
    for level in at_every_level():
        for quantity, (call, exact) in calls.items():
            found = call()
            assert_same_kind(found, exact)
            off = errors(found, exact, problem.dtype)
            yield level, quantity, off[np.isfinite(off)]


def table(largest, counts):
    """The figures as Markdown."""
    levels = _core.isa_levels()
    lines = [
        "# Accuracy",
        "",
        "Largest componentwise error over the oracle suite, in eps (float32: 1.2e-7, float64: 2.2e-16), relative",
        "to the entry or, where it is a sum of terms of opposite sign, to the sum of their magnitudes.",
        "",
        "| dtype | quantity | entries | promised | " + " | ".join(levels) + " |",
        "|---|---|---|---|" + "---|" * len(levels),
    ]
    for dtype in DTYPES:
        for quantity, promised in QUANTITIES.items():
            figures = " | ".join(f"{largest[dtype, level, quantity]:.2f}" for level in levels)
            lines.append(f"| {dtype} | {quantity} | {counts[dtype, quantity]:,} | {promised} | {figures} |")
    return "\n".join(lines) + "\n"


def main():
    largest, counts = defaultdict(float), defaultdict(int)
    first = _core.isa_levels()[0]
    for problem in problems():
        for level, quantity, off in measured(problem):
            key = (problem.dtype.name, level, quantity)
            largest[key] = max(largest[key], float(off.max(initial=0.0)))
            counts[problem.dtype.name, quantity] += off.size * (level == first)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    rows = [
        {
            "dtype": d,
            "isa": level,
            "quantity": q,
            "entries": counts[d, q],
            "promised_eps": QUANTITIES[q],
            "largest_eps": value,
        }
        for (d, level, q), value in sorted(largest.items())
    ]
    (results / "accuracy.json").write_text(json.dumps(rows, indent=1) + "\n")
    (results / "accuracy.md").write_text(table(largest, counts))
    print(table(largest, counts))


if __name__ == "__main__":
    main()
