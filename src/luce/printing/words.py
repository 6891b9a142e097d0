"""Numbers, counts and names as short text."""

from __future__ import annotations

import math

__all__ = ["count", "cut", "many", "measure", "number", "percent", "power"]


def cut(text: str, length: int) -> str:
    """Return text of at most so many characters, the last of them an ellipsis where some are left out."""
    return text if len(text) <= length else text[: length - 1] + "…"


def count(number: float) -> str:
    """Return a count; with one decimal where weights make it no whole number."""
    return f"{number:,.0f}" if number == round(number) else f"{number:,.1f}"


def many(number: float, noun: str) -> str:
    """Return a count and its noun.

    Examples
    --------
    >>> from luce.printing.words import many
    >>> many(1, "row"), many(1200, "class"), many(2.5, "batch")
    ('1 row', '1,200 classes', '2.5 batches')
    """
    plural = noun + ("es" if noun.endswith(("s", "h")) else "s")
    return f"{count(number)} {noun if number == 1 else plural}"


def number(value: float | None) -> str:
    """Return a number with three or four figures; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    text = f"{value:.3f}" if size == 0 or 0.01 <= size < 10 else f"{value:.4g}" if 10 <= size < 1e5 else f"{value:.1e}"
    return text.replace("-", "\N{MINUS SIGN}")


def power(value: float) -> str:
    """Return a small number by its first figure and its power of ten.

    Examples
    --------
    >>> from luce.printing.words import power
    >>> power(3.2e-09)
    '3e-9'
    """
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(value: float) -> str:
    """Return a share with one decimal; what is neither none nor all never reads as either."""
    if math.isnan(value):
        return "–"
    if 0 < value < 0.0005:
        return "<0.1%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    return f"{value:.1%}"


def measure(value: float, error: float, *, share: bool = False) -> tuple[str, str]:
    """Return a measure and its standard error, to two figures of the error; no error for a value that is not finite.

    Examples
    --------
    >>> from luce.printing.words import measure
    >>> measure(0.30517, 0.0213), measure(0.75, 0.2165, share=True)
    (('0.305', '0.021'), ('75.0%', '21.6%'))
    """
    if not math.isfinite(value):
        return number(value), ""
    unit, scale = ("%", 100) if share else ("", 1)
    value, error = value * scale, error * scale
    digits = 1 - math.floor(math.log10(error)) if error > 0 else 3 - int(share) * 2
    digits = min(max(digits, 1), 2 if share else 4)
    return f"{round(value, digits) + 0.0:.{digits}f}{unit}", f"{error:.{digits}f}{unit}"
