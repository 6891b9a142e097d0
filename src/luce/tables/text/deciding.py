"""How a column is read, decided from all of its values, and what the report says about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from luce.tables.text.dates import ORDERS, layout
from luce.tables.text.evidence import BOOLEANS, INVALID, Evidence
from luce.tables.text.numbers import STYLES, Style, common_measure, is_limit, number_shape
from luce.tables.text.reading import Reading
from luce.tables.text.times import duration_layout, time_layout
from luce.tables.text.units import MULTIPLES, ratio, unit_of

__all__ = ["Decision", "Hints", "decide", "hints_of"]

ODD_SHARE = 0.05  # of a column of numbers or dates that may be something else
FEW_ODD, MANY_DISTINCT = 3, 10  # or: that many spellings beside that many different values, which would be no levels
MOST_ODD = 0.5
STORED = 200  # odd shapes
SHOWN = 3


class Hints(NamedTuple):
    """What other columns, the separator or the user tell about numbers and dates that may be read in two ways."""

    decimal: str
    decimal_known: bool
    order: str
    order_known: bool
    given: tuple[str | None, str | None] = (None, None)  # decimal and order, by options


class Decision(NamedTuple):
    """A column's reading, and what there is to say about it."""

    reading: Reading
    remarks: Sequence[str] = ()


class _Candidate(NamedTuple):
    fits: int
    reading: Reading
    knows: Callable[[str], bool]  # whether the reading understands a shape
    remarks: Sequence[str]


def hints_of(columns: Sequence[Evidence], separator: str, decimal: str | None, order: str | None) -> Hints:
    """Return what the columns tell one another.

    Parameters
    ----------
    columns : sequence of Evidence
    separator : str
        Files with semicolons mostly have decimal commas, which is why they have semicolons.
    decimal, order : str or None
        What the user asks for.
    """
    decimals, orders = Counter[str](), Counter[str]()
    for seen in columns:
        decimals.update(_decimal_of(seen))
        day, month = seen.orders[ORDERS[0]], seen.orders[ORDERS[1]]
        if max(day, month) > 0.5 * seen.present and day != month:
            orders[ORDERS[0] if day > month else ORDERS[1]] += 1
    american = any(part.half for seen in columns for shape in seen.shapes if (part := layout(shape)))
    known = decimals["."] != decimals[","]
    guess = max(".,", key=lambda sign: decimals[sign]) if known else "," if separator == ";" else "."
    likely = max(ORDERS[:2], key=lambda one: orders[one]) if orders else ORDERS[1] if american else ORDERS[0]
    return Hints(
        decimal or guess,
        decimal is not None or known,
        order or likely,
        order is not None or bool(orders),
        (decimal, order),
    )


def decide(seen: Evidence, hints: Hints, wish: str | None = None) -> Decision:
    """Return how a column is read.

    Parameters
    ----------
    seen : Evidence
    hints : Hints
    wish : str, optional
        text or number, whatever the values; exact for weights and soft targets, which are numbers without exception or
        text; labels for classes, whose spelling matters.
    """
    text = Reading("text", seen.missing.words, seen.missing.quoted)
    if wish == "text" or not seen.present:
        return Decision(text)
    if wish == "labels":
        zeros = next((code for code in seen.codes if code[0] == "0"), None)
        return Decision(text, [] if zeros is None else [f"leading zeros ({zeros!r}) count"])
    if seen.clear and hints.given[0] is None:
        sign = "." if seen.dotted else hints.decimal
        return Decision(_as(text, kind="number", decimal=sign, whole=not seen.floats))
    words = sum(count for shape, count in seen.shapes.items() if shape.lower() in BOOLEANS)
    if words == seen.present and wish is None:
        return Decision(_as(text, kind="boolean"))
    if seen.codes and not seen.floats and wish is None:
        example, count = next(iter(seen.codes)), sum(seen.codes.values())
        what = "leading zeros" if example[0] == "0" else "integers beyond 64 bits"
        return Decision(text, [f"{what} ({example!r}; {_many(count)}): read as text, not numbers (--number)"])
    candidates = [_number(seen, hints, text)]
    if wish is None:
        candidates = [_date(seen, hints, text), *candidates, _time(seen, text), _duration(seen, text)]
    best = max(candidates, key=lambda candidate: candidate.fits)
    absent = Counter({word: seen.shapes[word] for word in seen.missing.words if word in seen.shapes})  # in quotes
    odd = Counter({shape: count for shape, count in seen.shapes.items() if not best.knows(shape)}) - absent
    strange = seen.present - best.fits - absent.total()
    if wish == "exact" or (wish == "number" and not best.fits):
        return Decision(best.reading if not strange else text)
    if wish != "number" and not _mostly(seen, best.fits, strange, odd):
        return Decision(text, _nearly(seen, best, odd))
    remarks = list(best.remarks)
    if absent:
        remarks.append(f"{_shown(absent, seen, absent.total())} counted as missing, in quotes, too")
    if strange:
        integers = seen.integers if best.reading.kind != "number" and not seen.compact else 0
        what = f"{_shown(odd, seen, strange, integers)} {'are' if strange > 1 else 'is'} no {best.reading.kind}"
        total = f"{strange:,} " if len(odd) + bool(integers) > 1 else ""
        remarks.append(f"{what}: {total}missing (--text)")
    kept = [shape.removeprefix(INVALID) for shape, _ in odd.most_common(STORED)]
    return Decision(_as(best.reading, odd=(*best.reading.odd, *kept)), remarks)


