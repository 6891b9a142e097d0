"""The words of errors: a value as an error shows it, and an argument of another shape than it should have."""

from __future__ import annotations

__all__ = ["kind_of", "misshapen", "one_line", "shown", "squeezing"]


def kind_of(value: object) -> str:
    """Return what a value is, in words: None, a list, an Index."""
    if value is None:
        return "None"
    kind = type(value)
    if (kind.__module__, kind.__name__) == ("numpy", "ndarray"):
        return "an array of NumPy"
    return f"an {kind.__name__}" if kind.__name__[0] in "aeiouAEIOU" else f"a {kind.__name__}"


def one_line(text: str) -> str:
    """Return the words of a text on one line of at most 120 characters."""
    text = " ".join(text.split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def shown(value: object) -> str:
    """Return a value as an error shows it: its repr on one line, or what it is where that is beyond words."""
    try:
        return one_line(repr(value))
    except Exception:  # an integer of thousands of digits, or whatever a foreign __repr__ raises
        return kind_of(value)


def misshapen(name: str, wanted: tuple[int, ...], what: str, got: tuple[int, ...]) -> ValueError:
    """Return the error for an argument of another shape than the one it should have."""
    return ValueError(f"{name}: expected shape {wanted} ({what}), got {got}{squeezing(got, wanted)}")


def squeezing(got: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Return the hint for a shape with an axis of length 1 too many, or nothing."""
    for axis in reversed(range(len(got))):
        if got[axis] == 1 and (*got[:axis], *got[axis + 1 :]) == wanted:
            return f"; squeeze its {'last axis' if axis == len(got) - 1 else f'axis {axis}'}, of length 1"
    return ""
