"""A page of what a terminal shows: the same lines and marks, in colours that go with a light and a dark page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from markupsafe import Markup
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from luce.pages.shell import rendered

__all__ = ["recorded", "recorded_page"]

COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
QUIET = "#7f7f7f"  # Rich's dim text: halfway between the theme's black on white
# a colour of its own for each name, which the style sheet then has by name: once for text, once for what is behind it
NORMAL = [(1, 0, place) for place in range(8)]
BRIGHT = [(2, 0, place) for place in range(8)]
THEME = TerminalTheme((255, 255, 255), (0, 0, 0), NORMAL, BRIGHT)
NAMES = {f"#{red:02x}{green:02x}{blue:02x}": COLOURS[blue] for red, green, blue in (*NORMAL, *BRIGHT)}


def recorded_page(title: str, show: Callable[[Console], None], *, width: int = 100) -> str:
    """Return a page of what is shown on a console.

    Parameters
    ----------
    title : str
        Of the page.
    show : callable
        Prints to the console that it is given.
    width : int
        Of the console, in characters.

    Examples
    --------
    >>> from luce.pages.recording import recorded_page
    >>> page = recorded_page("found", lambda console: console.print("a < b", style="bold red"))
    >>> "a &lt; b</span>" in page, "color: var(--red)" in page
    (True, True)
    """
    stylesheet, code = recorded(show, width=width)
    return rendered("pages/recording.html", title=title, sections=(), stylesheet=stylesheet, code=code)


def recorded(show: Callable[[Console], None], *, width: int = 100) -> tuple[Markup, Markup]:
    """Return what is shown on a console as a style sheet, and the lines as HTML for a page that has it."""
    console = Console(record=True, width=width, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    show(console)
    stylesheet, _, code = console.export_html(theme=THEME, code_format="{stylesheet}\0{code}").partition("\0")
    return Markup(re.sub(r"(background-)?(color: )(#[0-9a-f]{6})", _by_name, stylesheet)), Markup(code.rstrip())


def _by_name(found: re.Match[str]) -> str:
    """Return a declaration with the page's colour of that name; other colours stay."""
    behind, declared, colour = found[1] or "", found[2], found[3]
    if colour in NAMES:
        colour = f"var(--{NAMES[colour]}{'-fill' if behind else ''})"
    return behind + declared + ("var(--quiet)" if colour == QUIET else colour)
