"""Where results are computed, and how they reach the array that a caller gave for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luce.contract.error_words import kind_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Output", "shaped_like"]


def shaped_like(like: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows of results (N, V) in the shape and type of the logits that they are of."""
    if rows.dtype is like.dtype and rows.shape == like.shape:
        return rows
    return rows.reshape(like.shape).astype(like.dtype, copy=False)


class Output:
    """Where an array of results is computed, and how it reaches the array that the caller gave, if any."""

    def __init__(
        self, out: NDArray[Any] | None, like: NDArray[Any], rows: NDArray[Any], inputs: tuple[Any, ...]
    ) -> None:
        """`rows` are the logits as the kernel reads them; `inputs` all other arrays that it reads."""
        self.rows: NDArray[Any]
        self._out = out
        self._like = like
        if out is None:
            self.rows = np.empty(rows.shape, rows.dtype)
            return
        _check_out(out, like)
        if (
            out.dtype != rows.dtype
            or not (out.flags.c_contiguous and out.flags.aligned)
            or (np.may_share_memory(out, rows) and out.ctypes.data != rows.ctypes.data)
            or any(np.may_share_memory(out, a) for a in inputs if isinstance(a, np.ndarray))
        ):
            self.rows = np.empty(rows.shape, rows.dtype)
        else:
            self.rows = out.reshape(rows.shape)
            self._like = self.rows

    def finish(self) -> NDArray[Any]:
        """The caller's array, filled, or a new one of the logits' shape and type."""
        if self._out is None:
            return shaped_like(self._like, self.rows)
        if self._like is not self.rows:
            np.copyto(self._out, self.rows.reshape(self._out.shape), casting="same_kind")
        return self._out


def _check_out(out: Any, like: NDArray[Any]) -> None:
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out: expected a NumPy array without a mask, got {kind_of(out)}")
    if out.dtype != like.dtype:
        raise TypeError(f"out: expected dtype {like.dtype}, got {out.dtype}")
    if out.shape != like.shape:
        raise ValueError(f"out: expected shape {like.shape}, got {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out: expected a writeable array, got a read-only one")
    if not out.flags.forc and _overlaps_itself(out):
        raise ValueError(f"out: expected entries with a place each in memory, got strides {out.strides}")


def _overlaps_itself(array: NDArray[Any]) -> bool:
    """Whether entries share memory, as those of a broadcast array; windows within each other count as shared, too."""
    reach = array.itemsize
    for stride, length in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < reach:
            return array.size > 0
        reach += stride * (length - 1)
    return False
