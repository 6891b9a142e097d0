"""The changes of a line that are tried: those by which hand-written gradients go wrong, undone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from luce.check.doctor.repair.source import Edit, Unit
from luce.check.doctor.repair.text_places import TextPlaces, library

__all__ = ["changes"]

SWAPPED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*"}
METHODS = {
    "max": ("min", "sum"),
    "min": ("max",),
    "mean": ("sum", "max"),
    "sum": ("mean", "max"),
    "argmax": ("argmin",),
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "softmax": ("log_softmax",),
    "log_softmax": ("softmax",),
    "log2": ("log",),
    "log10": ("log",),
    "exp2": ("exp",),
}
AXES = ("axis", "dim")
AXIS_METHODS = ("sum", "max", "min", "mean", "argmax", "softmax", "log_softmax", "logsumexp", "amax", "norm")
SMALL_INTEGERS = 3  # up to which a constant may be one too large or too small


def changes(unit: Unit, place: int, counts: Sequence[str], scalars: Sequence[str] = ()) -> Iterator[Edit]:
    """Yield changes of the lines of a unit, in no order.

    Parameters
    ----------
    unit : Unit
    place : int
        Its place among the units of its source.
    counts : sequence of str
        Expressions for the number of rows in the words of the code: ``len(x)``.
    scalars : sequence of str
        Names of single numbers.
    """
    tree, places = ast.parse(unit.text), TextPlaces(unit.text)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            names = _names(function)
            for statement in _statements(function):
                yield from _of_statement(statement, place, places)
                for node in _expressions(statement):
                    yield from _of_expression(node, place, places, names, counts, scalars)


def _names(function: ast.FunctionDef) -> list[str]:
    """Return the names that a function binds, its parameters first."""
    arguments = function.args
    found = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    found += [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return list(dict.fromkeys(found))


def _statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield the statements of a function that compute something, in their order."""
    for node in ast.walk(function):
        kinds = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr, ast.For, ast.If)
        if isinstance(node, kinds) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions of a statement itself, without those of statements within it."""
    waiting: list[ast.AST] = [
        part
        for name, field in ast.iter_fields(statement)
        if name not in ("body", "orelse", "finalbody")
        for part in (field if isinstance(field, list) else [field])
        if isinstance(part, ast.AST)
    ]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.expr):
            yield node
        waiting.extend(ast.iter_child_nodes(node))


def _of_statement(statement: ast.stmt, place: int, places: TextPlaces) -> Iterator[Edit]:
    """Yield a statement left out, and other operators of an assignment."""
    start, end = places.span(statement)
    if isinstance(statement, ast.AugAssign | ast.Expr):
        yield Edit(place, start, end, "pass", 2.0)
    if isinstance(statement, ast.Assign) and _reassigns(statement):
        yield Edit(place, start, end, "pass", 2.5)
    if isinstance(statement, ast.AugAssign):
        target, value = places.span(statement.target), places.span(statement.value)
        for sign in ("+=", "-=", "*=", "/="):
            if sign.strip("=") not in places.text[target[1] : value[0]]:
                yield Edit(place, target[1], value[0], f" {sign} ", 1.0)
        yield Edit(place, target[1], value[0], " = ", 2.0)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = places.span(statement.targets[0]), places.span(statement.value)
        if isinstance(statement.targets[0], ast.Subscript | ast.Attribute):
            yield Edit(place, target[1], value[0], " += ", 1.5)
            yield Edit(place, target[1], value[0], " -= ", 1.5)


def _reassigns(statement: ast.Assign) -> bool:
    """Return whether an assignment computes a name anew from itself."""
    targets = {node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return any(isinstance(node, ast.Name) and node.id in targets for node in ast.walk(statement.value))


def _of_expression(
    node: ast.expr,
    place: int,
    places: TextPlaces,
    names: Sequence[str],
    counts: Sequence[str],
    scalars: Sequence[str],
) -> Iterator[Edit]:
    """Yield the changes of an expression that is read."""
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        if isinstance(node, ast.Subscript):
            yield from _of_index(node, place, places)
        return
    start, end = places.span(node)
    words = places.text[start:end]
    match node:
        case ast.BinOp():
            yield from _of_operation(node, place, places)
        case ast.Call():
            yield from _of_call(node, place, places)
        case ast.UnaryOp():
            yield from _of_sign(node, place, places)
        case ast.Attribute():
            yield from _of_attribute(node, place, places)
        case ast.Compare():
            yield from _of_comparison(node, place, places)
        case ast.Constant():
            yield from _of_constant(node, place, places, scalars)
    if isinstance(node, ast.Name) and node.id in names:
        for other in names:
            if other != node.id:
                yield Edit(place, start, end, other, 2.2)
    if isinstance(node, ast.BinOp | ast.Name | ast.Call | ast.Subscript | ast.UnaryOp):
        inner = words if not isinstance(node, ast.BinOp | ast.UnaryOp) else f"({words})"
        yield Edit(place, start, end, f"-{inner}", 1.4 if inner != words else 1.6)
        for count in counts:
            for sign, cost in (("/", 1.6), ("*", 2.4)):
                scaled = f"{inner} {sign} {count}"
                yield Edit(place, start, end, scaled if _stands_alone(places.text, start, end) else f"({scaled})", cost)
        yield Edit(place, start, end, f"{inner}.T", 1.8)
        yield Edit(place, start, end, f"(1 - {inner})", 2.4)
        for function in ("exp", "log"):
            yield Edit(place, start, end, f"{library(places.text)}.{function}({words})", 2.4)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether an expression is a whole value, argument or part of a tuple, which needs no parentheses."""
    before, after = text[:start].rstrip(), text[end:].lstrip(" ")
    return before.endswith(("=", "return", ",", "(")) and after[:1] in ("", "\n", ",", ")", "#")


