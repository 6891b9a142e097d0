"""The door of the explanation: whatever can be explained, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from luce._cross_entropy import cross_entropy
from luce.arrays.given import given, nonnegative
from luce.contract.numbers import Range, integer
from luce.contract.options import Options
from luce.contract.targets import is_pair
from luce.derivation import Given
from luce.derivation.quantities import Array
from luce.explanation.case import Case
from luce.explanation.derivation import Derivation
from luce.explanation.fitted import is_model, of_model, places_of, temperature_of
from luce.explanation.inputs import Scores, of_layer, of_logits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Unpack

    from luce.contract.options import GivenOptions

__all__ = ["explain", "explained"]

EXAMPLE = (2.0, 1.0, 0.1), 0
DIGITS = Range("an integer from 2 to 30", lambda x: 2 <= x <= 30)


def explain(
    logits: Any = None,
    target: Any = None,
    y: Any = None,
    *,
    x: ArrayLike | None = None,
    W: ArrayLike | None = None,
    b: ArrayLike | None = None,
    row: int | None = None,
    class_names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    digits: int = 4,
    **options: Unpack[GivenOptions],
) -> Derivation:
    """Derive the softmax cross-entropy and every derivative of it, step by step, with the numbers that are given.

    Without arguments the example (2, 1, 0.1) with target 0 is explained.

    Parameters
    ----------
    logits : array_like of shape (T,) or (B, T), or a fitted linear classifier
        Scores of T classes, of one row or of B; or a model with ``coef_``, ``intercept_`` and ``classes_``, which is
        explained for a row by ``explain(model, x, y)``.
    target : int, array_like, or (indices, probabilities)
        As :func:`luce.cross_entropy` takes it. With a model: the input of one row, of N features, or of B rows.
    y : label or sequence of labels, optional
        With a model: the true class, one of ``classes_``; by default the class that the model predicts.
    x, W, b : array_like of shapes (N,) or (B, N), (T, N) and (T,)
        A linear layer, whose scores are ``W x + b``, in place of logits. b is 0 by default.
    row : int, optional
        The row of a batch that is looked at; by default the one with the largest loss.
    class_names, feature_names : sequence of str, optional
    digits : int, default 4
        The significant digits that numbers are shown with.
    **options
        Those of :func:`luce.cross_entropy`.

    Returns
    -------
    Derivation

    Raises
    ------
    TypeError, ValueError, IndexError
        As :func:`luce.cross_entropy` raises them, and for parts of a layer or a model that do not fit.

    Examples
    --------
    >>> import luce
    >>> luce.explain([2.0, 1.0, 0.1], 0)["loss"].value
    array(0.41703002)
    >>> layer = luce.explain(x=[1.0, 2.0], W=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], target=2)
    >>> layer["weight_gradient"].shape, layer["weight_jacobian"].shape
    ((3, 2), (3, 6))
    """
    said: dict[str, Any] = dict(options)
    layer = {name: part for name, part in (("x", x), ("W", W), ("b", b)) if part is not None}
    predicted = False
    if is_model(logits):
        if layer:
            raise TypeError(f"{', '.join(layer)}: a model has a layer of its own; give the row as the second argument")
        scores = of_model(logits, target)
        target, predicted = places_of(logits, y, scores), y is None
        if "temperature" not in said and (found := temperature_of(logits)) is not None:
            said["temperature"] = found
    elif y is not None:
        raise TypeError("y: the third argument goes with a model; the second is the target of logits")
    elif logits is None and not layer and target is None and not said:
        scores, target = of_logits(EXAMPLE[0]), EXAMPLE[1]
    elif logits is None and not layer:
        raise TypeError("logits: expected scores, or x and W; got None")
    elif logits is not None and layer:
        raise TypeError("logits: expected either logits or x, W and b, got both")
    else:
        scores = of_layer(x, W, b) if logits is None else of_logits(logits)
    named = scores._replace(classes=class_names or scores.classes, features=feature_names or scores.features)
    return explained(named, target, said, row=row, digits=digits, predicted=predicted)


def explained(
    scores: Scores,
    target: Any,
    options: Mapping[str, Any],
    *,
    row: int | None = None,
    digits: int = 4,
    predicted: bool = False,
) -> Derivation:
    """Return the derivation of scores and a target, both checked by the loss itself.

    Parameters
    ----------
    scores : Scores
    target : int, array_like, or (indices, probabilities)
    options : mapping
        Those of :func:`luce.cross_entropy` that were said.
    row : int, optional
    digits : int
    predicted : bool
        Whether the target is what a model predicts, since none was given.
    """
    digits = int(DIGITS.check("digits", integer("digits", digits, DIGITS.wanted)))
    if target is None:
        raise TypeError("target: expected a class, a distribution or (indices, probabilities), got None")
    z = scores.z if scores.batch else scores.z[0]
    alone = {**options, "reduction": "none", "on_empty": "nan", "normalizer": None}
    losses = np.atleast_1d(cross_entropy(z, target, **alone))
    cross_entropy(z, target, **options)  # what the options say of each other
    rows, classes = scores.z.shape
    at = _row(row, losses)
    t = _target(target, rows, classes, options)
    found = _given(scores, t, options, at)
    hard = t.ndim == 1 and bool(found.counted[at])
    features = 0 if scores.layer is None else scores.layer[1].shape[1]
    case = Case(
        given=found,
        row=at,
        batch=scores.batch,
        classes=_names("class_names", scores.classes, classes, "class "),
        features=_names("feature_names", scores.features, features, "x"),
        options=_used(options),
        of_class=int(t[at]) if hard else None,
        predicted=predicted,
        scores=scores.z,
        source=scores.source,
    )
    return Derivation(case, digits=digits)


def _row(row: int | None, losses: Array) -> int:
    """Return the row that is looked at: without a wish that of the largest loss."""
    if row is None:
        return int(np.argmax(np.where(np.isnan(losses), np.inf, losses)))
    if not -len(losses) <= integer("row", row, "an integer") < len(losses):
        raise IndexError(f"row: expected {-len(losses)} <= row < {len(losses)}, got {row}")
    return int(row) % len(losses)


def _used(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not what they are by default."""
    defaults = Options()._asdict()
    return {name: value for name, value in options.items() if np.ndim(value) or value != defaults.get(name, None)}


