"""Model files: skops' format, which holds data and names of known types, never code to run."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skops.io
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

import luce
from luce.report.facts import Column
from luce.tables.failure import Failure
from luce.tables.output_files import replacing

__all__ = ["Model", "load_model", "save_model"]

FORMAT = "luce model 1"
# beside what skops knows of scikit-learn and NumPy; a dtype is read off an empty array
TRUSTED = {"luce.models.classifier.SoftmaxClassifier", "numpy.dtype"}
LEFT_OUT = ("_stream", "covariance_")


@dataclass(frozen=True)
class Model:
    """A trained pipeline with the columns that it wants and the column that it predicts, None for soft targets."""

    target: str | None
    columns: Sequence[Column]
    pipeline: Any


def save_model(path: Path, model: Model) -> None:
    """Write a model file, whole or not at all; it holds what prediction needs and no more."""
    content = {
        "format": FORMAT,
        "luce": luce.__version__,
        "target": model.target,
        "columns": [[column.name, column.kind] for column in model.columns if column.used],
        "pipeline": _for_prediction(model.pipeline),
    }
    with replacing(path) as file:
        file.write(skops.io.dumps(content, compression=zipfile.ZIP_DEFLATED))


def _for_prediction(pipeline: Any) -> Any:
    """Return the pipeline without what only training needs: the stream's quadratic, the covariance."""
    classifier = copy(pipeline[-1])
    for name in LEFT_OUT:
        classifier.__dict__.pop(name, None)
    classifier.standard_errors = False
    return Pipeline([*pipeline.steps[:-1], (pipeline.steps[-1][0], classifier)])


def load_model(path: Path) -> Model:
    """Read a model file.

    Raises
    ------
    Failure
        If there is no such file, it is no Luce model, or it names types that a Luce model does not consist of; nothing
        in it has been run then.
    """
    if not path.is_file():
        raise Failure(f"{path}: no such file" if not path.exists() else f"{path}: not a Luce model file")
    if not zipfile.is_zipfile(path):
        raise Failure(f"{path}: not a Luce model file")
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
        columns = [Column(name, kind, "") for name, kind in content["columns"]]
        model = Model(content["target"], columns, content["pipeline"])
        check_is_fitted(model.pipeline)
    except (KeyError, TypeError, ValueError, NotFittedError) as error:
        raise Failure(f"{path}: a damaged model file ({error})") from error
    return model
