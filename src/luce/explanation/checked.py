"""The derivation beside a function that was checked: the input on which it is wrong, and the step where they part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from luce.explanation.explain import explained
from luce.explanation.faces.page import Verdict, html
from luce.explanation.inputs import of_layer, of_logits

if TYPE_CHECKING:
    from rich.console import Console

    from luce.explanation.derivation import Derivation

__all__ = ["page_beside"]

STEPS = {
    "scores": ("scaled", "scores"),
    "smoothing": ("smoothed", "target"),
    "weighting": ("target",),
    "mass": ("mass",),
    "shift": ("shift",),
    "exponentials": ("exponentials",),
    "probabilities": ("probabilities",),
    "loss": ("loss",),
    "gradient": ("gradient",),
    "divisor": ("batch_gradient", "gradient"),
    "reduction": ("value", "loss"),
    "layer": ("weight_gradient", "gradient"),
    "jacobian": ("jacobian",),
    "product": ("jacobian",),
}
"""Steps of an explanation by the steps of the derivation that mistakes are made in: the first that there is."""

OUTPUTS = {
    "loss": ("value", "loss"),
    "gradient": ("batch_gradient", "gradient"),
    "dW": ("weight_gradient",),
    "db": ("bias_gradient",),
    "dx": ("input_gradient",),
    "softmax": ("probabilities",),
    "jacobian": ("jacobian",),
    "vjp": ("jacobian",),
}
"""Steps by what a function returns."""


def page_beside(report: Mapping[str, Any], show: Callable[[Console], None]) -> str | None:
    """Return the page of an explanation under the verdict on a function, with the step where the two part.

    Parameters
    ----------
    report : mapping
        What :meth:`luce.check.Report.to_dict` gives.
    show : callable
        Prints the verdict to a console.

    Returns
    -------
    str or None
        None where the function is right, or was not run, or has no input that could be explained.

    Examples
    --------
    >>> import luce
    >>> from luce.explanation.checked import page_beside
    >>> report = luce.check.gradient(lambda z, y: -luce.cross_entropy_and_grad(z, y)[1])
    >>> '<a href="#gradient">' in page_beside(report.to_dict(), report.show)
    True
    """
    example = report["example"]
    if report["verdict"] != "wrong" or not example or not example["given"] or not example["output"]:
        return None
    derivation = _derivation(example["given"], example["row"])
    mistake = next((found for found in report["diagnosis"] if found["kind"] == "mistake" and "step" in found), None)
    places = OUTPUTS[example["output"]] if mistake is None else STEPS[mistake["step"]]
    there = set(derivation.keys())
    step = next((name for name in places if name in there), None)
    if step is None:
        return None
    if mistake is None:
        words = f"The function {report['function']} and the derivation part ways at the latest in what it returns here."
    else:
        words = f"Here the function {report['function']} and the derivation part ways: {mistake['name']}. "
        words += f"It has {mistake['computed']} where {mistake['right']} is right."
    return html(derivation, Verdict(show, step, words))


def _derivation(given: Mapping[str, Any], row: int) -> Derivation:
    """Return the derivation of an input as a report has it, of the row alone where each row was a call of its own."""
    alone = bool(given["rowwise"])
    options = {name: np.array(value) if isinstance(value, list) else value for name, value in given["options"].items()}
    target, logits = np.array(given["target"]), np.array(given["logits"], float)
    if alone:
        target, logits = target[row], logits[row]
        options = {name: value[row] if name == "sample_weight" else value for name, value in options.items()}
    scores = of_logits(logits)
    if "x" in given:
        x, W, b = (np.array(given[name], float) for name in "xWb")
        scores = of_layer(x[row] if alone else x, W, b)
    return explained(scores, target, options, row=None if alone else row)
