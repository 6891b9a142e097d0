"""Expressions for what a function should return, in its own names, where no small change of a line is enough."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from luce.check.doctor.repair.source import Edit, Unit
from luce.check.doctor.repair.text_places import TextPlaces, library

__all__ = ["expressions", "synthesised"]

COST = 2.6


def expressions(names: Mapping[str, str], counts: Sequence[str], text: str) -> Iterator[str]:
    """Yield expressions for the gradient, the loss and the product, in the names of the code.

    Parameters
    ----------
    names : mapping
        The name that holds each quantity: ``{"p": "probs", "y": "labels"}``; ``"minus_t_over_n"`` and the like too.
    counts : sequence of str
        Expressions for the number of rows.
    text : str
        The text of the code, which tells the library that it uses.
    """
    of = library(text)
    axis, kept = ("dim", "keepdim") if of == "torch" else ("axis", "keepdims")
    across = f"{axis}=1, {kept}=True"
    shares = [names["p"]] if "p" in names else []
    if "log_p" in names:
        shares.append(f"{of}.exp({names['log_p']})")
    if "e" in names:
        shares.append(f"{names['e']} / {names['e']}.sum({across})")
    targets = [names[key] for key in ("t", "one_hot") if key in names]
    if "y" in names and "z" in names:
        z, y = names["z"], names["y"]
        one_hot = "torch.nn.functional.one_hot" if of == "torch" else ""
        targets.append(f"{one_hot}({y}, {z}.shape[1])" if one_hot else f"{of}.eye({z}.shape[1])[{y}]")
    for p in shares:
        for t in targets:
            yield f"{p} - {t}"
            for count in counts:
                yield f"({p} - {t}) / {count}"
        if "minus_t_over_n" in names:
            d = names["minus_t_over_n"]
            yield f"{d} - {p} * {d}.sum({across})"
        if "v" in names:
            yield f"{p} * ({names['v']} - ({p} * {names['v']}).sum({across}))"
    if "log_p" in names:
        for t in targets:
            for count in counts:
                yield f"-({t} * {names['log_p']}).sum() / {count}"


def synthesised(unit: Unit, place: int, found: Sequence[str]) -> Iterator[Edit]:
    """Yield edits that put an expression in the place of what is returned, or of what one of its names is set to."""
    tree, places = ast.parse(unit.text), TextPlaces(unit.text)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        returned = [
            node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None
        ]
        parts = [part for value in returned for part in (value.elts if isinstance(value, ast.Tuple) else [value])]
        ids = {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}
        for part in parts:
            yield from (Edit(place, *places.span(part), words, COST + 0.2) for words in found)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and [t.id in ids for t in node.targets if isinstance(t, ast.Name)] == [
                True
            ]:
                yield from (Edit(place, *places.span(node.value), words, COST) for words in found)
