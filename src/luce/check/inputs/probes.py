"""Probes: inputs on which every known mistake gives an answer of its own.

Rows and classes differ in number, both are at least three, logits are uneven and labels repeat: with one row, two
classes, equal logits or as many rows as classes many mistakes look alike. The values are multiples of 1/16, exact in
every floating-point format, so that each dtype is judged by the same truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from luce.check.truth.oracle import CrossEntropy, Exact, LinearCrossEntropy, softmax_jvp, to_exact
from luce.check.truth.oracle import softmax as exact_softmax
from luce.derivation.quantities import Array, Given, OptionValue

__all__ = [
    *("EXTREME", "HOLES", "LAYERS", "ORDINARY", "SMALL", "SMALLEST", "SOFT", "SPREAD"),
    *("Probe", "resized", "shared", "with_options"),
]


@dataclass(frozen=True, eq=False, kw_only=True)
class Probe(Given):
    """One input, with what it is for. An ordinary one has logits that stay in the range of exp."""

    name: str
    ordinary: bool = True

    def truth(self, name: str) -> Exact:
        """Return the right value of an output of :data:`luce.derivation.OUTPUTS`, from the oracle."""
        if name == "softmax":
            return exact_softmax(self.logits)
        if name == "vjp":
            return softmax_jvp(self.logits, self.vector)  # type: ignore[arg-type]
        if name == "jacobian":
            n, v = self.logits.shape
            columns = [softmax_jvp(self.logits, np.broadcast_to(np.eye(v)[k], (n, v))) for k in range(v)]
            return Exact(np.stack([c.value for c in columns], 2), np.stack([c.scale for c in columns], 2))
        options = dict(self.options) | ({"reduction": "none"} if self.rowwise else {})
        if self.layer is not None and name in ("dW", "db", "dx"):
            x, W, b = self.layer
            found = LinearCrossEntropy(x, W, self.target, linear_bias=b, **options).gradient()
            part = {"dW": found.linear_weight, "db": found.linear_bias, "dx": found.input}[name]
            assert part is not None
            return part
        exact = CrossEntropy(self.logits, self.target, **options)
        if name == "loss":
            return exact.value
        above = to_exact(np.reshape(1.0 if self.upstream is None else self.upstream, (-1, 1)))
        return Exact(exact.gradient().value * above, exact.gradient().scale * abs(above))


def _probe(name: str, seed: int, n: int, v: int, labels: Array) -> Probe:
    rng = np.random.default_rng(seed)
    z = rng.integers(-48, 49, (n, v)) / 16
    return Probe(name=name, logits=z, target=labels, vector=rng.integers(-32, 33, (n, v)) / 16)


_A = _probe("7 rows, 5 classes", 1, 7, 5, np.array([1, 3, 2, 3, 1, 3, 2]))
_B = _probe("4 rows, 6 classes", 2, 4, 6, np.array([4, 1, 4, 2]))
_C = _probe("5 rows, 3 classes, the first and the last among the labels", 3, 5, 3, np.array([0, 2, 2, 1, 0]))

ORDINARY = (_A, _B, _C)
"""Ordinary logits. The labels of the first two leave room on both sides, so that a function whose labels are off by one
runs and shows it."""

_STEPS_DOWN = np.arange(9) * 4.25
SMALL = replace(
    _probe("the target's probability from 0.3 down to 1e-15", 4, 9, 4, np.array([1, 2, 0, 1, 2, 0, 1, 2, 1])),
    logits=np.where(
        np.eye(4)[[1, 2, 0, 1, 2, 0, 1, 2, 1]] > 0, -_STEPS_DOWN[:, None], np.array([0.25, -0.5, 0.125, 0.5])
    ),
)


def _moved(name: str, offsets: ArrayLike) -> Probe:
    return replace(_A, name=name, logits=_A.logits + np.asarray(offsets, np.float64), ordinary=False)


_RISE = np.linspace(-1000, 1000, 7).round()[:, None]

_SPREAD = np.array([[0, 1000, 500, -1000, 3], [1000, 2, 0, -999, 1], [-1000, 4, 1000, 500, 0]], np.float64)

SPREAD = Probe(
    name="logits from −1000 to +1000 in a row",
    logits=_SPREAD,
    target=np.array([1, 1, 2]),
    vector=np.ones((3, 5)),
    ordinary=False,
)
"""The second row's target has the probability 0 in any format, the other two have 1."""

EXTREME = (
    _moved("all logits near +1000", 1000),
    _moved("all logits near −1000", -1000),
    _moved("rows that rise from −1000 to +1000", _RISE),
    _moved("rows that fall from +1000 to −1000", -_RISE),
    _moved("one logit of each row 800 below the others", -800 * (np.arange(5) == 4)),
    SPREAD,
)
"""Logits that leave the range of exp."""

HOLES = replace(
    _A,
    name="a class that cannot happen, logit −inf",
    logits=np.where(np.arange(5) == [[0], [4], [0], [0], [4], [4], [0]], -np.inf, _A.logits),
    ordinary=False,
)

