"""The losses of a block of scores, one a file, each with its own curvature."""

from luce.models.linear.losses.protocol import Loss, Rows
from luce.models.linear.losses.sigmoid import SigmoidLoss
from luce.models.linear.losses.softmax import SoftmaxLoss

__all__ = ["Loss", "Rows", "SigmoidLoss", "SoftmaxLoss"]
