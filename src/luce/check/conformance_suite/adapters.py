"""Implementations of the loss, each with what it takes to call it: those of a user, of other libraries and Luce's own.

An adapter says how to call a function with logits, target and options of the contract's names. What the function takes
is read off its signature; whether it works is found out by the checks.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from luce.check.calling.arrays import Native, UserFunction
from luce.check.calling.detection import likeliest_framework
from luce.check.calling.errors import Unsupported
from luce.check.calling.frameworks import FRAMEWORKS
from luce.check.calling.resolve import resolve
from luce.derivation.quantities import OptionValue

__all__ = ["ADAPTERS", "Conformable", "Implementation", "implementation", "original"]


@dataclass(frozen=True)
class Implementation:
    """A loss of logits, or of a last layer.

    Attributes
    ----------
    name : str
    framework : {"numpy", "torch", "jax"}
    function : callable
        (logits, target, **options) → value; for a layer (input, linear_weight, target, **options) → value.
    layer : bool
    gradient, product, target_gradient : callable, optional
        For NumPy: the same arguments → the gradient, and with a vector after the target → the Hessian product; for a
        layer lists of parts, and a list of vectors.
    threads : callable, optional
        A context manager in which the function uses so many threads; by default the framework's.
    packages : tuple of str
        The packages whose versions are named.
    """

    name: str
    framework: str
    function: UserFunction
    layer: bool = False
    gradient: UserFunction | None = None
    product: UserFunction | None = None
    target_gradient: UserFunction | None = None
    threads: Callable[[int], AbstractContextManager[None]] | None = None
    packages: tuple[str, ...] = ()

    def takes(self, option: str) -> bool:
        """Return whether the signature has an option."""
        parameters = inspect.signature(self.function).parameters
        return option in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    @property
    def versions(self) -> dict[str, str]:
        """The packages' versions."""
        return {package: importlib.metadata.version(package) for package in self.packages}


Conformable: TypeAlias = Implementation | str | UserFunction
"""What :func:`implementation` takes: an implementation, a name, a function or a class."""


def implementation(
    fn: Conformable, framework: str | None = None, *, layer: bool | None = None, name: str | None = None
) -> Implementation:
    """Return an implementation as it is, by its name, or from a function.

    Parameters
    ----------
    fn : Implementation, str, callable, or class
        "module:function", "FILE.py:function", a key of :data:`ADAPTERS`, a function of (logits, target, **options), or
        a class such as `torch.nn.CrossEntropyLoss`, whose constructor takes the options. A NumPy function may return
        the value or the value and its gradient.
    framework : {"numpy", "torch", "jax"}, optional
        By default that of the function's module, or one that its module has imported.
    layer : bool, optional
        Whether it is a function of (input, linear_weight, target). By default, whether an argument has the name
        `linear_weight`.
    name : str, optional
        What to call it.

    Returns
    -------
    Implementation

    Raises
    ------
    ValueError
        For a text that names nothing, a file that cannot be imported, and a framework that there is not.

    Examples
    --------
    >>> implementation("luce:cross_entropy").framework
    'numpy'
    """
    if isinstance(fn, Implementation):
        return fn
    if isinstance(fn, str):
        if fn in ADAPTERS:
            return ADAPTERS[fn](fn)
        name = name or fn
    given: UserFunction = resolve(fn) if isinstance(fn, str) else fn
    for key, adapter in ADAPTERS.items():
        module, _, attribute = key.partition(":")
        if module in sys.modules and getattr(sys.modules[module], attribute, None) is given:
            return adapter(name or key)
    framework = framework or likeliest_framework(given)
    if framework not in FRAMEWORKS:
        raise ValueError(f"framework: expected {', '.join(FRAMEWORKS)}, got {framework!r}")
    name = name or f"{getattr(given, '__module__', '')}:{getattr(given, '__qualname__', repr(given))}"
    function = _called_with_options(given) if inspect.isclass(given) else given
    layer = "linear_weight" in inspect.signature(function).parameters if layer is None else layer
    packages = tuple(filter(_is_installed, dict.fromkeys([name.split(".")[0].split(":")[0], framework])))
    if framework == "numpy":
        return Implementation(
            name, framework, _part(function, 0), layer, gradient=_part(function, 1), packages=packages
        )
    return Implementation(name, framework, function, layer, packages=packages)


def original(fn: Conformable) -> UserFunction:
    """Return the function itself, of anything that :func:`implementation` takes."""
    if isinstance(fn, Implementation):
        return fn.function
    if isinstance(fn, str):
        found: UserFunction = ADAPTERS[fn](fn).function if fn in ADAPTERS else resolve(fn)
        return found
    return fn


def _is_installed(package: str) -> bool:
    """Return whether a package is installed."""
    try:
        return bool(importlib.metadata.version(package))
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False


