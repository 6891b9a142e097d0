"""Where `SoftmaxClassifierCV` and `softmax_path` were up to version 0.1, which pickles of them name."""

from luce.models.classifier_cv import SoftmaxClassifierCV
from luce.models.path import RegularizationPath as Path
from luce.models.path import softmax_path

__all__ = ["Path", "SoftmaxClassifierCV", "softmax_path"]
