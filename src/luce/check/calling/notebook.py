"""The functions of a notebook: imports, definitions and assignments of its cells are run, and nothing else of it."""

from __future__ import annotations

import ast
import json
import linecache
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

__all__ = ["code_of_notebook"]

RUN = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
"""The statements that are run; what trains, prints or plots is left out."""


def code_of_notebook(file: Path) -> Iterator[CodeType]:
    """Yield the code of the statements of a notebook that define something, in their order.

    A cell's code has the name ``FILE.ipynb, cell 3``, code cells being counted from 1, and its lines are the cell's.
    Lines with a magic (``%``, ``!``) are left out.

    Parameters
    ----------
    file : Path

    Yields
    ------
    code

    Raises
    ------
    ValueError, KeyError
        For a file that is no notebook.
    SyntaxError
        For a cell that is no Python.
    """
    cells = [cell for cell in json.loads(file.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        text = "".join(cell["source"])
        if text.lstrip().startswith("%%"):
            continue
        lines = ["pass\n" if line.startswith(("%", "!")) else line for line in text.splitlines(keepends=True)]
        name = f"{file.resolve()}, cell {number}"
        linecache.cache[name] = (len(text), None, lines, name)
        for statement in ast.parse("".join(lines), name).body:
            if isinstance(statement, RUN):
                yield compile(ast.Module([statement], []), name, "exec")