def _called_with_options(cls: type) -> UserFunction:
    """Return a class whose constructor takes the options as a function of logits, target and options."""

    def function(logits: Native, target: Native, **options: Native) -> Native:
        return cls(**options)(logits, target)

    parameters = [p for p in inspect.signature(cls).parameters.values() if p.kind is not p.VAR_KEYWORD]
    own = list(inspect.signature(function).parameters.values())[:2]
    keywords = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
    function.__signature__ = inspect.Signature([*own, *keywords])  # type: ignore[attr-defined]
    return function


def _part(function: UserFunction, place: int) -> UserFunction:
    """Return a function of the value alone, or of the gradient alone, made of one that returns both or the value."""

    def part(*arguments: Native, **options: Native) -> Native:
        found = function(*arguments, **options)
        if isinstance(found, tuple):
            return found[place]
        if place:
            raise Unsupported("returns no gradient")
        return found

    part.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return part


@contextmanager
def _threads_of_luce(n: int) -> Iterator[None]:
    """Let Luce compute with n threads."""
    import luce

    before = luce.show_config()["n_threads"]
    luce.set_num_threads(n)
    try:
        yield
    finally:
        luce.set_num_threads(before)


def _luce(loss: str) -> Callable[[str], Implementation]:
    """Return the adapter of a loss of Luce's own, with its gradient and its product."""

    def adapter(name: str) -> Implementation:
        import luce

        layer = loss.startswith("linear")
        both, product = getattr(luce, f"{loss}_and_grad"), getattr(luce, f"{loss}_hvp")

        def parts(found: Native) -> Native:
            return [part for part in found if part is not None] if layer else found

        return Implementation(
            name,
            "numpy",
            getattr(luce, loss),
            layer,
            gradient=lambda *a, **o: parts(both(*a, **o)[1]),
            product=lambda *a, **o: parts(product(*a, **o)),
            target_gradient=None if layer else luce.cross_entropy_target_grad,
            threads=_threads_of_luce,
            packages=("luce", "numpy"),
        )

    return adapter


def _renamed(
    framework: str,
    packages: Sequence[str],
    target: str,
    names: Mapping[str, str],
    *,
    layer: bool,
    **settings: OptionValue,
) -> Callable[[str], Implementation]:
    """Adapt a function that has other names for the contract's options, of which its version may lack some."""

    def adapter(name: str) -> Implementation:
        theirs = resolve(target)
        known = inspect.signature(theirs).parameters
        taken = {option: other for option, other in names.items() if other in known}

        def function(*arguments: Native, **options: Native) -> Native:
            return theirs(*arguments, **{taken[option]: value for option, value in options.items()}, **settings)

        function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY) for option in taken]
        )
        return Implementation(name, framework, function, layer, packages=tuple(packages))

    return adapter


def _same_names(*options: str) -> dict[str, str]:
    return {option: option for option in options}


def _torch_layer(**settings: OptionValue) -> Callable[[str], Implementation]:
    """Return the adapter of PyTorch's layer with these options."""

    def adapter(name: str) -> Implementation:
        from torch import nn

        options = nn.LinearCrossEntropyOptions(**settings)
        function = functools.partial(nn.functional.linear_cross_entropy, options=options)
        return Implementation(name, "torch", function, layer=True, packages=("torch",))

    return adapter


def _jitted(package: str, target: str | UserFunction, *, layer: bool = False) -> Callable[[str], Implementation]:
    """Return the adapter of a function of JAX's, compiled."""

    def adapter(name: str) -> Implementation:
        import jax

        function = jax.jit(resolve(target) if isinstance(target, str) else target)
        return Implementation(name, "jax", function, layer, packages=tuple(dict.fromkeys((package, "jax"))))

    return adapter


def _log_softmax_of_jax(logits: Native, target: Native) -> Native:
    import jax

    return -jax.numpy.take_along_axis(jax.nn.log_softmax(logits), _labels(target)[:, None], axis=-1)[:, 0]


def _scipy(name: str) -> Implementation:
    """Adapt SciPy's log-softmax, with the textbook gradient."""
    from scipy import special

    def function(logits: Native, target: Native) -> Native:
        return -special.log_softmax(logits, axis=-1)[np.arange(len(target)), _labels(target)]

    def gradient(logits: Native, target: Native) -> Native:
        p = special.softmax(logits, axis=-1)
        p[np.arange(len(target)), _labels(target)] -= 1
        return p

    return Implementation(name, "numpy", function, gradient=gradient, packages=("scipy", "numpy"))


def _labels(target: Native) -> Native:
    """Return class indices, or raise a TypeError: for what is written with indices alone."""
    if isinstance(target, tuple) or target.dtype.kind != "i":
        raise TypeError("takes class indices")
    return target


