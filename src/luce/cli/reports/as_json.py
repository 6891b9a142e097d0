"""The report for machines: one JSON object with what the page shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from luce._version import __version__
from luce.models.summary import Summary
from luce.printing.data import plain_data
from luce.report.facts import Coefficients, Facts
from luce.report.held_out import HeldOut
from luce.tables.training.record import Training

__all__ = ["as_json"]

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
            "remarks": data.remarks,
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
        "statistics": facts.summary and _statistics(facts.summary),
        "held_out": facts.held_out and _held_out(facts.held_out, data.classes),
    }
    return json.dumps(plain_data(content), allow_nan=False, ensure_ascii=False)


def _coefficients(learnt: Coefficients) -> dict[str, object]:
    return {
        "features": learnt.feature_names,
        "coef": learnt.coef,
        "intercept": learnt.intercept,
        "standard_errors": learnt.standard_errors,
        "scales": learnt.scales,
    }


def _statistics(summary: Summary) -> dict[str, object]:
    names = ("coefficient", "standard_error", "z", "p", "low", "high", "level", "log_likelihood")
    more = ("null_log_likelihood", "aic", "bic", "mcfadden", "degrees_of_freedom", "observations")
    return {"classes": summary.classes} | {name: getattr(summary, name) for name in names + more}


def _held_out(judged: HeldOut, classes: Sequence[str]) -> dict[str, object]:
    true = judged.true
    return {
        "how": judged.method,
        "rows": len(judged.row_numbers),
        "weight": judged.total,
        "temperature": judged.temperature,
        "scores": {
            stage: {measure: score._asdict() for measure, score in scores._asdict().items()}
            for stage, scores in judged.scores.items()
        },
        "classes": judged.by_class._asdict(),
        "confusion": judged.confusion_matrix,
        "hardest": [
            {
                "row": judged.row_numbers[i],
                "true": classes[true[i]] if true.ndim == 1 else true[i],
                "loss": judged.losses[i],
                "probabilities": judged.probabilities[i],
                "values": {name: values[i] for name, values in (judged.rows or {}).items()},
            }
            for i in judged.hardest[:HARDEST].tolist()
        ],
    }
