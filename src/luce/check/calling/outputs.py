"""The results of a function by name: told by the keys of a dictionary, or by the shapes of the arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from luce.check.calling.arrays import Native, to_numpy
from luce.check.calling.errors import NotRunnable
from luce.derivation import Given
from luce.derivation.quantities import Array

__all__ = ["Derived", "Naming", "Returned"]

KEYS: dict[str, str] = {
    **dict.fromkeys(("loss", "value", "L", "nll", "ce", "cost"), "loss"),
    **dict.fromkeys(("grad", "gradient", "dz", "dlogits", "grad_logits", "G", "dscores", "grad_input"), "gradient"),
    **dict.fromkeys(("dW", "dw", "grad_W", "grad_w", "grad_weight", "W", "linear_weight", "weight"), "dW"),
    **dict.fromkeys(("db", "grad_b", "grad_bias", "b", "linear_bias", "bias"), "db"),
    **dict.fromkeys(("dx", "dX", "grad_x", "grad_X", "x", "X", "input"), "dx"),
    **dict.fromkeys(("p", "probs", "probabilities", "softmax"), "softmax"),
}
"""The names of outputs by the keys of dictionaries and named tuples."""

PRECISIONS = ["bfloat16", "float16", "float32", "float64"]
"""The dtypes of floats, the coarsest first."""

Shape = tuple[int, ...]


@dataclass
class Returned:
    """The results of one call: float64 arrays by name, the coarsest dtype among them, and what happened on the way.

    ``arithmetic`` names the error that plain Python raises where arrays hold an infinity or a NaN, ``whole`` the
    outputs whose numbers are integers; ``derived`` is whether a framework took the derivatives, ``overwritten`` whether
    the input has changed.
    """

    outputs: dict[str, Array]
    dtype: str = "float64"
    derived: bool = False
    overwritten: bool = False
    arithmetic: str = ""
    whole: tuple[str, ...] = ()


@dataclass
class Derived:
    """A loss, and its derivatives by name, which the framework took."""

    loss: Native
    parts: dict[str, Native]


@dataclass
class Naming:
    """The names of the results of a function that is called in one way.

    The shapes of the first call's probe are all different, and tell which result is which; later calls, with as many
    results, have the same names.
    """

    task: str
    rowwise: bool = False
    columns: bool = False
    transposed_weight: bool = False
    known: dict[int, list[str]] = field(default_factory=dict)

    def named(self, result: Native, given: Given) -> dict[str, Native]:
        """Return the results by name.

        Raises
        ------
        NotRunnable
            For a result that can't be told what it is, with what was expected.
        """
        if isinstance(result, Derived):
            return {"loss": result.loss, **result.parts}
        if hasattr(result, "_asdict"):
            result = result._asdict()
        if isinstance(result, Mapping):
            return self._by_key(result)
        flat = _flat(result)
        arrays = [to_numpy(part)[0] for part in flat]
        names = self.known.get(len(flat), [])
        for array in arrays[len(names) :]:
            beside = [other.shape for other in arrays].count(array.shape) > 1
            names = [*names, self._by_shape(array, given, names, beside)]
        if len(set(names)) < len(names):
            raise NotRunnable(f"it returns arrays of shapes {', '.join(str(a.shape) for a in arrays)}; which is which?")
        self.known[len(flat)] = names
        if not flat:
            raise NotRunnable("it returns None; a loss, a gradient or both were expected")
        return dict(zip(names, flat, strict=True))

    def measured(self, found: Mapping[str, Native], derived: bool = False) -> Returned:
        """Return the results as float64 arrays, the examples as rows and the weights of a layer as (V, D)."""
        outputs, dtypes, whole = {}, [], []
        for name, value in found.items():
            array, dtype = to_numpy(value)
            if array.dtype == object:
                raise NotRunnable(f"its {name} is no array of numbers")
            whole += [name] * (array.dtype.kind in "iu")
            outputs[name] = self._turned(name, array).astype(np.float64)
            dtypes.append(dtype)
        known = [dtype for dtype in dtypes if dtype in PRECISIONS]
        coarsest = min(known, key=PRECISIONS.index) if known else "float64"
        return Returned(outputs, coarsest, derived, whole=tuple(whole))

    def _by_key(self, result: Mapping[str, Native]) -> dict[str, Native]:
        """Return the results of a dictionary by the names that its keys stand for."""
        found = {}
        for key, value in result.items():
            name = key if key in KEYS.values() else KEYS.get(str(key))
            if name:
                found["gradient" if name == "dx" and self.task == "loss" else name] = value
        if not found:
            keys = ", ".join(map(repr, result))
            raise NotRunnable(f"it returns a dictionary of {keys}; 'loss' and 'grad' were expected")
        return found

    def _by_shape(self, value: Array, given: Given, found: Sequence[str], beside: bool) -> str:
        """Return the name of a result that stands after those found, perhaps beside another of its shape."""
        shape, (n, v) = value.shape, given.logits.shape
        names = self._names_by_shape(given, found)
        like = (v, n) if self.columns else (v,) if self.rowwise else (n, v)
        if self.task == "loss":
            if all(size == 1 for size in shape) or (not self.rowwise and shape in ((n, 1), (1, n))):
                return "loss"
            classes = -2 if self.columns else -1
            if shape == like and beside and value.min() >= 0 and np.allclose(value.sum(axis=classes), 1, atol=1e-2):
                return "softmax"
        if self.task == "layer":
            if shape == () and "loss" in found:
                return "db"
            if names.get(shape) == "dW" and "dW" in found and shape == given.layer[0].shape:  # type: ignore[index]
                return "dx"
        if shape in names:
            return names[shape]
        of_a_class = (v,)  # summed over the rows by mistake: taken, but not what is expected
        said = " or ".join(f"{name} {kind}" for kind, name in names.items() if kind != of_a_class or self.rowwise)
        error = NotRunnable(f"it returns an array of shape {shape}; expected {said}")
        error.final = shape == ((v,) if self.rowwise else (v, n)) and not self.rowwise and not self.columns
        raise error

    def _names_by_shape(self, given: Given, found: Sequence[str]) -> dict[Shape, str]:
        """Return which result has which shape; of a layer after those found."""
        n, v = given.logits.shape
        row = () if self.rowwise else (n,)
        like = (v, n) if self.columns else (*row, v)
        if self.task in ("softmax", "vjp"):
            return {like: self.task, (*row, v, v): "jacobian"}
        if self.task == "loss":
            summed = {(v,): "gradient"} if row and v != n else {}
            return {(): "loss", (*row,): "loss", like: "gradient"} | summed
        assert given.layer is not None
        d = given.layer[0].shape[1]
        W = (d, v) if self.transposed_weight else (v, d)
        names = {(): "loss", (1,): "loss", W[::-1]: "dW", W: "dW", (v,): "db", (1, v): "db", (n,): "db"}
        return names | {(n, d): "dx", (n, v): "db" if (n, v) != (n, d) or "dx" in found else "dx"}

    def _turned(self, name: str, array: Array) -> Array:
        """Return a result with the examples as rows, the weights as (V, D), and without axes of length 1."""
        if name == "dW" and self.transposed_weight:
            return array.T
        if name == "db" and array.ndim == 2 and len(array) == 1:
            return np.asarray(array[0])
        if self.columns and name in ("gradient", "softmax", "vjp"):
            return np.asarray(array.T[0] if self.rowwise else array.T)
        return array.reshape(-1 if array.size > 1 else ()) if name == "loss" else array


def _flat(result: Native) -> list[Native]:
    """Return the results of a tuple, or of a list of unlike parts, without those that are None."""
    parts = list(result) if isinstance(result, tuple) else [result]
    if isinstance(result, list) and len(result) in (2, 3, 4) and len({np.ndim(to_numpy(r)[0]) for r in result}) > 1:
        parts = result
    return [p for part in parts for p in (part if isinstance(part, tuple) else [part]) if p is not None]
