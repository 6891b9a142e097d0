"""The tensors that a user gives, checked before anything is done with them: one error that names the argument."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from luce.contract.error_words import kind_of
from luce.contract.layer import check_layer_shapes
from luce.torch.tensors import marks_only

__all__ = ["autocast", "kind_of_dtype", "layer", "logits", "tensor"]

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (
    *(torch.int64, torch.int32, torch.int16, torch.int8),
    *(torch.uint64, torch.uint32, torch.uint16, torch.uint8),
)


def tensor(name: str, value: object, device: torch.device | None = None) -> Tensor:
    """Return a tensor of real numbers in the plain layout, on the device where the input is.

    Beside an input, a subclass that only marks its tensors is left behind: two of them would quarrel over the result.

    Raises
    ------
    TypeError
        If it is no tensor, or a nested, masked, sparse, quantised or complex one.
    ValueError
        If it is on another device.
    """
    if not isinstance(value, Tensor):
        arrays = "; the functions of luce itself take arrays" if isinstance(value, np.ndarray) else ""
        raise TypeError(f"{name}: expected a tensor, got {kind_of(value)}; torch.as_tensor makes one{arrays}")
    if value.is_nested:
        parts = f"torch.cat({name}.unbind()) are the rows of its parts"
        raise TypeError(f"{name}: expected a tensor, got a nested one; {parts}")
    if type(value) is not Tensor and isinstance(value, torch.masked.MaskedTensor):
        raise TypeError(f"{name}: expected a tensor, got a masked one; {name}.to_tensor(value) fills masked entries")
    if value.layout != torch.strided:
        raise TypeError(f"{name}: expected a dense tensor, got {value.layout}; {name}.to_dense() makes it dense")
    if value.is_quantized:
        raise TypeError(f"{name}: expected a tensor of numbers, got a quantized one; {name}.dequantize() gives them")
    if value.is_complex():
        raise TypeError(f"{name}: expected real numbers, got {value.dtype}")
    if device is not None and value.device != device:
        raise ValueError(f"{name}: expected a tensor on {device}, where the input is, got one on {value.device}")
    if device is not None and marks_only(value):
        return value.as_subclass(Tensor)
    return value


def _floating_point(name: str, value: Tensor) -> Tensor:
    """Return a tensor of a type that is computed in; TypeError for any other."""
    if value.dtype not in FLOATS:
        wanted = "float32, float64, bfloat16 or float16"
        raise TypeError(f"{name}: expected floating-point numbers ({wanted}), got {value.dtype}")
    return value


def kind_of_dtype(value: Tensor) -> str:
    """Return the kind of a tensor's numbers: "i" for integers, which truths are not, "f" for floats, else "?"."""
    if value.dtype in INTEGERS:
        return "i"
    return "f" if value.is_floating_point() else "?"


def logits(input: object) -> Tensor:
    """Return checked logits."""
    checked = _floating_point("input", tensor("input", input))
    if checked.dim() == 0:
        raise ValueError("input: expected shape (C), (N, C) or (N, C, d1, ...), got ()")
    return checked


def layer(
    input: object, linear_weight: object, linear_bias: object
) -> tuple[Tensor, Tensor, Tensor | None, torch.dtype]:
    """Return a checked layer in the one type that its product is computed in, and the type of the loss."""
    given = {"input": tensor("input", input)}
    given["linear_weight"] = tensor("linear_weight", linear_weight, given["input"].device)
    if linear_bias is not None:
        given["linear_bias"] = tensor("linear_bias", linear_bias, given["input"].device)
    shapes = {name: tuple(_floating_point(name, part).shape) for name, part in given.items()}
    check_layer_shapes(shapes["input"], shapes["linear_weight"], shapes.get("linear_bias"))
    if len(shapes["linear_weight"]) > 2 and len(shapes["input"]) != 2:
        raise ValueError(
            f"linear_weight of shape {shapes['linear_weight']} needs input (N, D), got shape {shapes['input']}"
        )
    cast = autocast(given["input"])
    if cast:  # as PyTorch's own products, which leave float64 alone
        kind = torch.get_autocast_dtype(given["input"].device.type)
        given = {n: part if part.dtype == torch.float64 else part.to(kind) for n, part in given.items()}
    dtypes = {part.dtype for part in given.values()}
    if len(dtypes) > 1:
        raise TypeError(f"input, linear_weight and linear_bias: expected one dtype, got {sorted(map(str, dtypes))}")
    dtype = torch.float32 if cast else given["input"].dtype
    return given["input"], given["linear_weight"], given.get("linear_bias"), dtype


def autocast(input: Tensor) -> bool:
    """Whether autocast has a say in what is computed from a tensor; it leaves float64 alone."""
    kind = input.device.type
    if input.dtype == torch.float64:
        return False
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
