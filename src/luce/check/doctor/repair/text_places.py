"""Where the nodes of a syntax tree stand in the text that they were read from, in characters."""

from __future__ import annotations

import ast

__all__ = ["TextPlaces", "library"]


class TextPlaces:
    """Where the nodes of a text stand, in characters."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def of(self, line: int, column: int) -> int:
        """Return the place of a line and a column of bytes."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return where a node begins and ends."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.of(node.lineno, node.col_offset), self.of(node.end_lineno, node.end_col_offset)

    def words(self, node: ast.expr | ast.stmt) -> str:
        """Return the text of a node."""
        start, end = self.span(node)
        return self.text[start:end]


def library(text: str) -> str:
    """Return the name of the library of arrays that a text uses."""
    return next((name for name in ("jnp", "np", "numpy", "torch") if f"{name}." in text), "math")
