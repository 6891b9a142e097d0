"""Model files of the first version of Luce, which were in skops' format and held a pipeline of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from luce.report.facts import Column
from luce.tables.failure import Failure
from luce.tables.model import Model
from luce.tables.preparation import Levels, Number, Preparation, Scale

__all__ = ["load_old_model"]

FORMAT = "luce model 1"
# beside what skops knows of scikit-learn and NumPy; a dtype is read off an empty array
TRUSTED = {"luce.models.classifier.SoftmaxClassifier", "numpy.dtype"}


def load_old_model(path: Path) -> Model:
    """Read a file of the old format.

    Raises
    ------
    Failure
        If skops is not installed, the file is no Luce model, or it names types that a Luce model does not consist of;
        nothing in it has been run then.
    """
    try:
        import skops.io
    except ModuleNotFoundError as error:
        raise Failure(f"{path}: an older version's model file, which skops reads: pip install skops") from error
    try:
        strangers = sorted(set(skops.io.get_untrusted_types(file=path)) - TRUSTED)
    except Exception as error:  # whatever a foreign zip file makes skops stumble over
        raise Failure(f"{path}: not a Luce model file") from error
    if strangers:
        raise Failure(f"{path}: refused, it holds what no Luce model consists of: {', '.join(strangers[:3])}")
    try:
        content = skops.io.load(path, trusted=sorted(TRUSTED))
    except Exception as error:
        raise Failure(f"{path}: a damaged model file, or one of another version ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise Failure(f"{path}: not a Luce model file")
    try:
        return _model(content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Failure(f"{path}: a damaged model file ({error})") from error


def _model(content: dict[str, Any]) -> Model:
    prepare, classifier = content["pipeline"]["prepare"], content["pipeline"][-1]
    numbers: list[Number] = []
    levels: list[Levels] = []
    for part, fitted, columns in prepare.transformers_:
        if part == "numbers" and len(columns):
            numbers = _numbers(fitted["impute"], fitted["standardise"], list(columns))
        elif part == "text" and len(columns):
            levels = [
                _levels(name, found.tolist(), pooled)
                for name, found, pooled in zip(columns, fitted.categories_, fitted.infrequent_categories_, strict=True)
            ]
    return Model(
        content["target"],
        [str(label).lower() if isinstance(label, bool) else str(label) for label in classifier.classes_.tolist()],
        [Column(name, kind, "") for name, kind in content["columns"]],
        Preparation(numbers, levels),
        np.asarray(classifier.coef_, np.float64),
        np.asarray(classifier.intercept_, np.float64),
        classifier.loss,
    )


def _numbers(impute: Any, standardise: Any, names: list[str]) -> list[Number]:
    scales = [Scale(float(m), float(s)) for m, s in zip(standardise.mean_, standardise.scale_, strict=True)]
    marks = dict(zip(impute.indicator_.features_.tolist(), scales[len(names) :], strict=True))
    return [
        Number(name, float(median), scale, marks.get(at))
        for at, (name, median, scale) in enumerate(zip(names, impute.statistics_, scales, strict=False))
    ]


def _levels(name: str, found: list[Any], pooled: Any) -> Levels:
    rare = [] if pooled is None else pooled.tolist()
    return Levels(name, [level for level in found if level not in rare], rare)
