"""The module of `SoftmaxClassifierCV` and `softmax_path` up to version 0.1, by which pickles of them find it."""

from luce.models.classifier_cv import SoftmaxClassifierCV
from luce.models.path import RegularizationPath as Path
from luce.models.path import softmax_path

__all__ = ["Path", "SoftmaxClassifierCV", "softmax_path"]
