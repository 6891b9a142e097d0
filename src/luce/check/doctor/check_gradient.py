"""The gradient doctor: a function is examined in the ways in which it may be called, and reported on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import numpy as np

from luce.check.calling.roles import TARGETS, TASKS
from luce.check.doctor.repair.account import repairs_of
from luce.check.doctor.repair.blame import blamed
from luce.check.doctor.repair.shifts import seen
from luce.check.doctor.repair.source import file_of
from luce.check.doctor.report import Report
from luce.check.doctor.search import Search, Ways
from luce.check.doctor.verdict import report_on
from luce.derivation.quantities import OptionValue

__all__ = ["gradient"]

TOLD_OPTIONS = ("label_smoothing", "temperature", "reduction", "ignore_index", "weight", "sample_weight")
"""Options that can be said of a function that has them built in."""


def gradient(
    fn: object,
    *,
    task: Literal["loss", "layer", "softmax", "vjp"] | None = None,
    framework: Literal["numpy", "torch", "jax", "list"] | None = None,
    target: Literal["index", "one-hot", "column"] | None = None,
    layout: Literal["rows", "columns"] | None = None,
    classes: int | None = None,
    dtype: str = "float64",
    descent: bool = False,
    repair: bool = True,
    **options: OptionValue,
) -> Report:
    """Say whether a softmax cross-entropy, its gradient or both are right, and if not, which known mistake was made.

    The function is run on probes that tell every known mistake from every other, and what it returns is compared with
    multi-precision arithmetic. How it is called is found out from the names of its parameters and by trial.

    Parameters
    ----------
    fn : callable
        One of: (logits, target) → loss, gradient or both, of a batch or of one row; (x, W, b, y) → any of loss, dW, db,
        dx; (logits) → softmax or its Jacobian; (vector, logits or softmax) → the Jacobian times the vector. It takes
        NumPy arrays, PyTorch tensors, JAX arrays or lists. Also a ``torch.nn.Module``, a ``torch.autograd.Function``,
        or a class with ``forward`` and ``backward``. What a loss returns alone is differentiated by its framework.
    task, framework, target : str, optional
        What the function computes, which arrays it takes, and the form of the target, where "column" is labels of shape
        (N, 1); by default all three are found out.
    layout : {"rows", "columns"}, optional
        Whether an example is a row of the logits or a column; by default it is found out.
    classes : int, optional
        The number of classes that it has built in; by default it is found out.
    dtype : str, default "float64"
        The dtype of the floats that it is given.
    descent : bool, default False
        The function returns minus the gradient on purpose.
    repair : bool, default True
        Look for the line that is wrong, and for a change of it with which the function is right: copies of the function
        with changed lines are run, some seconds long at most. The file is not touched.
    **options
        ``label_smoothing``, ``temperature``, ``reduction``, ``ignore_index``, ``weight`` (of the classes) or
        ``sample_weight`` (of the rows) of a function that has them built in; where it has a parameter of that name, the
        value is passed, and where that has a default, it counts as said. Anything else is passed as it is.

    Returns
    -------
    Report
        ``report.correct``, ``report.diagnosis``, ``report.repairs``; ``print(report)`` for people, ``to_json()`` and
        ``to_html()``.

    Raises
    ------
    ValueError
        When an argument has no such value.

    Examples
    --------
    >>> import numpy as np
    >>> import luce.check
    >>> def loss_and_gradient(z, y):
    ...     e = np.exp(z - z.max(axis=1, keepdims=True))
    ...     p = e / e.sum(axis=1, keepdims=True)
    ...     rows = np.arange(len(y))
    ...     loss = -np.log(p[rows, y]).mean()
    ...     p[rows, y] -= 1
    ...     return loss, p
    >>> report = luce.check.gradient(loss_and_gradient)
    >>> report.correct, report.diagnosis[0].name
    (False, 'gradient not divided by N')
    """
    _check_choices(
        task=task,
        framework=framework,
        target=target,
        layout=layout,
        dtype=dtype,
        reduction=options.get("reduction"),
    )
    if classes is not None and not (isinstance(classes, int) and classes >= 2):
        raise ValueError(f"classes must be an integer of at least 2, got {classes!r}")
    name = getattr(fn, "__name__", type(fn).__name__)
    told = {key: value for key, value in options.items() if key in TOLD_OPTIONS}
    fixed = {key: value for key, value in options.items() if key not in TOLD_OPTIONS}
    ways = Ways(task=task, framework=framework, target=target, layout=layout, dtype=dtype, fixed=fixed)
    rows = _length(told, "sample_weight", None)
    classes = _length(told, "weight", classes)
    with _one_thread():
        search = Search(fn, ways, told, descent, repair)
        found = search.outcome(rows, classes)
        if isinstance(found, str):
            return Report(name, "not runnable", reason=found)
        found.diagnosis = seen(found, fn)
        report = report_on(found, name)
        proven = search.proven(found) if report.verdict == "wrong" else None
        if proven is None:
            fault = blamed(found, fn) if repair and report.verdict == "wrong" else None
            return replace(report, fault=fault, file=file_of(fn)) if fault else report
        repairs, diff = repairs_of(proven, found)
        return replace(report, repairs=repairs, diff=diff, file=proven.before.file)


def _check_choices(**given: str | None) -> None:
    """Raise a ValueError for what has another value than it may have."""
    choices = {
        "task": TASKS,
        "framework": ("numpy", "torch", "jax", "list"),
        "target": TARGETS,
        "layout": ("rows", "columns"),
        "dtype": ("float64", "float32", "float16", "bfloat16"),
        "reduction": ("mean", "sum", "none"),
    }
    for argument, value in given.items():
        if value is not None and value not in choices[argument]:
            raise ValueError(f"{argument} must be one of {', '.join(choices[argument])}, got {value!r}")


def _length(told: Mapping[str, OptionValue], option: str, number: int | None) -> int | None:
    """Return how many weights were said; they must be as many as there are."""
    if told.get(option) is None:
        return number
    if np.ndim(told[option]) != 1 or number not in (None, len(told[option])):
        needed = "one dimension" if number is None else f"one dimension and {number} entries"
        raise ValueError(f"{option} must have {needed}, got shape {np.shape(told[option])}")
    return len(told[option])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let PyTorch compute with one thread: probes are small, and threads would wait for each other."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)
