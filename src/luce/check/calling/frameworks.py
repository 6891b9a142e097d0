"""Values, gradients and products of functions in NumPy, PyTorch and JAX: one class each, with the same methods.

Results are arrays of NumPy's; those of bfloat16, which NumPy lacks, are in float32. Every method differentiates with
respect to all of the ``primals``; as far as derivatives go, a value that is an array stands for the sum of its entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from luce.check.calling.arrays import Native, UserFunction, in_64_bits, to_native, to_numpy
from luce.check.calling.errors import Unsupported
from luce.derivation.quantities import Array

__all__ = ["FRAMEWORKS", "TWICE", "Differentiable", "Framework"]

Arrays = list[Array]

TWICE = 1.5
"""A factor of the value before two backward passes: a buffer that is scaled in place would be scaled twice."""


@dataclass(frozen=True)
class Differentiable:
    """A loss as a function of its differentiable arguments, and its derivatives where it brings them itself.

    ``gradient(*primals)`` and ``product(*primals, *vectors)`` return a list, one array for each primal.
    """

    function: UserFunction
    gradient: UserFunction | None = None
    product: UserFunction | None = None


def _one(found: Native) -> Native:
    """Return what a function returned, if that is a number or an array."""
    if found is None or isinstance(found, tuple | list | dict):
        raise Unsupported(f"returns {type(found).__name__}, where the value alone is wanted")
    return found


class Framework(Protocol):
    """The methods that call and differentiate what is written in one framework.

    Attributes
    ----------
    flushes : bool
        Whether subnormal numbers are 0 in it.
    """

    flushes: bool

    def array(self, values: ArrayLike, dtype: str | None = None) -> Native:
        """Copy NumPy's array into the framework's."""

    def numbers(self, found: Native) -> Array:
        """Return what the framework's array holds."""

    def value(self, call: Differentiable, primals: Sequence[Native]) -> Array:
        """Return the value."""

    def gradient(self, call: Differentiable, primals: Sequence[Native], upstream: Native = None) -> Arrays:
        """Return the gradient, or the vector-Jacobian product of an upstream gradient."""

    def forward(self, call: Differentiable, primals: Sequence[Native], vectors: Sequence[Native]) -> Array:
        """Return the derivative of the value along the vectors, in forward mode."""

    def product(self, call: Differentiable, primals: Sequence[Native], vectors: Sequence[Native]) -> Arrays:
        """Return the Hessian times the vectors."""

    def twice(self, call: Differentiable, primals: Sequence[Native]) -> tuple[Arrays, Arrays]:
        """Return what a first and a second backward pass through one evaluation of 1.5 · value give."""

    def penalised(self, call: Differentiable, primals: Sequence[Native]) -> Arrays:
        """Return the gradient of value + ½‖gradient‖²."""

    def afterwards(self, call: Differentiable, primals: Sequence[Native]) -> Arrays:
        """Return what the arguments hold after value and gradient were computed."""

    def layouts(self, values: Array) -> dict[str, Native]:
        """Return arrays of the same numbers, laid out in memory in other ways."""

    def threads(self, n: int) -> AbstractContextManager[None]:
        """Compute with n threads."""


