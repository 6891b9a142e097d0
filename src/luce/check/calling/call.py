"""One way to call a function on a probe: what is passed in which form, and who takes the derivatives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from luce.check.calling.arrays import Native, UserFunction, in_64_bits, to_native, to_numpy
from luce.check.calling.errors import NotRunnable
from luce.check.calling.outputs import Derived, Naming, Returned
from luce.check.inputs.probes import Probe
from luce.check.truth.oracle import to_float
from luce.derivation import one_hot
from luce.derivation.quantities import Array

__all__ = ["Call"]

DERIVATIVES = {"logits": "gradient", "W": "dW", "b": "db", "x": "dx"}
"""The derivative by each role, by its name among the outputs."""


@dataclass(frozen=True)
class Call:
    """One way to call a function.

    Attributes
    ----------
    fn : callable
    task : str
        One of :data:`luce.check.calling.roles.TASKS`.
    roles : tuple of str
        What is passed, in order.
    framework : {"numpy", "torch", "jax", "list"}
    target : str
        One of :data:`luce.check.calling.roles.TARGETS`.
    rowwise, columns : bool
        Whether it is called with one row at a time, and whether the examples are the columns.
    transposed_weight : bool
        Whether a layer's W is of shape (D, V).
    parameters : mapping
        The parameter of each option of the contract that it takes.
    extras : mapping
        Further parameters that a call must give, with what they are for.
    signature, fixed : mapping
        All of its parameters, and keyword arguments that are passed in every call.
    dtype : str
        The dtype of the floats that it is given.
    derives : bool
        Whether tensors ask for their gradient.
    naming : Naming
        How its results are named, learnt from the first call.
    """

    fn: UserFunction
    task: str
    roles: tuple[str, ...]
    framework: str = "numpy"
    target: str = "index"
    rowwise: bool = False
    columns: bool = False
    transposed_weight: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)
    signature: Mapping[str, inspect.Parameter] = field(default_factory=dict)
    fixed: Mapping[str, object] = field(default_factory=dict)
    dtype: str = "float64"
    derives: bool = True
    naming: Naming = field(default_factory=lambda: Naming("loss"))

    @property
    def usual(self) -> bool:
        """Whether it is called as most are: logits, examples in rows, labels in one dimension."""
        odd = self.columns or self.target == "column" or (self.task != "vjp" and "softmax" in self.roles)
        return not odd

    @property
    def defaults(self) -> dict[str, object]:
        """Options that are in use unless something else is passed, as the defaults of its parameters."""
        found: dict[str, object] = {}
        for option, name in self.parameters.items():
            value = self.signature[name].default
            neutral = {"label_smoothing": 0, "temperature": 1}.get(option)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if option in ("label_smoothing", "temperature") and number and value != neutral:
                found[option] = value
            if option == "ignore_index" and number and value >= 0:
                found[option] = value
            if option == "reduction" and value in ("mean", "sum", "none"):
                found[option] = value
        return found

    def __call__(self, probe: Probe) -> Returned:
        """Run the function on a probe; exceptions are the function's own, but for arithmetic ones: those are NaN."""
        if not self.rowwise:
            return self._once(probe)
        rows = []
        for i in range(len(probe.logits)):
            vector = None if probe.vector is None else probe.vector[i : i + 1]
            one = replace(probe, logits=probe.logits[i : i + 1], target=probe.target[i : i + 1], vector=vector)
            rows.append(self._once(one))
        for row in rows:
            if row.arithmetic:
                return row
        names = rows[0].outputs.keys()
        if any(row.outputs.keys() != names for row in rows):
            raise NotRunnable("it returns different things for different rows")
        outputs = {name: np.stack([row.outputs[name] for row in rows]) for name in names}
        return replace(rows[0], outputs=outputs, overwritten=any(row.overwritten for row in rows))

    def describe(self) -> str:
        """Return what is passed and in which form, in one line."""
        target = {"index": "class indices", "one-hot": "one-hot rows", "column": "class indices of shape (N, 1)"}
        said = {"target": target[self.target], "softmax": "probabilities"}
        words = [said.get(role, role) for role in self.roles]
        kind = {"numpy": "NumPy arrays", "torch": "PyTorch tensors", "jax": "JAX arrays", "list": "lists"}
        return f"f({', '.join(words)}) with {kind[self.framework]}{', the examples as columns' * self.columns}\
{', one row at a time' * self.rowwise}"

    def _once(self, probe: Probe) -> Returned:
        """Call the function once, with a probe that fits in one call, and note whether its input has changed."""
        with in_64_bits(self.framework), np.errstate(all="ignore"):
            given = {role: self._native(self._value(role, probe)) for role in self.roles}
            before = {role: to_numpy(value)[0].copy() for role, value in given.items()}
            try:
                result = self._run(given, {**self.fixed, **self._options(probe)}, probe)
            except (ArithmeticError, ValueError) as error:
                if isinstance(error, ArithmeticError) or _of_math(error):
                    return Returned({}, arithmetic=type(error).__name__)
                raise
            after = {role: to_numpy(value)[0] for role, value in given.items()}
        overwritten = any(not np.array_equal(before[role], after[role], equal_nan=True) for role in given)
        found = self.naming.named(result, probe)
        return replace(self.naming.measured(found, isinstance(result, Derived)), overwritten=overwritten)

    def _options(self, probe: Probe) -> dict[str, Native]:
        """Return the options of a probe and the further arguments, by the names of the parameters."""
        options = {
            self.parameters[name]: self._native(value) if np.ndim(value) else value
            for name, value in {**probe.options, "upstream": probe.upstream}.items()
            if name in self.parameters and value is not None
        }
        sizes = {"zero": 0.0, "classes": probe.logits.shape[1], "rows": len(probe.logits)}
        return options | {name: sizes[kind] for name, kind in self.extras.items()}

    def _value(self, role: str, probe: Probe) -> ArrayLike:
        """Return what is passed for a role."""
        n = slice(None) if not self.rowwise else 0
        if role == "target" and np.ndim(probe.target) == 1:
            if self.target == "one-hot":
                return self._laid_out(one_hot(probe.labels, probe.logits.shape[1])[n])
            return np.asarray(probe.target[:, None] if self.target == "column" else probe.target[n])
        if role == "softmax":
            return self._laid_out(to_float(probe.truth("softmax").value)[n])
        if role in ("logits", "vector", "target"):
            return self._laid_out(np.asarray(getattr(probe, role))[n])
        assert probe.layer is not None
        value = probe.layer["xWb".index(role)]
        return value.T if role == "W" and self.transposed_weight else value

    def _laid_out(self, value: Array) -> Array:
        """Return values as rows, or as columns: one row is then a column of a matrix."""
        return np.atleast_2d(value).T if self.columns else value

    def _native(self, value: ArrayLike) -> Native:
        """Return what the function is given; NumPy's functions get a single label as a number."""
        array = np.asarray(value)
        if self.framework == "numpy" and array.dtype.kind in "iu":
            return int(array) if array.ndim == 0 else array.astype(np.int64)
        return to_native(array, self.framework, self.dtype)

    def _run(self, given: dict[str, Native], options: dict[str, Native], probe: Probe) -> Native:
        """Call the function; the framework differentiates what returns a loss alone."""
        of = [role for role in self.roles if role in DERIVATIVES]
        derives = self.derives and self.task in ("loss", "layer") and self.framework in ("torch", "jax")
        if derives and self.framework == "torch":
            for role in of:
                given[role].requires_grad_()
        result = self.fn(*given.values(), **options)
        if not derives or getattr(result, "ndim", 2) > 1:
            return result
        above = None if "upstream" in self.parameters else probe.upstream
        if self.framework == "torch":
            return _derived_by_torch(result, {DERIVATIVES[role]: given[role] for role in of}, above)

        def of_some(*some: Native) -> Native:
            return self.fn(*{**given, **dict(zip(of, some, strict=True))}.values(), **options)

        return _derived_by_jax(of_some, {DERIVATIVES[role]: given[role] for role in of}, above)


