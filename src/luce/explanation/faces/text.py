"""Formulas as text: LaTeX, of which the explanation uses a modest part, in Unicode's signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from pylatexenc.latex2text import get_default_latex_context_db as signs
from pylatexenc.latexwalker import (
    LatexCharsNode,
    LatexEnvironmentNode,
    LatexGroupNode,
    LatexMacroNode,
    LatexSpecialsNode,
    LatexWalker,
)

from luce.explanation.faces.blocks import Block, beside, cases, matrix, word

__all__ = ["as_block", "as_line", "statements"]

SUB = dict(zip("0123456789+−=()aehijklmnoprstuvxβγρφχ,", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ,", strict=True))
SUPER = dict(zip("0123456789+−=()in⊤′*", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁱⁿᵀ′*", strict=True))
NAMES = frozenset(
    ("log", "exp", "max", "min", "lim", "tanh", "cosh", "sin", "cos", "arg", "sup", "inf", "det", "ln", "Pr")
)
SIGNS = {"top": "⊤", "ne": "≠", "neq": "≠", "le": "≤", "ge": "≥", "sum": "Σ", "prod": "Π", "mid": "|", "colon": ":"}
SIGNS |= {"dots": "…", "ldots": "…", "cdots": "…", "vdots": "⋮", "ddots": "⋱", "odot": "⊙", "lVert": "‖", "rVert": "‖"}
SIGNS |= {"{": "(", "}": ")", "lvert": "|", "rvert": "|", "|": "‖", "epsilon": "ε", "phi": "φ", "%": "%", "_": "_"}
SPACES = {",": " ", ";": " ", ":": " ", " ": " ", "quad": "  ", "qquad": "   ", "!": "", "left": "", "right": ""}
SPACES |= dict.fromkeys(("big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "displaystyle", "limits"), "")
WRAPPERS = frozenset(
    (
        *("text", "mathrm", "mathbf", "mathit", "mathsf", "boldsymbol", "mathcal", "mathbb"),
        *("operatorname", "textbf", "textrm", "mbox"),
    )
)
ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "overline": "\u0304", "dot": "\u0307", "vec": "\u20d7"}
BINARY = frozenset("+−·⊗⊙±∘")
RELATIONS = frozenset("=≈≠≤≥<>←→↦∼∝≡∈⇒⟺⇔≪≫≔")
PUNCTUATION = frozenset(",;")


class Atom(NamedTuple):
    """A piece of a formula: a word, an operator, a matrix.

    Attributes
    ----------
    block : Block
    kind : str
        "ord", "bin", "rel", "open", "close", "punct", "name", "frac" or "space".
    """

    block: Block
    kind: str = "ord"


def as_line(latex: str) -> str:
    r"""Return a formula as one line of text.

    Examples
    --------
    >>> as_line(r"p_i = \frac{e_i}{S} = \frac{\exp z_i}{\sum_k \exp z_k}, \quad J^\top \ne e^{-z_0 + 1}")
    'pᵢ = eᵢ/S = (exp zᵢ)/(Σₖ exp zₖ),  Jᵀ ≠ e^(−z₀ + 1)'
    """
    return " ".join(_joined(_atoms(_nodes(latex), inline=True)).text.split(" "))


def as_block(latex: str) -> Block:
    r"""Return a formula as a block of text, its matrices and cases over several lines.

    Examples
    --------
    >>> print(as_block(r"J = \begin{pmatrix} 1 & -0.5 \\ 0 & 1 \end{pmatrix}").text)
    J = ⎛1  −0.5⎞
        ⎝0   1  ⎠
    """
    return _joined(_atoms(_nodes(latex), inline=False))


def statements(latex: str) -> list[str]:
    r"""Return the formulas that stand side by side in one, with a space and perhaps a comma between them.

    Examples
    --------
    >>> statements(r"m = 2, \quad z - m = (0,\; -1)")
    ['m = 2', 'z - m = (0,\\; -1)']
    """
    found, text, depth = [], "", 0
    for node in _nodes(latex):
        source = node.latex_verbatim()
        depth += source.count("(") - source.count(")") if isinstance(node, LatexCharsNode) else 0
        if isinstance(node, LatexMacroNode) and node.macroname in ("quad", "qquad") and depth <= 0:
            found.append(text)
            text = ""
        else:
            text += source
    return [part.strip().removesuffix(",").strip() for part in [*found, text] if part.strip()]


def _nodes(latex: str) -> Sequence[Any]:
    return LatexWalker(latex, tolerant_parsing=False).get_latex_nodes()[0]  # type: ignore[no-any-return]


@cache
def _table() -> Any:
    """Return the signs that pylatexenc has for macros."""
    return signs()


def _sign(name: str) -> str:
    """Return the sign of a macro that takes no arguments."""
    if name in SIGNS:
        return SIGNS[name]
    found = getattr(_table().get_macro_spec(name), "simplify_repl", None)
    if not isinstance(found, str) or not found.strip():
        raise ValueError(f"there is no text for the macro {name} of LaTeX")
    return found


def _kind(sign: str) -> str:
    """Return the kind of atom that a sign is."""
    for kind, known in (("bin", BINARY), ("rel", RELATIONS), ("punct", PUNCTUATION), ("open", "(["), ("close", ")]")):
        if sign in known:
            return kind
    return "ord"


class _Reader:
    """Reads nodes one after the other, single characters where there is a run of them."""

    def __init__(self, nodes: Sequence[Any]) -> None:
        self._pieces: list[Any] = []
        for node in nodes:
            self._pieces += (
                [sign for sign in node.chars if not sign.isspace()] if isinstance(node, LatexCharsNode) else [node]
            )
        self._at = 0

    def __iter__(self) -> Iterator[Any]:
        while self._at < len(self._pieces):
            yield self.next()

    def next(self) -> Any:
        """Return the next piece."""
        self._at += 1
        return self._pieces[self._at - 1]

    def number(self, first: str) -> str:
        """Return the digits that begin with one."""
        text = first
        while (sign := self._sign()) and (sign.isdigit() or (sign == "." and "." not in text)):
            text += self.next()
        return text

    def script(self, sign: str) -> Any | None:
        """Return what stands behind a sign, ``_`` or ``^``, if it comes next."""
        if self._sign() != sign:
            return None
        self._at += 1
        return self.next()

    def _sign(self) -> str:
        """Return the sign that comes next, nothing where it is none."""
        piece = self._pieces[self._at] if self._at < len(self._pieces) else ""
        return piece if isinstance(piece, str) else ""


def _atoms(nodes: Sequence[Any], *, inline: bool) -> list[Atom]:
    """Return the pieces of a formula."""
    reader, found = _Reader(nodes), list[Atom]()
    for piece in reader:
        atom = _atom(piece, reader, inline)
        below, above = reader.script("_"), reader.script("^")
        below = reader.script("_") if below is None else below
        if atom is None:
            continue
        if isinstance(piece, LatexMacroNode) and piece.macroname == "underbrace":
            label = "" if below is None else f"[{_tight(below)}]"
            found += [atom, Atom(word(label), "close")]
            continue
        text = _scripts(below, above)
        found.append(atom if not text else Atom(beside([atom.block, word(text)]), atom.kind.replace("frac", "ord")))
    return found


def _atom(piece: Any, reader: _Reader, inline: bool) -> Atom | None:
    """Return what a piece stands for, None for what leaves no trace."""
    if isinstance(piece, str):
        if piece.isdigit():
            return Atom(word(reader.number(piece)))
        sign = {"-": "−", "*": "·", "'": "′", "~": " "}.get(piece, piece)
        return Atom(word(sign), _kind(sign))
    if isinstance(piece, LatexGroupNode):
        return Atom(_joined(_atoms(piece.nodelist, inline=inline)))
    if isinstance(piece, LatexEnvironmentNode):
        return _environment(piece, inline)
    if isinstance(piece, LatexSpecialsNode):
        return Atom(word(piece.specials_chars))
    return _macro(piece, reader, inline)


def _macro(node: LatexMacroNode, reader: _Reader, inline: bool) -> Atom | None:
    """Return what a macro stands for."""
    name = node.macroname
    if name in SPACES:
        return Atom(word(SPACES[name]), "space") if SPACES[name] else None
    arguments = [argument for argument in (node.nodeargd.argnlist if node.nodeargd else ()) if argument is not None]
    if name in ("frac", "tfrac", "dfrac"):
        return Atom(word("/".join(map(_grouped, arguments, (False, True)))), "frac")
    if name in WRAPPERS:
        inner = arguments[0] if arguments else reader.next()
        plain = (
            inner.latex_verbatim().strip("{}").strip()
            if name in ("text", "mbox", "textrm", "textbf")
            else _tight(inner)
        )
        return Atom(word(plain.replace("-", "−") if name == "mathrm" else plain), "name" if len(plain) > 1 else "ord")
    if name in ACCENTS:
        return Atom(word(_tight(arguments[0] if arguments else reader.next()) + ACCENTS[name]))
    if name == "sqrt":
        return Atom(word(f"√{_grouped(arguments[-1], True)}"))
    if name == "underbrace":
        return Atom(_joined(_atoms([arguments[0]], inline=inline)))
    if name in NAMES:
        return Atom(word(name), "name")
    sign = _sign(name)
    return Atom(word(sign), "name" if sign in "ΣΠ" else _kind(sign))


def _environment(node: LatexEnvironmentNode, inline: bool) -> Atom:
    """Return a matrix or cases."""
    rows: list[list[list[Any]]] = [[[]]]
    for piece in node.nodelist:
        if isinstance(piece, LatexSpecialsNode) and piece.specials_chars == "&":
            rows[-1].append([])
        elif isinstance(piece, LatexMacroNode) and piece.macroname == "\\":
            rows.append([[]])
        else:
            rows[-1][-1].append(piece)
    if rows[-1] == [[]]:
        rows.pop()
    cells = [[_joined(_atoms(cell, inline=True)).text.strip() for cell in row] for row in rows]
    width = max(map(len, cells))
    cells = [row + [""] * (width - len(row)) for row in cells]
    if node.environmentname == "cases":
        return Atom(word("(" + ", ".join(" if ".join(row) for row in cells) + ")") if inline else cases(cells))
    return Atom(word("(" + "; ".join(" ".join(row) for row in cells) + ")") if inline else matrix(cells))


def _grouped(node: Any, below: bool) -> str:
    """Return a part of a fraction, in parentheses where it would be read otherwise."""
    atoms = _atoms(node.nodelist if isinstance(node, LatexGroupNode) else [node], inline=True)
    text, first = _joined(atoms).text, atoms[0].block.text if atoms else ""
    shown = [atom for atom in atoms if atom.kind != "space"]
    kinds = {atom.kind for atom in shown[1:]} | {shown[0].kind if shown else "ord"}
    one = len(shown) == 1 and "/" not in text
    derivative = first.startswith("∂") and len(shown) == 2
    whole = shown and not below and kinds <= {"ord", "name"} and "name" not in kinds
    enclosed = text.startswith("(") and text.endswith(")") and text.count("(") == 1
    signed = not below and first == "−" and len(shown) == 2 and "/" not in text
    return text if one or derivative or whole or enclosed or signed else f"({text})"


def _scripts(below: Any | None, above: Any | None) -> str:
    """Return what stands below and above a piece."""
    low = "" if below is None else _tight(below)
    low = "".join(map(SUB.__getitem__, low)) if all(sign in SUB for sign in low) else f"_{_enclosed(low)}"
    if above is None:
        return low
    text = _tight(above)
    if all(sign in SUPER for sign in text):
        return low + "".join(map(SUPER.__getitem__, text))
    loose = _joined(_atoms([above], inline=True)).text
    return f"{low}^{loose if len(loose) == 1 else f'({loose})'}"


def _enclosed(text: str) -> str:
    """Return an index in parentheses, unless it is a word."""
    return text if text.replace(",", "").replace("₀", "").isalnum() else f"({text})"


def _tight(node: Any) -> str:
    """Return a piece without spaces around its operators."""
    nodes = [node] if not isinstance(node, str) else [LatexWalker(node).get_latex_nodes()[0][0]]
    atoms = _atoms(nodes[0].nodelist if isinstance(nodes[0], LatexGroupNode) else nodes, inline=True)
    return "".join(atom.block.text for atom in atoms if atom.kind != "space")


def _joined(atoms: Sequence[Atom]) -> Block:
    """Return atoms side by side, with the spaces that their kinds ask for."""
    blocks: list[Block] = []
    before, space = None, ""
    for atom in atoms:
        if atom.kind == "space":
            space = max(space, atom.block.text or atom.block.lines[0], key=len)
            continue
        if atom.kind == "bin" and (before is None or before.kind in ("bin", "rel", "open", "punct", "name", "sign")):
            atom = Atom(atom.block, "sign")  # of a number: −1
        blocks += [word(max(space if before else "", _gap(before, atom), key=len)), atom.block]
        before, space = atom, ""
    return beside(blocks)


PLACES: dict[tuple[str, str], str] = {
    **{(kind, other): " " for kind in ("bin", "rel") for other in ("ord", "open", "name", "frac", "sign", "close")},
    **{(other, kind): " " for kind in ("bin", "rel") for other in ("ord", "close", "name", "frac", "punct", "sign")},
    **{("punct", other): " " for other in ("ord", "open", "name", "frac", "sign", "rel")},
    **{("name", other): " " for other in ("ord", "name", "frac", "sign")},
    **{(other, "name"): " " for other in ("ord", "close", "frac")},
    **{("frac", other): " · " for other in ("ord", "frac", "open")},
    **{(other, "frac"): " · " for other in ("ord", "close")},
    ("frac", "name"): " · ",
    ("rel", "rel"): " ",
}


def _gap(before: Atom | None, atom: Atom) -> str:
    """Return the space between two atoms."""
    if before is None:
        return ""
    kinds = before.kind, atom.kind
    low = kinds[0] in ("ord", "close") and kinds[1] == "ord" and "_" in before.block.lines[-1]  # an index on the line
    return " " if low else PLACES.get(kinds, "")
