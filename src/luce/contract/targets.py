"""The kinds of target, told apart by shapes and kinds of dtype alone, and the error for everything that is none."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Literal

from luce.contract.error_words import misshapen, squeezing

__all__ = [
    "DISTRIBUTION",
    "INDICES",
    "PROBABILITIES",
    "check_pair",
    "check_tail",
    "is_pair",
    "kind_of_target",
    "no_class_to_ignore",
    "out_of_range",
]

DISTRIBUTION = "a distribution over the logits' classes; or a tuple of indices and probabilities"
INDICES = "target: indices"
PROBABILITIES = "target: probabilities"

Shape = tuple[int, ...]


def is_pair(target: object) -> bool:
    """Whether a target is (indices, probabilities); a tuple of two plain numbers holds the classes of two rows."""
    if not (isinstance(target, tuple) and len(target) == 2):
        return False
    return not all(isinstance(part, numbers.Integral) for part in target)


def kind_of_target(
    kind: str, shape: Shape, rows: Shape, logits: Shape, described: Callable[[], str]
) -> Literal["classes", "distribution"]:
    """Return what an array is as the target of rows of logits, by its kind of dtype ("i", "u", "f", …) and its shape.

    `described` says what was given, for an error.

    Raises
    ------
    TypeError
        For an array that is neither of integers nor of floating-point numbers, or not of those that its shape asks for.
    ValueError
        For class indices of another shape than the rows'.
    """
    if kind in ("i", "u"):
        if shape != rows:
            hint = squeezing(shape, rows)
            if shape == logits and not hint:
                hint = "; one-hot rows are a distribution: make them float"
            raise ValueError(f"target: class indices for logits {logits} have shape {rows}, got {shape}{hint}")
        return "classes"
    if shape == rows and shape != logits:
        raise TypeError(f"target: class indices must be integers, got {described()}")
    if kind != "f":
        raise TypeError(f"target: expected integers or floating-point probabilities, got {described()}")
    return "distribution"


def check_pair(kind: str, indices: Shape, probabilities: Shape, rows: Shape, described: Callable[[], str]) -> None:
    """Raise an error unless indices, of a kind of dtype, and probabilities are both (..., k) for rows (...)."""
    if kind not in ("i", "u"):
        raise TypeError(f"target: the indices of (indices, probabilities) must be integers, got {described()}")
    if len(indices) != len(rows) + 1 or indices[:-1] != rows:
        expected = "(" + ", ".join([*map(str, rows), "k"]) + ")"
        raise ValueError(f"target: the indices of (indices, probabilities) have shape {expected}, got {indices}")
    if probabilities != indices:
        raise misshapen(PROBABILITIES, indices, "the indices' shape", probabilities)


def check_tail(tail: object, *, pair: bool) -> None:
    """Raise a ValueError for a tail of a target that has none."""
    if tail is not None and not pair:
        raise ValueError('tail: "uniform" goes with a target of (indices, probabilities)')


def out_of_range(name: str, place: Sequence[int], index: int, classes: int, ignored: int | None) -> IndexError:
    """Return the error for a class index that is no class."""
    where = f"[{', '.join(map(str, place))}]" if len(place) else ""
    allowed = "" if ignored is None else f" or ignore_index={ignored}"
    return IndexError(f"{name}{where} is {index}, expected 0 <= class < {classes}{allowed}")


def no_class_to_ignore(ignore_index: int) -> ValueError:
    """Return the error for a class to ignore beside a target of probabilities, in front ends that refuse it."""
    return ValueError(f"ignore_index cannot be specified when target contains probabilities, got {ignore_index}")
