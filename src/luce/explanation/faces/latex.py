"""The derivation as a document for LaTeX, which needs amsmath and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pylatexenc.latexencode import unicode_to_latex

from luce.explanation.faces.content import (
    cell,
    given_words,
    is_number,
    left_out_words,
    size_words,
    tables_shown,
    title_words,
    value_numbers,
)
from luce.explanation.faces.text import statements

if TYPE_CHECKING:
    from luce.explanation.step import Step, Table
    from luce.explanation.steps import Steps

__all__ = ["document"]

HEAD = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{amsmath}
\setlength{\textwidth}{17cm}
\setlength{\oddsidemargin}{-0.5cm}
\setlength{\topmargin}{-1.5cm}
\setlength{\textheight}{24cm}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt plus 2pt}
\setcounter{MaxMatrixCols}{30}
\allowdisplaybreaks
\begin{document}
"""
BROAD = 30  # characters of a cell from which on a column breaks its lines
LINE = 16.5  # centimetres
SIGNS = {
    "·": r"\ensuremath{\cdot}",
    "×": r"\ensuremath{\times}",
    "±": r"\ensuremath{\pm}",
    "∓": r"\ensuremath{\mp}",
    "²": r"\ensuremath{^2}",
    "³": r"\ensuremath{^3}",
    "√": r"\ensuremath{\surd}",
    "→": r"\ensuremath{\to}",
    "←": r"\ensuremath{\gets}",
    "≥": r"\ensuremath{\ge}",
    "…": r"\ldots{}",
    "°": r"\ensuremath{^\circ}",
    "[": "{[}",  # behind a line's end it would be the space to the next
    "*": "{*}",
}
SCRIPTS = {
    "^": dict(zip("⁰¹⁴⁵⁶⁷⁸⁹⁺⁻ᵀⁿ", (*"01456789+-", r"\top", "n"), strict=True)),
    "_": dict(zip("₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₙₜ", "0123456789ijknt", strict=True)),
}


def document(derivation: Steps) -> str:
    """Return a document that compiles with plain LaTeX."""
    return "\n".join([HEAD, *_body(derivation), r"\end{document}", ""])


def _body(derivation: Steps) -> Iterator[str]:
    yield rf"{{\LARGE {plain(title_words(derivation))}\par}}"
    yield f"{plain(given_words(derivation))}."
    for remark in derivation.remarks:
        yield from ("", rf"\textbf{{{plain(remark)}}}")
    for part in derivation.parts:
        yield from ("", rf"\section{{{plain(part.title)}}}", plain(part.lead))
        for step in part.steps:
            yield from ("", *_step(derivation, step))
    if words := left_out_words(derivation):
        yield from ("", rf"\medskip {plain(words)}")


def _step(derivation: Steps, step: Step) -> Iterator[str]:
    """Yield the lines of a step."""
    yield rf"\subsection*{{{plain(step.title)}, $\boldmath {step.symbol}$}}"
    for formula in (step.formula, step.numbers, value_numbers(derivation, step)):
        yield from _formula(formula)
    facts = [size_words(step), step.rule, f"from {', '.join(step.follows)}" if step.follows else ""]
    yield rf"{plain(step.why)} \emph{{({plain('; '.join(filter(None, facts)))})}}"
    for note in step.notes:
        yield from ("", plain(note.text))
        yield from _formula(step.fill(note.formula))
    for table in tables_shown(step):
        yield from ("", rf"\emph{{{plain(table.caption)}}}", "", *_table(derivation, table))
    for curves in step.curves:
        yield from ("", rf"\emph{{{plain(curves.caption)}}}")


def _formula(latex: str) -> Iterator[str]:
    """Yield a formula that is set off, each of its statements on a line of its own."""
    if latex:
        yield r"\begin{gather*}"
        yield " \\\\\n".join(statements(latex))
        yield r"\end{gather*}"


def _table(derivation: Steps, table: Table) -> Iterator[str]:
    """Yield the lines of a table; columns of much text break their lines, and share what room there is."""
    texts = [[cell(derivation, content) for content in line] for line in table.rows]
    widths = [max(len(head), *(len(line[k].text) for line in texts)) for k, head in enumerate(table.head)]
    room = LINE - 0.6 * len(widths)
    shares = [max(room * width / max(sum(widths), 1), 0.8) for width in widths]
    broad = sum(widths) > 85
    columns = [
        rf"p{{{share:.1f}cm}}" if broad or (width > BROAD and len(widths) > 1) else "r" if is_number(table, k) else "l"
        for k, (width, share) in enumerate(zip(widths, shares, strict=True))
    ]
    yield rf"{{\small\begin{{tabular}}{{{''.join(columns)}}}"
    yield " & ".join(map(plain, table.head)) + r" \\ \hline"
    for line, contents in zip(texts, table.rows, strict=True):
        cells = [
            plain(content) if isinstance(content, str) else f"${found.latex}$"
            for found, content in zip(line, contents, strict=True)
        ]
        yield " & ".join(cells) + r" \\"
    yield r"\end{tabular}}"


def plain(text: str) -> str:
    r"""Return text that LaTeX sets as it is; what it has no sign for stands by its number in Unicode.

    Examples
    --------
    >>> plain("100% of −Σ t_i")
    '100\\% of \\ensuremath{-}\\ensuremath{\\Sigma} t\\_i'
    """
    return "".join(map(_sign, re.sub(r"[\s\x00-\x1f\x7f]+", " ", text)))


def _sign(sign: str) -> str:
    """Return a character in LaTeX."""
    if sign in SIGNS:
        return SIGNS[sign]
    for mark, known in SCRIPTS.items():
        if sign in known:
            return rf"\ensuremath{{{mark}{{{known[sign]}}}}}"
    found = unicode_to_latex(sign, unknown_char_policy="replace", unknown_char_warning=False)
    return f"{{[}}U+{ord(sign):04X}]" if "bfseries ?" in found else str(found)
