"""Finding out how somebody's function is called and what it returns: by the names of its parameters, then by trial."""

from __future__ import annotations

import inspect
import itertools
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luce.check.inputs.probes import Probe
from luce.check.truth.oracle import to_float
from luce.derivation import one_hot

__all__ = ["TARGETS", "TASKS", "Call", "NotRunnable", "Observed", "calls", "where"]

Array = NDArray[Any]

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
NAMES: dict[str, str] = {
    **dict.fromkeys(("loss", "value", "L", "nll", "ce", "cost"), "loss"),
    **dict.fromkeys(("grad", "gradient", "dz", "dlogits", "grad_logits", "G", "dscores", "grad_input"), "gradient"),
    **dict.fromkeys(("dW", "dw", "grad_W", "grad_w", "grad_weight", "W", "linear_weight", "weight"), "dW"),
    **dict.fromkeys(("db", "grad_b", "grad_bias", "b", "linear_bias", "bias"), "db"),
    **dict.fromkeys(("dx", "dX", "grad_x", "grad_X", "x", "X", "input"), "dx"),
    **dict.fromkeys(("p", "probs", "probabilities", "softmax"), "softmax"),
}
EXTRAS: dict[str, set[str]] = {
    "zero": {"reg", "lam", "lamb", "lambda_", "lambd", "l2", "reg_strength", "regularization", "weight_decay", "decay"},
    "classes": {"num_classes", "n_classes", "nb_classes", "num_class", "K", "C", "V"},
    "rows": {"batch_size", "n_samples", "num_samples", "m", "N", "bs"},
}
"""Further parameters without a default: a penalty, which is left out, and sizes."""
FORWARD, BACKWARD = ("forward", "loss", "__call__"), ("backward", "gradient", "grad")
LEFT_BEHIND = ("dinputs", "grad", "gradient", "dlogits", "dz", "dx", "grad_input")
"""Where a layer's ``backward`` leaves what it does not return."""
DERIVATIVES = {"logits": "gradient", "W": "dW", "b": "db", "x": "dx"}


class NotRunnable(Exception):
    """The function can't be checked; the message says why. One that is final needs no other way of calling it."""

    final = False


