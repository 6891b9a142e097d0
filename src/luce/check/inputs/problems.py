"""Problems by description: a case of logits, a kind of target and the options become arrays and their exact answers."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from luce.check.inputs import cases
from luce.check.truth.oracle import CrossEntropy
from luce.derivation.quantities import Array, OptionValue

__all__ = ["FACTORS", "ROWS", "SIZES", "DrawnProblem", "rounded"]

SIZES = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 129, 255, 257, 1000]
ROWS = [0, 1, 2, 15, 16, 17, 33]
FACTORS: dict[str, list[OptionValue]] = {
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


def rounded(values: Array, dtype: str) -> Array:
    """Round to a dtype by its name; the numbers of bfloat16, which NumPy lacks, are held in float32.

    Examples
    --------
    >>> rounded(np.array([1.00390625, 1.01171875]), "bfloat16")
    array([1.      , 1.015625], dtype=float32)
    """
    with np.errstate(over="ignore"):
        if dtype != "bfloat16":
            return values.astype(dtype)
        fraction, exponent = np.frexp(values)
        return np.asarray(np.ldexp(np.rint(fraction * 256), exponent - 8), dtype=np.float32)


class DrawnProblem:
    """Arrays and options drawn from a seed, and what the oracle says about them.

    Parameters
    ----------
    seed : int
        The seed of everything that is drawn.
    case, target : str
        Keys of :data:`luce.check.inputs.cases.LOGITS` and :data:`luce.check.inputs.cases.TARGETS`.
    n_rows, n_classes : int
        The shape of the logits.
    dtype : str
        The dtype of the logits. 16-bit logits go with options and targets in float32.
    **options
        Options of the public functions; "some" for ``weight`` and ``sample_weight`` stands for drawn weights. Options
        that do not go with the target or the reduction are left out.

    Examples
    --------
    >>> problem = DrawnProblem(seed=1, n_rows=2, n_classes=3, weight="some")
    >>> problem.logits.shape, sorted(problem.options)
    ((2, 3), ['weight'])
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        case: str = "normal",
        target: str = "index",
        n_rows: int = 5,
        n_classes: int = 9,
        dtype: str = "float64",
        **options: OptionValue,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.dtype = dtype if dtype == "bfloat16" else np.dtype(dtype)
        floats = "float64" if dtype == "float64" else "float32"
        logits = rounded(cases.logits(case, rng, n_rows, n_classes), dtype)
        self.logits = np.where(np.isposinf(logits), np.finfo(logits.dtype).max, logits).astype(logits.dtype)
        self.target = cases.target(target, rng, n_rows, n_classes, floats)
        self.vector = rounded(rng.standard_normal(self.logits.shape), dtype)
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
        """The loss in multi-precision arithmetic."""
        return CrossEntropy(self.logits, self.target, **self.options)

    @property
    def arguments(self) -> tuple[Array, cases.Target]:
        """Logits and target."""
        return self.logits, self.target
