"""Problems by description: a case of logits, a kind of target and the options become arrays and their exact answers."""

from functools import cached_property

import numpy as np

from luce.check import cases
from luce.check.oracle import CrossEntropy

SIZES = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 129, 255, 257, 1000]
ROWS = [0, 1, 2, 15, 16, 17, 33]
FACTORS = {
    "case": list(cases.LOGITS),
    "target": list(cases.TARGETS),
    "n_classes": [1, 2, 3, 10, 17, 64, 129],
    "n_rows": [1, 5, 17],
    "dtype": ["float32", "float64", "float16"],
    "weight": [None, "some"],
    "sample_weight": [None, "some"],
    "label_smoothing": [0.0, 0.1, 1.0],
    "z_loss": [0.0, 1e-3, 0.5],
    "softcap": [None, 30.0, 2.0],
    "temperature": [1.0, 0.5, 3.0],
    "tail": [None, "uniform"],
    "reduction": ["mean", "sum", "none"],
    "normalizer": [None, 7.5],
    "ignore_index": [-100, 1],
}


class Problem:
    """Arrays and options drawn from a seed, and what the oracle says about them."""

    def __init__(self, *, seed=0, case="normal", target="index", n_rows=5, n_classes=9, dtype="float64", **options):
        rng = np.random.default_rng(seed)
        self.dtype = np.dtype(dtype)
        with np.errstate(over="ignore"):
            logits = cases.logits(case, rng, n_rows, n_classes, self.dtype)
        self.logits = np.where(np.isposinf(logits), np.finfo(self.dtype).max, logits).astype(self.dtype)
        floats = np.float32 if self.dtype == np.float16 else self.dtype
        self.target = cases.target(target, rng, n_rows, n_classes, floats)
        self.vector = rng.standard_normal(self.logits.shape).astype(self.dtype)
        if options.get("weight") == "some":
            options["weight"] = (rng.integers(0, 12, n_classes) / 4 + (n_classes == 1)).astype(floats)
        if options.get("sample_weight") == "some":
            options["sample_weight"] = (0.1 + rng.random(n_rows)).astype(floats)
        if isinstance(self.target, np.ndarray) and self.target.dtype.kind == "i":
            ignored = options.get("ignore_index", -100)
            self.target = np.where(self.target == -100, ignored, self.target)
        if not isinstance(self.target, tuple) or len(self.target[0].T) >= n_classes:
            options.pop("tail", None)  # for pairs alone, and where a class is left to take it
        if options.get("reduction", "mean") != "mean":
            options.pop("normalizer", None)
        self.options = options
        self.has_target_gradient = isinstance(self.target, tuple) or self.target.dtype.kind == "f"

    @cached_property
    def exact(self) -> CrossEntropy:
        return CrossEntropy(self.logits, self.target, **self.options)

    @property
    def arguments(self) -> tuple:
        return self.logits, self.target
