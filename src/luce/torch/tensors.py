"""Questions about tensors, their memory, PyTorch's operations as formulas take them, and its private names.

Every name of PyTorch that begins with an underscore is in this file, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch._functorch.utils import unwrap_dead_wrappers
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

from luce.rows.formulas import Formulas

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = [
    "array",
    "batched",
    "below_transformation",
    "compiled",
    "computing_dtype",
    "constant",
    "empty",
    "formulas",
    "func_transformed",
    "holds_numbers",
    "in_forward_mode",
    "keeps_digits",
    "marks_only",
    "numberless",
    "readable",
    "row_dtype",
    "transformation_level",
    "transformed",
    "unwrap_dead_wrappers",
]

LARGE = 2**22  # bytes from which on NumPy asks for large pages
ALIGNED = 64  # bytes, as PyTorch's own tensors
PLAIN_TYPES = (Tensor, torch.nn.Parameter)
NO_DISPATCH = Tensor.__torch_dispatch__


def holds_numbers(tensor: Tensor) -> bool:
    """Whether a tensor holds numbers, and no transformation or mode looks on."""
    if torch.compiler.is_compiling():
        return False
    return type(tensor) in PLAIN_TYPES and _get_current_dispatch_mode() is None


def compiled(tensor: Tensor) -> bool:
    """Whether the compiled kernels can read a tensor."""
    return holds_numbers(tensor) and tensor.is_cpu and tensor.layout == torch.strided


def func_transformed() -> bool:
    """Whether a transformation of `torch.func` looks on."""
    return torch._C._are_functorch_transforms_active()


def transformed() -> bool:
    """Whether `torch.func` or forward mode looks on, to whom nothing may be hidden from the graph."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def batched(*tensors: Tensor | None) -> bool:
    """Whether `is_grads_batched` is at work, whose batches only operators of PyTorch can be taken apart for."""
    return any(tensor is not None and torch._C._functorch.is_legacy_batchedtensor(tensor) for tensor in tensors)


def readable(tensor: Tensor) -> bool:
    """Whether a tensor holds numbers that can be looked at here and now."""
    return not func_transformed() and compiled(tensor) and not batched(tensor)


def numberless(tensor: Tensor) -> bool:
    """Whether a tensor is one of forward mode's zeros, which have no memory."""
    return tensor._is_zerotensor()


def marks_only(tensor: Tensor) -> bool:
    """Whether a tensor is of a subclass that sees none of PyTorch's operations, and so only marks its tensors."""
    return type(tensor) not in PLAIN_TYPES and type(tensor).__torch_dispatch__ is NO_DISPATCH


def transformation_level() -> int | None:
    """Return the level of the innermost transformation of `torch.func`, None outside of all."""
    level: int | None = torch._C._functorch.maybe_current_level()
    return level


def below_transformation(value: Any, level: int) -> Any:
    """Return a tensor without what a transformation's level adds to it; anything else as it is."""
    return torch._C._functorch._unwrap_for_grad(value, level) if isinstance(value, Tensor) else value


@contextmanager
def in_forward_mode() -> Iterator[None]:
    """Turn forward mode on where PyTorch has turned it off."""
    with forward_ad._set_fwd_grad_enabled(True):
        yield


def row_dtype(device: torch.device) -> torch.dtype:
    """Return the type of the rows' losses and scales: float64 where the device has that."""
    return torch.float32 if device.type == "mps" else torch.float64


def computing_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type that logits of a type are computed in."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def constant(rows: Tensor) -> bool:
    """Whether all rows are one number in memory, as `Tensor.expand` makes them."""
    return rows.stride() == (0,) and rows.shape[0] > 0


