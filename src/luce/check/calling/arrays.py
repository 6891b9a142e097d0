"""Arrays of NumPy, PyTorch, JAX and plain lists: copied into a framework and read back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from luce.check.calling.errors import NotRunnable, Unsupported
from luce.derivation.quantities import Array

__all__ = ["Native", "UserFunction", "in_64_bits", "to_native", "to_numpy"]

Native: TypeAlias = Any
"""An array of some framework, or a number: no type is common to them."""

UserFunction: TypeAlias = Callable[..., Native]
"""Somebody's function of such arrays."""


def to_native(values: ArrayLike, framework: str, dtype: str | None = None) -> Native:
    """Copy numbers into an array of a framework.

    Parameters
    ----------
    values : array_like
    framework : {"numpy", "torch", "jax", "list"}
    dtype : str, optional
        What floats become; integers keep their own dtype.

    Returns
    -------
    array of the framework

    Raises
    ------
    Unsupported
        For a dtype that the framework does not have.

    Examples
    --------
    >>> to_native(np.array([0.5, 1.0]), "list")
    [0.5, 1.0]
    """
    array = np.array(values, order="C")
    floats = None if array.dtype.kind in "iu" else dtype
    if framework == "list":
        return array.tolist()
    if framework == "numpy" and floats == "bfloat16":
        raise Unsupported("NumPy has no bfloat16")
    if framework == "torch":
        import torch

        return torch.tensor(array, dtype=None if floats is None else getattr(torch, floats))
    if framework == "jax":
        import jax.numpy as jnp

        with in_64_bits("jax"):
            return jnp.array(array, dtype=floats)
    return array if floats is None else array.astype(floats)


def to_numpy(value: Native) -> tuple[Array, str]:
    """Return the numbers of anything array-like, and the name of the dtype that they had.

    Parameters
    ----------
    value : array_like of any framework

    Returns
    -------
    array : ndarray
        Numbers of bfloat16, which NumPy lacks, are in float32.
    dtype : str
        Empty for what has none of its own: numbers and lists of Python.

    Raises
    ------
    NotRunnable
        For lists of uneven lengths.

    Examples
    --------
    >>> to_numpy([1.0, 2.0])
    (array([1., 2.]), '')
    """
    if hasattr(value, "detach"):
        dtype = str(value.dtype).removeprefix("torch.")
        tensor = value.detach().cpu()
        return (tensor.float() if dtype == "bfloat16" else tensor).numpy(), dtype
    if isinstance(value, (bool, int, float)):
        return np.asarray(value), ""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise NotRunnable("it returns nested lists of uneven lengths") from error
    if array.dtype.kind == "V" or str(array.dtype) == "bfloat16":
        return array.astype(np.float32), "bfloat16"
    return array, str(array.dtype) if not isinstance(value, list) and array.ndim else ""


def in_64_bits(framework: str) -> AbstractContextManager[None]:
    """Return a context in which the framework computes in float64: JAX computes in float32 unless it is told."""
    if framework != "jax":
        return nullcontext()
    import jax

    switch: Callable[[bool], AbstractContextManager[None]] = (
        jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    )
    return switch(True)
