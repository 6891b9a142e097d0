"""What `luce explain` explains: typed scores, a layer, a table of scores, a row of a table under a model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from luce._cross_entropy import cross_entropy
from luce.cli.numbers import numbers, rows_of, target_of
from luce.explanation.derivation import Derivation
from luce.explanation.explain import explain, explained
from luce.explanation.inputs import Scores, of_layer, of_logits
from luce.models.inputs.kinds import Array
from luce.tables.batches import Batches
from luce.tables.conversion import converted, kind_of, listed, shortened
from luce.tables.failure import Failure
from luce.tables.labels import spelled
from luce.tables.model import Model
from luce.tables.model_file import load_model
from luce.tables.names import nearest
from luce.tables.prediction import read_as_trained
from luce.tables.text.options import FormOptions, ReadingOptions

__all__ = ["Look", "Typed", "of_model", "of_numbers", "of_table"]


class Look(NamedTuple):
    """How a derivation is looked at: the row, from 1, and the digits."""

    row: int | None
    digits: int


class Typed(NamedTuple):
    """A layer and names as they were typed."""

    x: str | None = None
    W: str | None = None
    b: str | None = None
    class_names: str | None = None
    feature_names: str | None = None


def of_numbers(
    words: list[str], typed: Typed, target: str | None, options: Mapping[str, Any], look: Look
) -> Derivation:
    """Explain typed scores, or those of a typed layer; without either, the example."""
    layer = typed.x is not None or typed.W is not None or typed.b is not None
    if not words and not layer:
        if target is not None or options or typed.class_names is not None:
            raise Failure("scores are needed, LOGIT LOGIT…, or --x and --W, for a target and options")
        return explain(digits=look.digits)
    if words and layer:
        raise Failure("scores and --x, --W, --b exclude each other: a layer makes the scores")
    if layer:
        for option, part in (("--x", typed.x), ("--W", typed.W)):
            if part is None:
                raise Failure(f"{option} is needed: a layer has an input and weights")
        W = np.atleast_2d(rows_of("--W", typed.W or ""))
        b = None if typed.b is None else numbers("--b", typed.b)
        scores = of_layer(rows_of("--x", typed.x or ""), W, b)
    else:
        scores = of_logits(_scores(words))
    scores = _named(scores, typed)
    if target is None:
        raise Failure("--target is needed: a class, counted from 0, or a distribution")
    given = dict(options)
    if isinstance(given.get("sample_weight"), str):
        found = numbers("--sample-weight", given["sample_weight"])
        given["sample_weight"] = found if scores.batch else found.item() if found.size == 1 else found
    t = target_of(target, batch=scores.batch, classes=scores.z.shape[1])
    return explained(scores, t, given, row=_place(look.row, len(scores.z)), digits=look.digits)


def _scores(words: list[str]) -> Array:
    """Return scores, typed as words, with commas, or several rows with semicolons."""
    text = ",".join(word.strip(",") for word in words)
    return rows_of("LOGIT", text)


def _named(scores: Scores, typed: Typed) -> Scores:
    """Return scores with the names that were typed."""
    classes = scores.classes if typed.class_names is None else typed.class_names.split(",")
    features = scores.features if typed.feature_names is None else typed.feature_names.split(",")
    return scores._replace(classes=classes, features=features)


def _place(row: int | None, rows: int) -> int | None:
    """Return the place of a row that is counted from 1."""
    if row is not None and not 1 <= row <= rows:
        raise Failure(f"--row must be from 1 to {rows}, got {row}")
    return None if row is None else row - 1


def of_table(
    path: Path,
    target: str | None,
    options: Mapping[str, Any],
    look: Look,
    forms: tuple[FormOptions, ReadingOptions],
) -> Derivation:
    """Explain a table whose columns are the scores of the classes, but the target's and the weights'."""
    if target is None:
        raise Failure("--target COLUMN is needed: which column of the table holds the class")
    data = Batches(path, forms[0])
    given = dict(options)
    weights = given.pop("sample_weight", None)
    for option, column in (("--target", target), ("--sample-weight", weights)):
        if column is not None and column not in data.columns:
            near = nearest(column, data.columns)
            raise Failure(f"{option}: {data.name} has no column {column!r}{near}; it has {listed(data.columns)}")
    if data.from_text:
        data.survey(forms[1], {target: "labels"}, keep=True)
    table = data.whole()
    print(*data.remarks(), sep="\n", end="\n" if data.remarks() else "", file=sys.stderr)
    names = [name for name in table.columns if name not in (target, weights)]
    if not names:
        raise Failure(f"{data.name}: no column but the target; the others are the scores of the classes")
    z = np.column_stack([_column(table[name], data.name) for name in names])
    places = _classes(table[target], names, data.name, given.get("ignore_index", -100))
    if weights is not None:
        given["sample_weight"] = _column(table[weights], data.name)
    place = _place(look.row, len(z))
    scores = Scores(z, True, classes=names, source=data.name)
    return explained(scores, places, given, row=place, digits=look.digits)


def _column(column: pl.Series, source: str) -> Array:
    """Return a column of numbers, what is missing as NaN."""
    if kind_of(column.dtype) not in ("number", "boolean", "empty"):
        example = shortened(column.drop_nulls()[:1])
        raise Failure(f"{source}: column {column.name!r} holds {example}, scores are numbers")
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _classes(column: pl.Series, names: list[str], source: str, ignored: int | None) -> Array:
    """Return the places of a column of classes: numbers from 0, or names of the columns of scores."""
    text = spelled(column, source, from_text=True)
    if text.null_count():
        row = text.is_null().arg_max()
        raise Failure(f"{source}: row {(row or 0) + 1}: the target {column.name!r} is missing; -100 is a row to ignore")
    places: list[int] = []
    by_name = {name: place for place, name in enumerate(names)}
    for row, label in enumerate(text.to_list(), 1):
        place = by_name.get(label)
        if place is None:
            try:
                place = int(float(label))
            except ValueError:
                what = f"a class from 0 to {len(names) - 1}, or the name of a column of scores"
                raise Failure(
                    f"{source}: row {row}: column {column.name!r} holds {label!r}; {what} is needed"
                ) from None
        if not 0 <= place < len(names) and place != ignored:
            raise Failure(
                f"{source}: row {row}: column {column.name!r} holds {label!r}; there are {len(names)} classes"
            )
        places.append(place)
    return np.array(places)


def of_model(
    model: Path,
    path: Path,
    label: str | None,
    options: Mapping[str, Any],
    look: Look,
    forms: tuple[FormOptions, ReadingOptions],
) -> Derivation:
    """Explain a row of a table under a model of `luce fit`; that of the largest loss if none is chosen."""
    trained = load_model(model)
    if trained.loss == "sigmoid" and len(trained.classes) > 2:
        raise Failure(f"{model}: its loss is {len(trained.classes)} sigmoids, not the softmax that is explained")
    data = Batches(path, forms[0])
    read_as_trained(data, trained, forms[1], all_rows=False)
    table = data.whole()
    print(*data.remarks(), sep="\n", end="\n" if data.remarks() else "", file=sys.stderr)
    features = trained.preparation.respelled(converted(table, trained.columns, data.name), table)
    x = np.asarray(trained.preparation.transform(features))
    W, b = _layer(trained)
    codes = _codes(trained, table, label, data.name)
    place = _place(look.row, len(x))
    if place is None:
        place = _hardest(x @ W.T + b, codes)
    chosen = "" if look.row is not None else f", the one {_why_chosen(codes)}"
    words = f"{data.name}, row {place + 1}{chosen}"
    scores = of_layer(x[place], W, b)._replace(
        classes=trained.classes, features=trained.preparation.names, source=f"{model}, {words}; x as the model sees it"
    )
    known = codes[place] >= 0
    if not known and trained.target in table.columns:
        strange = table[trained.target][place]
        what = "has no label" if strange is None else f"has the label {str(strange)!r}, which the model does not know"
        print(f"luce: warning: {data.name}: row {place + 1} {what}: the predicted class is taken", file=sys.stderr)
    target = int(codes[place]) if known else int(scores.z[0].argmax())
    return explained(scores, target, options, digits=look.digits, predicted=not known)


def _layer(trained: Model) -> tuple[Array, Array]:
    """Return weights and bias, a row for each class; of two classes the first has 0."""
    W, b = np.asarray(trained.coef), np.asarray(trained.intercept)
    if len(W) == 1:
        W, b = np.vstack([0 * W, W]), np.concatenate([0 * b, b])
    return W, b


def _codes(trained: Model, table: pl.DataFrame, label: str | None, source: str) -> Array:
    """Return the place of each row's class, or of the one that was asked for; −1 where it is not known."""
    if label is not None:
        place = int(trained.labels.codes(pl.Series([label], dtype=pl.String))[0])
        if place < 0:
            raise Failure(f"--target: {label!r} is no class of the model; it knows {listed(trained.classes)}")
        return np.full(len(table), place)
    if trained.target is None or trained.target not in table.columns:
        return np.full(len(table), -1)
    return trained.labels.codes(spelled(table[trained.target], source, from_text=False))


def _hardest(z: Array, codes: Array) -> int:
    """Return the row with the largest loss; without labels the one that the model is least sure about."""
    best = z.argmax(axis=1)
    known = codes >= 0
    losses = np.asarray(cross_entropy(z, np.where(known, codes, best), reduction="none"))
    return int(np.argmax(np.where(known, losses, -1.0 if known.any() else losses)))


def _why_chosen(codes: Array) -> str:
    """Say why `_hardest` chose its row."""
    return "with the largest loss" if (codes >= 0).any() else "that the model is least sure about"