class NumPy:
    """Functions of arrays, which bring their own derivatives or have none."""

    flushes = False

    def array(self, values: ArrayLike, dtype: str | None = None) -> Native:
        return to_native(values, "numpy", dtype)

    def numbers(self, found: Native) -> Array:
        return np.asarray(_one(found))

    def value(self, call: Differentiable, primals: Sequence[Native]) -> Array:
        return self.numbers(call.function(*primals))

    def gradient(self, call: Differentiable, primals: Sequence[Native], upstream: Native = None) -> Arrays:
        if call.gradient is None:
            raise Unsupported("returns no gradient")
        if upstream is not None:
            raise Unsupported("takes no upstream gradient")
        return [self.numbers(part) for part in call.gradient(*primals)]

    def forward(self, call: Differentiable, primals: Sequence[Native], vectors: Sequence[Native]) -> Array:
        raise Unsupported("NumPy has no forward mode")

    def product(self, call: Differentiable, primals: Sequence[Native], vectors: Sequence[Native]) -> Arrays:
        if call.product is None:
            raise Unsupported("returns no second derivative")
        return [self.numbers(part) for part in call.product(*primals, *vectors)]

    def twice(self, call: Differentiable, primals: Sequence[Native]) -> tuple[Arrays, Arrays]:
        raise Unsupported("NumPy has no backward pass")

    def penalised(self, call: Differentiable, primals: Sequence[Native]) -> Arrays:
        raise Unsupported("NumPy has no backward pass")

    def afterwards(self, call: Differentiable, primals: Sequence[Native]) -> Arrays:
        self.value(call, primals)
        if call.gradient is not None:
            call.gradient(*primals)
        return list(primals)

    def layouts(self, values: Array) -> dict[str, Native]:
        frozen = values.copy()
        frozen.flags.writeable = False
        return {
            "Fortran-ordered": np.asfortranarray(values),
            "strided": np.repeat(values, 2, axis=1)[:, ::2],
            "read-only": frozen,
            "big-endian": values.astype(values.dtype.newbyteorder(">")),
        }

    def threads(self, n: int) -> AbstractContextManager[None]:
        raise Unsupported("its number of threads is not known to be settable")


class PyTorch:
    """Functions of tensors under autograd."""

    flushes = False

    def __init__(self) -> None:
        import torch

        self.torch = torch

    def array(self, values: ArrayLike, dtype: str | None = None) -> Native:
        return to_native(values, "torch", dtype)

    def numbers(self, found: Native) -> Array:
        return np.array(to_numpy(self.torch.as_tensor(_one(found)))[0])

    def value(self, call: Differentiable, primals: Sequence[Native]) -> Array:
        return self.numbers(call.function(*primals))

    def gradient(self, call: Differentiable, primals: Sequence[Native], upstream: Native = None) -> Arrays:
        leaves, arguments = self._leaves(primals)
        value = call.function(*arguments)
        upstream = self.torch.ones_like(value) if upstream is None else upstream
        return self._all(self.torch.autograd.grad(value, leaves, upstream))

    def forward(self, call: Differentiable, primals: Sequence[Native], vectors: Sequence[Native]) -> Array:
        return self.numbers(self.torch.func.jvp(call.function, tuple(primals), tuple(vectors))[1])

    def product(self, call: Differentiable, primals: Sequence[Native], vectors: Sequence[Native]) -> Arrays:
        leaves, arguments = self._leaves(primals)
        gradient = self.torch.autograd.grad(call.function(*arguments).sum(), leaves, create_graph=True)
        return self._all(self.torch.autograd.grad(gradient, leaves, list(vectors)))

    def twice(self, call: Differentiable, primals: Sequence[Native]) -> tuple[Arrays, Arrays]:
        leaves, arguments = self._leaves(primals)
        value = call.function(*arguments).sum() * TWICE
        first = self._all(self.torch.autograd.grad(value, leaves, retain_graph=True))
        return first, self._all(self.torch.autograd.grad(value, leaves))

    def penalised(self, call: Differentiable, primals: Sequence[Native]) -> Arrays:
        leaves, arguments = self._leaves(primals)
        value = call.function(*arguments).sum()
        gradient = self.torch.autograd.grad(value, leaves, create_graph=True)
        total = value + sum(part.square().sum() for part in gradient) / 2
        return self._all(self.torch.autograd.grad(total, leaves))

    def afterwards(self, call: Differentiable, primals: Sequence[Native]) -> Arrays:
        leaves, arguments = self._leaves(primals)
        value = call.function(*arguments)
        if value.requires_grad:
            self.torch.autograd.grad(value.sum(), leaves)
        return self._all(arguments)

    def layouts(self, values: Array) -> dict[str, Native]:
        tensor = self.array(values)
        return {
            "transposed": tensor.t().contiguous().t(),
            "strided": tensor.repeat_interleave(2, 1)[:, ::2],
            "offset": self.torch.cat([tensor[:1], tensor])[1:],
        }

    @contextmanager
    def threads(self, n: int) -> Iterator[None]:
        before = self.torch.get_num_threads()
        self.torch.set_num_threads(n)
        try:
            yield
        finally:
            self.torch.set_num_threads(before)

    def _leaves(self, primals: Sequence[Native]) -> tuple[list[Native], list[Native]]:
        """Return leaves, and the same numbers one step further, which a function may overwrite."""
        leaves = [part.detach().clone().requires_grad_() for part in primals]
        return leaves, [leaf.clone() for leaf in leaves]  # in the leaf's own layout

    def _all(self, parts: Sequence[Native]) -> Arrays:
        return [self.numbers(part) for part in parts]


