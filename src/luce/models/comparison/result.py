"""The result of a comparison: as a table, a data frame, losses of the margin, a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from luce.models.comparison.built_in import BUILT_IN
from luce.models.comparison.margin_losses import Curve
from luce.models.comparison.measures import MEASURES, Row
from luce.models.comparison.plot import draw
from luce.models.evaluation.score import Score
from luce.models.inputs.kinds import Array
from luce.optional import needed
from luce.printing.table import Cell, TextTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

__all__ = ["Comparison"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """The measures of several models on the same folds: prints as a table, shows itself in a notebook, plots itself.

    Attributes
    ----------
    models : tuple of str
        Names, in the order of the rows.
    folds : (models, folds, 6) array
        The measures of each fold, in the order of `Row`'s fields; NaN where one is not defined. All models met the same
        folds: the differences of two, fold by fold, tell more than the errors of their rows.
    n_rows, n_classes : int
        Size of the data; a row of weight 0 counts as absent.
    """

    models: tuple[str, ...]
    folds: Array
    n_rows: int
    n_classes: int

    @property
    def rows(self) -> tuple[Row, ...]:
        """A `Row` for each model: mean over the folds (fit time: median) and standard error."""
        return tuple(
            Row(
                name,
                *(
                    Score.over_folds(values, median=field == "fit_time")
                    for values, field in zip(of_model.T, MEASURES, strict=True)
                ),
            )
            for name, of_model in zip(self.models, self.folds, strict=True)
        )

    def losses(self, margins: npt.ArrayLike) -> dict[str, Curve]:
        r"""Return loss and derivative of each built-in model of the comparison against the margin.

        The margin is the score of the true class minus the best other, :math:`m = z_y - \max_{k \ne y} z_k`. With two
        classes each loss depends on m alone:

        ==================  ===================  =======================
        model               loss                 derivative
        ==================  ===================  =======================
        softmax             log(1 + exp(−m))     −σ(−m)
        sigmoid             2 log(1 + exp(−m/2)) −σ(−m/2)
        svm-crammer-singer  max(0, 1 − m)        −1 where m < 1, else 0
        svm-ovr             max(0, 1 − m)²       −2 max(0, 1 − m)
        ridge               (1 − m)²             −2 (1 − m)
        ==================  ===================  =======================

        svm-ovr and ridge are drawn as scikit-learn fits them to two classes: a single score, which is the margin, and
        targets ±1. With a single score the sigmoid's loss is the softmax's; its curve is that of one-vs-rest, a sigmoid
        for each class, at the scores m/2 and −m/2. In general a score for each class makes 2 f(m/2) of f(m): the same
        curve with both axes doubled.

        Parameters
        ----------
        margins : array_like
            Margins, of any shape.

        Returns
        -------
        dict of str to Curve
            ``loss`` and ``gradient`` of the margins' shape, by name of the model.
        """
        m = np.asarray(margins, np.float64)
        return {name: BUILT_IN[name].curve(m) for name in self.models if name in BUILT_IN}

    def __str__(self) -> str:
        return "\n".join([*self._table().lines(), "", f"* best of its column; {self.caption}"])

    def _repr_html_(self) -> str:
        return self._table().html(f"bold: best of its column; {self.caption}")

    def to_frame(self) -> DataFrame:
        """Return a `pandas.DataFrame`: a row for each model, a column for each measure and one for its error.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = needed("pandas", "Comparison.to_frame")
        rows = np.array([row[1:] for row in self.rows])  # (models, measures, 2)
        columns = [name for field in MEASURES for name in (field, f"{field}_error")]
        return pandas.DataFrame(rows.reshape(len(rows), -1), pandas.Index(self.models, name="model"), columns)

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw the measures with their standard errors, and beside them losses and derivatives against the margin.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes of a grid (as ``plt.subplots`` makes them) whose place the panels take; None makes a figure.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If `ax` has no place in a grid.
        """
        return draw(self.rows, self.losses, self.caption, ax)

    @property
    def caption(self) -> str:
        """The meaning of the numbers in words: over how many folds, of how many rows and classes."""
        n_folds = self.folds.shape[1]
        folds = f"mean ± standard error over {n_folds} folds, fit time: median" if n_folds > 1 else "one split"
        return f"{folds}; {self.n_rows} rows, {self.n_classes} classes"

    def _table(self) -> TextTable:
        """Return a row for each model, with the best of each column marked as far as it is shown."""
        columns = []
        for field, measure in MEASURES.items():
            scores = [getattr(row, field) for row in self.rows]
            known = [score.value for score in scores if not np.isnan(score.value)]
            best = measure.shown(measure.best(known)) if len(known) > 1 else None
            values = [measure.shown(score.value) for score in scores]
            errors = ["" if np.isnan(score.error) else f" ± {measure.shown(score.error)}" for score in scores]
            columns.append([Cell(v + e, marked=v == best) for v, e in zip(values, errors, strict=True)])
        rows = [[Cell(name), *cells] for name, *cells in zip(self.models, *columns, strict=True)]
        return TextTable(["", *(measure.heading for measure in MEASURES.values())], rows, marks=True)
