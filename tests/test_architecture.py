"""docs/architecture.md shows the floors that the linter holds; run as a program this file writes them there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = (
    "<!-- floors: written by `python tests/test_architecture.py` from pyproject.toml -->",
    "<!-- end of floors -->",
)


def floors():
    """Return the linter's contracts of layers: container -> floors, the lowest first, each a list of rooms."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML; newer ones hold the page")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return {
        contract["containers"][0]: [rooms_of(layer) for layer in reversed(contract["layers"])]
        for contract in settings["contracts"]
        if contract["type"] == "layers"
    }


def rooms_of(layer):
    """Return the rooms of a layer; those in parentheses are to come."""
    rooms = [room.strip() for room in re.split(r"[|:]", layer)]
    return [room for room in rooms if not room.startswith("(")]


def sentence(room):
    """Return the first sentence of a room's docstring."""
    path = SOURCES / Path(*room.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    file = file if file.exists() else file.with_suffix(".pyi")
    words = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    return " ".join(words.split()).rstrip(".")


def table():
    """Return the floors as Markdown, a table a folder."""
    parts = []
    for container, layers in floors().items():
        parts += [
            "",
            f"`{container.replace('.', '/')}/`",
            "",
            "| floor | room | what is there |",
            "| --- | --- | --- |",
        ]
        for floor, rooms in enumerate(filter(None, layers), 1):
            parts += [f"| {floor} | `{room}` | {sentence(f'{container}.{room}')} |" for room in rooms]
    return "\n".join([*parts, ""])


def written(page):
    """Return the page with the floors of today."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def test_the_page_shows_the_floors_that_the_linter_holds():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page)


def test_every_room_says_what_it_is():
    assert all(sentence(f"{of}.{room}") for of, layers in floors().items() for rooms in layers for room in rooms)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