@dataclass
class Observed:
    """What one call gave: float64 arrays by name, the coarsest dtype among them, what happened on the way.

    ``arithmetic`` names the error that plain Python raises where arrays hold an infinity or a NaN, ``whole`` the
    outputs whose numbers are integers.
    """

    outputs: dict[str, Array]
    dtype: str = "float64"
    derived: bool = False
    overwritten: bool = False
    arithmetic: str = ""
    whole: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """One way to call a function.

    ``derives`` is whether tensors ask for their gradient, ``columns`` whether the examples are the columns, ``extras``
    what further parameters are for.
    """

    fn: Callable[..., Any]
    task: str
    roles: tuple[str, ...]
    framework: str = "numpy"
    target: str = "index"
    rowwise: bool = False
    transposed_weight: bool = False
    columns: bool = False
    extras: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    signature: Mapping[str, inspect.Parameter] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float64"
    derives: bool = True
    places: dict[int, list[str]] = field(default_factory=dict)

    @property
    def usual(self) -> bool:
        """Whether it is called as most are: logits, examples in rows, labels in one dimension."""
        odd = self.columns or self.target == "column" or (self.task != "vjp" and "softmax" in self.roles)
        return not odd

    @property
    def defaults(self) -> dict[str, Any]:
        """Options that are in use unless something else is passed, as the defaults of its parameters."""
        found = {}
        for option, name in self.parameters.items():
            value = self.signature[name].default
            neutral = {"label_smoothing": 0, "temperature": 1}.get(option)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if option in ("label_smoothing", "temperature") and number and value != neutral:
                found[option] = value
            if option == "ignore_index" and number and value >= 0:
                found[option] = value
            if option == "reduction" and value in ("mean", "sum", "none"):
                found[option] = value
        return found

    def __call__(self, probe: Probe) -> Observed:
        """Run the function on a probe; exceptions are the function's own, but for arithmetic ones: those are NaN."""
        if not self.rowwise:
            return self._once(probe)
        rows = []
        for i in range(len(probe.logits)):
            vector = None if probe.vector is None else probe.vector[i : i + 1]
            one = replace(probe, logits=probe.logits[i : i + 1], target=probe.target[i : i + 1], vector=vector)
            rows.append(self._once(one))
        for row in rows:
            if row.arithmetic:
                return row
        names = rows[0].outputs.keys()
        if any(row.outputs.keys() != names for row in rows):
            raise NotRunnable("it returns different things for different rows")
        outputs = {name: np.stack([row.outputs[name] for row in rows]) for name in names}
        return replace(
            rows[0],
            outputs=outputs,
            overwritten=any(row.overwritten for row in rows),
        )

    def _once(self, probe: Probe) -> Observed:
        with self._in_float64(), np.errstate(all="ignore"):
            given = {role: self._native(self._value(role, probe)) for role in self.roles}
            options = {
                self.parameters[name]: self._native(np.asarray(value)) if np.ndim(value) else value
                for name, value in {**probe.options, "upstream": probe.upstream}.items()
                if name in self.parameters and value is not None
            }
            sizes = {"zero": 0.0, "classes": probe.logits.shape[1], "rows": len(probe.logits)}
            options |= {name: sizes[kind] for name, kind in self.extras.items()}
            before = {role: _plain(value)[0].copy() for role, value in given.items()}
            try:
                result = self._run(given, {**self.fixed, **options}, probe)
            except (ArithmeticError, ValueError) as error:
                if isinstance(error, ArithmeticError) or _of_math(error):
                    return Observed({}, arithmetic=type(error).__name__)
                raise
            after = {role: _plain(value)[0] for role, value in given.items()}
        overwritten = any(not np.array_equal(before[role], after[role], equal_nan=True) for role in given)
        return replace(self._named(result, probe), overwritten=overwritten)

    def _in_float64(self) -> Any:
        """JAX computes in float32 unless it is told."""
        if self.framework != "jax":
            return nullcontext()
        import jax

        jax_: Any = jax
        return jax_.enable_x64(True) if hasattr(jax_, "enable_x64") else jax_.experimental.enable_x64()

    def _value(self, role: str, probe: Probe) -> Any:
        n = slice(None) if not self.rowwise else 0
        if role == "target" and np.ndim(probe.target) == 1:
            if self.target == "one-hot":
                return self._laid_out(one_hot(probe.labels, probe.logits.shape[1])[n])
            return probe.target[:, None] if self.target == "column" else probe.target[n]
        if role == "softmax":
            return self._laid_out(to_float(probe.truth("softmax").value)[n])
        if role in ("logits", "vector", "target"):
            return self._laid_out(np.asarray(getattr(probe, role))[n])
        assert probe.layer is not None
        value = probe.layer["xWb".index(role)]
        return value.T if role == "W" and self.transposed_weight else value

    def _laid_out(self, value: Array) -> Array:
        """As rows, or as columns: one row is then a column of a matrix."""
        return np.atleast_2d(value).T if self.columns else value

    def _native(self, value: Any) -> Any:
        array = np.array(value, order="C")
        whole = array.dtype.kind in "iu"
        if self.framework == "list":
            return array.tolist()
        if self.framework == "torch":
            import torch

            return torch.tensor(array) if whole else torch.tensor(array, dtype=getattr(torch, self.dtype))
        if self.framework == "jax":
            import jax.numpy as jnp

            return jnp.asarray(array) if whole else jnp.asarray(array, dtype=self.dtype)
        if array.ndim == 0 and whole:
            return int(array)
        return array.astype(np.int64 if whole else self.dtype)

    def _run(self, given: dict[str, Any], options: dict[str, Any], probe: Probe) -> Any:
        """Call it; what returns a loss alone is differentiated by the framework."""
        arguments, of = list(given.values()), [role for role in self.roles if role in DERIVATIVES]
        derives = self.derives and self.task in ("loss", "layer") and self.framework in ("torch", "jax")
        if derives and self.framework == "torch":
            for role in of:
                given[role].requires_grad_()
        result = self.fn(*arguments, **options)
        if not derives or getattr(result, "ndim", 2) > 1:
            return result
        from_above = None if "upstream" in self.parameters else probe.upstream
        if self.framework == "jax":
            import jax

            def of_some(*some: Any) -> Any:
                return self.fn(*{**given, **dict(zip(of, some, strict=True))}.values(), **options)

            result, pull_back = jax.vjp(of_some, *(given[role] for role in of))
            above: Any = jax.numpy.ones_like(result) * (1.0 if from_above is None else jax.numpy.asarray(from_above))
            return _Derived(result, dict(zip(of, pull_back(above.astype(result.dtype)), strict=True)))
        import torch

        if not result.requires_grad:
            return result
        above = torch.ones_like(result) * torch.as_tensor(1.0 if from_above is None else from_above, dtype=result.dtype)
        parts = torch.autograd.grad(result, [given[role] for role in of], above, allow_unused=True)
        return _Derived(result, dict(zip(of, parts, strict=True)))

    def _named(self, result: Any, probe: Probe) -> Observed:
        if isinstance(result, _Derived):
            parts = {DERIVATIVES[role]: part for role, part in result.parts.items() if part is not None}
            found = {"loss": result.loss, **parts}
            return self._observed(found, derived=True)
        if hasattr(result, "_asdict"):
            result = result._asdict()
        if isinstance(result, Mapping):
            found = {}
            for key, value in result.items():
                name = key if key in ("loss", "gradient", "dW", "db", "dx", "softmax") else NAMES.get(str(key))
                if name:
                    found["gradient" if name == "dx" and self.task == "loss" else name] = value
            if not found:
                keys = ", ".join(map(repr, result))
                raise NotRunnable(f"it returns a dictionary of {keys}; 'loss' and 'grad' were expected")
            return self._observed(found)
        parts_of = list(result) if isinstance(result, tuple) else [result]
        if isinstance(result, list) and len(result) in (2, 3, 4) and len({np.ndim(_plain(r)[0]) for r in result}) > 1:
            parts_of = result
        flat = [p for part in parts_of for p in (part if isinstance(part, tuple) else [part]) if p is not None]
        arrays = [_plain(part)[0] for part in flat]
        names = self.places.get(len(flat), [])  # from the first probe, whose shapes are all different
        for array in arrays[len(names) :]:
            names = [*names, self._by_shape(array, probe, names, [a.shape for a in arrays].count(array.shape) > 1)]
        if len(set(names)) < len(names):
            raise NotRunnable(f"it returns arrays of shapes {', '.join(str(a.shape) for a in arrays)}; which is which?")
        self.places[len(flat)] = names
        found = dict(zip(names, flat, strict=True))
        if not found:
            raise NotRunnable("it returns None; a loss, a gradient or both were expected")
        return self._observed(found)

    def _by_shape(self, value: Array, probe: Probe, found: Sequence[str], beside: bool) -> str:
        """The name of an output that stands after those found, perhaps beside another of its shape."""
        n, v = (len(probe.logits), probe.logits.shape[1])
        row = () if self.rowwise else (n,)
        shape = value.shape
        like = (v, n) if self.columns else (*row, v)
        if self.task in ("softmax", "vjp"):
            kinds = {like: self.task, (*row, v, v): "jacobian"}
        elif self.task == "loss":
            kinds = {(): "loss", (*row,): "loss", like: "gradient"} | ({(v,): "gradient"} if row and v != n else {})
            if all(size == 1 for size in shape) or (not self.rowwise and shape in ((n, 1), (1, n))):
                return "loss"
            classes = -2 if self.columns else -1
            if shape == like and beside and value.min() >= 0 and np.allclose(value.sum(axis=classes), 1, atol=1e-2):
                return "softmax"
        else:
            assert probe.layer is not None
            d = probe.layer[0].shape[1]
            W = (d, v) if self.transposed_weight else (v, d)
            kinds = {(): "loss", (1,): "loss", W[::-1]: "dW", W: "dW", (v,): "db", (1, v): "db", (n,): "db"}
            kinds |= {(n, d): "dx", (n, v): "db" if (n, v) != (n, d) or "dx" in found else "dx"}
            if shape == () and "loss" in found:
                return "db"
            if shape in kinds and kinds[shape] == "dW" and "dW" in found and shape == (n, d):
                return "dx"
        if shape not in kinds:
            said = " or ".join(f"{name} {kind}" for kind, name in kinds.items() if kind != (v,) or self.rowwise)
            error = NotRunnable(f"it returns an array of shape {shape}; expected {said}")
            error.final = shape == (v, *row) and not self.rowwise and not self.columns
            raise error
        return kinds[shape]

    def _observed(self, found: Mapping[str, Any], derived: bool = False) -> Observed:
        outputs, dtypes, whole = {}, [], []
        for name, value in found.items():
            array, dtype = _plain(value)
            if array.dtype == object:
                raise NotRunnable(f"its {name} is no array of numbers")
            if name == "dW" and self.transposed_weight:
                array = array.T
            if name == "db" and array.ndim == 2 and len(array) == 1:
                array = array[0]
            if self.columns and name in ("gradient", "softmax", "vjp"):
                array = array.T[0] if self.rowwise else array.T
            if name == "loss":
                array = array.reshape(-1 if array.size > 1 else ())
            whole += [name] * (array.dtype.kind in "iu")
            outputs[name] = array.astype(np.float64)
            dtypes.append(dtype)
        order = ["bfloat16", "float16", "float32", "float64"]
        known = [dtype for dtype in dtypes if dtype in order]
        coarsest = min(known, key=order.index) if known else "float64"
        return Observed(outputs, coarsest, derived, whole=tuple(whole))

    def describe(self) -> str:
        """One line: what is passed and in which form."""
        target = {"index": "class indices", "one-hot": "one-hot rows", "column": "class indices of shape (N, 1)"}
        said = {"target": target[self.target], "softmax": "probabilities"}
        words = [said.get(role, role) for role in self.roles]
        kind = {"numpy": "NumPy arrays", "torch": "PyTorch tensors", "jax": "JAX arrays", "list": "lists"}
        return f"f({', '.join(words)}) with {kind[self.framework]}{', the examples as columns' * self.columns}\
{', one row at a time' * self.rowwise}"


