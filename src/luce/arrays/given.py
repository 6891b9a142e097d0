"""What a user gives as an array, as an array of NumPy; what can't be one is one error that names the argument."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from luce.contract.error_words import kind_of, misshapen, one_line, shown
from luce.rows.core import first_bad_mass, in_one_piece

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "check_logits",
    "computing_dtype",
    "contiguous",
    "described",
    "floating",
    "given",
    "like_logits",
    "matrix",
    "narrowed",
    "nonnegative",
    "of_usual_size",
    "working",
]

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_NUMBERS = frozenset((int, float, bool))
_FILLED = {
    "logits": ", for example with -inf, a class that can't happen",
    "sample_weight": ", for example with 0, a row that counts for nothing",
}


def given(name: str, value: Any) -> NDArray[Any]:
    """Return the plain array that a value stands for: an array, a list, a frame, a tensor without gradient."""
    if type(value) is np.ndarray:
        return value
    _refuse_masked(name, value, ())
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and _is_frame_of_numbers(value):  # of pandas' nullable types
            array = np.column_stack([np.asarray(value.iloc[:, i]) for i in range(value.shape[1])])
        return array
    except MemoryError:
        raise
    except Exception as error:  # whatever a foreign __array__ raises
        kind = ValueError if isinstance(error, ValueError) else TypeError
        remedy = "; for tensors there is luce.torch" if _holds_tensor(value) else ""
        what = type(value).__name__
        raise kind(f"{name}: NumPy can't make an array of this {what} ({one_line(str(error))}){remedy}") from None


def _refuse_masked(name: str, value: Any, place: tuple[int, ...]) -> None:
    """Refuse masked entries: what stands under a mask is no number, and what the mask means is the user's to say."""
    if isinstance(value, (list, tuple)):
        if not _NUMBERS.issuperset(map(type, value)):
            for i, part in enumerate(value):
                if isinstance(part, (list, tuple, np.ma.MaskedArray)):
                    _refuse_masked(name, part, (*place, i))
    elif isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        masked = np.argwhere(np.ma.getmaskarray(value))[0]
        at = ", ".join(str(int(i)) for i in (*place, *masked))
        fill = f"fill masked entries first (numpy.ma.filled){_FILLED.get(name, '')}"
        raise ValueError(f"{name}: the entry at [{at}] is masked; {fill}")


def _is_frame_of_numbers(value: Any) -> bool:
    return hasattr(value, "iloc") and np.ndim(value) == 2 and all(dtype.kind in "iuf" for dtype in value.dtypes)


def _holds_tensor(value: Any) -> bool:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def described(array: NDArray[Any]) -> str:
    """Return words for an array that was given instead of the numbers that were wanted."""
    dtype = f"dtype {array.dtype}"
    if array.dtype.kind == "O" and array.ndim == 0:
        value = array.item()
        remedy = "; .toarray() makes it dense" if hasattr(value, "toarray") else ""
        return f"{kind_of(value)}{remedy}"
    if array.dtype.kind == "O":
        for place, entry in np.ndenumerate(array):
            if not isinstance(entry, (int, float, np.number)):
                return f"{dtype} ({shown(entry)} at {list(place)})"
            if isinstance(entry, int) and not -(2**63) <= entry < 2**64:
                return f"{dtype} (an integer beyond 64 bits at {list(place)})"
        return f"{dtype}; .astype(float) turns Python's numbers into NumPy's"
    if array.dtype.kind == "f" and np.isnan(array).any():
        return f"{dtype} (NaN, a missing value, at {np.argwhere(np.isnan(array))[0].tolist()})"
    if array.dtype.kind == "V" and array.dtype.names is None:  # numbers of ml_dtypes, as JAX's bfloat16
        return f"{dtype}; .astype(numpy.float32) widens it exactly"
    return dtype


def floating(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return a real floating array; lists, integers and float64 become float64, big-endian data native."""
    array = value if type(value) is np.ndarray else given(name, value)
    if array.dtype is _FLOAT32 or array.dtype is _FLOAT64:  # a call on one small row is a matter of such shortcuts
        return array
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "f" and size <= 8:
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if kind in "iu":
        return array.astype(np.float64)
    raise TypeError(f"{name}: expected float32, float64, float16 or integers, got {described(array)}")


def working(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in the type that is computed in: float16 is computed in float32."""
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def matrix(array: NDArray[Any]) -> NDArray[Any]:
    """Return (..., V) as contiguous (N, V), in the type that is computed in."""
    return contiguous(working(array))


def contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """Return (..., V) as contiguous (N, V)."""
    if array.ndim != 2:
        array = array.reshape(math.prod(array.shape[:-1]), array.shape[-1])  # -1 would not do for no rows
    return in_one_piece(array)


def check_logits(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return logits (..., V) with at least one class."""
    logits = floating(name, value)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"{name}: expected shape (..., V) with at least one class, got {logits.shape}")
    return logits


def like_logits(name: str, value: ArrayLike, logits: NDArray[Any]) -> NDArray[Any]:
    """Return an array of the logits' shape, as contiguous (N, V) of the type that they are computed in."""
    array = floating(name, value)
    if array.shape != logits.shape:
        raise ValueError(f"{name}: expected the logits' shape {logits.shape}, got {array.shape}")
    return matrix(narrowed(name, array, computing_dtype(logits.dtype)))


def narrowed(name: str, array: NDArray[Any], dtype: Any, row_scale: NDArray[np.float64] | None = None) -> NDArray[Any]:
    """Return numbers in the type that is computed in; a ValueError where that can't hold one of a row that counts."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    if cast.dtype.itemsize < array.dtype.itemsize:
        lost = np.isinf(cast) & np.isfinite(array)
        if lost.any() and row_scale is not None:
            lost.reshape(row_scale.size, -1)[row_scale.ravel() == 0] = False
        if lost.any():
            raise ValueError(f"{name}: too large for the logits' {cast.dtype} at {np.argwhere(lost)[0].tolist()}")
    return cast


def computing_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that is computed in: float64 for float64, float32 for the others."""
    return dtype if dtype.itemsize == 8 else _FLOAT32


def nonnegative(
    name: str,
    value: ArrayLike,
    shape: tuple[int, ...],
    dtype: Any,
    what: str,
    *,
    boolean: bool = False,
    row_scale: NDArray[np.float64] | None = None,
) -> NDArray[Any]:
    """Return finite numbers >= 0 of a given shape, contiguous in a given type; truths, too, if `boolean`.

    Rows whose scale is 0 may hold anything.
    """
    array = given(name, value)
    array = array.astype(np.float64) if boolean and array.dtype.kind == "b" else floating(name, array)
    if array.shape != shape:
        raise misshapen(name, shape, what, array.shape)
    array = in_one_piece(working(array))
    bad = first_bad_mass(array, row_scale)
    if bad >= 0:
        at, wrong = [int(i) for i in np.unravel_index(bad, shape)], float(array.ravel()[bad])
        raise ValueError(f"{name}: expected finite numbers that are not negative, got {wrong!r} at {at}")
    return in_one_piece(narrowed(name, array, dtype, row_scale))


def of_usual_size(weights: NDArray[Any]) -> NDArray[Any]:
    """Return weights of a mean over a power of two near the largest, if their sum or its inverse may leave the type."""
    largest = float(weights.max(initial=0.0))
    if largest == 0 or 1e-150 < largest < 1e150:
        return weights
    scaled: NDArray[Any] = np.ldexp(weights, -math.frexp(largest)[1])
    return scaled
