"""The form of the loss that kernels take, whatever the target and the options were.

Notation (N rows, V classes, z the logits)::

    u = softcap(z) / temperature        softcap(z) = cap * tanh(z / cap)
    lse = log sum_j exp(u_j)            p = exp(u - lse)
    t = w * ((1 - eps) * given + eps / V)                          the effective target, alpha = sum_j t_j
    l = alpha * lse - <t, u> + zeta * lse**2                       the loss of a row
    L = sum_i r_i l_i / D                                          r: sample weights, D: the normaliser

Below the form every value is valid: the kernels check nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from luce.contract.options import POSITIVE_OR_NONE, TOLERANCE, Options, SetOptions, described

if TYPE_CHECKING:
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Form", "RowOptions", "SigmoidForm", "TargetRows"]


class RowOptions(NamedTuple):
    """The options that shape a row's loss beside its arrays, as plain numbers; a softcap of 0 stands for none.

    `tolerance` is the share of the logits' gradient, in norm, that a layer's gradients may leave out.
    """

    label_smoothing: float = 0.0
    ignored: int | None = None
    z_loss: float = 0.0
    softcap: float = 0.0
    temperature: float = 1.0
    tail: bool = False
    tolerance: float = 0.0

    @classmethod
    def of(cls, options: Options, ignored: int | None, tolerance: float = 0.0) -> RowOptions:
        """Return those of a call's options, with the class that is ignored in its target."""
        if options.softcap == 0:  # which stands for none from here on
            POSITIVE_OR_NONE.check("softcap", options.softcap)
        return cls(
            options.label_smoothing,
            ignored,
            options.z_loss,
            0.0 if options.softcap is None else options.softcap,
            options.temperature,
            options.tail is not None,
            tolerance,
        )

    def check(self) -> None:
        """Raise a ValueError or TypeError for a number that is out of its option's range."""
        for name in ("label_smoothing", "z_loss", "softcap", "temperature"):
            check, value = described(Options)[name].check, getattr(self, name)
            if check is not None and (value != 0 or name != "softcap"):
                check(name, value)
        TOLERANCE.check("tolerance", self.tolerance)


class SigmoidForm(NamedTuple):
    """What shapes the losses of a sigmoid's logits, all arrays of the logits' size.

    The target t becomes (1 − smoothing)·t + smoothing/2; `positive` multiplies its positive term, `weight` the loss.
    """

    target: NDArray[Any]
    positive: NDArray[Any] | None = None
    weight: NDArray[np.float64] | None = None
    smoothing: float = 0.0


class TargetRows(NamedTuple):
    """A target of one kind as contiguous rows, as :class:`Form` has it: classes, listed classes, or a distribution."""

    indices: NDArray[np.int64] | None = None
    value: NDArray[Any] | None = None
    dense: NDArray[Any] | None = None
    tail: NDArray[np.float64] | None = None
    ignored: int | None = None


class Form(NamedTuple):
    """The effective target of N rows and everything else that shapes a row's loss (``Form`` in C++, too).

    A row's target is `given_share` of what is given plus `background` for every class, times the class `weight`. Given
    are `n_listed` classes a row: `indices` (N,) alone, or `indices` and `value`, both (N, k), and for each class that
    is not listed the row's `tail` (N,); or all classes: `dense` (N, V). `row_scale` (N,) multiplies the rows' losses;
    rows of the class `ignored` count for nothing. A softcap of 0 stands for none.
    """

    n_listed: int
    indices: NDArray[np.int64] | None
    value: NDArray[Any] | None
    dense: NDArray[Any] | None
    weight: NDArray[Any] | None
    tail: NDArray[np.float64] | None
    row_scale: NDArray[np.float64] | None
    given_share: float
    background: float
    ignored: int | None
    z_loss: float
    softcap: float
    temperature: float

    @classmethod
    def of(
        cls,
        classes: int,
        options: Options | SetOptions | RowOptions,
        target: TargetRows,
        weight: NDArray[Any] | None = None,
        row_scale: NDArray[np.float64] | None = None,
    ) -> Self:
        """Return the form of rows of so many classes; fields by place, which is faster."""
        indices, value, dense, tail, ignored = target
        return cls(
            0 if indices is None else 1 if value is None else value.shape[1],
            indices,
            value,
            dense,
            weight,
            tail,
            row_scale,
            1.0 - options.label_smoothing,
            options.label_smoothing / classes,
            ignored,
            options.z_loss,
            options.softcap or 0.0,
            options.temperature,
        )

    def rows(self, begin: int, end: int) -> Form:
        """Return the form of rows [begin, end)."""
        cut = {name: part[begin:end] for name in _ROW_PARTS if (part := getattr(self, name)) is not None}
        return self._replace(**cut)


_ROW_PARTS = ("indices", "value", "dense", "tail", "row_scale")