class JAX:
    """Functions of JAX's arrays, in 64 bits where the numbers have 64."""

    flushes = True

    def __init__(self) -> None:
        import jax

        self.jax = jax

    def array(self, values: ArrayLike, dtype: str | None = None) -> Native:
        return to_native(values, "jax", dtype)

    def numbers(self, found: Native) -> Array:
        return to_numpy(_one(found))[0]

    def value(self, call: Differentiable, primals: Sequence[Native]) -> Array:
        with in_64_bits("jax"):
            return self.numbers(call.function(*primals))

    def gradient(self, call: Differentiable, primals: Sequence[Native], upstream: Native = None) -> Arrays:
        with in_64_bits("jax"):
            value, pull = self.jax.vjp(call.function, *primals)
            return self._all(pull(self.jax.numpy.ones_like(value) if upstream is None else upstream))

    def forward(self, call: Differentiable, primals: Sequence[Native], vectors: Sequence[Native]) -> Array:
        with in_64_bits("jax"):
            return self.numbers(self.jax.jvp(call.function, tuple(primals), tuple(vectors))[1])

    def product(self, call: Differentiable, primals: Sequence[Native], vectors: Sequence[Native]) -> Arrays:
        with in_64_bits("jax"):
            return self._all(self.jax.vjp(self._gradient(call, primals), *primals)[1](tuple(vectors)))

    def twice(self, call: Differentiable, primals: Sequence[Native]) -> tuple[Arrays, Arrays]:
        with in_64_bits("jax"):
            value, pull = self.jax.vjp(call.function, *primals)
            upstream = self.jax.numpy.full_like(value, TWICE)
            return self._all(pull(upstream)), self._all(pull(upstream))

    def penalised(self, call: Differentiable, primals: Sequence[Native]) -> Arrays:
        gradient = self._gradient(call, primals)

        def total(*primals: Native) -> Native:
            return call.function(*primals).sum() + sum((part**2).sum() for part in gradient(*primals)) / 2

        with in_64_bits("jax"):
            return self._all(self.jax.grad(total, tuple(range(len(primals))))(*primals))

    def afterwards(self, call: Differentiable, primals: Sequence[Native]) -> Arrays:
        self.gradient(call, primals)
        return self._all(primals)

    def layouts(self, values: Array) -> dict[str, Native]:
        raise Unsupported("JAX lays its arrays out itself")

    def threads(self, n: int) -> AbstractContextManager[None]:
        raise Unsupported("XLA counts the processors itself, once")

    def _gradient(self, call: Differentiable, primals: Sequence[Native]) -> UserFunction:
        places = tuple(range(len(primals)))
        gradient: UserFunction = self.jax.grad(lambda *primals: call.function(*primals).sum(), places)
        return gradient

    def _all(self, parts: Sequence[Native]) -> Arrays:
        return [self.numbers(part) for part in parts]


FRAMEWORKS: dict[str, type[NumPy] | type[PyTorch] | type[JAX]] = {"numpy": NumPy, "torch": PyTorch, "jax": JAX}
"""The frameworks by the name of their module."""
