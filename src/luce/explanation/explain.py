"""The door of the explanation: whatever can be explained, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from luce._cross_entropy import cross_entropy
from luce.arrays.given import floating, given, nonnegative
from luce.contract.layer import check_layer_shapes
from luce.contract.numbers import Range, integer
from luce.contract.options import Options
from luce.contract.targets import is_pair
from luce.derivation import Given
from luce.derivation.quantities import Array
from luce.explanation.case import Case
from luce.explanation.derivation import Derivation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Unpack

    from luce.contract.options import GivenOptions

__all__ = ["explain"]

EXAMPLE = (2.0, 1.0, 0.1), 0
DIGITS = Range("an integer from 2 to 30", lambda x: 2 <= x <= 30)


class Scores(NamedTuple):
    """Scores (B, T) and the layer that made them, with the names of classes and features."""

    z: Array
    layer: tuple[Array, Array, Array] | None = None
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


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
    digits = int(DIGITS.check("digits", integer("digits", digits, DIGITS.wanted)))
    if hasattr(logits, "coef_"):
        if x is not None or W is not None or b is not None:
            raise TypeError("x, W, b: a model has a layer of its own; give the row as the second argument")
        scores, target = _of_model(logits, target, y)
        batch = np.ndim(target) > 0
    else:
        if y is not None:
            raise TypeError("y: the third argument goes with a model; the second is the target of logits")
        if logits is None and x is None and W is None:
            if target is not None or options:
                raise TypeError("logits: expected scores, or x and W; got None")
            logits, target = EXAMPLE
        if target is None:
            raise TypeError("target: expected a class, a distribution or (indices, probabilities), got None")
        scores, batch = _of_layer(x, W, b) if logits is None else _of_logits(logits, x, W, b)
    case = _case(scores, target, batch, row, options, class_names, feature_names)
    return Derivation(case, digits=digits)


def _of_logits(logits: Any, *layer: Any) -> tuple[Scores, bool]:
    """Return the scores of logits, and whether they are a batch."""
    if any(part is not None for part in layer):
        raise TypeError("logits: expected either logits or x, W and b, got both")
    z = floating("logits", logits)
    if z.ndim not in (1, 2) or z.shape[-1] == 0:
        raise ValueError(f"logits: expected shape (T,) or (B, T) with at least one class, got {z.shape}")
    return Scores(np.atleast_2d(z)), z.ndim == 2


def _of_layer(x: Any, W: Any, b: Any) -> tuple[Scores, bool]:
    """Return the scores of a layer, and whether its input is a batch."""
    for name, part in (("x", x), ("W", W)):
        if part is None:
            raise TypeError(f"{name}: a layer needs x and W, got None")
    inputs, weights = floating("x", x), floating("W", W)
    if weights.ndim != 2 or weights.shape[0] == 0:
        raise ValueError(f"W: expected shape (T, N), got {weights.shape}")
    if inputs.ndim not in (1, 2) or inputs.shape[-1] != weights.shape[1]:
        n_features = weights.shape[1]
        raise ValueError(
            f"x: expected shape ({n_features},) or (B, {n_features}), as W has columns, got {inputs.shape}"
        )
    bias = np.zeros(len(weights)) if b is None else floating("b", b)
    if bias.shape != (len(weights),):
        raise ValueError(f"b: expected shape ({len(weights)},), as W has rows, got {bias.shape}")
    rows = np.atleast_2d(inputs)
    with np.errstate(all="ignore"):
        z = rows.astype(np.float64) @ weights.astype(np.float64).T + bias
    return Scores(z, (rows, weights, bias)), inputs.ndim == 2


def _of_model(model: Any, x: Any, y: Any) -> tuple[Scores, Any]:
    """Return the scores of a fitted linear classifier for rows, and the places of their true classes."""
    if x is None:
        raise TypeError("x: a model is explained for a row: explain(model, x, y)")
    features = tuple(map(str, getattr(model, "feature_names_in_", ())))
    inputs = floating("x", np.asarray(given("x", x), dtype=np.float64))
    weights, bias, labels = np.asarray(model.coef_), np.ravel(model.intercept_), np.asarray(model.classes_)
    if len(weights) == 1 and len(labels) == 2:  # the log-odds of the second class; the first one's score is 0
        weights, bias = np.vstack([0 * weights, weights]), np.r_[0.0, bias]
    if bias.shape != (len(weights),):
        bias = np.broadcast_to(bias, (len(weights),))
    if inputs.shape[-1:] != weights.shape[1:] or inputs.ndim not in (1, 2):
        raise ValueError(f"x: expected shape ({weights.shape[1]},), the model's features, got {inputs.shape}")
    (scores, batch) = _of_layer(inputs, weights, bias)
    if batch and len(inputs) == 1 and np.ndim(y) == 0:
        batch = False  # a row of a frame
    if y is None:
        places = scores.z.argmax(axis=1)
    else:
        places = np.array(
            [_place(labels, label) for label in (np.ravel(y) if batch else [y if np.ndim(y) == 0 else y[0]])]
        )
    named = scores._replace(classes=tuple(map(str, labels)), features=features)
    return named, places if batch else int(places[0])


def _place(labels: Array, label: Any) -> int:
    """Return the place of a label among the classes of a model."""
    found = np.flatnonzero(labels == label)
    if not len(found):
        known = ", ".join(map(repr, labels.tolist()[:8]))
        raise ValueError(f"y: {label!r} is no class of the model; it knows {known}")
    return int(found[0])


def _case(
    scores: Scores,
    target: Any,
    batch: bool,
    row: int | None,
    options: GivenOptions,
    class_names: Sequence[str] | None,
    feature_names: Sequence[str] | None,
) -> Case:
    """Return the case, its target and options checked by the loss itself."""
    z = scores.z if batch else scores.z[0]
    losses = np.atleast_1d(cross_entropy(z, target, **{**options, "reduction": "none", "on_empty": "nan", "normalizer": None}))
    cross_entropy(z, target, **options)  # what the options say of each other
    rows, classes = scores.z.shape
    used = (
        {name: value for name, value in options.items() if value != getattr(Options(), name, None)}
        if not any(np.ndim(value) for value in options.values())
        else {
            name: value for name, value in options.items() if np.ndim(value) or value != getattr(Options(), name, None)
        }
    )
    places, t = _target(target, rows, classes, options, batch)
    if row is None:
        row = int(np.argmax(np.where(np.isnan(losses), np.inf, losses))) if rows else 0
    elif not -rows <= integer("row", row, "an integer") < rows:
        raise IndexError(f"row: expected 0 <= row < {rows}, got {row}")
    row %= max(rows, 1)
    broken = np.isnan(scores.z).any(axis=1) | np.isposinf(scores.z).any(axis=1) | np.isneginf(scores.z).all(axis=1)
    own: dict[str, Any] = {name: np.asarray(value) if np.ndim(value) else value for name, value in options.items()}
    if own.get("sample_weight") is not None:
        own["sample_weight"] = np.broadcast_to(
            nonnegative(
                "sample_weight",
                own["sample_weight"],
                (rows,) if batch else (),
                np.float64,
                "one weight per row",
                boolean=True,
            ),
            (rows,),
        )
    layer = scores.layer
    found = Given(
        logits=np.where(broken[:, None], np.nan, scores.z),
        target=t,
        options=own,
        layer=None if layer is None or broken.any() else layer,
    )
    hard = places is not None and bool(found.counted[row]) if rows else False
    return Case(
        given=found,
        row=row,
        batch=batch,
        classes=_names("class_names", class_names or scores.classes, classes, "class "),
        features=_names(
            "feature_names", feature_names or scores.features, 0 if layer is None else layer[1].shape[1], "x"
        ),
        options=used,
        of_class=int(places[row]) if hard and places is not None else None,
        scores=scores.z,
    )


def _target(target: Any, rows: int, classes: int, options: GivenOptions, batch: bool) -> tuple[Array | None, Array]:
    """Return class indices and the target as the derivation takes it: indices (B,), or distributions (B, T)."""
    if is_pair(target):
        indices, shares = (np.asarray(part).reshape(rows, -1) for part in target)
        dense = np.zeros((rows, classes))
        for b in range(rows):
            np.add.at(dense[b], indices[b], shares[b])
            if options.get("tail") == "uniform":
                others = np.setdiff1d(np.arange(classes), indices[b])
                dense[b, others] += (1 - shares[b].sum()) / len(others) if len(others) else 0.0
        return None, dense
    array = given("target", target)
    if array.dtype.kind in "iu" or array.size == 0:
        places = np.atleast_1d(array).astype(np.int64)
        return places, places
    return None, np.atleast_2d(array)


def _names(argument: str, names: Sequence[str], count: int, word: str) -> tuple[str, ...]:
    """Return a name for each class or feature."""
    if not len(names):
        return tuple(f"{word}{k}" for k in range(count))
    if len(names) != count:
        raise ValueError(f"{argument}: expected {count} names, got {len(names)}")
    return tuple(map(str, names))
