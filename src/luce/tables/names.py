"""Names of columns as a person compares them: composed or decomposed, with whichever blanks."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

__all__ = ["INVISIBLE", "composed", "nearest", "plain", "plain_names"]

INVISIBLE = "\ufeff\u200b\u00ad\u2060\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2069"  # marks, soft hyphen, directions
UNSEEN = dict.fromkeys(map(ord, INVISIBLE))


def plain(name: str) -> str:
    r"""Return a name with composed letters and ordinary single blanks, none around it.

    Examples
    --------
    >>> from luce.tables.names import plain
    >>> plain(" my\u00a0class ") == "my class", plain("Gro\u0308\u00dfe") == "Gr\u00f6\u00dfe"
    (True, True)
    """
    return re.sub(r"[^\S\n]+", " ", composed(name)).strip()


def composed(text: str) -> str:
    """Return a text with composed letters, without signs that nobody sees."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(UNSEEN)


def plain_names(names: Sequence[str]) -> list[str]:
    """Return the names made plain, those left as they are that would become the same."""
    made = [plain(name) for name in names]
    times = Counter(made)
    return [new if times[new] == 1 else old for new, old in zip(made, names, strict=True)]


def nearest(name: str, names: Sequence[str]) -> str:
    """Return ", near 'class'" for a name that is much like one of a table's columns, else nothing.

    Examples
    --------
    >>> from luce.tables.names import nearest
    >>> nearest("KLASS", ["age", "class"]), nearest("weight", ["age", "class"])
    (", near 'class'", '')
    """
    from difflib import get_close_matches

    folded = {column.casefold(): column for column in names if column}
    found = get_close_matches(name.casefold(), list(folded), 1, 0.7)
    return f", near {folded[found[0]]!r}" if found else ""
