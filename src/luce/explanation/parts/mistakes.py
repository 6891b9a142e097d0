"""The catalogue of mistakes on the reader's numbers: what each would have returned, and how to see it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from luce.check.doctor.mistakes.catalogue import SUBJECTS
from luce.check.doctor.mistakes.entry import Mistake
from luce.check.doctor.walk import walk
from luce.derivation import Given
from luce.derivation.quantities import Array
from luce.explanation.case import Case
from luce.explanation.parts.looked_at import has_numbers, written_out
from luce.explanation.parts.writing import row
from luce.explanation.quantities import Numbers, Values, exact, quantity
from luce.explanation.shown import Slot, n
from luce.explanation.step import Note, Part, Step, Table

__all__ = ["Made", "made", "part"]

VISIBLE = 1e-6  # the relative difference from which on a mistake is said to make one
MOST_HIGHLIGHTS = 8
LARGEST_JACOBIAN = 24


class Made(NamedTuple):
    """A mistake of the catalogue made on the reader's numbers.

    Attributes
    ----------
    mistake : Mistake
        Its name, what is said of it, the formulas that are computed and right, and its fix.
    subject : str
        Its subject: the file of the catalogue.
    loss : float
        The value that it returns; of the row that is looked at, where each row has its own.
    gradient : ndarray of shape (T,)
        Its gradient in the scores of that row.
    differs : tuple of str
        What is not as it should be, of ``loss``, ``gradient``, ``dW``, ``db``, ``dx`` and ``jacobian``.
    entry : str
        The entry of the first of these, where it is neither loss nor gradient, that is furthest off: ``"dW[0, 1]"``.
    found, right : float
        What it returns there, and what would be right.
    """

    mistake: Mistake
    subject: str
    loss: float
    gradient: Array
    differs: tuple[str, ...]
    entry: str = ""
    found: float = np.nan
    right: float = np.nan

    def looks_like(self, other: Made) -> bool:
        """Return whether another mistake returns the same loss and gradient."""
        return _alike(np.array([self.loss, *self.gradient]), np.array([other.loss, *other.gradient]))


def _given(v: Values) -> Given:
    """Return what is explained as float64, each number nearest to the one that is shown."""
    q, given = v.derived, v.case.given
    options = {
        name: exact(value).astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
        for name, value in given.options.items()
    }
    layer = None if given.layer is None else tuple(np.asarray(part, np.float64) for part in (q.x, q.W, q.b))
    return Given(logits=np.asarray(q.z, np.float64), target=given.target, options=options, layer=layer)  # type: ignore


@lru_cache(maxsize=4)
def made(v: Values) -> tuple[Made, ...]:
    """Return every mistake of the catalogue, made on the reader's numbers: in the order of the catalogue.

    Parameters
    ----------
    v : Values

    Returns
    -------
    tuple of Made
        Those that make no difference too: their `differs` is empty.
    """
    given = _given(v)
    small = v.case.n_classes <= LARGEST_JACOBIAN and len(given.logits) == 1
    wanted = ["loss", "gradient", *(("dW", "db", "dx") if given.layer is not None else ()), *(["jacobian"] * small)]
    right = {name: found for name, found in walk(given).items() if name in wanted}
    return tuple(
        _made(v.case, (mistake, subject.__name__.rpartition(".")[2]), _walked(given, mistake, wanted) or right, right)
        for subject in SUBJECTS
        for mistake in subject.SUBJECT
    )


def _walked(given: Given, mistake: Mistake, wanted: list[str]) -> dict[str, Array] | None:
    """Return what the walk gives with a mistake, None where it can't be made: of one class there is no second."""
    try:
        found = walk(given, (mistake,), wanted)
    except (IndexError, ValueError, ZeroDivisionError):
        return None
    return {name: found[name] for name in wanted}