def _derived_by_torch(loss: Native, leaves: dict[str, Native], upstream: ArrayLike | None) -> Native:
    """Return a loss with its derivatives in the leaves, or as it is where nothing is to be differentiated."""
    import torch

    if not loss.requires_grad:
        return loss
    above = torch.ones_like(loss) * torch.as_tensor(1.0 if upstream is None else upstream, dtype=loss.dtype)
    parts = torch.autograd.grad(loss, list(leaves.values()), above, allow_unused=True)
    return Derived(loss, {name: part for name, part in zip(leaves, parts, strict=True) if part is not None})


def _derived_by_jax(fn: UserFunction, arguments: dict[str, Native], upstream: ArrayLike | None) -> Derived:
    """Return a loss with its derivatives in all arguments."""
    import jax

    loss, pull_back = jax.vjp(fn, *arguments.values())
    above = jax.numpy.ones_like(loss) * (1.0 if upstream is None else jax.numpy.asarray(upstream))
    return Derived(loss, dict(zip(arguments, pull_back(above.astype(loss.dtype)), strict=True)))


def _of_math(error: Exception) -> bool:
    """Return whether a ValueError is one that Python's own math raises where arrays hold an infinity or a NaN."""
    words = str(error)
    return any(said in words for said in ("math domain error", "math range error", "expected a positive input"))
