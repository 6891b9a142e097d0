"""A derivation: the ordered steps from scores to every derivative, and the faces that are written from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts import parts_of
from luce.explanation.quantities import Values
from luce.explanation.remarks import remarks_on
from luce.explanation.shown import SCORE, Shown, Slot, entry, filled, shown
from luce.explanation.step import Part, Step
from luce.optional import needed

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from luce.printing.data import JSONObject

__all__ = ["Derivation"]


class Derivation(Sequence[Step]):
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

    def __init__(
        self, case: Case, *, digits: int = 4, only: tuple[str, ...] = (), values: Values | None = None
    ) -> None:
        self.case, self.digits, self._only = case, digits, only
        self.values = Values(case) if values is None else values  # those of the same numbers, where they are known
        parts = parts_of(case, self.values)
        every = [step for part in parts for step in part.steps]
        self.unused = tuple(dict.fromkeys(step.option for step in every if step.option and not case.says(step.option)))
        self.left_out = {step.name: step.instead for step in every if step.option and not case.says(step.option)}
        self.parts = tuple(self._finished(part) for part in parts if not only or part.key in only)
        self.steps = tuple(step for part in self.parts for step in part.steps)
        self._by_name = {step.name: step for step in self.steps}
        self.remarks = remarks_on(case, self.values)

    def _finished(self, part: Part) -> Part:
        """Return the part with the steps whose option is used, with their values and numbers."""
        score = "u" if self.case.scaled else "z"
        steps = tuple(
            replace(
                step,
                formula=step.formula.replace(SCORE, score),
                symbol=step.symbol.replace(SCORE, score),
                template=step.template.replace(SCORE, score),
                notes=tuple(replace(note, formula=note.formula.replace(SCORE, score)) for note in step.notes),
                follows=tuple(map(self._in_place_of, step.follows)),
                part=part.key,
                compute=partial(self.values.__getitem__, step.name),
                fill=self.fill,
            )
            for step in part.steps
            if step.name not in self.left_out
        )
        return replace(part, steps=steps)

    def _in_place_of(self, name: str) -> str:
        """Return the step that stands for one that is left out."""
        while name in self.left_out:
            name = self.left_out[name]
        return name

    def shown(self, slot: Slot) -> Shown:
        """Return the number in a place, rounded to the digits that are shown."""
        with mp.workdps(self.case.digits):
            return shown(entry(self.values, slot), self.digits)

    def fill(self, template: str) -> str:
        """Return a template with its numbers."""
        return filled(template, self.shown)

    def __getitem__(self, name: str | int | slice) -> Step:  # type: ignore[override]
        if not isinstance(name, str):
            return self.steps[name]  # type: ignore[return-value]
        if name not in self._by_name:
            raise KeyError(f"no step {name!r}; the steps are {', '.join(self._by_name)}")
        return self._by_name[name]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

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

    def keys(self) -> tuple[str, ...]:
        """Return the names of the steps in their order."""
        return tuple(self._by_name)

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