@dataclass
class _Derived:
    loss: Any
    parts: dict[str, Any]


def _plain(value: Any) -> tuple[Array, str]:
    """A NumPy array of anything array-like, and the dtype that it had."""
    if hasattr(value, "detach"):
        dtype = str(value.dtype).removeprefix("torch.")
        return (value.detach().double() if "float" in dtype else value.detach()).cpu().numpy(), dtype
    if isinstance(value, (bool, int, float)):
        return np.asarray(value), ""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise NotRunnable("it returns nested lists of uneven lengths") from error
    if array.dtype.kind == "V" or str(array.dtype) == "bfloat16":
        return array.astype(np.float64), "bfloat16"
    return array, str(array.dtype) if not isinstance(value, list) and array.ndim else ""


def _of_math(error: Exception) -> bool:
    words = str(error)
    return any(said in words for said in ("math domain error", "math range error", "expected a positive input"))


def _options_of(fn: Any) -> dict[str, str]:
    """The options of the contract that a function has parameters for: option → parameter."""
    names = [name for name, p in _parameters(fn).items() if p.default is not p.empty]
    found: dict[str, str] = {}
    for name in names:
        for option, spellings in OPTIONS.items():
            if name in spellings and option not in found:
                found[option] = name
        default = _parameters(fn)[name].default
        if name in ("eps", "epsilon") and isinstance(default, float) and 0.005 <= default < 1:
            found.setdefault("label_smoothing", name)  # smaller ones are floors
    return found


