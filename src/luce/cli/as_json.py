"""The report for machines: one JSON object with what the page shows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from luce import __version__
from luce.models.evaluation.metrics import outcomes, per_class, scores
from luce.report.facts import Coefficients, Facts, HeldOut
from luce.tables.training.record import Training

__all__ = ["as_json"]

Array = npt.NDArray[Any]
HARDEST = 20


def as_json(training: Training, facts: Facts, written: Mapping[str, Path]) -> str:
    """Return the report as JSON; what is no finite number is null.

    Parameters
    ----------
    training, facts : Training, Facts
    written : mapping
        The files that the run wrote, by what they are.
    """
    data, model, choice = facts.data, facts.model, training.choice
    content = {
        "luce": __version__,
        "files": {name: str(path) for name, path in written.items()},
        "data": {
            "source": data.source,
            "target": data.target,
            "rows": data.n_rows,
            "rows_without_target": training.without_target,
            "rows_without_weight": training.without_weight,
            "classes": data.classes,
            "class_counts": data.class_counts,
            "columns": [column._asdict() for column in training.columns],
        },
        "model": {
            "name": model.name,
            "parameters": model.parameters,
            "solver": model.solver,
            "seconds": model.seconds,
            "iterations": model.n_iter,
            "loss_curve": training.curve,
            "gradient_norm_curve": model.grad_norm_curve,
            "gap": model.gap,
            "notes": model.notes,
        },
        "choice": None if choice is None else choice._asdict(),
        "coefficients": _coefficients(facts.coefficients),
        "statistics": _statistics(training),
        "held_out": facts.held_out and _held_out(facts.held_out, data.classes),
    }
    return json.dumps(_plain(content), allow_nan=False, ensure_ascii=False)


def _coefficients(learnt: Coefficients) -> dict[str, Any]:
    return {
        "features": learnt.feature_names,
        "coef": learnt.coef,
        "intercept": learnt.intercept,
        "standard_errors": learnt.standard_errors,
        "scales": learnt.scales,
    }


def _statistics(training: Training) -> dict[str, Any] | None:
    if training.pipeline[-1].standard_errors is not True:
        return None
    summary = training.pipeline[-1].summary()
    names = ("coefficient", "standard_error", "z", "p", "low", "high", "level", "log_likelihood")
    more = ("null_log_likelihood", "aic", "bic", "mcfadden", "degrees_of_freedom", "observations")
    return {"classes": summary.classes} | {name: getattr(summary, name) for name in names + more}


def _held_out(judged: HeldOut, classes: Sequence[str]) -> dict[str, Any]:
    true, given, weights = judged.true, judged.probabilities, judged.weights
    met = outcomes(true, given, weights)
    confusion = np.zeros((len(classes),) * 2)
    np.add.at(confusion, (met.true, met.probabilities.argmax(axis=1)), met.mass)
    stages = {"model": given, "calibrated": judged.calibrated, "baseline": judged.baseline}
    losses = np.zeros(len(given))
    with np.errstate(divide="ignore"):
        logs = np.log(np.take_along_axis(met.probabilities, met.true[:, None], 1)[:, 0])
    np.add.at(losses, met.row, -met.mass * logs)
    losses /= 1 if weights is None else weights
    return {
        "how": judged.how,
        "rows": len(given),
        "weight": met.mass.sum(),
        "temperature": judged.temperature,
        "scores": {
            name: {measure: score._asdict() for measure, score in scores(true, p, weights)._asdict().items()}
            for name, p in stages.items()
            if p is not None
        },
        "classes": per_class(true, given, weights)._asdict(),
        "confusion": confusion,
        "hardest": [
            {
                "row": judged.row_numbers[i],
                "true": classes[true[i]] if true.ndim == 1 else true[i],
                "loss": losses[i],
                "probabilities": given[i],
                "values": {name: values[i] for name, values in (judged.rows or {}).items()},
            }
            for i in np.argsort(-losses, kind="stable")[:HARDEST].tolist()
        ],
    }


def _plain(value: Any) -> Any:
    """Return the value in JSON's own types."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