def keeps_digits(gradient: Tensor, factor: float) -> bool:
    """Whether a gradient times a factor is what it would be if it were computed with the factor, rounded once.

    What was below the smallest number before it is multiplied by more than 1 would be missing, and 16 bits would be
    rounded twice, but for a power of two, which leaves the digits of bfloat16 as they are.
    """
    if not 0 < abs(factor) <= 1:
        return False
    power = math.frexp(factor)[0] in (0.5, -0.5)
    return gradient.element_size() > 2 or (power and gradient.dtype == torch.bfloat16)


def array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor's numbers, contiguous, as NumPy sees them; those of 16 bits as their bits."""
    tensor = tensor.detach().resolve_neg()
    if numberless(tensor):
        tensor = tensor.clone()
    tensor = tensor.contiguous()
    of_sixteen_bits = tensor.is_floating_point() and tensor.element_size() == 2
    return (tensor.view(torch.uint16) if of_sixteen_bits else tensor).numpy()


def empty(shape: Sequence[int], like: Tensor, *, zero: bool = False) -> Tensor:
    """Return a contiguous matrix to be filled, of another tensor's type and device.

    Where it is large, NumPy provides the memory: it asks the system for large pages and PyTorch doesn't. A fresh tensor
    of 250 MiB otherwise costs 64,000 page faults, several times the pass over the rows that fills it.
    """
    size = math.prod(shape) * like.element_size()
    if not compiled(like) or size < LARGE:
        return like.new_zeros(shape) if zero else like.new_empty(shape)
    memory = (np.zeros if zero else np.empty)(size + ALIGNED, np.uint8)
    offset = -memory.ctypes.data % ALIGNED // like.element_size()
    return like.new_empty(0).set_(torch.from_numpy(memory).untyped_storage(), offset, shape, (shape[1], 1))


class _TorchOperations:
    """PyTorch's operations under the names of `luce.rows.formulas.Operations`."""

    exp: Callable[[Tensor], Tensor] = staticmethod(torch.exp)
    log1p: Callable[[Tensor], Tensor] = staticmethod(torch.log1p)
    tanh: Callable[[Tensor], Tensor] = staticmethod(torch.tanh)
    sigmoid: Callable[[Tensor], Tensor] = staticmethod(torch.sigmoid)
    isfinite: Callable[[Tensor], Tensor] = staticmethod(torch.isfinite)
    full_like: Callable[[Tensor, float], Tensor] = staticmethod(torch.full_like)

    @staticmethod
    def clip(x: Tensor, low: float, high: float) -> Tensor:
        return x.clamp(low, high)

    @staticmethod
    def where(condition: Tensor, x: Tensor | float, y: Tensor | float) -> Tensor:
        return torch.where(condition, x, y)

    @staticmethod
    def sum(x: Tensor, *, keep: bool = False) -> Tensor:
        return x.sum(1, keepdim=keep)

    @staticmethod
    def amax(x: Tensor) -> Tensor:
        return x.amax(1)

    @staticmethod
    def argmax(x: Tensor) -> Tensor:
        return x.argmax(1, keepdim=True)

    @staticmethod
    def take(x: Tensor, places: Tensor) -> Tensor:
        return x.gather(1, places)

    @staticmethod
    def put(x: Tensor, places: Tensor, value: Tensor | float) -> Tensor:
        return x.scatter(1, places, value)

    @staticmethod
    def add_at(x: Tensor, places: Tensor, value: Tensor) -> Tensor:
        return x.scatter_add(1, places, value)

    @staticmethod
    def constant(x: Tensor) -> Tensor:
        return x.detach()

    @staticmethod
    def widened(x: Tensor) -> Tensor:
        return x.to(computing_dtype(x.dtype))

    @staticmethod
    def astype(x: Tensor, like: Tensor) -> Tensor:
        return x.to(like.dtype)

    @staticmethod
    def eps(like: Tensor) -> float:
        return torch.finfo(like.dtype).eps

    @staticmethod
    def largest_number(like: Tensor) -> float:
        return torch.finfo(like.dtype).max


formulas = Formulas(_TorchOperations())