def _parameters(fn: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(fn).parameters)
    except (TypeError, ValueError):
        return {}


def _callable(fn: Any) -> tuple[Callable[..., Any], Any, str | None]:
    """What to call, whose parameters to read, and the framework where the kind of function tells it."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        if isinstance(fn, torch.nn.Module):
            return fn, fn.forward, "torch"
        if isinstance(fn, type) and issubclass(fn, torch.nn.Module):
            module: Any = fn()
            return module, module.forward, "torch"
        if isinstance(fn, type) and issubclass(fn, torch.autograd.Function):
            function: Any = fn

            def applied(*arguments: Any) -> Any:
                return function.apply(*arguments)

            signature = list(_parameters(function.forward).values())
            signature = signature[1:] if signature[0].name in ("ctx", "context", "self", "_") else signature
            applied.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
            return applied, applied, "torch"
    forward, backward = (next((n for n in names if hasattr(fn, n)), None) for names in (FORWARD, BACKWARD))
    if forward and backward and (isinstance(fn, type) or not callable(fn)):
        layer = _of_layer(fn, forward, backward)
        return layer, layer, None
    if not callable(fn):
        raise NotRunnable(f"it is no function but {type(fn).__name__}")
    return fn, fn, None


def _of_layer(kind: Any, forward: str, backward: str) -> Callable[..., Any]:
    """What a class with ``forward`` and ``backward`` computes: loss and gradient, or a product where it is a softmax.

    ``backward`` may take the target again, and leave its result in an attribute.
    """
    made: Callable[[], Any] = kind if isinstance(kind, type) else lambda: kind
    skipped = int(isinstance(kind, type))
    takes = list(_parameters(getattr(kind, forward)).values())[skipped:]
    needs = [p.name for p in list(_parameters(getattr(kind, backward)).values())[skipped:] if p.default is p.empty]

    def back(layer: Any, given: Sequence[Any], above: Any) -> Any:
        def value(name: str) -> Any:
            if name in TARGET and len(given) > 1:
                return next((g for g, p in zip(given, takes, strict=False) if p.name == name), given[1])
            if name in LOGITS:
                return given[0]
            return getattr(layer, "output", given[0]) if TARGET & {*needs} else above

        result = getattr(layer, backward)(*map(value, needs or ["above"] * (above is not None)))
        left = (getattr(layer, name) for name in LEFT_BEHIND if hasattr(layer, name))
        return next(left, None) if result is None else result

    if len([p for p in takes if p.default is p.empty]) == 1:

        def product(dout: Any, z: Any) -> Any:
            layer = made()
            getattr(layer, forward)(z)
            return back(layer, (z,), dout)

        return product

    def both(*arguments: Any) -> Any:
        layer = made()
        loss = getattr(layer, forward)(*arguments)
        return loss, back(layer, arguments, 1.0 if needs else None)

    both.__signature__ = inspect.Signature(takes)  # type: ignore[attr-defined]
    return both


def _frameworks(fn: Any, said: str | None) -> tuple[str, ...]:
    """The frameworks to try: the one said, or those that the function's own module uses, first."""
    if said:
        return (said,)
    inner = inspect.unwrap(fn)
    try:
        named = inspect.getclosurevars(inner)
        values = [*named.globals.values(), *named.nonlocals.values()]
    except (TypeError, ValueError):
        values = [type(fn)]
    used = {_home(value) for value in [*values, inner]}
    modules = {_home(value) for value in getattr(inner, "__globals__", {}).values() if inspect.ismodule(value)}
    for framework in ("torch", "jax"):
        if framework in used:
            return (framework, "numpy", "list")
    also = tuple(f for f in ("torch", "jax") if f in modules)
    return ("numpy", "list", *also)


