"""Numbers as people write them: decimal and thousands separators, currencies, percent, units, parentheses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from luce.tables.text.shapes import normal
from luce.tables.text.units import MULTIPLES, ratio, spellings, unit_of

__all__ = ["STYLES", "NumberShape", "Style", "common_measure", "is_limit", "number_shape", "numbers", "plain_numbers"]

_CURRENCIES = """
    $ € £ ¥ ₹ ₽ ₩ ₺ ₫ ₪ ₴ ฿ ¢ US$ A$ C$ CA$ AU$ NZ$ HK$ S$ R$ Rs Rs. kr kr. Fr. SFr. zł Kč Ft лв R RM Rp USD EUR GBP CHF
    JPY CNY RMB INR BRL CAD AUD NZD SEK NOK DKK PLN CZK HUF MXN ZAR SGD HKD KRW TRY RUB
"""
CURRENCIES = frozenset(_CURRENCIES.split())
BEYOND = frozenset("<>≤≥≪≫~≈")
# what may stand behind a number: a unit begins with a letter, a per cent sign, a degree, a quote for feet and inches
UNIT = r"""(?:[^\W\d_]|[%‰°µμ€£¥$¢"'ºª²³/])[^\d()<>=?!;|]{0,14}"""
_SHAPE = re.compile(
    r"""^(?P<open>\()?(?P<sign>[-+])?\ *(?P<before>[^\d\s()+\-.,']{1,4}\.?)?\ *(?P<inner>[-+])?
        (?P<core>[.,]?[90](?:[9., ']*[9.,])?(?:[eE][-+]?9+|[dD][-+]9+)?)
        (?P<close>\))?\ *(?P<after>"""
    + UNIT
    + r""")?(?P<late>(?(open)\)?|-?))$""",
    re.X,
)


class Style(NamedTuple):
    """What stands before decimals, and between thousands; empty for nothing."""

    decimal: str
    thousands: str


STYLES = [Style(".", sign) for sign in ("", ",", " ", "'")] + [Style(",", sign) for sign in ("", ".", " ", "'")]


class NumberShape(NamedTuple):
    """A shape that may be a number's: its unit, '' for none, and the styles that read it."""

    unit: str
    styles: frozenset[Style]


def plain_numbers(values: pl.Series) -> pl.Series:
    """Return plain numbers, such as -1, 2.5, 1e5 and inf, as Float64; null for anything else, the word NaN too."""
    found = values.cast(pl.Float64, strict=False)
    return found.fill_nan(None)


@lru_cache(maxsize=65536)
def number_shape(shape: str) -> NumberShape | None:
    """Return what a shape tells as a number's; None if it is none's.

    Examples
    --------
    >>> from luce.tables.text.numbers import number_shape
    >>> sorted(number_shape("9,999.99 €").styles), number_shape("99/99")
    ([Style(decimal='.', thousands=',')], None)
    """
    found = _SHAPE.match(shape)
    if found is None:
        return None
    before, after = (found["before"] or "").strip(), _unit(found["after"] or "")
    closed = (found["close"] or "") + (found["late"] or "").replace("-", "")
    if bool(found["open"]) != (closed == ")") or (found["open"] and (found["sign"] or found["inner"])):
        return None
    if (found["sign"] and found["inner"]) or (found["late"] == "-" and (found["sign"] or found["inner"] or after)):
        return None
    if (before and before not in CURRENCIES) or (before and after):
        return None
    styles = frozenset(style for style in STYLES if re.fullmatch(_core(style, "[90]", "9"), found["core"]))
    return NumberShape(before or after, styles) if styles else None


def is_limit(shape: str) -> bool:
    """Tell whether a shape may be that of a number which lies beyond what can be measured: <0.5, > 90 mg/L."""
    return shape[:1] in BEYOND and number_shape(shape.lstrip("<>=≤≥≪≫~≈ ")) is not None


def numbers(values: pl.Series, style: Style, units: Sequence[str]) -> pl.Series:
    """Return values that are written in a style, with one of the units or without, as Float64; null for others."""
    if style.decimal == ".":
        found = plain_numbers(values)
    else:
        alone = values.set(values.str.contains(".", literal=True), None)
        found = plain_numbers(alone.str.replace(",", ".", literal=True))
    other = found.is_null() & values.is_not_null()
    if not other.any():
        return found
    places = other.arg_true()
    return found.scatter(places, _written(normal(values.gather(places)), style, units))


def _written(values: pl.Series, style: Style, units: Sequence[str]) -> pl.Series:
    sizes = _sizes(tuple(units))
    unit = f"({'|'.join(re.escape(text) for text in sorted(sizes, key=len, reverse=True))})?" if sizes else "()"
    core = _core(style, r"[0-9]", r"[0-9]")
    inner = values.str.replace(r"^\((.*)\)(.*)$", "-$1$2").str.replace(r"^\((.*)\)$", "-$1")
    pattern = rf"^([-+]?) *{unit} *([-+]?)({core}) *{unit}(-?)$"
    fits = inner.str.contains(pattern)
    digits = inner.str.replace(pattern, "${1}${3}${6}${4}")
    if style.thousands:
        digits = digits.str.replace_all(style.thousands, "", literal=True)
    if style.decimal == ",":
        digits = digits.str.replace(",", ".", literal=True)
    found = plain_numbers(digits.str.replace(r"[dD]", "e").set(~fits, None))  # 1.25D+00 is Fortran's
    if all(size == 1 for size in sizes.values()):
        return found
    told = inner.str.replace(pattern, "${2}${5}").set(~fits, "")
    for text in told.unique():
        size = sizes.get(text, 1)
        if size != 1:  # in this order, so that 5251 m are 5.251 km
            found = found.zip_with(told != text, found * size.numerator / size.denominator)
    return found


@lru_cache(maxsize=1024)
def _sizes(units: tuple[str, ...]) -> dict[str, Fraction]:
    """Return the spellings of units that can be read where these are, and how many of the first of these each is."""
    known = dict.fromkeys(_spellings(units), Fraction(1))
    if not units:
        return known
    measure = common_measure(units)
    for name in (*units, *spellings(measure)):
        if (size := ratio(name, units[0], measure)) is not None:
            known.update(dict.fromkeys(_spellings([name]), size))
    return known


def common_measure(units: Sequence[str]) -> str:
    """Return what all of some units measure, multiples rather than bytes of a lone B; '' where they differ."""
    measures = [{unit.measure for unit in unit_of(name)} for name in units]
    common = set.intersection(*measures) if measures else set()
    return max(common, key=lambda measure: (measure == MULTIPLES, measure), default="")


def _core(style: Style, lead: str, digit: str) -> str:
    """Return the pattern of digits in a style; groups of thousands have three, or two before the last (India)."""
    decimal, thousands = re.escape(style.decimal), re.escape(style.thousands)
    first = lead.replace("90", "9").replace("0-", "1-")
    tail = f"(?:{decimal}{digit}*)?"
    grouped = rf"{first}{digit}{{0,2}}(?:{thousands}{digit}{{2,3}})*{thousands}{digit}{{3}}{tail}|" if thousands else ""
    plain = rf"(?:{lead}{digit}*{tail}|{decimal}{digit}+)(?:[eE][-+]?{digit}+|[dD][-+]{digit}+)?"
    return f"(?:{grouped}{plain})"


def _unit(text: str) -> str:
    """Return a unit as it is compared: without a dot at its end and a plural's s."""
    unit = text.strip().rstrip(".")
    return unit[:-1] if len(unit) > 2 and unit.isalpha() and unit.endswith("s") else unit


def _spellings(units: Sequence[str]) -> Iterator[str]:
    for unit in filter(None, units):
        yield from (unit, unit + ".", *([unit + "s"] if unit.isalpha() else []))
