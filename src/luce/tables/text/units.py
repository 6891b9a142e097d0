"""Units that measure the same: 800 m and 1.2 km, 3 weeks and 2 months, 201k and 19M, 5 € and 5 EUR."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

__all__ = ["MULTIPLES", "Unit", "ratio", "spellings", "unit_of"]

MULTIPLES = "multiples"  # of one: a number without a unit is as it stands
_PREFIXES = {
    "n": -9,
    "µ": -6,
    "μ": -6,
    "u": -6,
    "m": -3,
    "c": -2,
    "d": -1,
    " ": 0,
    "h": 2,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
}
_SYMBOLS = {  # with the prefixes in use, a blank for none; not all that could be: Mg is mostly a slip for mg
    "m": "nµμumcd k",
    "g": "nµμum k",
    "l": "µμumcd h",
    "L": "µμumcd h",
    "s": "nµμum ",
    "mol": "nµμum ",
    "Pa": " hkM",
    **dict.fromkeys(("W", "Wh", "J", "Hz", "V", "A", "eV", "bp"), "m kMGT"),
}
_DAY = 86_400
_OTHERS: dict[str, dict[str, Any]] = {
    "m": {"in": "0.0254", "inch": "0.0254", "ft": "0.3048", "yd": "0.9144", "mi": "1609.344", "mile": "1609.344"},
    "g": {"t": 10**6, "lb": "453.59237", "oz": "28.349523125"},
    "s": {
        **dict.fromkeys(("sec", "second", "Sek"), 1),
        **dict.fromkeys(("min", "minute", "Min"), 60),
        **dict.fromkeys(("h", "hr", "hour", "Std"), 3600),
        **dict.fromkeys(("d", "day", "Tag", "Tage"), _DAY),
        **dict.fromkeys(("wk", "week", "Woche", "Wochen"), 7 * _DAY),
        **dict.fromkeys(("mo", "month", "Monat", "Monate"), Fraction(1461, 48) * _DAY),  # a twelfth of a year
        **dict.fromkeys(("yr", "year", "Jahr", "Jahre"), Fraction(1461, 4) * _DAY),
    },
    "bp": {"kb": 10**3, "Mb": 10**6, "Gb": 10**9},
    "B": {
        "byte": 1,
        "B": 1,
        **{prefix + "B": 1000**power for power, prefix in enumerate("kMGTP", 1)},
        "KB": 1000,
        **{prefix + "iB": 1024**power for power, prefix in enumerate("KMGTP", 1)},
    },
    "€": dict.fromkeys(("€", "EUR", "Euro"), 1),
    "$": dict.fromkeys(("$", "USD", "US$"), 1),
    "£": dict.fromkeys(("£", "GBP"), 1),
    "%": dict.fromkeys(("%", "percent", "Prozent", "pct"), 1),
    MULTIPLES: {
        **dict.fromkeys(("k", "K", "thousand", "Tsd"), 10**3),
        **dict.fromkeys(("M", "mn", "mln", "million", "Mio"), 10**6),
        **dict.fromkeys(("B", "G", "bn", "billion", "Mrd"), 10**9),
        **dict.fromkeys(("T", "trillion"), 10**12),
    },
}


class Unit(NamedTuple):
    """What a unit measures, and how many of the measure's own unit it is."""

    measure: str
    size: Fraction = Fraction(1)


def _known() -> dict[str, list[Unit]]:
    known: dict[str, list[Unit]] = {}
    for symbol, prefixes in _SYMBOLS.items():
        for prefix in prefixes:
            size = Fraction(10) ** _PREFIXES[prefix]
            known.setdefault(prefix.strip() + symbol, []).append(Unit("l" if symbol == "L" else symbol, size))
    for measure, units in _OTHERS.items():
        for name, value in units.items():
            known.setdefault(name, []).append(Unit(measure, Fraction(value)))
    return known


KNOWN = _known()


@lru_cache(maxsize=4096)
def unit_of(name: str) -> tuple[Unit, ...]:
    """Return what a unit may measure, the same below a stroke: mg/L and µg/L; of an unknown one, the name in any case.

    Examples
    --------
    >>> from luce.tables.text.units import unit_of
    >>> [unit.measure for unit in unit_of("B")], unit_of("KG") == unit_of("kg"), unit_of("mg/L")[0].measure
    (['B', 'multiples'], True, 'g/L')
    """
    above, stroke, below = name.partition("/")
    for spelling in (above, above.lower()):
        if found := KNOWN.get(spelling):
            return tuple(Unit(unit.measure + stroke + below, unit.size) for unit in found)
    return (Unit(name.casefold() if len(name) > 1 else name),)


def ratio(name: str, base: str, measure: str) -> Fraction | None:
    """Return how many of the unit `base` one of `name` is, of multiples how many ones; None if they don't compare."""
    sizes = {key: {unit.measure: unit.size for unit in unit_of(key)} for key in (name, base)}
    if measure not in sizes[name] or measure not in sizes[base]:
        return None
    return sizes[name][measure] / (1 if measure == MULTIPLES else sizes[base][measure])


def spellings(measure: str) -> Sequence[str]:
    """Return the known units of a measure."""
    kind, stroke, below = measure.partition("/")
    return [name + stroke + below for name, units in KNOWN.items() if any(unit.measure == kind for unit in units)]