def _home(value: Any) -> str:
    """The package that a module, function or class comes from."""
    return str(value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "")).partition(".")[0]


def _required(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """The parameters that a call must give; the first two where all have defaults."""
    positional = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [p.name for p in positional if p.default is p.empty] or [p.name for p in positional[:2]]
    return names + [p.name for p in positional if p.default is None and p.name in TARGET][: len(names) == 1]


def _extras(parameters: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """Parameters from the third on that are a penalty's strength or a size."""
    return {name: kind for name in _required(parameters)[2:] for kind, names in EXTRAS.items() if name in names}


def _task_and_roles(names: Sequence[str], task: str | None) -> tuple[str, list[tuple[str, ...]]]:
    """The task and the orders of roles to try, likeliest first."""
    if not names and task in (None, "loss"):
        return "loss", [("logits", "target")]
    names = [re.sub(r"^([Wwb]|theta|weights?|bias)_?(\d+|out|output)$", r"\1", name) for name in names]  # W2 is W
    if sum(name in ROLES["W"] for name in names) > 1 and task in (None, "layer"):
        last = "a function of (x, W, b, target) or of (logits, target)"
        raise NotRunnable(f"it takes the weights of several layers; check its last one alone, {last}")
    if task is None:
        if len(names) == 1:
            task = "softmax"
        elif len(names) >= 3 and any(name in ROLES["W"] for name in names):
            task = "layer"
        elif len(names) == 2 and VECTOR & {*names} and not (TARGET - {"y", "t", "k"}) & {*names}:
            task = "vjp"
        else:
            task = "loss"
    if task == "softmax":
        return task, [("logits",), ("softmax",)]
    if task == "vjp":
        orders: list[tuple[str, ...]] = []
        first = 0 if names[0] in VECTOR else 1
        kinds = ("softmax", "logits") if names[1 - first] in PROBABILITIES else ("logits", "softmax")
        for kind, place in itertools.product(kinds, (first, 1 - first)):
            orders.append(("vector", kind) if place == 0 else (kind, "vector"))
        return task, orders
    if task == "layer":
        wanted = ["x", "W", "b", "target"] if len(names) >= 4 else ["x", "W", "target"]
        roles: list[str | None] = [None] * len(wanted)
        for role, spellings in {"W": ROLES["W"], "b": ROLES["b"], "target": TARGET, "x": ROLES["x"] | LOGITS}.items():
            for i, name in enumerate(names[: len(wanted)]):
                if roles[i] is None and role in wanted and role not in roles and name in spellings:
                    roles[i] = role
        left = [role for role in wanted if role not in roles]
        return task, [tuple(role or left.pop(0) for role in roles)]
    order: tuple[str, ...] = ("logits", "target")
    swapped = len(names) > 1 and names[0] in TARGET and names[1] not in TARGET - {"y"}
    of = [order[::-1], order] if swapped else [order, order[::-1]]
    if len(names) > 1 and sum(name in LOGITS for name in names[:2]) == sum(name in TARGET for name in names[:2]) == 1:
        of = of[:1]  # the names leave no doubt
    return task, [*of, *(tuple("softmax" if role == "logits" else role for role in each) for each in of)]


def calls(
    fn: Any,
    *,
    task: str | None = None,
    framework: str | None = None,
    target: str | None = None,
    layout: str | None = None,
    dtype: str = "float64",
    fixed: Mapping[str, Any] | None = None,
) -> Iterator[Call]:
    """The ways in which a function may be called, likeliest first.

    Parameters
    ----------
    fn : callable, torch.nn.Module, autograd.Function, or a class with ``forward`` and ``backward``
    task : one of :data:`TASKS`, optional
    framework : {"numpy", "torch", "jax", "list"}, optional
    target : {"index", "one-hot", "column"}, optional
    layout : {"rows", "columns"}, optional
    dtype : str
        Of the floats that are passed.
    fixed : mapping, optional
        Keyword arguments passed in every call.
    """
    function, owner, kind = _callable(fn)
    parameters = _parameters(owner)
    extras = {name: kind for name, kind in _extras(parameters).items() if name not in (fixed or {})}
    given = {*extras, *(fixed or {})}
    task, orders = _task_and_roles([name for name in _required(parameters) if name not in given], task)
    hot = any("hot" in name.lower() for name in parameters)
    targets = (target,) if target else ("one-hot", "index", "column") if hot else TARGETS
    if task in ("softmax", "vjp"):
        targets = ("index",)
    base = Call(function, task, orders[0], parameters=_options_of(owner), signature=parameters, extras=extras)
    base = replace(base, fixed=fixed or {}, dtype=dtype)
    frameworks = (kind,) if kind and not framework else _frameworks(function, framework)
    weights = (False, True) if task == "layer" else (False,)
    rowwise = (False,) if task == "layer" else (False, True)
    columns = (layout == "columns",) if layout or task == "layer" else (False, True)
    places = list(itertools.product(columns, orders, rowwise, weights, targets))
    ways = [(f, derives) for f in frameworks for derives in ((True, False) if f == "torch" else (True,))]
    for f, derives in ways:
        tried = []
        for across, order, one_row, transposed, form in places:
            way: dict[str, Any] = {"framework": f, "derives": derives, "roles": order, "rowwise": one_row}
            way |= {"transposed_weight": transposed, "target": form, "columns": across, "places": {}}
            if not (one_row and form == "column"):
                tried.append(replace(base, **way))
        yield from sorted(tried, key=lambda call: not call.usual)


def where(error: BaseException, fn: Any) -> str:
    """The exception and the last line of the user's own file that it passed through."""
    home = getattr(getattr(inspect.unwrap(fn), "__code__", None), "co_filename", None)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == home]
    place = f", line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