def _given(scores: Scores, target: Array, options: Mapping[str, Any], row: int) -> Given:
    """Return the input of the derivation; rows that hold no number are blanked out, as they give NaN throughout."""
    z, rows = scores.z, len(scores.z)
    broken = np.asarray(np.isnan(z).any(axis=1) | np.isposinf(z).any(axis=1) | np.isneginf(z).all(axis=1))
    own = {name: np.asarray(value) if np.ndim(value) else value for name, value in options.items()}
    if own.get("sample_weight") is not None:
        shape = (rows,) if scores.batch else ()
        what = "one weight per row"
        weights = nonnegative("sample_weight", own["sample_weight"], shape, np.float64, what, boolean=True)
        own["sample_weight"] = np.broadcast_to(weights, (rows,))
    weightless = _of_weightless_classes(target, own)
    if (weightless & broken).any():  # they count for nothing, whatever they hold
        own["sample_weight"] = np.where(weightless & broken, 0.0, own.get("sample_weight", np.ones(rows)))
    layer = scores.layer
    if layer is not None and broken.any():
        layer = None if broken[row] else (np.where(broken[:, None], np.nan, layer[0]), *layer[1:])
    return Given(logits=np.where(broken[:, None], np.nan, z), target=target, options=own, layer=layer)


def _of_weightless_classes(target: Array, options: Mapping[str, Any]) -> Array:
    """Return a mask of the rows whose loss has no term, as the weight of their class is 0."""
    weight = options.get("weight")
    if weight is None or target.ndim == 2 or options.get("label_smoothing") or options.get("z_loss"):
        return np.zeros(len(target), bool)
    counted = target != options.get("ignore_index", -100)
    return np.asarray(counted & (weight[np.where(counted, target, 0)] == 0))


def _target(target: Any, rows: int, classes: int, options: Mapping[str, Any]) -> Array:
    """Return class indices, of shape (B,), or distributions, of shape (B, T)."""
    if is_pair(target):
        return _dense(target, rows, classes, options.get("tail") == "uniform")
    array = given("target", target)
    return np.atleast_1d(array).astype(np.int64) if array.dtype.kind in "iu" else np.atleast_2d(array)


def _dense(target: Any, rows: int, classes: int, tail: bool) -> Array:
    """Return the distributions, of shape (B, T), of indices and their probabilities."""
    indices, shares = (given("target", part).reshape(rows, -1) for part in target)
    dense = np.zeros((rows, classes))
    for b in range(rows):
        np.add.at(dense[b], indices[b], shares[b])
        others = np.setdiff1d(np.arange(classes), indices[b])
        if tail and len(others):
            dense[b, others] += (1 - shares[b].sum()) / len(others)
    return dense


def _names(argument: str, names: Sequence[str], count: int, word: str) -> tuple[str, ...]:
    """Return a name for each class or feature."""
    if not len(names):
        return tuple(f"{word}{k}" for k in range(count))
    if len(names) != count:
        raise ValueError(f"{argument}: expected {count} names, got {len(names)}")
    return tuple(map(str, names))