def _as(reading: Reading, **parts: object) -> Reading:
    return Reading(**{**vars(reading), **parts})


def _mostly(seen: Evidence, fits: int, strange: int, odd: Counter[str]) -> bool:
    """Tell whether a column is numbers or dates but for a few values.

    At most one value in twenty may be odd. Or more, up to half, where these are a few words written again and again
    ("n/a yet") or limits of what can be measured (<0.5) among values so different that they would be of no use as
    levels of text.
    """
    if strange <= ODD_SHARE * (fits + strange):
        return fits > 0
    rest = [shape for shape in odd if not is_limit(shape)]
    words = odd.total() == strange and len(rest) <= FEW_ODD and not any("9" in shape for shape in rest)
    return strange <= MOST_ODD * (fits + strange) and words and len(seen.distinct) >= MANY_DISTINCT


def _nearly(seen: Evidence, best: _Candidate, odd: Counter[str]) -> list[str]:
    """Say of a column of text that it looks like numbers or dates."""
    united = {shape: found.unit for shape in seen.shapes if (found := number_shape(shape)) and found.unit}
    units = {*united.values()}
    if len(units) > 1 and sum(seen.shapes[shape] for shape in united) >= MOST_ODD * seen.present:
        return [f"numbers of several units ({', '.join(map(repr, sorted(units)[:4]))}): read as text"]
    if best.fits < MOST_ODD * seen.present:
        return []
    strange = seen.present - best.fits
    remedy = " (--number)" if best.reading.kind == "number" else ""
    integers = seen.integers if best.reading.kind != "number" else 0
    what = f"{_shown(odd, seen, strange, integers)} {'are' if strange > 1 else 'is'} none"
    return [f"looks like {best.reading.kind}s, but {what}: read as text{remedy}"]


def _shown(odd: Counter[str], seen: Evidence, total: int, integers: int = 0) -> str:
    """Return the most frequent odd values, with their counts; `integers` of them are plain."""
    parts = [f"{_short(seen.examples[shape])!r} ({count:,})" for shape, count in odd.most_common(SHOWN)]
    rest = total - sum(count for _, count in odd.most_common(SHOWN)) - integers
    parts += [f"{_short(seen.integer)!r} ({integers:,})"] * bool(integers)
    return ", ".join(parts + ([f"{rest:,} more" if parts else f"{rest:,} values"] if rest > 0 else []))


def _number(seen: Evidence, hints: Hints, text: Reading) -> _Candidate:
    shapes = {shape: found for shape in seen.shapes if (found := number_shape(shape))}
    united = Counter[str]()
    for shape, found in shapes.items():
        united[found.unit] += seen.shapes[shape]
    bare = seen.integers + seen.floats + united.pop("", 0)
    units = _units(united, bare)

    def fits(style: Style) -> int:
        found = sum(
            seen.shapes[shape] for shape, of in shapes.items() if of.unit in ("", *units) and style in of.styles
        )
        return found + _plain(seen, style)

    allowed = [style for style in STYLES if hints.given[0] in (None, style.decimal)]
    order = sorted(allowed, key=lambda style: (-fits(style), style.decimal != hints.decimal, STYLES.index(style)))
    best = order[0]
    marks = any(len(found.styles) < len(STYLES) for found in shapes.values()) or seen.dotted
    rivals = [style for style in order[1:] if fits(style) == fits(best) and style.decimal != best.decimal]
    remarks = []
    if best.thousands:
        example = next((seen.examples[shape] for shape in shapes if best.thousands in shape), "")
        remarks.append(
            f"{_name(best.thousands)} read as thousands separators" + (f", as in {example}" if example else "")
        )
    if marks and rivals and not hints.decimal_known:
        example = next((seen.examples[shape] for shape, of in shapes.items() if of.styles & {*rivals}), "")
        how = f"{example} could be read in two ways; " if example else ""
        remarks.append(f"{how}decimal sign taken to be {best.decimal!r} (--decimal)")
    remarks += _of_units(units, bare)
    whole = not seen.floats and not shapes
    reading = _as(text, kind="number", decimal=best.decimal, thousands=best.thousands, units=units, whole=whole)
    known = {shape for shape, of in shapes.items() if of.unit in ("", *units) and best in of.styles}
    return _Candidate(fits(best), reading, known.__contains__, remarks)


def _units(united: Counter[str], bare: int) -> tuple[str, ...]:
    """Return the units that can be read beside one another, the most frequent first, unless few values have one."""
    counts = Counter[str]()
    for name, count in united.items():
        for unit in unit_of(name):
            counts[unit.measure] += count
    measure = max(counts, key=lambda measure: (counts[measure], measure == MULTIPLES), default="")
    if measure != MULTIPLES and 2 * counts[measure] < bare:
        return ()
    return tuple(name for name, _ in united.most_common() if any(unit.measure == measure for unit in unit_of(name)))


