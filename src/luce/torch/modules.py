"""The losses as modules of PyTorch: `CrossEntropyLoss`, and `LinearCrossEntropyLoss` with its last layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from luce.torch.arguments import tensor
from luce.torch.functional import cross_entropy, linear_cross_entropy

__all__ = ["CrossEntropyLoss", "LinearCrossEntropyLoss"]


class _Loss(nn.Module):
    """A loss with options that are the same at every call; `weight` is a buffer."""

    weight: Tensor | None
    function: ClassVar[Callable[..., Any]]

    def __init__(self, weight: Tensor | None, **options: Any) -> None:
        super().__init__()
        for name in options:
            if name not in inspect.signature(type(self).function).parameters:
                raise TypeError(f"{type(self).__name__}: there is no option {name!r}")
        self.register_buffer("weight", None if weight is None else tensor("weight", weight))
        self.options = options

    def extra_repr(self) -> str:
        """Show the options."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


class CrossEntropyLoss(_Loss):
    r"""`cross_entropy` as a module: `torch.nn.CrossEntropyLoss` with the options of `luce.torch.cross_entropy`.

    Parameters
    ----------
    weight : Tensor of shape (C), optional
        A weight for each class, kept as a buffer.
    **options
        As for `cross_entropy`.

    Examples
    --------
    >>> import torch, luce.torch
    >>> loss = luce.torch.CrossEntropyLoss(label_smoothing=0.1)
    >>> loss(torch.zeros(3, 5), torch.tensor([0, 1, 2]))
    tensor(1.6094)
    """

    function = staticmethod(cross_entropy)

    def __init__(self, weight: Tensor | None = None, **options: Any) -> None:
        super().__init__(weight, **options)

    def forward(
        self, input: Tensor, target: Tensor | tuple[Tensor, Tensor], *, sample_weight: Tensor | None = None, **more: Any
    ) -> Any:
        """Return the loss; options that change from call to call, as `normalizer`, may be given here."""
        return cross_entropy(input, target, self.weight, sample_weight=sample_weight, **{**self.options, **more})


class LinearCrossEntropyLoss(_Loss):
    r"""A last layer and its loss: `torch.nn.LinearCrossEntropyLoss` that never holds the logits.

    Parameters
    ----------
    in_features : int
        D.
    num_classes : int
        V.
    out_features : tuple of int
        Places (d1, ...) that have a layer each.
    bias : bool
        Whether the layer has a bias.
    tied : nn.Module, optional
        A module whose ``weight`` (V, D) is the layer's too, such as the embedding of the input's words; nothing else is
        created then.
    device, dtype
        Of the layer.
    weight : Tensor of shape (V), optional
        A weight for each class, kept as a buffer.
    **options
        As for `linear_cross_entropy`.

    Attributes
    ----------
    linear : nn.Module
        The layer, with weight (V, D) and bias (V,) or None; `linear(x)` are the logits, for predictions.

    Examples
    --------
    >>> import torch, luce.torch
    >>> words = torch.nn.Embedding(1000, 16)
    >>> loss = luce.torch.LinearCrossEntropyLoss(16, 1000, tied=words, shift=True)
    >>> loss.linear.weight is words.weight
    True
    >>> loss(torch.randn(2, 7, 16), torch.randint(0, 1000, (2, 7))).shape
    torch.Size([])
    """

    function = staticmethod(linear_cross_entropy)

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        tied: nn.Module | None = None,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        weight: Tensor | None = None,
        **options: Any,
    ) -> None:
        super().__init__(weight, **options)
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        width = num_classes
        for places in self.out_features:
            width *= places
        self.linear = nn.Linear(in_features, width, bias=bias, device=device if tied is None else "meta", dtype=dtype)
        if tied is not None:
            shared = getattr(tied, "weight", None)
            shape = getattr(shared, "shape", None)
            if shared is None or shape != (width, in_features):
                raise ValueError(f"tied: expected a module with a weight of shape {(width, in_features)}, got {shape}")
            if bias:
                raise ValueError("tied: a layer that shares its weight has no bias of its own, got bias=True")
            self.linear.weight = shared

    def forward(
        self, input: Tensor, target: Tensor | tuple[Tensor, Tensor], *, sample_weight: Tensor | None = None, **more: Any
    ) -> Any:
        """Return the loss; options that change from call to call, as `normalizer`, may be given here."""
        weight = self.linear.weight.reshape(self.num_classes, *self.out_features, -1)
        bias = None if self.linear.bias is None else self.linear.bias.reshape(weight.shape[:-1])
        return linear_cross_entropy(
            input,
            weight,
            target,
            linear_bias=bias,
            weight=self.weight,
            sample_weight=sample_weight,
            **{**self.options, **more},
        )
