"""Numbers as they are typed: rows of them, and targets in each of their forms."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from luce.tables.failure import Failure

__all__ = ["is_number", "numbers", "rows_of", "target_of"]

Array: TypeAlias = npt.NDArray[Any]


def is_number(text: str) -> bool:
    """Return whether a word is a number, or numbers with commas or semicolons between them."""
    parts = text.replace(";", ",").split(",")
    return all(_number(part) is not None for part in parts if part.strip()) and any(part.strip() for part in parts)


def numbers(option: str, text: str) -> Array:
    """Return numbers with commas between them."""
    found = [_number(part) for part in text.split(",")]
    if None in found:
        wrong = text.split(",")[found.index(None)]
        raise Failure(f"{option} takes numbers with commas between them, got {wrong!r} in {text!r}")
    return np.array(found, np.float64)


def rows_of(option: str, text: str) -> Array:
    """Return one row of numbers, or several with semicolons between them."""
    rows = [numbers(option, row) for row in text.strip().strip(";").split(";")]
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise Failure(
            f"{option}: its rows have {' and '.join(map(str, sorted(lengths)))} numbers, all should have as many"
        )
    return np.array(rows) if ";" in text else rows[0]


def target_of(text: str, *, batch: bool, classes: int) -> Any:
    """Return a class, a distribution, or (indices, probabilities), for each of several rows if they are a batch."""
    rows = text.strip().strip(";").split(";")
    if len(rows) > 1 and not batch:
        raise Failure(f"--target: one row has one target, got {len(rows)}: {text!r}")
    if all(":" in row for row in rows):
        pairs = [_pairs(row) for row in rows]
        if len({len(pair[0]) for pair in pairs}) > 1:
            raise Failure("--target: every row needs as many CLASS:PROBABILITY as the others (add some with 0)")
        found = tuple(np.array(part) for part in zip(*pairs, strict=True))
        return found if batch else tuple(part[0] for part in found)
    if all(_class(row) is not None and "," not in row for row in rows):
        return np.array([_class(row) for row in rows]) if batch else _class(rows[0])
    distributions = [numbers("--target", row) for row in rows]
    for row in distributions:
        if len(row) != classes:
            what = "a class, counted from 0, CLASS:PROBABILITY, or a probability for each class"
            raise Failure(f"--target: {what} ({classes}) is needed, got {text!r}")
    return np.array(distributions) if batch else distributions[0]


def _number(text: str) -> float | None:
    """Return a number, also with the sign that is printed for minus; None for what is none."""
    try:
        return float(text.replace("−", "-").replace("∞", "inf"))
    except ValueError:
        return None


def _class(text: str) -> int | None:
    try:
        return int(text.replace("−", "-"))
    except ValueError:
        return None


def _pairs(row: str) -> tuple[list[int], list[float]]:
    """Return the classes and probabilities of one row."""
    places, shares = [], []
    for pair in row.split(","):
        name, _, share = pair.partition(":")
        place, value = _class(name.strip()), _number(share)
        if place is None or value is None:
            raise Failure(f"--target: CLASS:PROBABILITY is needed, got {pair.strip()!r}")
        places.append(place)
        shares.append(value)
    return places, shares
