"""The quantities of the derivation: each attribute has a symbol, a shape and a meaning, and :func:`legend` lists them.

The symbols are those of the contract (docs/contract.md): z are the logits, u is what the softmax is taken of, p are the
probabilities, t is the target and α its mass, r are the weights of the rows, D is what the mean divides by, G is the
gradient in z. An ignored row has no target and the weight 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray

from luce.derivation.arithmetic import FLOAT64, Arithmetic

__all__ = ["Array", "Given", "OptionValue", "Quantities", "Symbol", "legend", "one_hot"]

Array: TypeAlias = NDArray[Any]
"""An array of numbers of any dtype."""

OptionValue: TypeAlias = Any
"""The value of an option of the contract: a number, a word, None, or an array of some framework."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Given:
    """The input of a loss: logits and target, and perhaps options, a layer, a vector and a gradient from above.

    Attributes
    ----------
    logits : ndarray of shape (N, V)
    target : ndarray
        Class indices of shape (N,), or distributions of shape (N, V).
    options : mapping
        Options of the contract that are in use, by name.
    layer : tuple of ndarray, optional
        x of shape (N, D), W of shape (V, D) and b of shape (V,), whose logits are ``x Wᵀ + b``.
    vector : ndarray of shape (N, V), optional
        What the softmax's Jacobian is multiplied with.
    upstream : float or ndarray of shape (N,), optional
        The gradient that comes from above; 1 by default.
    rowwise : bool
        Whether each row is a call of its own, with a loss of its own.
    """

    logits: Array
    target: Array
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    layer: tuple[Array, Array, Array] | None = None
    vector: Array | None = None
    upstream: Array | float | None = None
    rowwise: bool = False

    @property
    def counted(self) -> Array:
        """A mask of the rows that are not ignored."""
        if np.ndim(self.target) == 2:
            return np.ones(len(self.target), dtype=bool)
        return np.asarray(self.target != self.options.get("ignore_index", -100))

    @property
    def labels(self) -> Array:
        """The label of each row, of the likeliest class where there are distributions; 0 in ignored rows."""
        if np.ndim(self.target) == 2:
            return np.asarray(self.target.argmax(axis=1))
        return np.where(self.counted, self.target, 0)


class Symbol(NamedTuple):
    """The name of a quantity in formulas, its shape, and its meaning."""

    symbol: str
    shape: str
    meaning: str


