"""The loss, weights and penalty that a model's options stand for; no other file knows the options by name."""

from __future__ import annotations

from dataclasses import dataclass

from luce.models.inputs.targets import Targets
from luce.models.linear.coordinates import Coordinates, LogOdds, SumZero, Whole
from luce.models.linear.losses import Loss, SigmoidLoss, SoftmaxLoss
from luce.models.linear.penalty import ElasticNet

__all__ = ["Parts", "parts_of"]


@dataclass(frozen=True)
class Parts:
    """The parts that a linear problem is put together from, beside its rows.

    Attributes
    ----------
    loss : Loss
        The loss, which holds the targets of the rows.
    coordinates : Coordinates
        The rows of weights that are free.
    penalty : ElasticNet
    fit_intercept : bool
    n_threads : int or None
    """

    loss: Loss
    coordinates: Coordinates
    penalty: ElasticNet
    fit_intercept: bool = True
    n_threads: int | None = None


def parts_of(
    targets: Targets,
    *,
    loss: str = "softmax",
    l1_ratio: float = 0.0,
    fit_intercept: bool = True,
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> Parts:
    """Return the parts that the options of a classifier stand for, with these targets.

    Labels of two classes have one score, whichever the loss: the log-odds. The softmax's weights sum to 0 over the
    classes, unless an L1 penalty, which is a sum over entries, counts each of them.
    """
    classes = len(targets.classes)
    binary = classes == 2 and not (targets.target.ndim == 2 and loss == "sigmoid")
    softmax = loss == "softmax" or binary
    coordinates: Coordinates
    if binary:
        coordinates = LogOdds()
    elif softmax and not l1_ratio:
        coordinates = SumZero(classes)
    else:
        coordinates = Whole(classes, shift_free=softmax)
    kind = SoftmaxLoss if softmax else SigmoidLoss
    return Parts(
        kind(targets.target, classes, label_smoothing=label_smoothing, n_threads=n_threads),
        coordinates,
        ElasticNet(float(l1_ratio)),
        fit_intercept,
        n_threads,
    )
