"""Losses of every kind to explain, drawn at random: logits and layers, rows and batches, targets, options."""

import numpy as np

__all__ = ["drawn"]


def drawn(rng):
    """The arguments of `luce.explain` by name."""
    classes, features = int(rng.integers(1, 7)), int(rng.integers(1, 5))
    batch = bool(rng.random() < 0.6)
    rows = int(rng.integers(1, 6)) if batch else 1
    scale = rng.choice([0.1, 1.0, 10.0, 100.0, 1e4])
    options = _options(rng, rows, classes, batch)
    target = _target(rng, rows, classes, options)
    if not batch:
        target = tuple(part[0] for part in target) if isinstance(target, tuple) else target[0]
    if rng.random() < 0.4:
        x = rng.normal(size=(rows, features)) * np.sqrt(scale)
        given = {"x": x if batch else x[0], "W": rng.normal(size=(classes, features))}
        if rng.random() < 0.5:
            given["b"] = rng.normal(size=classes)
    else:
        z = rng.normal(size=(rows, classes)) * scale
        if rng.random() < 0.4:
            z[rng.random(z.shape) < 0.2] = rng.choice([-np.inf, np.nan, np.inf, -np.inf])
        if rng.random() < 0.1:
            z[0] = -np.inf
        given = {"logits": z if batch else z[0]}
    return given | {"target": target} | options


def _options(rng, rows, classes, batch):
    every = {
        "temperature": float(rng.choice([0.5, 2.0, 0.07])),
        "softcap": float(rng.choice([5.0, 30.0, 0.5])),
        "z_loss": float(rng.choice([1e-4, 0.1])),
        "label_smoothing": float(rng.choice([0.1, 1.0])),
        "weight": rng.choice([0.0, 1.0, 2.0, 0.3], classes),
        "sample_weight": rng.choice([0.0, 1.0, 2.5], rows) if batch else float(rng.choice([0.0, 2.0])),
        "reduction": str(rng.choice(["sum", "none"])),
        "on_empty": "zero",
    }
    found = {name: value for name, value in every.items() if rng.random() < 0.35}
    if "reduction" not in found and rng.random() < 0.2:
        found["normalizer"] = 7.0
    return found


def _target(rng, rows, classes, options):
    kind = rng.choice(["class", "distribution", "pair"])
    if kind == "class":
        target = rng.integers(0, classes, rows)
        target[rng.random(rows) < 0.2] = -100
        return target
    if kind == "distribution":
        target = rng.random((rows, classes))
        if rng.random() < 0.7:
            target /= target.sum(axis=1, keepdims=True)
        return target * (rng.random() < 0.9)
    listed = min(2, classes)
    places = np.stack([rng.permutation(classes)[:listed] for _ in range(rows)])
    if listed < classes and rng.random() < 0.5:
        options["tail"] = "uniform"
    return places, rng.random((rows, listed)) / 2
