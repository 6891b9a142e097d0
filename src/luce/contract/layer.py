"""The shapes that make a linear layer."""

from __future__ import annotations

from luce.contract.error_words import misshapen

__all__ = ["check_layer_shapes"]


def check_layer_shapes(x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] | None) -> None:
    """Raise a ValueError unless input (..., D), weight (V, ..., D) and bias (V, ...) make a linear layer."""
    if not x:
        raise ValueError("input: expected shape (..., D), got ()")
    if len(weight) < 2 or weight[0] == 0:
        raise ValueError(f"linear_weight: expected shape (V, D) with at least one class, got {weight}")
    if x[-1] != weight[-1]:
        raise ValueError(f"input: expected (..., {weight[-1]}) to go with linear_weight {weight}, got {x}")
    if bias is not None and bias != weight[:-1]:
        raise misshapen("linear_bias", weight[:-1], f"to go with linear_weight {weight}", bias)
