"""The roles of a function's parameters, by their names: logits and target, a layer's parts, options, sizes."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Mapping, Sequence

from luce.check.calling.errors import NotRunnable

__all__ = [
    *("LOGITS", "TARGET", "TARGETS", "TASKS"),
    *("extras_of", "options_of", "orders_of_roles", "parameters_of"),
    *("refuse_networks", "required_of", "task_of"),
]

TASKS = ("loss", "layer", "softmax", "vjp")
"""What a function may compute: the loss of logits, of a layer, a softmax (or its Jacobian), a softmax's product."""

TARGETS = ("index", "one-hot", "column")
"""The forms of a target: class indices, rows of zeros and a one, class indices of shape (N, 1)."""

LOGITS = {
    *("z", "logits", "logit", "scores", "score", "input", "inputs", "pred", "preds", "predictions", "y_pred", "y_hat"),
    *("yhat", "output", "outputs", "out", "o", "s", "a", "u", "x", "X", "Z", "rows", "row"),
}
TARGET = {
    *("y", "t", "target", "targets", "label", "labels", "y_true", "truth", "true", "gold", "onehot", "one_hot", "Y"),
    *("y_onehot", "classes", "index", "indices", "ys", "tgt", "k"),
}
ROLES: dict[str, set[str]] = {
    "x": {"x", "X", "input", "inputs", "features", "data", "h", "hidden", "feats"},
    "W": {"W", "w", "weight", "weights", "theta", "kernel", "linear_weight", "coef", "Theta"},
    "b": {"b", "bias", "biases", "linear_bias", "intercept", "B"},
}
VECTOR = {
    *("v", "g", "dout", "dy", "grad", "grad_output", "grad_out", "upstream", "vector", "dp", "ds", "dS", "da", "delta"),
    *("dL", "d_out", "gradient", "dvalues", "cotangent", "vec"),
}
PROBABILITIES = {"p", "probs", "prob", "probabilities", "softmax", "soft", "s", "S", "P", "y", "out", "output", "sm"}
OPTIONS: dict[str, set[str]] = {
    "weight": {"weight", "weights", "class_weight", "class_weights", "w", "cw"},
    "sample_weight": {"sample_weight", "sample_weights", "row_weight", "row_weights"},
    "ignore_index": {"ignore_index", "ignore", "padding_idx", "pad", "ignored"},
    "label_smoothing": {"label_smoothing", "smoothing", "smooth"},
    "temperature": {"temperature", "temp", "tau", "T"},
    "reduction": {"reduction"},
    "upstream": {"grad_output", "upstream", "dout", "grad_out", "upstream_grad"},
}
EXTRAS: dict[str, set[str]] = {
    "zero": {"reg", "lam", "lamb", "lambda_", "lambd", "l2", "reg_strength", "regularization", "weight_decay", "decay"},
    "classes": {"num_classes", "n_classes", "nb_classes", "num_class", "K", "C", "V"},
    "rows": {"batch_size", "n_samples", "num_samples", "m", "N", "bs"},
}
"""Further parameters without a default: a penalty, which is left out, and sizes."""


