"""Fitted linear classifiers, Luce's own and scikit-learn's: the layer that they are, and the places of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luce._softmax import softmax
from luce.arrays.given import given
from luce.derivation.quantities import Array
from luce.explanation.inputs import Scores, of_layer

__all__ = ["is_model", "of_model", "places_of", "temperature_of"]

MOST_CHECKED, SCALES = 8, (1.0, 0.1, 0.0)  # rows that tell the softmax from other probabilities
CLOSE = 1e-5  # probabilities in float32 of the same scores


def is_model(value: object) -> bool:
    """Return whether something is a model and not an array of scores."""
    return hasattr(value, "coef_") or (hasattr(value, "fit") and hasattr(value, "predict"))


def of_model(model: Any, x: Any) -> Scores:
    """Return the scores that a fitted linear classifier, perhaps at the end of a pipeline, gives to rows.

    Raises
    ------
    TypeError, ValueError
        For what is no linear classifier, is not fitted, or has probabilities that are not the softmax of its scores;
        and for rows that do not fit it.
    """
    if x is None:
        raise TypeError("x: a model is explained for a row: explain(model, x, y)")
    if hasattr(model, "steps"):  # a pipeline
        before, last = model[:-1], model[-1]
        scores = of_model(last, before.transform(_rows(x)) if len(before) else x)
        batch = _is_batch(x)
        names = _names_out(before, scores.features) if len(before) else scores.features
        return scores._replace(batch=batch, features=names, source=_named(last))
    for part in ("coef_", "intercept_", "classes_"):
        if not hasattr(model, part):
            wanted = "expected scores or a linear classifier that is fitted"
            raise TypeError(f"logits: {wanted}, got {_named(model)} without {part}")
    inputs, features = _inputs(model, x)
    weights, bias, labels = _dense(model.coef_), np.ravel(model.intercept_), np.asarray(model.classes_)
    if len(weights) == 1 and len(labels) == 2:  # the log-odds of the second class; the first one's score is 0
        weights, bias = np.vstack([0 * weights, weights]), np.concatenate([0 * bias, bias])
    bias = np.broadcast_to(bias, (len(weights),)).astype(np.float64)
    count = weights.shape[1]
    if inputs.ndim not in (1, 2) or inputs.shape[-1] != count or not len(inputs):
        raise ValueError(f"x: expected shape ({count},) or (B, {count}), the model's features, got {inputs.shape}")
    found = of_layer(inputs, weights, bias)
    _check_softmax(model, inputs, found.z, (inputs, weights, bias))
    classes = tuple(map(str, labels.tolist()))
    return found._replace(batch=_is_batch(x), classes=classes, features=features, source=_named(model))


def temperature_of(model: Any) -> float | None:
    """Return the temperature that a model was calibrated to, if it was."""
    found = getattr(model[-1] if hasattr(model, "steps") else model, "temperature_", None)
    return None if found is None or found == 1 else float(found)


def places_of(model: Any, y: Any, scores: Scores) -> Any:
    """Return the places of labels among the classes of a model; without labels, those of the largest scores."""
    if y is None:
        return scores.z.argmax(axis=1) if scores.batch else int(scores.z[0].argmax())
    labels = np.asarray(model.classes_).tolist()
    several = [y] if np.ndim(y) == 0 else given("y", y).ravel().tolist()
    if len(several) != len(scores.z):
        raise ValueError(f"y: expected a label for each of {len(scores.z)} rows, got {len(several)}")
    places = [_place(labels, label) for label in several]
    return np.array(places) if scores.batch else places[0]


def _place(labels: list[Any], label: Any) -> int:
    """Return the place of a label among the classes."""
    if label not in labels:
        known = ", ".join(map(repr, labels[:8])) + (", …" if len(labels) > 8 else "")
        raise ValueError(f"y: {label!r} is no class of the model; it knows {known}")
    return labels.index(label)


def _inputs(model: Any, x: Any) -> tuple[Array, tuple[str, ...]]:
    """Return rows as numbers, by the model's names where both have names, and the names of the features."""
    names = tuple(map(str, getattr(model, "feature_names_in_", ())))
    own = getattr(x, "columns", None) if np.ndim(x) == 2 else getattr(x, "index", None)
    if own is not None and not callable(own) and names:
        absent = [name for name in names if name not in list(own)]
        if absent:
            raise ValueError(f"x: the model's feature {absent[0]!r} is missing")
        x = x[list(names)]
    names = names or (tuple(map(str, own)) if own is not None and not callable(own) and _worded(own) else ())
    array = given("x", x.toarray() if hasattr(x, "toarray") else x)
    try:
        return array.astype(np.float64), names
    except (TypeError, ValueError) as error:
        raise TypeError(f"x: expected numbers, got {array.dtype}: {error}") from None


def _worded(names: Any) -> bool:
    return all(isinstance(name, str) for name in names)


def _rows(x: Any) -> Any:
    """Return one row as a table of one, as a pipeline takes it."""
    if np.ndim(x) != 1:
        return x
    return x.to_frame().T.infer_objects() if hasattr(x, "to_frame") else given("x", x)[None, :]


def _is_batch(x: Any) -> bool:
    """Return whether rows were given; a table of one is a row."""
    return np.ndim(x) == 2 and np.shape(x)[0] != 1


def _names_out(before: Any, names: Any) -> tuple[str, ...]:
    """Return the names of the features that a pipeline hands to its model, if it knows them."""
    try:
        return tuple(map(str, before.get_feature_names_out()))
    except Exception:  # transformers without names, of which there are many
        return tuple(names)


def _check_softmax(model: Any, inputs: Array, z: Array, layer: Sequence[Array]) -> None:
    """Raise if a model's probabilities are not the softmax of its scores: then its loss is another one."""
    if not hasattr(model, "predict_proba"):
        raise TypeError(f"logits: {_named(model)} has no probabilities; its loss is not the softmax cross-entropy")
    rows = np.atleast_2d(inputs)[:MOST_CHECKED]
    if not np.isfinite(z).all():
        return
    rows = np.concatenate([scale * rows for scale in SCALES])  # at sure rows all probabilities are much alike
    stated = np.asarray(model.predict_proba(_as_seen(model, rows)))
    expected = softmax(of_layer(rows, *layer[1:]).z / (temperature_of(model) or 1.0))
    if stated.shape != expected.shape or not np.allclose(stated, expected, rtol=CLOSE, atol=CLOSE):
        loss = getattr(model, "loss", None)
        said = f" with loss={loss!r}" if isinstance(loss, str) else ""
        raise ValueError(f"logits: the probabilities of {_named(model)}{said} are not the softmax of its scores")


def _as_seen(model: Any, rows: Array) -> Any:
    """Return rows with the names that a model was fitted with, which scikit-learn warns of otherwise."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=list(names))


def _dense(values: Any) -> Array:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, np.float64)


def _named(model: object) -> str:
    return type(model).__name__
