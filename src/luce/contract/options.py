"""The options of the losses: each one's type, default, text and check, once, for every front end.

A front end takes what it was given through :func:`checked`; its docstrings and signatures come from here
(:mod:`luce.contract.signature`). Arrays are left as they are: front ends know them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict, TypeVar

from luce.contract.error_words import shown
from luce.contract.numbers import NOT_NEGATIVE, Choice, Range, integer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "ON_EMPTY",
    "POSITIVE_OR_NONE",
    "REDUCTION",
    "SET_TARGET",
    "SHARE",
    "TAIL",
    "TOLERANCE",
    "GivenOptions",
    "GivenSetOptions",
    "GivenSigmoidOptions",
    "OnEmpty",
    "Option",
    "Options",
    "Reduction",
    "SetOptions",
    "SetTarget",
    "SigmoidOptions",
    "check_normalizer",
    "checked",
    "class_to_ignore",
    "described",
]

Reduction = Literal["mean", "sum", "none"]
OnEmpty = Literal["nan", "zero", "raise"]
SetTarget = Literal["chosen", "one_hot", "shares", "gains"]


def class_to_ignore(name: str, value: Any) -> int | None:
    """Return the class whose rows count for nothing, if any."""
    if value is None:
        return None
    ignored = integer(name, value, "an integer or None")
    if not -(2**63) <= ignored < 2**63:
        raise ValueError(f"{name}: expected an integer of 64 bits, got {shown(ignored)}")
    return ignored


REDUCTION = Choice(("mean", "sum", "none"))
TAIL = Choice((None, "uniform"))
ON_EMPTY = Choice(("nan", "zero", "raise"))
SET_TARGET = Choice((None, "chosen", "one_hot", "shares", "gains"))
SHARE = Range("a number in [0, 1]", lambda x: 0 <= x <= 1)
POSITIVE_OR_NONE = Range("a finite number > 0 or None", lambda x: x > 0)
TOLERANCE = Range("a number in [0, 1)", lambda x: 0 <= x < 1)


class Option(NamedTuple):
    """What an option may be and what it does, as docstrings say it, and its check, if it is no array."""

    kind: str
    text: str
    check: Callable[[str, Any], object] | None = None


_OnEmpty = Annotated[
    OnEmpty,
    Option(
        '{"nan", "zero", "raise"}',
        'What "mean" gives when there is nothing left to average. The gradient is 0 then.',
        ON_EMPTY.check,
    ),
]
_ZLoss = Annotated[float, Option("float >= 0", "Adds ``z_loss * lse**2`` to the loss of each row.", NOT_NEGATIVE.check)]
_Softcap = Annotated[
    float | None,
    Option(
        "float > 0",
        "Replaces the logits by ``softcap * tanh(logits / softcap)``; a logit of -inf stays -inf.",
        POSITIVE_OR_NONE.check,
    ),
]
_Temperature = Annotated[
    float,
    Option("float > 0", "Divides the (soft-capped) logits.", Range("a finite number > 0", lambda x: x > 0).check),
]
_Normalizer = Annotated[
    float | None,
    Option(
        "float > 0",
        'What "mean" divides by instead: the count of the whole batch when it is computed in pieces.',
        POSITIVE_OR_NONE.check,
    ),
]


class Options(NamedTuple):
    """The options of every cross-entropy of the softmax."""

    weight: Annotated[
        "ArrayLike | None",
        Option("array_like of shape (V,)", "Class weights, finite and not negative: ``t = weight * t``."),
    ] = None
    sample_weight: Annotated[
        "ArrayLike | None",
        Option(
            "array_like of shape (...)",
            """Row weights, finite and not negative. They multiply the rows' losses and the rows' shares of the mean. A
        row of weight 0 counts for nothing, whatever its logits and its target hold.""",
        ),
    ] = None
    ignore_index: Annotated[
        int | None,
        Option(
            "int or None",
            "Rows whose class index is this count for nothing: loss 0, gradient 0, no share of the mean.",
            class_to_ignore,
        ),
    ] = -100
    label_smoothing: Annotated[
        float,
        Option(
            "float in [0, 1]",
            "``t = (1 - label_smoothing) * t + label_smoothing / V``, before the class weights.",
            SHARE.check,
        ),
    ] = 0.0
    z_loss: _ZLoss = 0.0
    softcap: _Softcap = None
    temperature: _Temperature = 1.0
    tail: Annotated[
        Literal["uniform"] | None,
        Option(
            '{"uniform"}',
            """For a target of (indices, probabilities): spread the mass that a row's probabilities lack to 1 evenly
        over the classes it does not list. By default it is left out.""",
            TAIL.check,
        ),
    ] = None
    reduction: Annotated[
        Reduction,
        Option(
            '{"mean", "sum", "none"}',
            """"mean" divides by the sum of ``weight[target] * sample_weight`` over the rows that are not ignored (class
        indices) or by the sum of the sample weights (other targets); "none" gives one loss per row.""",
            REDUCTION.check,
        ),
    ] = "mean"
    normalizer: _Normalizer = None
    on_empty: _OnEmpty = "nan"


class SetOptions(NamedTuple):
    """The options of the cross-entropies over sets; class weights are none of them, for sets share no classes."""

    target_kind: Annotated[
        SetTarget | None,
        Option(
            '{"chosen", "one_hot", "shares", "gains"}',
            """What the target is: the place of the chosen item in each set (sets,); 1 for it and 0 for the others
        (items,); each item's share (items,); or gains (items,), of which an item's share is its part of the set's sum,
        and a set whose gains are all 0 counts for nothing. By default the shape and the type tell the first three
        apart: integers for each set, integers or truths for each item, floating-point numbers.""",
            SET_TARGET.check,
        ),
    ] = None
    sample_weight: Annotated[
        "ArrayLike | None",
        Option(
            "array_like of shape (sets,)",
            """Weights of sets, finite and not negative. They multiply the sets' losses and the sets' shares of the
        mean. A set of weight 0 counts for nothing, whatever its logits and its target hold.""",
        ),
    ] = None
    offset: Annotated[
        "ArrayLike | None",
        Option(
            "array_like of shape (items,)",
            """Added to the logits after softcap and temperature: the logarithm of a sampling probability, a position's
        or a size's effect. The sum is rounded to float64, and what follows is exact for that.""",
        ),
    ] = None
    ignore_index: Annotated[
        int | None,
        Option(
            "int or None",
            "Sets whose chosen item is this count for nothing: loss 0, gradient 0, no share of the mean.",
            class_to_ignore,
        ),
    ] = -100
    label_smoothing: Annotated[
        float,
        Option(
            "float in [0, 1]",
            "``t = (1 - label_smoothing) * t + label_smoothing / V``, V the number of the set's own items.",
            SHARE.check,
        ),
    ] = 0.0
    z_loss: _ZLoss = 0.0
    softcap: _Softcap = None
    temperature: _Temperature = 1.0
    reduction: Annotated[
        Reduction,
        Option(
            '{"mean", "sum", "none"}',
            """"mean" divides by the number of sets that count, each times its weight; "none" gives one loss per
        set.""",
            REDUCTION.check,
        ),
    ] = "mean"
    normalizer: _Normalizer = None
    on_empty: _OnEmpty = "nan"