class Quantities:
    """The quantities that have been computed so far; :func:`legend` says what each attribute is.

    Parameters
    ----------
    given : Given
        Where the computation starts from.
    arithmetic : Arithmetic
        The numbers that are computed with, float64 by default.

    Examples
    --------
    >>> q = Quantities(Given(logits=np.zeros((2, 3)), target=np.array([0, 2])))
    >>> q.N, q.V, q.t.tolist()
    (2, 3, [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    """

    arithmetic: Annotated[Arithmetic, Symbol("arithmetic", "()", "the numbers that are computed with")]
    N: Annotated[int, Symbol("N", "()", "the number of rows")]
    V: Annotated[int, Symbol("V", "()", "the number of classes")]
    x: Annotated[Array, Symbol("x", "(N, D)", "the input of a linear layer")]
    W: Annotated[Array, Symbol("W", "(V, D)", "the weights of a linear layer")]
    b: Annotated[Array, Symbol("b", "(V,)", "the bias of a linear layer")]
    z: Annotated[Array, Symbol("z", "(N, V)", "the logits")]
    u: Annotated[Array, Symbol("u", "(N, V)", "the logits divided by the temperature")]
    temperature: Annotated[float, Symbol("T", "()", "the temperature")]
    softcap: Annotated[float | None, Symbol("c", "()", "the softcap")]
    zeta: Annotated[float, Symbol("ζ", "()", "the weight of the squared log-sum-exp")]
    du_dz: Annotated[Array | float, Symbol("∂u/∂z", "()", "the slope of u in z; (N, V) under a softcap")]
    y: Annotated[Array, Symbol("y", "(N,)", "the label of each row")]
    hard: Annotated[bool, Symbol("hard", "()", "whether the target is class indices")]
    counts: Annotated[Array, Symbol("counts", "(N,)", "whether a row counts: false where it is ignored")]
    t_given: Annotated[Array, Symbol("t₀", "(N, V)", "the target before smoothing and class weights")]
    t: Annotated[Array, Symbol("t", "(N, V)", "the target")]
    epsilon: Annotated[float, Symbol("ε", "()", "the label smoothing")]
    w: Annotated[Array, Symbol("w", "(V,)", "the weights of the classes")]
    alpha: Annotated[Array, Symbol("α", "(N, 1)", "the mass of each row's target, Σ t")]
    row_maximum: Annotated[Array, Symbol("max u", "(N, 1)", "the largest of each row's u")]
    m: Annotated[Array, Symbol("m", "(N, 1)", "what is subtracted before exp: the row's maximum")]
    e: Annotated[Array, Symbol("e", "(N, V)", "the shifted exponentials, exp(u − m)")]
    S: Annotated[Array, Symbol("S", "(N, 1)", "the sum of each row's exponentials; lse = m + log S")]
    p: Annotated[Array, Symbol("p", "(N, V)", "the probabilities, the softmax of u")]
    log_p: Annotated[Array, Symbol("log p", "(N, V)", "their logarithms, u − lse")]
    p_of_log: Annotated[Array, Symbol("exp(log p)", "(N, V)", "the probabilities that the logarithm is taken of")]
    axis: Annotated[int | None, Symbol("axis", "()", "the axis that the exponentials are summed along")]
    losses: Annotated[Array, Symbol("ℓ", "(N,)", "the loss of each row")]
    dl_du: Annotated[Array, Symbol("∂ℓ/∂u", "(N, V)", "the derivative of each row's loss in its u")]
    r: Annotated[Array, Symbol("r", "(N,)", "the weights of the rows")]
    R: Annotated[Array, Symbol("r", "(N,)", "the weights of the rows, 0 in ignored ones")]
    reduction: Annotated[str, Symbol("reduction", "()", '"mean", "sum" or "none"')]
    reduction_said: Annotated[bool, Symbol("reduction said", "()", "whether the reduction is among the options")]
    D: Annotated[float, Symbol("D", "()", "what the reduction divides by")]
    D_loss: Annotated[float, Symbol("D", "()", "the same in the loss")]
    D_gradient: Annotated[float, Symbol("D", "()", "the same in the gradient")]
    normalizer: Annotated[float | None, Symbol("D", "()", "what a mean divides by instead, where it is said")]
    upstream: Annotated[Array | float | None, Symbol("g", "()", "the gradient from above, of shape () or (N,)")]
    L: Annotated[Array, Symbol("L", "()", "the value: a number, or (N,) without a reduction")]
    G: Annotated[Array, Symbol("G", "(N, V)", "the gradient of the value in z")]
    dW: Annotated[Array, Symbol("dW", "(V, D)", "the gradient in the weights of the layer")]
    db: Annotated[Array, Symbol("db", "(V,)", "the gradient in the bias of the layer")]
    dx: Annotated[Array, Symbol("dx", "(N, D)", "the gradient in the input of the layer")]
    softmax: Annotated[Array, Symbol("p", "(N, V)", "the probabilities, where they are what is asked for")]
    J: Annotated[Array, Symbol("J", "(N, V, V)", "the Jacobian of the softmax in each row")]
    vector: Annotated[Array, Symbol("v", "(N, V)", "the vector that J is multiplied with")]
    Jv: Annotated[Array, Symbol("J v", "(N, V)", "the Jacobian times the vector")]

    def __init__(self, given: Given, arithmetic: Arithmetic = FLOAT64) -> None:
        option, array = given.options.get, arithmetic.array
        self.arithmetic = arithmetic
        if given.layer is not None:
            self.x, self.W, self.b = map(array, given.layer)
        self.z = array(given.logits)
        self.N, self.V = 1 if given.rowwise else len(self.z), self.z.shape[1]
        self.temperature, self.epsilon, self.zeta = (
            array(option(name, default)).item()
            for name, default in (("temperature", 1.0), ("label_smoothing", 0.0), ("z_loss", 0.0))
        )
        self.softcap = None if option("softcap") is None else array(option("softcap")).item()
        self.du_dz, self.axis = 1 / self.temperature, 1
        self.hard, self.counts, self.y = np.ndim(given.target) == 1, given.counted, given.labels
        self.w = np.ones(self.V) if option("weight") is None else array(option("weight"))
        self.r = np.ones(len(self.z)) if option("sample_weight") is None else array(option("sample_weight"))
        self.reduction_said = "reduction" in given.options
        self.reduction = "none" if given.rowwise else option("reduction", "mean")
        self.normalizer = None if option("normalizer") is None else array(option("normalizer")).item()
        t = one_hot(self.y, self.V) if self.hard else np.asarray(given.target, np.float64)
        self.t = array(t) * self.counts[:, None]
        if given.vector is not None:
            self.vector = given.vector
        self.upstream = given.upstream

    def has(self, attribute: str) -> bool:
        """Return whether a quantity was given or has been computed."""
        return attribute in vars(self)


def legend() -> dict[str, Symbol]:
    """Return the symbol, the shape and the meaning of each attribute of :class:`Quantities`.

    Returns
    -------
    dict of str to Symbol

    Examples
    --------
    >>> legend()["alpha"]
    Symbol(symbol='α', shape='(N, 1)', meaning="the mass of each row's target, Σ t")
    """
    hints = get_type_hints(Quantities, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def one_hot(y: Array, n_classes: int) -> Array:
    """Return rows of zeros with a one at each label.

    Parameters
    ----------
    y : ndarray of int
    n_classes : int

    Returns
    -------
    ndarray of float64, of the shape of y and an axis of n_classes

    Examples
    --------
    >>> one_hot(np.array([1]), 3)
    array([[0., 1., 0.]])
    """
    return np.asarray(np.eye(n_classes)[y])