def parameters_of(fn: object) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function by name; none where they can't be read."""
    try:
        return dict(inspect.signature(fn).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return {}


def options_of(parameters: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """Return the options of the contract that a function has parameters for, and the names of these."""
    found: dict[str, str] = {}
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty:
            continue
        for option, spellings in OPTIONS.items():
            if name in spellings and option not in found:
                found[option] = name
        if name in ("eps", "epsilon") and isinstance(parameter.default, float) and 0.005 <= parameter.default < 1:
            found.setdefault("label_smoothing", name)  # smaller ones are floors
    return found


def required_of(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Return the parameters that a call must give; the first two where all have defaults."""
    positional = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [p.name for p in positional if p.default is p.empty] or [p.name for p in positional[:2]]
    return names + [p.name for p in positional if p.default is None and p.name in TARGET][: len(names) == 1]


def extras_of(parameters: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """Return the parameters from the third on that are the strength of a penalty or a size, with which of them."""
    return {name: kind for name in required_of(parameters)[2:] for kind, names in EXTRAS.items() if name in names}


def task_of(names: Sequence[str]) -> str:
    """Return what a function of these parameters most likely computes, one of :data:`TASKS`."""
    names = _without_numbers(names)
    if len(names) == 1:
        return "softmax"
    if len(names) >= 3 and any(name in ROLES["W"] for name in names):
        return "layer"
    if len(names) == 2 and VECTOR & {*names} and not (TARGET - {"y", "t", "k"}) & {*names}:
        return "vjp"
    return "loss"


def orders_of_roles(names: Sequence[str], task: str) -> list[tuple[str, ...]]:
    """Return the orders in which parameters may stand for roles, the likeliest first.

    Parameters
    ----------
    names : sequence of str
        The names of the parameters that a call must give.
    task : str
        One of :data:`TASKS`.

    Returns
    -------
    list of tuple of str
        Roles: "logits", "softmax" (probabilities), "target", "vector", "x", "W", "b".

    Raises
    ------
    NotRunnable
        For a network of several layers.

    Examples
    --------
    >>> orders_of_roles(["y_true", "z"], "loss")[0]
    ('target', 'logits')
    """
    if not names and task == "loss":
        return [("logits", "target")]
    names = _without_numbers(names)
    orders = {"softmax": _of_softmax, "vjp": _of_product, "layer": _of_layer, "loss": _of_loss}
    return orders[task](names)


def refuse_networks(names: Sequence[str]) -> None:
    """Raise NotRunnable for the parameters of a network of several layers."""
    if sum(name in ROLES["W"] for name in _without_numbers(names)) > 1:
        last = "a function of (x, W, b, target) or of (logits, target)"
        raise NotRunnable(f"it takes the weights of several layers; check its last one alone, {last}")


def _without_numbers(names: Sequence[str]) -> list[str]:
    """Return the names of parts without the number of their layer: W2 is W."""
    return [re.sub(r"^([Wwb]|theta|weights?|bias)_?(\d+|out|output)$", r"\1", name) for name in names]


def _of_softmax(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the orders of a softmax, of logits or of probabilities."""
    return [("logits",), ("softmax",)]


def _of_product(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the orders of a product with the Jacobian, by which of the two names is the vector's."""
    orders: list[tuple[str, ...]] = []
    first = 0 if not names or names[0] in VECTOR else 1
    other = names[1 - first] if len(names) > 1 else ""
    kinds = ("softmax", "logits") if other in PROBABILITIES else ("logits", "softmax")
    for kind, place in itertools.product(kinds, (first, 1 - first)):
        orders.append(("vector", kind) if place == 0 else (kind, "vector"))
    return orders


def _of_layer(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the order of a layer's parts: by their names, then in the usual order."""
    wanted = ["x", "W", "b", "target"] if len(names) >= 4 else ["x", "W", "target"]
    roles: list[str | None] = [None] * len(wanted)
    for role, spellings in {"W": ROLES["W"], "b": ROLES["b"], "target": TARGET, "x": ROLES["x"] | LOGITS}.items():
        for i, name in enumerate(names[: len(wanted)]):
            if roles[i] is None and role in wanted and role not in roles and name in spellings:
                roles[i] = role
    left = [role for role in wanted if role not in roles]
    return [tuple(role or left.pop(0) for role in roles)]


def _of_loss(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the orders of a loss: one where the names tell, else both, and then with probabilities for logits."""
    order: tuple[str, ...] = ("logits", "target")
    swapped = len(names) > 1 and names[0] in TARGET and names[1] not in TARGET - {"y"}
    orders = [order[::-1], order] if swapped else [order, order[::-1]]
    if len(names) > 1 and sum(name in LOGITS for name in names[:2]) == sum(name in TARGET for name in names[:2]) == 1:
        orders = orders[:1]  # the names leave no doubt
    return [*orders, *(tuple("softmax" if role == "logits" else role for role in each) for each in orders)]