_MASS = np.array(
    [[8, 1, 2, 5, 0], [1, 9, 3, 2, 1], [0, 0, 16, 0, 0], [4, 4, 1, 1, 6], [2, 3, 3, 1, 7], [0, 10, 0, 6, 0]]
)
SOFT = replace(
    _probe("a distribution over the classes as the target", 5, 6, 5, np.zeros(6, int)),
    target=_MASS / 16,
)


def _layer(name: str, seed: int, n: int, d: int, v: int, labels: list[int]) -> Probe:
    rng = np.random.default_rng(seed)
    x, W, b = (rng.integers(-16, 17, shape) / 8 for shape in ((n, d), (v, d), (v,)))
    return Probe(name=name, logits=x @ W.T + b, target=np.array(labels), layer=(x, W, b))


LAYERS = (
    _layer("a layer of 4 features and 5 classes, 7 rows", 6, 7, 4, 5, [1, 3, 2, 3, 1, 3, 2]),
    _layer("a layer of 5 features and 5 classes, 7 rows", 7, 7, 5, 5, [3, 2, 1, 3, 1, 2, 3]),
)
"""The first tells the axes apart by their lengths; in the second a transposed matrix goes unnoticed."""


_GIVEN: dict[str, OptionValue] = {
    "weight": np.array([0.5, 2.0, 1.25, 0.75, 3.0]),
    "sample_weight": np.array([1.0, 0.5, 2.0, 1.5, 0.25, 3.0, 0.75]),
    "ignore_index": -100,
    "label_smoothing": 0.1,
    "temperature": 2.5,
    "reduction": "sum",
    "upstream": 1.75,
}


def with_options(*names: str, **values: OptionValue) -> Probe:
    """Return the first ordinary probe with options in use, at values of their own where none are said."""
    options = {name: _GIVEN[name] for name in names} | values
    said = ", ".join(f"{name}={value}" if np.ndim(value) == 0 else name for name, value in options.items())
    target = _A.target
    if "ignore_index" in options:
        target = np.where(np.isin(np.arange(7), (2, 5)), options["ignore_index"], target)
    upstream = options.pop("upstream", None)
    return replace(_A, name=f"{_A.name}, {said}", target=target, options=options, upstream=upstream)


def resized(probe: Probe, rows: int | None, classes: int | None) -> Probe:
    """Return the probe with other numbers of rows and classes, for a function that has them built in.

    Examples
    --------
    >>> resized(ORDINARY[0], None, 10).logits.shape
    (7, 10)
    """
    had, v_had = probe.logits.shape
    n, v = rows or had, classes or v_had
    if (n, v) == (had, v_had):
        return probe
    i, k = np.arange(n), np.arange(v)
    again, row, column = i // had, i % had, k % v_had

    def spread(values: Array) -> Array:
        return np.asarray(values[row[:, None], (column + again[:, None]) % v_had] - k // v_had * 0.3125)

    more: dict[str, OptionValue] = {"logits": spread(probe.logits)}
    if probe.vector is not None:
        more["vector"] = spread(probe.vector)
    if probe.layer is not None:
        x, W, b = probe.layer
        x = np.stack([np.roll(x[j % had], j // had) for j in i])
        W, b = np.stack([np.roll(W[j % v_had], j // v_had) for j in k]), b[column] - k // v_had * 0.5
        more |= {"layer": (x, W, b), "logits": x @ W.T + b}
    if np.ndim(probe.target) == 2:
        shares = probe.target[row][:, column] * (k < v_had)
        more["target"] = shares / shares.sum(axis=1, keepdims=True)
    else:
        labels = probe.target[row]
        moved = np.where(i % 2 == 1, labels + v - v_had, labels) if v > v_had else labels % v
        more["target"] = np.where(labels >= 0, moved, labels)
    if isinstance(probe.upstream, np.ndarray) and probe.upstream.ndim:
        more["upstream"] = np.resize(probe.upstream, n)
    name = f"{n} rows, {v} classes" if probe.ordinary else probe.name
    return replace(probe, name=name, **more)


SMALLEST = Probe(
    name="2 rows, 3 classes",
    logits=np.array([[1.0, 2.0, 0.5], [0.25, -1.0, 1.0]]),
    target=np.array([1, 1]),
    vector=np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]]),
)
"""For showing what went wrong, not for telling why."""


def shared(probe: Probe) -> Probe:
    """Return the first probe with the same content that this was asked for, so that what is known of one is of both.

    Parameters
    ----------
    probe : Probe

    Returns
    -------
    Probe

    Examples
    --------
    >>> shared(replace(ORDINARY[0])) is shared(replace(ORDINARY[0]))
    True
    """
    return _first(_Content(_key(vars(probe)), probe))


@dataclass(frozen=True)
class _Content:
    """A probe as a key: equal to another by what it holds."""

    key: object
    probe: Probe = field(compare=False)


@lru_cache(maxsize=256)
def _first(content: _Content) -> Probe:
    """Return the probe; another of the same content gets this one."""
    return content.probe


def _key(value: object) -> object:
    """Return a value that is hashed and compared by what it holds, the dtypes included."""
    if isinstance(value, Mapping):
        return tuple(sorted((name, _key(part)) for name, part in value.items()))
    if isinstance(value, tuple | list):
        return tuple(map(_key, value))
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return type(value).__name__, repr(value)
