"""PyTorch's private names, which may change with any release, are in one file."""

import ast
from pathlib import Path

import luce.torch

ROOM = Path(luce.torch.__file__).parent
HOME = "tensors.py"
PYTHONS_OWN = {"__file__", "__init__", "__name__", "_fields", "_replace", "_asdict"}


def private_names(path):
    """The names with an underscore in front that a file takes from PyTorch or from an object, but for Python's own."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Attribute):
            words = ast.unparse(node).split(".")
            names = words if words[0] in ("torch", "forward_ad", "nn") else words[-1:] if words[0] != "self" else []
        else:
            continue
        yield from (name for name in names if name.startswith("_") and name not in PYTHONS_OWN)


def test_they_are_in_one_file():
    found = {str(path.relative_to(ROOM)): set(private_names(path)) for path in ROOM.rglob("*.py")}
    assert found.pop(HOME) > {"_C", "_current_level", "_functorch", "_is_zerotensor"}  # or the search finds nothing
    assert not {name: names for name, names in found.items() if names}
