"""A step of a derivation: what it computes, by which formula and rule, from which steps, and with which numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from luce.derivation.quantities import Array
from luce.explanation.quantities import Exact
from luce.explanation.shown import Slot

__all__ = ["Curves", "Note", "Part", "Step", "Table"]


@dataclass(frozen=True)
class Note:
    """A remark of a step: a sentence and perhaps a formula, which is a template as a step's numbers are."""

    text: str
    formula: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a step. Cells are words, or places of numbers; the first of a row is its heading.

    Attributes
    ----------
    caption : str
    head : tuple of str
    rows : tuple of tuple
        Of text and :class:`~luce.explanation.shown.Slot`.
    most : int or None
        The rows that faces without room to scroll show, the first ones; None for all, 0 for none.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | Slot, ...], ...]
    most: int | None = None


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Curves over one axis: quantities of one length, by name."""

    caption: str
    x: str
    x_label: str
    y_label: str
    lines: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a derivation.

    Attributes
    ----------
    name : str
        The key of the step, and the name of its quantity: ``"probabilities"``.
    title : str
    symbol : str
        Of its quantity, in LaTeX.
    formula : str
        The general formula, in LaTeX.
    template : str
        The formula with places for the reader's numbers (:mod:`luce.explanation.shown`).
    follows : tuple of str
        The names of the steps that it follows from.
    rule : str
        The rule that was used: "quotient rule", for instance.
    why : str
        One sentence that says why.
    axes : tuple of str
        The sizes of its quantity in symbols: ``("T", "T")``; () for a number.
    code : str
        The lines of NumPy that compute its quantity from those before it, under the name of the step.
    notes : tuple of Note
    tables : tuple of Table
    curves : tuple of Curves
    option : str
        The option that the step is there for: without it the step is left out, and `instead` stands for it.
    instead : str
    compute : callable
        Returns the exact value, an array of ``mpmath.mpf``.
    part : str
        The key of the part that it belongs to.
    """

    name: str
    title: str
    symbol: str
    formula: str
    template: str = ""
    follows: tuple[str, ...] = ()
    rule: str = "definition"
    why: str
    axes: tuple[str, ...] = ()
    code: str = ""
    notes: tuple[Note, ...] = ()
    tables: tuple[Table, ...] = ()
    curves: tuple[Curves, ...] = ()
    option: str = ""
    instead: str = ""
    part: str = ""
    compute: Callable[[], Exact] = field(repr=False, default=lambda: np.empty(0, object))
    fill: Callable[[str], str] = field(repr=False, default=str)

    @property
    def exact(self) -> Exact:
        """The value in many digits, an array of ``mpmath.mpf``."""
        return self.compute()

    @property
    def value(self) -> Array:
        """The value, the nearest float64 to each exact number."""
        return self.exact.astype(np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.exact.shape

    @property
    def numbers(self) -> str:
        """The formula with the reader's numbers put in, in LaTeX."""
        return self.fill(self.template)


@dataclass(frozen=True)
class Part:
    """A part of a derivation: a question and the steps that answer it.

    Attributes
    ----------
    key : str
        ``"softmax"``, as links to it say.
    title : str
    lead : str
        What it is about, in a sentence or two.
    steps : tuple of Step
    """

    key: str
    title: str
    lead: str
    steps: tuple[Step, ...]