def _log_loss(name: str) -> Implementation:
    """Adapt scikit-learn's metric, which takes probabilities."""
    from scipy import special
    from sklearn.metrics import log_loss

    def function(logits: Native, target: Native, *, sample_weight: Native = None, reduction: str = "mean") -> Native:
        if reduction == "none":
            raise ValueError("averages or adds up")
        p = special.softmax(logits, axis=-1)
        labels = np.arange(logits.shape[-1])
        return log_loss(_labels(target), p, normalize=reduction == "mean", sample_weight=sample_weight, labels=labels)

    return Implementation(name, "numpy", function, packages=("scikit-learn", "numpy"))


def _half_multinomial(name: str) -> Implementation:
    """Adapt the loss of scikit-learn's linear models."""
    from sklearn._loss import HalfMultinomialLoss

    def both(logits: Native, target: Native, *, sample_weight: Native = None) -> Native:
        loss = HalfMultinomialLoss(n_classes=logits.shape[-1], sample_weight=sample_weight)
        return loss.loss_gradient(_labels(target).astype(logits.dtype), np.ascontiguousarray(logits), sample_weight)

    return Implementation(name, "numpy", _part(both, 0), gradient=_part(both, 1), packages=("scikit-learn", "numpy"))


def _tokamax(name: str) -> Implementation:
    """Adapt Tokamax's layer, which takes the weight transposed."""
    import tokamax

    def function(input: Native, linear_weight: Native, target: Native, *, reduction: str = "sum") -> Native:
        return tokamax.linear_softmax_cross_entropy_loss(input, target, linear_weight.T, reduction=reduction)

    return Implementation(name, "jax", function, layer=True, packages=("tokamax", "jax"))


_LIGER = _same_names("weight", "ignore_index", "label_smoothing", "reduction", "softcap") | {
    "z_loss": "lse_square_scale"
}
_CCE = _same_names("ignore_index", "softcap", "reduction") | {"linear_bias": "bias"}
_liger = functools.partial(_renamed, "torch", ("liger-kernel", "triton", "torch"))
_cce = functools.partial(
    _renamed, "torch", ("cut-cross-entropy", "triton", "torch"), "cut_cross_entropy:linear_cross_entropy", _CCE
)

ADAPTERS: dict[str, Callable[[str], Implementation]] = {
    "luce:cross_entropy": _luce("cross_entropy"),
    "luce:linear_cross_entropy": _luce("linear_cross_entropy"),
    "torch.nn.functional:linear_cross_entropy, auto": _torch_layer(),
    "torch.nn.functional:linear_cross_entropy, 256 rows": _torch_layer(batch_chunk_size=256, chunking_method=None),
    "torch.nn.functional:linear_cross_entropy, 2 rows": _torch_layer(batch_chunk_size=2, chunking_method=None),
    "torch.nn.functional:linear_cross_entropy, accurate": _torch_layer(acc_policy="accurate"),
    "torch.nn.functional:linear_cross_entropy, balanced": _torch_layer(acc_policy="balanced"),
    "torch.nn.functional:linear_cross_entropy, compact": _torch_layer(acc_policy="compact"),
    "torch.nn.functional:linear_cross_entropy, retained": _torch_layer(allow_retain_graph=True),
    **{
        f"optax:{loss}": _jitted("optax", f"optax:{loss}")
        for loss in (
            "softmax_cross_entropy_with_integer_labels",
            "softmax_cross_entropy",
            "safe_softmax_cross_entropy",
        )
    },
    "jax.nn:log_softmax": _jitted("jax", _log_softmax_of_jax),
    "scipy.special:log_softmax": _scipy,
    "sklearn.metrics:log_loss": _log_loss,
    "sklearn._loss:HalfMultinomialLoss": _half_multinomial,
    "liger_kernel.transformers.functional:liger_cross_entropy": _liger(
        "liger_kernel.transformers.functional:liger_cross_entropy", _LIGER, layer=False
    ),
    "liger_kernel.transformers.functional:liger_fused_linear_cross_entropy": _liger(
        "liger_kernel.transformers.functional:liger_fused_linear_cross_entropy",
        _LIGER | {"weight": "ce_weight", "linear_bias": "bias"},
        layer=True,
    ),
    "cut_cross_entropy:linear_cross_entropy, cce": _cce(layer=True, impl="cce"),
    "cut_cross_entropy:linear_cross_entropy, torch_compile": _cce(layer=True, impl="torch_compile"),
    "tokamax:linear_softmax_cross_entropy_loss": _tokamax,
    "jax_cce:linear_cross_entropy": _jitted("jax-cce", "jax_cce:linear_cross_entropy", layer=True),
}
"""Adapters by the name of what they adapt; what needs none, such as `torch.nn.functional:cross_entropy`, has none."""
