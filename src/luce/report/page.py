"""The page about a training run: what it shows is chosen and put in words here, the template only lays it out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from os import PathLike

import numpy as np
from markupsafe import Markup

from luce.models.evaluation.score import NORMAL_95, Score
from luce.models.inputs.kinds import Array
from luce.pages.shell import rendered, within, write_whole
from luce.printing.words import number, power
from luce.report.facts import Coefficients, Column, Data, Facts, Model
from luce.report.figures import descent, interval, reliability
from luce.report.held_out import HeldOut

__all__ = ["page", "write_page"]


MOST_SHOWN = 12  # of what is listed beside its fellows: classes, confusions, panels of coefficients
MOST_LISTED = 300  # of what is folded away: columns, classes
MATRIX_CLASSES = 20
MOST_FEATURES = 10
HARDEST = 8
LIKELIEST = 4
MOST_VALUES = 40

SECTIONS = {  # place on the page: heading
    "data": "Data",
    "held-out": "Held-out rows",
    "confusions": "Confusions",
    "classes": "Classes",
    "calibration": "Calibration",
    "hardest": "Hardest rows",
    "coefficients": "Coefficients",
    "training": "Training",
}
NOT_JUDGED = ("data", "coefficients", "training")  # the sections that need no held-out rows

MEASURE_WORDS = {  # name, what it says, whether it is a share
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
        All that it shows. Every name and label is taken for text, never for markup.

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
    return rendered(
        "report/page.html",
        title=facts.title,
        sections=[(place, SECTIONS[place]) for place in (SECTIONS if facts.held_out else NOT_JUDGED)],
        interval=interval,
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
        All that the page shows.

    Raises
    ------
    OSError
        If it can't be written.
    """
    write_whole(path, page(facts))


def _data(data: Data) -> dict[str, object]:
    """Return what the template shows of the data: classes by size, columns, and how many are left out."""
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


def _training(model: Model) -> dict[str, object]:
    """Return what the template shows of the training: objective and gradient per iteration, and the bound."""
    loss = np.asarray(model.loss_curve, np.float64)
    known = model.gap is not None and math.isfinite(model.gap)
    excess = loss - (loss[-1] - max(model.gap or 0.0, 0.0) if known else loss.min()) if len(loss) else loss
    return {
        "known": known,
        "gap": power(model.gap) if known and model.gap else "rounding",
        "excess": descent(excess, "loss above its minimum"),
        "gradient": descent(np.asarray(model.grad_norm_curve), "norm of the gradient"),
        "first": loss[0] if len(loss) else None,
        "last": loss[-1] if len(loss) else None,
    }


def _coefficients(learnt: Coefficients, classes: Sequence[str]) -> dict[str, object]:
    """Return what the template shows of the coefficients: the strongest of each class, on one axis."""
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


def _held_out(held_out: HeldOut, classes: Sequence[str]) -> dict[str, object]:
    """Return what the template shows of held-out rows: measures, confusions, reliability, the hardest rows."""
    headings = {"model": "model", "calibrated": "calibrated", "baseline": "class shares"}
    return {
        "method": held_out.method,
        "n": len(held_out.row_numbers),
        "model": held_out.scores["model"],
        "baseline": held_out.scores["baseline"],
        "columns": [headings[stage] for stage in held_out.scores],
        "measures": [
            (name, hint, [within(getattr(scores, key), share) for scores in held_out.scores.values()])
            for key, (name, hint, share) in MEASURE_WORDS.items()
        ],
        "wrong": held_out.wrong,
        "total": held_out.total,
        "matrix": _matrix(held_out.confusion_matrix) if len(classes) <= MATRIX_CLASSES else None,
        "confusions": held_out.confusions[:MOST_SHOWN],
        "reliabilities": _reliabilities(held_out),
        "by_class": _by_class(held_out),
        "hardest": list(_hardest(held_out)),
        "classes": classes,
    }


def _matrix(counts: Array) -> list[list[tuple[float, float]]]:
    """Return the count and the share of its row for each cell of the confusion matrix."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(totals > 0, totals, 1)
    return [list(zip(*row, strict=True)) for row in zip(counts.tolist(), shares.tolist(), strict=True)]


def _reliabilities(held_out: HeldOut) -> list[tuple[str, Score, Markup]]:
    """Return the name, the calibration error and the diagram of each stage, all on the same axes."""
    names = {"model": "as trained", "calibrated": f"calibrated, temperature {number(held_out.temperature)}"}
    lowest = min(float(min(found.bins.low.min(), found.confidence.min())) for found in held_out.reliability.values())
    return [
        (
            names[stage],
            held_out.scores[stage].calibration_error,
            reliability(found, lowest, f"reliability diagram, {names[stage]}"),
        )
        for stage, found in held_out.reliability.items()
    ]


def _by_class(held_out: HeldOut) -> dict[str, object]:
    """Return the classes in their order where they are few, else the weakest first and the others folded away."""
    table = held_out.by_class
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


def _hardest(held_out: HeldOut) -> Iterator[dict[str, object]]:
    """Yield the rows of the largest loss; of soft labels the largest share is shown as a row's own class."""
    true, given = np.asarray(held_out.true), held_out.stages["model"]
    own = true.argmax(axis=1) if true.ndim == 2 else true
    for i in held_out.hardest[:HARDEST].tolist():
        likeliest = np.argsort(-given[i], kind="stable")[:LIKELIEST].tolist()
        if own[i] not in likeliest:
            likeliest[-1] = int(own[i])
        yield {
            "number": held_out.row_numbers[i],
            "true": int(own[i]),
            "predicted": int(given[i].argmax()),
            "loss": held_out.losses[i],
            "classes": [(k, given[i, k]) for k in likeliest],
            "values": [(name, values[i]) for name, values in islice((held_out.rows or {}).items(), MOST_VALUES)],
            "left": max(len(held_out.rows or {}) - MOST_VALUES, 0),
        }
