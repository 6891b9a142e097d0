"""Quotes taken off: fields in quotes become fields without, in which separators and line ends can't be mistaken.

What quotes mean differs from program to program. Tried in this order, on each piece of a file, until every record has
as many fields as the header:

1. doubled: a quote inside quotes is written twice (RFC 4180), all quotes stand at the ends of fields;
2. backslash: a quote inside quotes has a backslash before it (MySQL, Spark);
3. loose: quotes inside a field that does not begin with one are text, and so are those of a field whose closing quote
   is followed by other text; a field in quotes over several lines must be well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from luce.models.inputs.kinds import Array

__all__ = ["ABOVE", "HERE", "IN_QUOTES", "LINE_END", "MARKED", "Fault", "Unquoted", "unquoted"]


MARKED, LINE_END, IN_QUOTES = "\x1d", "\x1e", "\x1f"  # a quoted field's begin; a line's end and a separator inside one
_MARKED, _LINE_END, _IN_QUOTES = 0x1D, 0x1E, 0x1F
QUOTE, BACKSLASH, NEWLINE = 34, 92, 10
HERE, ABOVE = "\0", "\1"  # in what a fault says: for its line, and for the number of lines above it


class Fault(Exception):
    """A place in a piece of text that can't be read: the character's place, and what is wrong."""

    def __init__(self, place: int, what: str) -> None:
        super().__init__(what)
        self.place, self.what = place, what


class Unquoted(NamedTuple):
    """Complete records without quotes, and how many bytes of the piece they were."""

    body: bytes
    used: int


def unquoted(piece: bytes, separator: int, *, last: bool) -> Iterator[Unquoted]:
    """Yield what a piece of text may mean, the likeliest first.

    Parameters
    ----------
    piece : bytes
        It begins with a record's begin; what follows its last complete record is left, unless it is the `last`.
    separator : int
        The byte between fields.
    last : bool

    Raises
    ------
    Fault
        If no reading is left, after those that were yielded.
    """
    for control in (_MARKED, _LINE_END, _IN_QUOTES):
        if (place := piece.find(control)) >= 0:
            raise Fault(place, f"{HERE}: the control character 0x{control:02X} can't be read")
    if b'"' not in piece:
        used = len(piece) if last else piece.rfind(b"\n") + 1
        yield Unquoted(piece[:used], used)
        return
    backslashes = (False, True) if b'\\"' in piece else (False,)
    for escaped in backslashes:
        found = _straight(piece, separator, escaped, last)
        if found is not None:
            yield found
    faults = []
    for escaped in backslashes:
        try:
            yield _loose(piece, separator, escaped, last)
        except Fault as fault:
            faults.append(fault)
    if faults:
        raise faults[0]


def _straight(piece: bytes, separator: int, escaped: bool, last: bool) -> Unquoted | None:
    """Return the records where all quotes stand at the ends of fields, but those that are doubled or escaped."""
    text = np.frombuffer(piece, np.uint8)
    quotes = np.flatnonzero(text == QUOTE)
    if escaped:
        quotes = quotes[~_after_backslashes(text, quotes)]
    inside = np.zeros(len(text), np.uint8)
    inside[quotes] = 1
    np.cumsum(inside, dtype=np.uint8, out=inside)  # of wrapped sums the parity stays
    inside &= 1
    ends = np.flatnonzero(np.greater(text == NEWLINE, inside))
    used = len(text) if last else (int(ends[-1]) + 1 if len(ends) else 0)
    text, inside, quotes = text[:used], inside[:used].view(bool), quotes[: np.searchsorted(quotes, used)]
    if len(quotes) % 2 or not len(quotes):
        return None if len(quotes) else Unquoted(piece[:used], used)
    opening, closing = quotes[::2], quotes[1::2]
    doubled = opening[1:] == closing[:-1] + 1
    edge = np.zeros(256, bool)
    edge[[separator, NEWLINE]] = True
    begins, closes = edge[text[opening - 1]], edge[text[np.minimum(closing + 1, used - 1)]]
    begins[0] |= opening[0] == 0
    closes[-1] |= closing[-1] + 1 == used
    if not ((begins[1:] | doubled).all() and (closes[:-1] | doubled).all() and begins[0] and closes[-1]):
        return None
    made = text.copy()
    made[inside & (text == separator)] = _IN_QUOTES
    made[inside & (text == NEWLINE)] = _LINE_END
    made[opening[np.concatenate([[True], ~doubled])]] = _MARKED
    kept = np.ones(len(text), bool)
    kept[opening[1:][doubled]] = False
    kept[closing[np.concatenate([~doubled, [True]])]] = False
    if escaped:
        slashes = np.flatnonzero((text == BACKSLASH) & inside)
        kept[slashes[~_after_backslashes(text, slashes) & np.isin(text[slashes + 1], (QUOTE, BACKSLASH))]] = False
    return Unquoted(made[kept].tobytes(), used)


def _after_backslashes(text: Array, places: Array) -> Array:
    """Tell which bytes have an odd number of backslashes before them."""
    odd = np.zeros(len(places), bool)
    left, at = np.arange(len(places)), places - 1
    while len(left):
        still = (at >= 0) & (text[at] == BACKSLASH)
        left, at = left[still], at[still] - 1
        odd[left] ^= True
    return odd


def _loose(piece: bytes, separator: int, escaped: bool, last: bool) -> Unquoted:
    """Return the records, field by field where a field begins with a quote."""
    between = re.escape(bytes([separator]))
    start = re.compile(rb"(?:\A|[" + between + rb'\n]) *"')
    alone = re.compile(rb'"([^' + between + rb'\n]*)" *(?=[' + between + rb"\n]|\Z)")
    made: list[bytes] = []
    at, look, whole = 0, 0, (0, 0)
    while found := start.search(piece, look):
        quote = found.end() - 1
        begin = found.start() + (piece[found.start()] in (separator, NEWLINE))
        if (line := piece.rfind(b"\n", at, begin)) >= 0:
            made.append(piece[at : line + 1])
            at = line + 1
            whole = len(made), at
        end = _closing(piece, quote + 1, escaped)
        after = end + 1
        while 0 < after < len(piece) and piece[after] == 32:
            after += 1
        if end < 0 and last:
            raise Fault(quote, f"a quote opens in {HERE} and is never closed")
        if end < 0:
            break
        if after >= len(piece) or piece[after] in (separator, NEWLINE):
            made += [piece[at:begin], _inside(piece[quote + 1 : end], separator, escaped)]
            at = after
        elif b"\n" in piece[quote:end]:
            raise Fault(quote, f"a quote opens in {HERE} and closes in a later line, with other text behind it")
        elif text := alone.match(piece, quote):
            made += [piece[at:begin], _inside(text[1], separator, False)]
            at = text.end()
        look = max(at, quote + 1)
    else:
        line = len(piece) if last else piece.rfind(b"\n", at) + 1
        if line:
            return Unquoted(b"".join(made) + piece[at:line], line)
    return Unquoted(b"".join(made[: whole[0]]), whole[1])


def _closing(piece: bytes, begin: int, escaped: bool) -> int:
    """Return the place of the quote that ends a field, -1 without one."""
    at = piece.find(b'"', begin)
    while at >= 0:
        before = piece[max(begin, at - 64) : at]
        if escaped and (len(before) - len(before.rstrip(b"\\"))) % 2:
            at = piece.find(b'"', at + 1)
        elif piece[at + 1 : at + 2] == b'"':
            at = piece.find(b'"', at + 2)
        else:
            return at
    return -1


def _inside(content: bytes, separator: int, escaped: bool) -> bytes:
    """Return a quoted field's text as it stands between separators."""
    text = re.sub(rb'\\(["\\])', rb"\1", content) if escaped else content
    text = text.replace(b'""', b'"').replace(bytes([separator]), bytes([_IN_QUOTES]))
    return bytes([_MARKED]) + text.replace(b"\n", bytes([_LINE_END]))
