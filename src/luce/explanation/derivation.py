"""A derivation: the steps from scores to every derivative, with the faces that are written from them."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from luce.explanation.steps import Steps
from luce.optional import needed

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from luce.printing.data import JSONObject

__all__ = ["Derivation"]


class Derivation(Steps):
    """The derivation of a loss and its derivatives, as an ordered list of named steps.

    ``derivation["jacobian"].value`` is a step's value; ``print(derivation)`` shows them all; :meth:`to_html`,
    :meth:`to_markdown`, :meth:`to_latex` and :meth:`to_code` write them. All are made of the same steps.

    Attributes
    ----------
    case : Case
        What is explained.
    parts : tuple of Part
        The steps in their parts.
    steps : tuple of Step
    left_out : dict of str to str
        The steps of options that are not used, and what stands for each.
    unused : tuple of str
        The options of those steps.
    remarks : tuple of str
        What there is to say about special numbers: a class that can't happen, a NaN, a row that is ignored.
    digits : int
        The significant digits that numbers are shown with.

    Examples
    --------
    >>> import luce
    >>> derivation = luce.explain([2.0, 1.0, 0.1], 0)
    >>> derivation["gradient"].value.round(4)
    array([-0.341 ,  0.2424,  0.0986])
    >>> derivation["jacobian"].shape, derivation["jacobian"].rule
    ((3, 3), 'quotient rule')
    """

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write the interactive page: one file that opens offline, where every number follows the reader's edits.

        Parameters
        ----------
        path : path-like
            A file that is there is replaced, at the end and as a whole.

        Raises
        ------
        OSError
            If it can't be written.
        ImportError
            Without the packages that formulas and pages are written with: ``pip install "luce[explain]"``.
        """
        needed("latex2mathml", "Derivation.to_html")
        needed("jinja2", "Derivation.to_html")
        from luce.explanation.faces.page import write_page

        write_page(self, path)

    def _repr_html_(self) -> str:
        from luce.explanation.faces.notebook import summary

        return summary(self)

    def only(self, *parts: str) -> Derivation:
        """Return the derivation with some of its parts alone, by their keys.

        Raises
        ------
        KeyError
            For a part that there is not.
        """
        known = [part.key for part in self.parts]
        for key in parts:
            if key not in known:
                raise KeyError(f"no part {key!r}; the parts are {', '.join(known)}")
        return Derivation(self.case, digits=self.digits, only=parts)

    def to_markdown(self) -> str:
        """Return the derivation as a Markdown document, its formulas in LaTeX."""
        from luce.explanation.faces.markdown import markdown

        return markdown(self)

    def to_latex(self) -> str:
        """Return the derivation as a document for LaTeX that needs no package but amsmath."""
        from luce.explanation.faces.latex import document

        return document(self)

    def to_dict(self) -> JSONObject:
        """Return the derivation as plain data: numbers, lists and text; NaN and infinities are words."""
        from luce.explanation.faces.data import as_data

        return as_data(self)

    def to_json(self) -> str:
        """Return the derivation as text in JSON."""
        from luce.explanation.faces.data import as_json

        return as_json(self)

    def to_code(self) -> str:
        """Return a script of NumPy, without Luce, that recomputes every number of all parts and asserts each."""
        from luce.explanation.faces.code import script

        return script(Derivation(self.case, digits=self.digits) if self._only else self)

    def __str__(self) -> str:
        from luce.explanation.faces.terminal import plain_text

        return plain_text(self)

    def __repr__(self) -> str:
        return f"<Derivation of {len(self)} steps: {', '.join(self._by_name)}>"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from luce.explanation.faces.terminal import rendered

        yield from rendered(self, options.max_width)