def _of_units(units: Sequence[str], bare: int) -> list[str]:
    """Say what becomes of units."""
    if not units:
        return []
    shown = ", ".join(map(repr, units[:4])) + (", …" if len(units) > 4 else "")
    measure = common_measure(units)
    if measure == MULTIPLES:
        size = {name: ratio(name, name, measure) for name in units[:4]}
        return [", ".join(f"{name!r} read as {int(many):,}" for name, many in size.items() if many) + " (--text)"]
    without = f", {bare:,} of the values are without it" if bare else ""
    if all(ratio(name, units[0], measure) == 1 for name in units):
        return [f"unit{'s' if len(units) > 1 else ''} {shown} left out{without}"]
    return [f"units {shown} converted to {units[0]!r}{without}"]


def _plain(seen: Evidence, style: Style) -> int:
    """Return how many of the plain numbers are numbers in a style, too."""
    if style.decimal == ".":
        return seen.integers + seen.floats
    dotted = seen.dotted if style.thousands == "." and seen.grouped else 0
    return seen.integers + seen.floats - seen.dotted + dotted


def _decimal_of(seen: Evidence) -> list[str]:
    """Return the decimal sign that a column can't do without."""
    if seen.integers + seen.floats + sum(seen.shapes.values()) < 0.5 * seen.present:
        return []
    if seen.dotted and not seen.grouped:
        return ["."]
    needed = [{style.decimal for style in found.styles} for shape in seen.shapes if (found := number_shape(shape))]
    signs = {sign for signs in needed if len(signs) == 1 for sign in signs}
    return list(signs) if len(signs) == 1 else []


def _date(seen: Evidence, hints: Hints, text: Reading) -> _Candidate:
    shapes = {shape: where for shape in seen.shapes if (where := layout(shape))}
    fixed = sum(seen.shapes[shape] for shape, where in shapes.items() if where.ordered)
    open_ones = sum(seen.shapes[shape] for shape, where in shapes.items() if not where.ordered)
    given = hints.given[1]
    monthly = {one for one in ORDERS[:2] if seen.firsts[one] == seen.orders[one] > 0}
    alone = next(iter(monthly)) if len(monthly) == 1 else ""  # first days of months throughout, in one order only
    rank = {one: (seen.orders[one], one == alone, one == hints.order, -ORDERS.index(one)) for one in ORDERS}
    order = given or max(ORDERS, key=lambda one: rank[one])
    fits, remarks = fixed + seen.orders[order], []
    if seen.compact and seen.compact == seen.integers and not seen.floats:
        fits += seen.compact
        remarks.append("eight digits read as dates, year month day (--number)")
    other = next((one for one in ORDERS[:2] if one != order and seen.orders[one] == seen.orders[order]), None)
    if open_ones and other and not given:
        example = next(seen.examples[shape] for shape, where in shapes.items() if not where.ordered)
        why = "as in other columns" if hints.order_known else "nothing in the column settles it"
        why = "as all are first days of months then" if order == alone else why
        remarks.append(f"dates such as {example} read {order.replace('-', ' ')}, {why} (--dates {other})")
    timed = any(where.timed for where in shapes.values())
    invalid = [shape for shape, where in shapes.items() if not where.ordered] if open_ones > seen.orders[order] else []
    reading = _as(text, kind="date", order=order, whole=not timed, odd=tuple(invalid))
    return _Candidate(fits, reading, shapes.__contains__, remarks)


def _time(seen: Evidence, text: Reading) -> _Candidate:
    shapes = {shape for shape in seen.shapes if time_layout(shape)}
    fits = sum(seen.shapes[shape] - seen.beyond[shape] for shape in shapes)
    return _Candidate(fits, _as(text, kind="time"), shapes.__contains__, ())


def _duration(seen: Evidence, text: Reading) -> _Candidate:
    shapes = {shape: where for shape in seen.shapes if (where := duration_layout(shape))}
    pairs = [shape for shape, where in shapes.items() if "first" in where.places]
    clear = any("second" in where.places for where in shapes.values())
    minutes = clear and any(seen.beyond[shape] for shape in pairs)  # beside 1:02:45, 59:12 can't be hours
    how = "minutes and seconds" if minutes else "hours and minutes"
    remarks = [f"durations such as {seen.examples[pairs[0]]} read as {how}"] if pairs else []
    fits = sum(seen.shapes[shape] for shape in shapes)
    return _Candidate(fits, _as(text, kind="duration", minutes=minutes), shapes.__contains__, remarks)


def _name(sign: str) -> str:
    return {" ": "blanks", ",": "commas", ".": "dots", "'": "apostrophes"}[sign]


def _many(count: int) -> str:
    return f"{count:,} value{'s' if count != 1 else ''}"


def _short(text: str) -> str:
    return text if len(text) <= 20 else text[:19] + "…"