def _made(case: Case, of: tuple[Mistake, str], found: dict[str, Array], right: dict[str, Array]) -> Made:
    """Return a mistake with what it returns."""
    differs = tuple(name for name in found if not _alike(found[name], right[name]))
    loss = found["loss"] if found["loss"].ndim == 0 else found["loss"][case.row : case.row + 1].sum()
    gradient = found["gradient"]
    own = gradient[case.row] if gradient.shape == right["gradient"].shape else gradient
    own = own if own.shape == (case.n_classes,) else np.full(case.n_classes, np.nan)
    result = Made(*of, float(loss), own, differs)
    others = [name for name in differs if name not in ("loss", "gradient")]
    if not others or len(others) < len(differs):
        return result
    entry, *numbers = _furthest(others[0], found[others[0]], right[others[0]])
    return result._replace(entry=entry, found=numbers[0], right=numbers[1])


def _alike(found: Array, right: Array) -> bool:
    """Return whether two results are of one shape and agree as far as one sees."""
    return found.shape == right.shape and np.allclose(found, right, rtol=VISIBLE, atol=0, equal_nan=True)


def _furthest(name: str, found: Array, right: Array) -> tuple[str, float, float]:
    """Return the entry that is furthest off, and what stands there; in words where the shapes differ."""
    if found.shape != right.shape:
        return f"{name}, of shape {found.shape} instead of {right.shape}", np.nan, np.nan
    place = np.unravel_index(np.abs(np.nan_to_num(found - right)).argmax(), found.shape)
    where = ", ".join(str(int(k)) for k in (place[1:] if name == "jacobian" else place))
    return f"{'J' if name == 'jacobian' else name}[{where}]", float(found[place]), float(right[place])


def _wrong(v: Values) -> list[Made]:
    """Return the mistakes that show in the loss or in the gradient."""
    return [one for one in made(v) if {"loss", "gradient"} & {*one.differs}]


def _elsewhere(v: Values) -> list[Made]:
    """Return the mistakes that show in the layer's gradients or in the Jacobian alone."""
    return [one for one in made(v) if one.differs and not {"loss", "gradient"} & {*one.differs}]


@quantity
def mistaken_losses(v: Values) -> Numbers:
    """The value by each mistake that shows in loss or gradient, in the order of the catalogue, of shape (M,)."""
    return exact(np.array([one.loss for one in _wrong(v)]))


@quantity
def mistaken_gradients(v: Values) -> Numbers:
    """The gradient in the row's scores by each of these mistakes, of shape (M, T)."""
    return exact(np.array([one.gradient for one in _wrong(v)]).reshape(-1, v.case.n_classes))


@quantity
def mistaken_entries(v: Values) -> Numbers:
    """What the other mistakes return in one entry, and what is right there, of shape (K, 2)."""
    return exact(np.array([(one.found, one.right) for one in _elsewhere(v)]).reshape(-1, 2))


def part(case: Case, v: Values) -> Part | None:
    """Return the part about mistakes, if the row has scores."""
    if not has_numbers(v):
        return None
    lead = (
        "Each of these mistakes was made in public, and most train well enough to go unnoticed. On this row one "
        "sees what each would have returned: compare your own numbers, or let luce.check do it, which knows the "
        "same list."
    )
    steps = [_gradients(case, v)] if _wrong(v) else []
    if _elsewhere(v):
        steps.append(_entries(v))
    return Part("mistakes", "Mistakes", lead, tuple(steps)) if steps else None


