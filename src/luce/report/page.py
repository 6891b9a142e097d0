"""From facts to the page: what is chosen, cut and put in words is done here, the template only lays it out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from scipy.special import xlogy

from luce import __version__
from luce.models.evaluation.metrics import (
    NORMAL_95,
    Outcomes,
    Score,
    Scores,
    confidence_bins,
    outcomes,
    per_class,
    scores,
)
from luce.report.facts import Coefficients, Column, Data, Facts, HeldOut, Model
from luce.report.figures import bar, descent, interval, reliability
from luce.whole_file import whole_file

__all__ = ["page", "write_page"]

Array = npt.NDArray[Any]

MOST_SHOWN = 12  # of what is listed beside its fellows: classes, confusions, panels of coefficients
MOST_LISTED = 300  # of what is folded away: columns, classes
MATRIX_CLASSES = 20
MOST_FEATURES = 10
HARDEST = 8
LIKELIEST = 4
MOST_VALUES = 40
LONGEST, LONGEST_TOLD = 64, 120  # characters of a name that are shown, and that the pointer is told

MEASURES = {  # name, what it says, whether it is a share
    "accuracy": ("Accuracy ↑", "rows given their own class", True),
    "log_loss": ("Log loss ↓", "mean cross-entropy of the true class, in nats", False),
    "brier": ("Brier score ↓", "squared error of the probabilities, 0 to 2", False),
    "reciprocal_rank": ("Mean reciprocal rank ↑", "1 over the true class's place among the likeliest", False),
    "f1": ("Macro F1 ↑", "the Dice coefficient, mean over classes", False),
    "auc": ("Macro AUC ↑", "each class against the rest, mean over classes", False),
    "calibration_error": ("Calibration error ↓", "mean distance of confidence from accuracy", True),
}


def page(facts: Facts) -> str:
    """Return the page as one HTML document that needs nothing else: no network, no script, no font.

    Parameters
    ----------
    facts : Facts
        What it shows. Every name and label is taken for text, never for markup.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> from luce.report.facts import Coefficients, Data, Facts, Model
    >>> from luce.report.page import page
    >>> data = Data("flowers.csv", "species", ["rose", "tulip"], np.array([2, 3]), 5)
    >>> model = Model("softmax classifier", {"C": 1.0}, "newton", 0.01, 1, np.array([0.7, 0.1]), np.array([0.5, 1e-9]))
    >>> coefficients = Coefficients(["height"], np.array([[1.5]]), np.array([0.2]))
    >>> page(Facts("Flowers", data, model, coefficients)).splitlines()[0]
    '<!doctype html>'
    """
    environment = Environment(
        loader=PackageLoader("luce", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        name=_name, cut=_cut, count=_count, many=_many, number=_number, percent=_percent, within=_within
    )
    environment.globals.update(bar=bar, interval=interval)
    return environment.get_template("page.html").render(
        title=facts.title,
        version=__version__,
        model=facts.model,
        data=_data(facts.data),
        training=_training(facts.model),
        coefficients=_coefficients(facts.coefficients, facts.data.classes),
        held_out=facts.held_out and _held_out(facts.held_out, facts.data.classes),
    )


def write_page(path: str | PathLike[str], facts: Facts) -> None:
    """Write the page to `path`: beside it under another name, then renamed, so that it is there whole or not at all.

    Parameters
    ----------
    path : path-like
        The file to write; one that is there is replaced.
    facts : Facts
        What the page shows.

    Raises
    ------
    OSError
        If it can't be written.
    """
    content = page(facts).encode("utf-8", "replace")
    with whole_file(path) as file:
        file.write(content)


def _data(data: Data) -> dict[str, Any]:
    counts = np.asarray(data.class_counts)
    order = np.argsort(-counts, kind="stable") if len(counts) > MOST_SHOWN else np.arange(len(counts))
    classes = [
        (data.classes[k], counts[k], counts[k] / max(counts.sum(), 1), counts[k] / max(counts.max(), 1)) for k in order
    ]
    columns = None if data.columns is None else [Column(*column) for column in data.columns]
    return {
        "facts": data,
        "classes": classes[:MOST_SHOWN],
        "more_classes": classes[MOST_SHOWN:MOST_LISTED],
        "left_classes": max(len(classes) - MOST_LISTED, 0),
        "columns": columns and columns[:MOST_LISTED],
        "left_columns": max(len(columns or ()) - MOST_LISTED, 0),
        "kinds": Counter(column.kind for column in columns or () if column.used).most_common(),
        "unused": sum(not column.used for column in columns or ()),
        "n_columns": len(columns or ()),
        "folded": len(columns or ()) > MOST_SHOWN,
    }


def _training(model: Model) -> dict[str, Any]:
    loss = np.asarray(model.loss_curve, np.float64)
    known = model.gap is not None and math.isfinite(model.gap)
    excess = loss - (loss[-1] - max(model.gap or 0.0, 0.0) if known else loss.min()) if len(loss) else loss
    return {
        "known": known,
        "gap": _power(model.gap) if known and model.gap else "rounding",
        "excess": descent(excess, "loss above its minimum"),
        "gradient": descent(np.asarray(model.grad_norm_curve), "norm of the gradient"),
        "first": loss[0] if len(loss) else None,
        "last": loss[-1] if len(loss) else None,
    }


def _coefficients(learnt: Coefficients, classes: Sequence[str]) -> dict[str, Any]:
    scales = np.ones(len(learnt.feature_names)) if learnt.scales is None else np.asarray(learnt.scales)
    coef = np.asarray(learnt.coef, np.float64) * scales
    half = None if learnt.standard_errors is None else NORMAL_95 * np.asarray(learnt.standard_errors) * scales
    shown = classes[1:] if len(coef) == 1 and len(classes) == 2 else classes
    panels = []
    for k in range(min(len(coef), MOST_SHOWN)):
        strongest = np.argsort(-np.abs(coef[k]), kind="stable")[:MOST_FEATURES]
        rows = [
            (learnt.feature_names[j], coef[k, j], None if half is None or np.isnan(half[k, j]) else half[k, j])
            for j in strongest
        ]
        panels.append((shown[k], rows, learnt.intercept[k]))
    sizes = np.array([abs(value) for _, rows, _ in panels for _, value, _ in rows])
    reaches = np.array([abs(value) + (h or 0.0) for _, rows, _ in panels for _, value, h in rows])
    limit = max(min(np.max(reaches), 3 * np.max(sizes)), 1e-300) if sizes.size else 1.0
    return {
        "panels": panels,
        "limit": limit,
        "cut": bool((reaches > limit).any()),
        "n_panels": len(coef),
        "n_features": len(learnt.feature_names),
        "most_features": MOST_FEATURES,
        "scaled": learnt.scales is not None,
        "intervals": half is not None,
        "binary": len(classes) == 2,
    }


def _held_out(judged: HeldOut, classes: Sequence[str]) -> dict[str, Any]:
    true, given, weights = np.asarray(judged.true), np.asarray(judged.probabilities, np.float64), judged.weights
    n, K = given.shape
    met = outcomes(true, given, weights)
    predicted = met.probabilities.argmax(axis=1)
    model, baseline = (scores(true, p, weights) for p in (given, np.broadcast_to(judged.baseline, given.shape)))
    calibrated = None if judged.calibrated is None else np.asarray(judged.calibrated, np.float64)
    stages = [("as trained", met, model.calibration_error)]
    columns: list[tuple[str, Scores]] = [("model", model)]
    if calibrated is not None:
        after = scores(true, calibrated, weights)
        columns.append(("calibrated", after))
        name = f"calibrated, temperature {_number(judged.temperature)}"
        stages.append((name, outcomes(true, calibrated, weights), after.calibration_error))
    columns.append(("class shares", baseline))
    wrong = predicted != met.true
    counts = np.zeros((K, K))
    np.add.at(counts, (met.true, predicted), met.mass)
    return {
        "how": judged.how,
        "n": n,
        "model": model,
        "baseline": baseline,
        "columns": [name for name, _ in columns],
        "measures": [
            (name, hint, [_within(getattr(column, key), share) for _, column in columns])
            for key, (name, hint, share) in MEASURES.items()
        ],
        "n_wrong": met.mass[wrong].sum(),
        "total": met.mass.sum(),
        "matrix": _matrix(counts) if K <= MATRIX_CLASSES else None,
        "confusions": _confusions(counts),
        "reliabilities": _reliabilities(stages),
        "by_class": _by_class(judged),
        "hardest": list(_hardest(judged, true, given)),
        "classes": classes,
    }


def _matrix(counts: Array) -> list[list[tuple[float, float]]]:
    """Return the count and the share of its row for each cell of the confusion matrix."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(totals > 0, totals, 1)
    return [list(zip(*row, strict=True)) for row in zip(counts.tolist(), shares.tolist(), strict=True)]