class SigmoidOptions(NamedTuple):
    """The options of the cross-entropy of the sigmoid."""

    weight: Annotated[
        "ArrayLike | None", Option("array_like", "Multiplies the losses; broadcasts against the logits.")
    ] = None
    sample_weight: Annotated[
        "ArrayLike | None",
        Option(
            "array_like of shape (...)",
            """One weight per row (per logit where there is a single axis): multiplies the losses and the rows' share of
        the mean.""",
        ),
    ] = None
    pos_weight: Annotated[
        "ArrayLike | None",
        Option("array_like", ":math:`w_+`, the weight of the positive term; broadcasts against the logits."),
    ] = None
    label_smoothing: Annotated[
        float, Option("float in [0, 1]", "``t = (1 - label_smoothing) * t + label_smoothing / 2``.", SHARE.check)
    ] = 0.0
    reduction: Annotated[
        Reduction,
        Option(
            '{"mean", "sum", "none"}',
            '"mean" divides by the number of logits, rows counted by their sample weights.',
            REDUCTION.check,
        ),
    ] = "mean"
    normalizer: Annotated[
        float | None, Option("float > 0", 'What "mean" divides by instead.', POSITIVE_OR_NONE.check)
    ] = None
    on_empty: _OnEmpty = "nan"


class GivenOptions(TypedDict, total=False):
    """The options of the softmax as type checkers see them at a call: each one may be left out."""

    weight: "ArrayLike | None"
    sample_weight: "ArrayLike | None"
    ignore_index: int | None
    label_smoothing: float
    z_loss: float
    softcap: float | None
    temperature: float
    tail: Literal["uniform"] | None
    reduction: Reduction
    normalizer: float | None
    on_empty: OnEmpty


class GivenSetOptions(TypedDict, total=False):
    """The options of sets as type checkers see them at a call: each one may be left out."""

    target_kind: SetTarget | None
    sample_weight: "ArrayLike | None"
    offset: "ArrayLike | None"
    ignore_index: int | None
    label_smoothing: float
    z_loss: float
    softcap: float | None
    temperature: float
    reduction: Reduction
    normalizer: float | None
    on_empty: OnEmpty


class GivenSigmoidOptions(TypedDict, total=False):
    """The options of the sigmoid as type checkers see them at a call: each one may be left out."""

    weight: "ArrayLike | None"
    sample_weight: "ArrayLike | None"
    pos_weight: "ArrayLike | None"
    label_smoothing: float
    reduction: Reduction
    normalizer: float | None
    on_empty: OnEmpty


_Kind = TypeVar("_Kind", Options, SetOptions, SigmoidOptions)


_DESCRIBED: dict[type, dict[str, Option]] = {
    kind: {name: annotation.__metadata__[0] for name, annotation in kind.__annotations__.items()}
    for kind in (Options, SetOptions, SigmoidOptions)
}
_DEFAULTS: dict[type, Any] = {kind: kind() for kind in _DESCRIBED}


def described(kind: type[Options] | type[SetOptions] | type[SigmoidOptions]) -> dict[str, Option]:
    """Return what is said of each option, by its name."""
    return _DESCRIBED[kind]


def checked(kind: type[_Kind], given: Mapping[str, object]) -> _Kind:
    """Return the options, those that were not given by default; a default is what it may be.

    Raises
    ------
    TypeError
        For a name that no option has, or a value of another type than the option's.
    ValueError
        For a number or a word that the option can't be, or a normaliser of anything but a mean.
    """
    result: _Kind = _DEFAULTS[kind]
    if not given:
        return result
    options, defaults = described(kind), kind._field_defaults
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in options:
            raise TypeError(f"there is no option {name!r}; there are {', '.join(options)}")
        check = options[name].check
        found[name] = value if check is None or value is defaults[name] else check(name, value)
    result = kind(**found)
    if result.normalizer is not None:
        check_normalizer(result.normalizer, result.reduction)
    return result


def check_normalizer(normalizer: object, reduction: str) -> None:
    """Raise a ValueError for a normaliser of anything but a mean."""
    if normalizer is not None and reduction != "mean":
        raise ValueError(f'normalizer: goes with reduction="mean", got reduction={reduction!r}')