def _gradients(case: Case, v: Values) -> Step:
    wrong = _wrong(v)
    places = {one.mistake.name: k for k, one in enumerate(wrong)}
    first = _commonest(wrong)
    value = n("value", case.row) if v.derived.reduction == "none" else n("value")
    return Step(
        name="mistaken_gradients",
        title="What mistakes would have returned",
        symbol=r"\tilde{g}",
        formula=r"\tilde{g} \ne \frac{\partial L}{\partial z}",
        template=rf"L \eq {value}, \quad \frac{{\partial L}}{{\partial z}} \eq "
        + row(case.n_classes, lambda k: n("batch_gradient", case.row, k), case.told),
        follows=("value", "batch_gradient"),
        rule="comparison",
        why="A mistake that leaves the loss right is found only by its gradient, one in the loss only by its value.",
        axes=("M", "T"),
        notes=(
            Note(
                f"{len(wrong)} of the {len(made(v))} mistakes in the catalogue show in loss or gradient here. They are "
                "computed in float64, as code does it.",
            ),
        ),
        tables=(
            _numbers(case, first, places, "The commonest mistake of each subject: what it returns."),
            _words(first, "How to see it, and what to change."),
            _numbers(case, wrong, places, "All of them, by subject.", most=0),
            _words(wrong, "What is wrong in each, and what to change.", most=0),
            _silent(v),
        ),
    )


def _commonest(wrong: list[Made]) -> list[Made]:
    """Return the first mistake of each subject whose numbers no earlier one gives."""
    found: dict[str, Made] = {}
    for k, one in enumerate(wrong):
        if one.mistake.kind == "mistake" and one.subject not in found and not any(map(one.looks_like, wrong[:k])):
            found[one.subject] = one
    return list(found.values())[:MOST_HIGHLIGHTS]


def _numbers(case: Case, ones: list[Made], places: dict[str, int], caption: str, most: int | None = None) -> Table:
    """Return a table of what mistakes return."""
    shown = written_out(case, 3)
    return Table(
        caption=caption,
        head=("mistake", "subject", "computed", "loss", *(case.classes[k] for k in shown)),
        rows=tuple(
            (
                _named(one),
                one.subject,
                one.mistake.computed,
                Slot("mistaken_losses", (places[one.mistake.name],)),
                *(Slot("mistaken_gradients", (places[one.mistake.name], k)) for k in shown),
            )
            for one in ones
        ),
        most=most,
    )


def _words(ones: list[Made], caption: str, most: int | None = None) -> Table:
    """Return a table of what is said of mistakes."""
    return Table(
        caption=caption,
        head=("mistake", "what is wrong", "right", "what to change"),
        rows=tuple((_named(one), one.mistake.said, one.mistake.right, one.mistake.fix) for one in ones),
        most=most,
    )


def _named(one: Made) -> str:
    """Return the name of a mistake, and what else it is: a convention, or a limit."""
    return one.mistake.name if one.mistake.kind == "mistake" else f"{one.mistake.name} (a {one.mistake.kind})"


def _silent(v: Values) -> Table:
    """Return the mistakes that make no difference here, by subject."""
    names: dict[str, list[str]] = {}
    for one in made(v):
        if not one.differs:
            names.setdefault(one.subject, []).append(one.mistake.name)
    return Table(
        caption="Without a difference here: other rows, options or scores bring these to light.",
        head=("subject", "mistakes"),
        rows=tuple((subject, "; ".join(every)) for subject, every in names.items()),
        most=0,
    )


def _entries(v: Values) -> Step:
    elsewhere = _elsewhere(v)
    return Step(
        name="mistaken_entries",
        title="Mistakes in other derivatives",
        symbol=r"\tilde{J}",
        formula=r"\tilde{J} \ne J \quad \text{or} \quad \tilde{g}_W \ne \frac{\partial L}{\partial W}",
        follows=("mistaken_gradients",) if _wrong(v) else ("batch_gradient",),
        rule="comparison",
        why="Loss and gradient in the scores are right with these; a Jacobian or a gradient of the layer is not.",
        axes=("K", "2"),
        tables=(
            Table(
                caption="The entry that is furthest off.",
                head=("mistake", "computed", "entry", "returned", "right"),
                rows=tuple(
                    (
                        *(_named(one), one.mistake.computed, one.entry),
                        *(Slot("mistaken_entries", (k, c)) for c in (0, 1)),
                    )
                    for k, one in enumerate(elsewhere)
                ),
                most=MOST_HIGHLIGHTS,
            ),
            _words(elsewhere, "What is wrong in each, and what to change.", most=0),
        ),
    )