def _of_operation(node: ast.BinOp, place: int, places: TextPlaces) -> Iterator[Edit]:
    """Yield another operator, one operand alone, and products in other orders."""
    (left, left_end), (right, end) = places.span(node.left), places.span(node.right)
    start, end = places.span(node)
    first, second = places.text[left:left_end], places.words(node.right)
    if type(node.op) in SWAPPED:
        sign = SWAPPED[type(node.op)]
        between = places.text[left_end:right]
        old = {"-": "+", "+": "-", "/": "*", "*": "/"}[sign]
        if old in between:
            yield Edit(place, left_end, right, between.replace(old, sign, 1), 1.0)
    yield Edit(place, start, end, first, 1.3)
    yield Edit(place, start, end, second, 1.3)
    if isinstance(node.op, ast.MatMult):
        for one, other in ((first, second), (second, first)):
            for a in (one, f"{one}.T", one.removesuffix(".T")):
                for b in (other, f"{other}.T", other.removesuffix(".T")):
                    if f"{a} @ {b}" != f"{first} @ {second}":
                        yield Edit(place, start, end, f"{a} @ {b}", 1.7)
        yield Edit(place, start, end, f"{first} * {second}", 2.0)
    if isinstance(node.op, ast.Mult):
        yield Edit(place, start, end, f"{first} @ {second}", 2.4)
    if isinstance(node.op, ast.Sub):
        yield Edit(place, start, end, f"{second} - {first}", 1.5)
    if isinstance(node.op, ast.Div):
        yield Edit(place, start, end, f"{second} / {first}", 2.0)
    yield from _regrouped(node, place, places)


def _regrouped(node: ast.BinOp, place: int, places: TextPlaces) -> Iterator[Edit]:
    """Yield sums and products whose parentheses stand elsewhere: s·a − b as s·(a − b), (a − b)/n as a − b/n."""
    start, end = places.span(node)
    sums, products = (ast.Add, ast.Sub), (ast.Mult, ast.Div)
    for inner, outer, flipped in ((node.left, node.right, False), (node.right, node.left, True)):
        if not isinstance(inner, ast.BinOp):
            continue
        a, b, c = places.words(inner.left), places.words(inner.right), places.words(outer)
        if isinstance(node.op, sums) and isinstance(inner.op, products):
            sign = "+" if isinstance(node.op, ast.Add) else "-"
            by = "*" if isinstance(inner.op, ast.Mult) else "/"
            terms = (f"{c} {sign} {a}", f"{c} {sign} {b}") if flipped else (f"{a} {sign} {c}", f"{b} {sign} {c}")
            yield Edit(place, start, end, f"({terms[0]}) {by} {b}", 1.6)
            if by == "*":
                yield Edit(place, start, end, f"{a} * ({terms[1]})", 1.6)
        if isinstance(node.op, products) and isinstance(inner.op, sums) and not flipped:
            sign = "+" if isinstance(inner.op, ast.Add) else "-"
            by = "*" if isinstance(node.op, ast.Mult) else "/"
            yield Edit(place, start, end, f"({a} {by} {c} {sign} {b})", 2.0)
            yield Edit(place, start, end, f"({a} {sign} {b} {by} {c})", 2.0)


