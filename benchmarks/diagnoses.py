"""How often the gradient doctor names two mistakes made at once: pairs drawn from the planted ones of the tests.

    python -m benchmarks.diagnoses [--pairs 500] [--seed 0]

500 pairs or more go into ``results/diagnoses.{json,md}``, fewer are printed only.
"""

import argparse
import collections
import multiprocessing
import re
import sys
from pathlib import Path

from benchmarks import machine
from benchmarks.report import write

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
TEXT = """\
# Two mistakes at once

`python -m benchmarks.diagnoses --pairs {pairs} --seed {seed}`: pairs of the mistakes in `tests/planted.py`, drawn at
random from those that change different lines of the NumPy code, that run together, and each of which shows beside the
other; the doctor sees the function alone.

| the first diagnosis | pairs | share |
| --- | --- | --- |
| names both mistakes | {named} | {named_share:.1%} |
| names two others that are the same function | {same} | {same_share:.1%} |
| right | {right} | {right_share:.1%} |
| something else | {wrong} | {wrong_share:.1%} |

"The same function" is decided from values: the two mistakes that were named, planted in the same code, return the same
numbers on a hundred batches of 3 to 11 rows and 3 to 9 classes, ordinary logits and such as leave the range of exp. A
mistake named "in the loss only" or "in the gradient only" counts as named. {tied} of the others had the pair among the
ties. {cpu}, luce {luce}, Python {python}, NumPy {numpy}; {date}.

What was named otherwise:

| planted | named | |
| --- | --- | --- |
{lines}
"""


def judge(pair):
    """What the doctor says of one pair, and how that is judged."""
    import luce.check
    from planted import NUMPY, build, same_function

    one, other, edits = pair
    report = luce.check.gradient(build(NUMPY, edits))
    found = [mistake.name for mistake in report.diagnosis if mistake.kind != "limit"]
    if {_plain(name) for name in found} == {one, other}:
        verdict = "named"
    elif same_function(edits, found):
        verdict = "same"
    else:
        tied = any({_plain(mistake.name) for mistake in tie} == {one, other} for tie in report.ties)
        verdict = "tied" if tied else "wrong"
    return {"planted": [one, other], "found": found, "verdict": verdict}


def _plain(name):
    return re.sub(", in the (loss|gradient) only$", "", name)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnoses", description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    machine.prepare()
    from planted import drawn_pairs

    drawn, results = drawn_pairs(wanted.pairs, wanted.seed), []
    with multiprocessing.get_context("spawn").Pool(wanted.processes) as pool:
        for result in pool.imap(judge, drawn):
            results.append(result)
            if result["verdict"] != "named":
                print(f"{result['verdict']}: {' + '.join(result['planted'])}: {_said(result)}", flush=True)
    count = collections.Counter(result["verdict"] for result in results)
    wrong = count["wrong"] + count["tied"]
    counts = {"named": count["named"], "same": count["same"], "right": len(drawn) - wrong, "wrong": wrong}
    told = machine.description(["numpy"])
    words = {"same": "the same function", "tied": "among the ties", "wrong": "wrong"}
    lines = "\n".join(
        f"| {' + '.join(result['planted'])} | {_said(result)} | {words[result['verdict']]} |"
        for result in results
        if result["verdict"] != "named"
    )
    text = TEXT.format(
        **counts,
        **{f"{name}_share": number / len(drawn) for name, number in counts.items()},
        **{name: told[name] for name in ("cpu", "luce", "python", "numpy", "date")},
        pairs=len(drawn),
        seed=wanted.seed,
        tied=count["tied"],
        lines=lines,
    )
    print(text)
    if len(drawn) >= 500:
        write("diagnoses", {"machine": told, "seed": wanted.seed, **counts, "pairs": results}, text)


def _said(result):
    return " + ".join(result["found"]) or "unknown"


if __name__ == "__main__":
    main()