def _confusions(counts: Array) -> list[tuple[int, int, float, float]]:
    """Return the true and the predicted class, the count and its share of the class for the most frequent ones."""
    true, predicted = np.nonzero(counts * (1 - np.eye(len(counts))))
    found = counts[true, predicted]
    order = np.argsort(-found, kind="stable")[:MOST_SHOWN]
    return [(true[i], predicted[i], found[i], found[i] / counts[true[i]].sum()) for i in order]


def _reliabilities(stages: Sequence[tuple[str, Outcomes, Score]]) -> list[tuple[str, Score, Markup]]:
    """Return the name, the calibration error and the diagram of each stage, all on the same axes."""
    drawn = []
    for name, met, error in stages:
        given = met.probabilities
        right, sure = (given.argmax(axis=1) == met.true).astype(np.float64), given.max(axis=1)
        drawn.append((name, error, confidence_bins(right, sure, met.mass), right, sure))
    lowest = min(float(min(bins.low.min(), sure.min())) for _, _, bins, _, sure in drawn)
    return [
        (name, error, reliability(bins, right, sure, lowest, f"reliability diagram, {name}"))
        for name, error, bins, right, sure in drawn
    ]


def _by_class(judged: HeldOut) -> dict[str, Any]:
    """Return the classes in their order where they are few, else the weakest first and the others folded away."""
    table = per_class(judged.true, judged.probabilities, judged.weights)
    K = len(table.f1)
    order = np.arange(K) if K <= MATRIX_CLASSES else np.argsort(table.f1, kind="stable")  # NaN comes last
    rows = [(k, *(column[k] for column in table)) for k in order]
    shown = K if K <= MATRIX_CLASSES else MOST_SHOWN
    return {
        "rows": rows[:shown],
        "more": rows[shown:MOST_LISTED],
        "left": max(K - MOST_LISTED, 0) if K > MATRIX_CLASSES else 0,
        "weakest_first": K > MATRIX_CLASSES,
    }


