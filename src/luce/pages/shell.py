"""The rendering of templates as pages: the frame, the filters for text and numbers, and the file that is written."""

from __future__ import annotations

from os import PathLike

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from luce._version import __version__
from luce.pages.svg import bar
from luce.printing import words
from luce.whole_file import whole_file

__all__ = ["rendered", "within", "write_whole"]

LONGEST, LONGEST_TOLD = 64, 120  # characters of a name that are shown, and that the pointer is told


def rendered(template: str, **values: object) -> str:
    """Return a page as one HTML document that needs nothing else: no network, no script, no font.

    Parameters
    ----------
    template : str
        A template of this package by its path, ``"report/page.html"`` for instance, which extends ``pages/base.html``.
        Its filters: name, cut, count, many, number, percent, within.
    **values
        `title`, `sections`, and whatever the template shows. Every text is taken for text, never for markup.
    """
    environment = Environment(
        loader=PackageLoader("luce", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        name=_name,
        cut=words.cut,
        count=words.count,
        many=words.many,
        number=words.number,
        percent=words.percent,
        within=within,
    )
    environment.globals.update(bar=bar)
    return environment.get_template(template).render(version=__version__, **values)


def write_whole(path: str | PathLike[str], content: str) -> None:
    """Write a page to `path`: beside it under another name, then renamed, so that it is there whole or not at all.

    Raises
    ------
    OSError
        If it can't be written.
    """
    with whole_file(path) as file:
        file.write(content.encode("utf-8", "replace"))


def within(score: tuple[float, float], share: bool = False) -> Markup:
    """Return a measure with its standard error, to two figures of the error."""
    value, error = words.measure(*score, share=share)
    return Markup('{} <span class="error">± {}</span>').format(value, error) if error else escape(value)


def _name(text: object) -> Markup:
    """Return text of the user: isolated from the direction of what surrounds it, cut where it is very long."""
    text = str(text)
    if not text.strip():
        return Markup('<span class="quiet">(empty)</span>')
    shown = words.cut(text, LONGEST)
    told = Markup("") if shown == text else Markup(' title="{}"').format(words.cut(text, LONGEST_TOLD))
    return Markup("<bdi{}>{}</bdi>").format(told, Markup(str(escape(shown)).replace("_", "_<wbr>")))