def _of_call(node: ast.Call, place: int, places: TextPlaces) -> Iterator[Edit]:
    """Yield another method, another axis, kept dimensions, and an argument without its function."""
    start, end = places.span(node)
    name = (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )
    if isinstance(node.func, ast.Attribute):
        after = places.span(node.func)[1]
        for other in METHODS.get(name, ()):
            yield Edit(place, after - len(name), after, other, 1.2)
        if name in AXIS_METHODS and not any(k.arg in (*AXES, "keepdims", "keepdim") for k in node.keywords):
            inside = ", " if node.args or node.keywords else ""
            for axis in ("axis=1", "axis=0", "axis=1, keepdims=True", "axis=0, keepdims=True"):
                yield Edit(place, end - 1, end - 1, f"{inside}{axis}", 1.4)
        elif name in AXIS_METHODS and not any(k.arg in ("keepdims", "keepdim") for k in node.keywords):
            yield Edit(place, end - 1, end - 1, ", keepdims=True", 1.3)
    if len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
        yield Edit(place, start, end, places.words(node.args[0]), 1.5)
    if isinstance(node.func, ast.Attribute) and not node.args:
        yield Edit(place, start, end, places.words(node.func.value), 1.6)
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call | ast.BinOp | ast.Name):
        yield Edit(place, start, end, places.words(node.func.value), 1.9)
    for keyword in node.keywords:
        if keyword.arg in AXES and keyword.value is not None:
            spot = places.span(keyword.value)
            for axis in ("0", "1", "-1", "None"):
                yield Edit(place, *spot, axis, 1.0)
        if keyword.arg == "keepdims":
            yield Edit(place, *places.span(keyword.value), "True", 1.5)
    if name in ("sum", "max", "mean", "softmax", "log_softmax") and node.args:
        spot = places.span(node.args[-1])
        if isinstance(node.args[-1], ast.Constant | ast.UnaryOp):
            for axis in ("0", "1", "-1"):
                yield Edit(place, *spot, axis, 1.0)


def _of_constant(node: ast.Constant, place: int, places: TextPlaces, scalars: Sequence[str]) -> Iterator[Edit]:
    """Yield neighbouring integers, 0 and 1, numbers that have a name, and other words and truths."""
    start, end = places.span(node)
    value = node.value
    if isinstance(value, bool):
        yield Edit(place, start, end, str(not value), 1.2)
    elif isinstance(value, int) and abs(value) <= SMALL_INTEGERS:
        for other in {value - 1, value + 1, 0, 1, -value} - {value}:
            yield Edit(place, start, end, str(other), 1.4 + 0.2 * (abs(other - value) > 1))
    if isinstance(value, int | float) and not isinstance(value, bool):
        for name in scalars:
            yield Edit(place, start, end, name, 2.2)
    if isinstance(value, float):
        for words in ("0.0", "1.0", f"{-value!r}", f"{1 - value!r}", f"{1 / value!r}" if value else "1.0"):
            if words != repr(value):
                yield Edit(place, start, end, words, 1.6)
    if value in ("mean", "sum", "none"):
        for word in ("mean", "sum", "none"):
            if word != value:
                yield Edit(place, start, end, repr(word), 1.1)


def _of_sign(node: ast.UnaryOp, place: int, places: TextPlaces) -> Iterator[Edit]:
    """Yield the operand without its sign."""
    if isinstance(node.op, ast.USub):
        yield Edit(place, *places.span(node), places.words(node.operand), 1.1)


def _of_attribute(node: ast.Attribute, place: int, places: TextPlaces) -> Iterator[Edit]:
    """Yield a matrix that is not transposed, and the other length of a shape."""
    if node.attr == "T":
        yield Edit(place, *places.span(node), places.words(node.value), 1.2)


def _of_comparison(node: ast.Compare, place: int, places: TextPlaces) -> Iterator[Edit]:
    """Yield the opposite comparison."""
    start, end = places.span(node)
    words = places.text[start:end]
    for one, other in (("==", "!="), ("!=", "=="), (">=", "<"), ("<=", ">"), (">", "<"), ("<", ">")):
        if f" {one} " in words:
            yield Edit(place, start, end, words.replace(f" {one} ", f" {other} ", 1), 1.3)
            return


def _of_index(node: ast.Subscript, place: int, places: TextPlaces) -> Iterator[Edit]:
    """Yield another row or class where an entry is assigned to: its index one off, and its parts in the other order."""
    if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
        start, end = places.span(node.slice)
        first, second = map(places.words, node.slice.elts)
        yield Edit(place, start, end, f"{second}, {first}", 1.3)