def _hardest(judged: HeldOut, true: Array, given: Array) -> Iterator[dict[str, Any]]:
    if true.ndim == 2:  # what is shown as a row's own class is the largest share
        losses, true = -xlogy(true, given).sum(axis=1), true.argmax(axis=1)
    else:
        with np.errstate(divide="ignore"):
            losses = -np.log(np.take_along_axis(given, true[:, None], 1)[:, 0])
    for i in np.argsort(-losses, kind="stable")[:HARDEST].tolist():
        likeliest = np.argsort(-given[i], kind="stable")[:LIKELIEST].tolist()
        if true[i] not in likeliest:
            likeliest[-1] = int(true[i])
        yield {
            "number": judged.row_numbers[i],
            "true": int(true[i]),
            "predicted": int(given[i].argmax()),
            "loss": losses[i],
            "classes": [(k, given[i, k]) for k in likeliest],
            "values": [(name, values[i]) for name, values in islice((judged.rows or {}).items(), MOST_VALUES)],
            "left": max(len(judged.rows or {}) - MOST_VALUES, 0),
        }


def _name(text: Any) -> Markup:
    """Return text of the user: isolated from the direction of what surrounds it, cut where it is very long."""
    text = str(text)
    if not text.strip():
        return Markup('<span class="quiet">(empty)</span>')
    shown = _cut(text, LONGEST)
    told = Markup("") if shown == text else Markup(' title="{}"').format(_cut(text, LONGEST_TOLD))
    return Markup("<bdi{}>{}</bdi>").format(told, Markup(str(escape(shown)).replace("_", "_<wbr>")))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _count(number: float) -> str:
    """Return a count; with one decimal where weights make it no whole number."""
    return f"{number:,.0f}" if number == round(number) else f"{number:,.1f}"


def _many(number: float, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{_count(number)} {noun if number == 1 else plural}"


def _number(value: Any) -> str:
    """Return a number with three or four figures; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    text = f"{value:.3f}" if size == 0 or 0.01 <= size < 10 else f"{value:.4g}" if 10 <= size < 1e5 else f"{value:.1e}"
    return text.replace("-", "\N{MINUS SIGN}")


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _percent(value: float) -> str:
    """Return a share with one decimal; what is neither none nor all never reads as either."""
    if math.isnan(value):
        return "–"
    if 0 < value < 0.0005:
        return "<0.1%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    return f"{value:.1%}"


def _within(score: Score, share: bool = False) -> Markup:
    """Return a measure with its standard error, to two figures of the error."""
    if not math.isfinite(score.value):
        return escape(_number(score.value))
    unit, scale = ("%", 100) if share else ("", 1)
    error = score.error * scale
    digits = 1 - math.floor(math.log10(error)) if error > 0 else 3 - int(share) * 2
    digits = min(max(digits, 1), 2 if share else 4)
    return Markup('{} <span class="error">± {}</span>').format(
        f"{round(score.value * scale, digits) + 0.0:.{digits}f}{unit}", f"{error:.{digits}f}{unit}"
    )
