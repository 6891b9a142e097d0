"""Which options of `luce fit` are in range and go together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from luce.tables.failure import Failure
from luce.tables.files import is_stream
from luce.tables.text.options import FormOptions, ReadingOptions

__all__ = ["check_options", "check_reading"]


def check_options(
    *,
    C: Sequence[float] | None,
    l1_ratio: Sequence[float] | None,
    cv: bool,
    model: str,
    standard_errors: bool,
    folds: int | None,
    stream: bool,
    share: float | None,
    table: Path | None,
    target: str | None,
    soft_target: str | None,
    output: Path | None,
) -> None:
    """Raise `Failure` for the first that is not or does not; None and False are what was not asked for."""
    for value in C or ():
        if not value > 0:
            raise Failure(f"--C must be positive, got {value:g}")
    for value in l1_ratio or ():
        if not 0 <= value <= 1:
            raise Failure(f"--l1-ratio must be in [0, 1], got {value:g}")
    for option, values in (("--C", C), ("--l1-ratio", l1_ratio)):
        if len(values or ()) > 1 and not cv:
            raise Failure(f"{option} is given {len(values or ())} times: --cv chooses among several")
    if folds is not None and (folds < 0 or folds == 1):
        raise Failure(f"--folds must be 0 or at least 2, got {folds}")
    if model not in ("softmax", "sigmoid"):
        raise Failure(f"--model must be softmax or sigmoid, got {model!r}")
    if standard_errors and any(l1_ratio or ()):
        raise Failure("--standard-errors: a model with an L1 penalty has none; leave --l1-ratio out")
    if soft_target is not None and model == "sigmoid":
        raise Failure(
            "--soft-target and --model sigmoid exclude each other: probabilities that sum to 1 are a softmax's"
        )
    if stream:
        whole = {"--folds": folds, "--cv": cv, "--l1-ratio": any(l1_ratio or ()), "--standard-errors": standard_errors}
        for option in (option for option, asked in whole.items() if asked not in (None, False)):
            raise Failure(f"{option} and --stream exclude each other: it needs all rows at once")
        if table is None:
            raise Failure("--stream needs a table")
    elif share is not None:
        raise Failure("--held-out goes with --stream; without it, rows are held out by --folds")
    if share is not None and not 0 <= share < 1:
        raise Failure(f"--held-out must be in [0, 1), got {share:g}")
    if table is None and (target not in (None, "species") or soft_target is not None):
        raise Failure("--target goes with a table; without one, Iris is used, whose target is 'species'")
    if table is not None and output is None and is_stream(table):
        raise Failure("--output MODEL is needed: a table from standard input or a pipe has no name")


def check_reading(table: Path | None, form: FormOptions, reading: ReadingOptions, *, all_rows: bool) -> None:
    """Raise `Failure` for options of reading where nothing is read."""
    if table is None and (form != FormOptions() or reading != ReadingOptions() or all_rows):
        raise Failure("options of text files go with a table; without one, Iris is used")
