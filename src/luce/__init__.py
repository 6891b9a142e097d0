"""Softmax cross-entropy, every derivative of it, and the models it trains.

``import luce`` loads NumPy and the compiled kernels alone; the other rooms load when they are entered.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from luce import jacobians as jacobians
from luce import sets as sets
from luce._cross_entropy import (
    cross_entropy,
    cross_entropy_and_grad,
    cross_entropy_hvp,
    cross_entropy_target_grad,
)
from luce._linear import (
    LinearGrads,
    linear_cross_entropy,
    linear_cross_entropy_and_grad,
    linear_cross_entropy_hvp,
)
from luce._sigmoid import sigmoid_cross_entropy, sigmoid_cross_entropy_and_grad
from luce._softmax import log_softmax, logsumexp, softmax, softmax_jvp, softmax_vjp
from luce._version import __version__ as __version__
from luce.configuration import set_num_threads, show_config

if TYPE_CHECKING:
    from luce.explanation.explain import explain
    from luce.models.classifier import SoftmaxClassifier
    from luce.models.classifier_cv import SoftmaxClassifierCV
    from luce.models.comparison.compare import compare
    from luce.models.path import softmax_path

__all__ = [
    "LinearGrads",
    "SoftmaxClassifier",
    "SoftmaxClassifierCV",
    "compare",
    "cross_entropy",
    "cross_entropy_and_grad",
    "cross_entropy_hvp",
    "cross_entropy_target_grad",
    "explain",
    "jacobians",
    "linear_cross_entropy",
    "linear_cross_entropy_and_grad",
    "linear_cross_entropy_hvp",
    "log_softmax",
    "logsumexp",
    "set_num_threads",
    "sets",
    "show_config",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_and_grad",
    "softmax",
    "softmax_jvp",
    "softmax_path",
    "softmax_vjp",
]

# name: (module, the extra that brings what it needs)
_LAZY = {
    "SoftmaxClassifier": ("luce.models.classifier", "models"),
    "SoftmaxClassifierCV": ("luce.models.classifier_cv", "models"),
    "softmax_path": ("luce.models.path", "models"),
    "check": ("luce.check", "check"),
    "explain": ("luce.explanation.explain", "explain"),
    "compare": ("luce.models.comparison.compare", "models"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'luce' has no attribute {name!r}")
    module_name, extra = _LAZY[name]
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "luce":
            raise
        raise ImportError(f"luce.{name} needs {error.name}: pip install 'luce[{extra}]'") from error
    return module if module_name == f"luce.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
