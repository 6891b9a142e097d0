"""The catalogue of known mistakes and conventions: each changes one step of the loss, and says what was done.

The list follows what people did in public; a name, a sentence, the formula that was computed beside the right one, and
the line to change. Where two of them give the same numbers on every probe, the one that stands first is the commoner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luce.check.doctor.steps import State, divide, one_hot, softmax

__all__ = ["BEHAVIOURS", "CATALOGUE", "EPSILONS", "Mistake", "floored"]

Change = Callable[[State], None]

EPSILONS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 1e-20)
"""What is added to a probability, or what it is clipped at, most often; others are read off the loss."""

LANES = (4, 8, 16, 32, 64, 128)
"""Multiples to which rows are padded."""


@dataclass(frozen=True)
class Mistake:
    """One known mistake, or another ``"convention"``, or a ``"limit"``: right, but in a narrower range of logits.

    ``only`` names what it is made in, where it is not made in loss and gradient alike; ``unless`` the option that makes
    a convention a mistake when it was said; ``built_in`` marks an option in use that was not said.
    """

    name: str
    said: str
    computed: str
    right: str
    fix: str
    step: str = ""
    kind: str = "mistake"
    change: Change = lambda s: None
    only: str = ""
    unless: str = ""
    built_in: bool = False

    def within(self, output: str) -> Mistake:
        """The same mistake made in the ``"loss"`` or in the ``"gradient"`` only."""
        return replace(self, name=f"{self.name}, in the {output} only", only=output)


CATALOGUE: list[Mistake] = []
"""All that :func:`luce.check.doctor.steps.walk` can make."""


def known(
    step: str, name: str, said: str, computed: str, right: str, fix: str, kind: str = "mistake", unless: str = ""
) -> Callable[[Change], Change]:
    """Enter the decorated change of a step into the catalogue."""

    def enter(change: Change) -> Change:
        CATALOGUE.append(Mistake(name, said, computed, right, fix, step, kind, change, unless=unless))
        return change

    return enter


def simple(step: str, kind: str, changes: dict[str, tuple[Callable[[State], Any], str, str, str, str]]) -> None:
    """Enter changes that are one expression each, setting one attribute."""
    attribute, _, step = step.partition("@")
    for name, (value, said, computed, right, fix) in changes.items():

        def change(s: State, value: Callable[[State], Any] = value) -> None:
            place = s.out if attribute in ("dW", "db", "dx", "softmax", "vjp", "jacobian") else vars(s)
            place[attribute] = value(s)

        known(step, name, said, computed, right, fix, kind)(change)


# --- the divisor: other conventions first, they are the commonest of all


def both(value: Callable[[State], Any]) -> Change:
    """A divisor for the loss and the gradient alike."""

    def change(s: State) -> None:
        s.D_loss = s.D_gradient = value(s)

    return change


def _reduced(given: str, wanted: str) -> Change:
    """Another reduction than was said."""

    def change(s: State) -> None:
        if s.reduction == wanted and (s.told or given == "sum"):
            s.reduction = given
            divide(s)

    return change


MEAN, PER_N = "L = Σ ℓᵢ / N", "∂L/∂z = (p − t) / N"
WEIGHTED = "L = Σ w[yᵢ] ℓᵢ / Σ w[yᵢ]"
known("divisor", "sum instead of mean", "Loss and gradient are sums over the rows, not divided by N.",
      "L = Σ ℓᵢ", MEAN, "if the mean is wanted, divide loss and gradient by N", "convention", "reduction")(_reduced("sum", "mean"))  # fmt: skip
known("divisor", "mean instead of sum", "Loss and gradient are divided by N; reduction='sum' was said.",
      MEAN, "L = Σ ℓᵢ", "do not divide by N")(_reduced("mean", "sum"))  # fmt: skip
for given, wanted in (("none", "mean"), ("none", "sum"), ("mean", "none"), ("sum", "none")):
    words = {"none": "each row's own loss", "mean": "the mean", "sum": "the sum"}
    known("divisor", f"{words[given]} instead of {words[wanted]}", f"{words[given].capitalize()} is returned; reduction={wanted!r} was said.",
          f"reduction={given!r}", f"reduction={wanted!r}", f"reduce as reduction={wanted!r} does")(_reduced(given, wanted))  # fmt: skip
known("divisor", "mean over all rows", "The mean divides by the number of all rows, also where a weighted or an ignored row counts otherwise.",
      "L = Σ wᵢ ℓᵢ / N", "L = Σ wᵢ ℓᵢ / Σ wᵢ", "divide by the sum of the weights of the rows that count, as PyTorch does", "convention")(both(lambda s: s.N))  # fmt: skip
known("divisor", "mean over the rows not ignored", "The mean divides by the number of rows that count, not by their weights' sum.",
      "L = Σ w[yᵢ] ℓᵢ / N_valid", WEIGHTED, "divide by the sum of the weights w[yᵢ], as PyTorch does", "convention")(both(lambda s: s.keep.sum()))  # fmt: skip


@known("reduction", "in bits", "Loss and gradient are those of the logarithm of base 2.", "ℓ = −log₂ p_y",
       "ℓ = −ln p_y", "use the natural logarithm, or multiply both by ln 2", "convention")  # fmt: skip
def _(s: State) -> None:
    for name in ("loss", "gradient"):
        s.out[name] = s.out[name] / np.log(2)


@known("reduction", "logarithm of base 10", "Loss and gradient are those of the logarithm of base 10.", "ℓ = −log₁₀ p_y",
       "ℓ = −ln p_y", "use the natural logarithm: np.log, not np.log10")  # fmt: skip
def _(s: State) -> None:
    for name in ("loss", "gradient"):
        s.out[name] = s.out[name] / np.log(10)


simple("slope@logits", "convention", {
    "gradient times T²": (lambda s: s.T, "The gradient is multiplied by T², as distillation does.", "T·(p − t)", "(p − t) / T", "divide the gradient by T²"),
})  # fmt: skip


known("divisor", "loss and gradient times T²", "Loss and gradient are multiplied by T², as distillation does.", "T²·L", "L", "divide both by T²", "convention")(
    lambda s: vars(s).update(D_loss=s.D_loss / s.T**2, D_gradient=s.D_gradient / s.T**2))  # fmt: skip


# --- the divisor: mistakes


def _both_times(factor: Callable[[State], Any]) -> Change:
    def change(s: State) -> None:
        s.D_loss, s.D_gradient = s.D_loss * factor(s), s.D_gradient * factor(s)

    return change


known("divisor", "divided by N twice", "Loss and gradient are divided by N in two places.", "L = Σ ℓᵢ / N²", MEAN,
      "remove one of the two divisions by N")(_both_times(lambda s: s.D))  # fmt: skip
known("divisor", "divided by V instead of N", "Loss and gradient are divided by the number of classes.", "L = Σ ℓᵢ / V", MEAN,
      "divide by z.shape[0], not z.shape[1]")(_both_times(lambda s: s.V / s.D))  # fmt: skip
known("divisor", "divided by N·V", "Loss and gradient are means over all entries, not over the rows.", "L = Σ ℓᵢ / (N·V)", MEAN,
      "sum over the classes first, then take the mean over the rows")(_both_times(lambda s: s.V))  # fmt: skip
known(
    "divisor", "divided by N − 1", "Loss and gradient are divided by N − 1.", "L = Σ ℓᵢ / (N − 1)", MEAN, "divide by N"
)(_both_times(lambda s: (s.N - 1) / s.N))


simple("D_gradient@divisor", "mistake", {
    "gradient not divided by N": (lambda s: s.D_gradient / s.D, "The loss is a mean over the rows; the gradient is left a sum.", "p − t", PER_N, "grad = (p − t) / N"),
    "gradient divided by N twice": (lambda s: s.D_gradient * s.D, "The gradient is divided by N in two places.", "(p − t) / N²", PER_N, "remove one of the two divisions by N"),
    "gradient divided by V instead of N": (lambda s: s.D_gradient * s.V / s.D, "The gradient is divided by the number of classes.", "(p − t) / V", PER_N, "divide by z.shape[0], not z.shape[1]"),
    "gradient divided by N·V": (lambda s: s.D_gradient * s.V, "The gradient is averaged over all entries, as with .mean() or z.size.", "(p − t) / (N·V)", PER_N, "divide by z.shape[0], not by z.size"),
    "gradient divided by N − 1": (lambda s: s.D_gradient * (s.N - 1) / s.N, "The gradient is divided by N − 1.", "(p − t) / (N − 1)", PER_N, "divide by N"),
    "gradient doubled": (lambda s: s.D_gradient / 2, "The gradient is twice the right one: the factor of a squared error, or of a sum taken twice.", "2(p − t) / N", PER_N, "remove the factor 2"),
    "gradient halved": (lambda s: s.D_gradient * 2, "The gradient is half the right one.", "(p − t) / (2N)", PER_N, "remove the factor ½"),
    "gradient multiplied by N": (lambda s: s.D_gradient / s.D**2, "The gradient is multiplied by N where it has to be divided.", "N·(p − t)", PER_N, "grad /= N, not grad *= N"),
})  # fmt: skip
simple("D_loss@divisor", "mistake", {
    "loss not divided by N": (lambda s: s.D_loss / s.D, "The gradient is that of a mean over the rows; the loss is left a sum.", "L = Σ ℓᵢ", MEAN, "loss = losses.sum() / N"),
    "loss divided by N twice": (lambda s: s.D_loss * s.D, "The loss is divided by N in two places.", "L = Σ ℓᵢ / N²", MEAN, "remove one of the two divisions by N"),
    "loss divided by V instead of N": (lambda s: s.D_loss * s.V / s.D, "The loss is divided by the number of classes.", "L = Σ ℓᵢ / V", MEAN, "divide by z.shape[0], not z.shape[1]"),
    "loss divided by N·V": (lambda s: s.D_loss * s.V, "The loss is a mean over all entries, not over the rows: (t * log p).mean().", "L = Σ ℓᵢ / (N·V)", MEAN, "sum over the classes first: -(t * logp).sum(axis=1).mean()"),
    "loss doubled": (lambda s: s.D_loss / 2, "The loss is twice the right one.", "L = 2 Σ ℓᵢ / N", MEAN, "remove the factor 2"),
    "loss halved": (lambda s: s.D_loss * 2, "The loss is half the right one.", "L = Σ ℓᵢ / (2N)", MEAN, "remove the factor ½"),
})  # fmt: skip


# --- the softmax


@known("probabilities", "softmax applied twice", "Probabilities were passed where logits belong: the softmax is taken of a softmax.",
       "p = softmax(softmax(z))", "p = softmax(z)", "remove one softmax: the loss takes logits")  # fmt: skip
def _(s: State) -> None:
    s.p = softmax(s.p)
    s.log_p = np.log(s.p)


def _over(axis: int | None) -> Change:
    def change(s: State) -> None:
        if s.m is s.row_maximum:
            s.m = s.u.max(axis=axis, keepdims=True)
        s.axis = axis
        s.e = np.exp(s.u - s.m)
        s.S = s.e.sum(axis=axis, keepdims=True)

    return change


known("exponentials", "softmax over the batch axis", "The softmax runs down the columns: probabilities of a class sum to 1 over the rows.",
      "p = softmax(z, axis=0)", "p = softmax(z, axis=1)", "softmax(z, axis=-1), keepdims=True")(_over(0))  # fmt: skip
known("exponentials", "softmax over the whole array", "The exponentials are divided by the sum over all rows.", "p = exp(z) / exp(z).sum()",
      "p = exp(z) / exp(z).sum(axis=1)", "sum with axis=1, keepdims=True")(_over(None))  # fmt: skip


@known("probabilities", "sigmoid instead of softmax", "Each logit passes through a sigmoid of its own; the rows do not sum to 1.",
       "p = 1 / (1 + exp(−z))", "p = exp(z) / Σ exp(z)", "use the softmax, or a binary loss for independent labels")  # fmt: skip
def _(s: State) -> None:
    s.p = 1 / (1 + np.exp(-s.u))
    s.log_p = -np.logaddexp(0, -s.u)


@known("loss", "sigmoid with the binary loss", "The loss is the binary cross-entropy of each class's own sigmoid.", "ℓ = −Σ t log σ(z) + (1 − t) log(1 − σ(z))",
       "ℓ = −Σ t log softmax(z)", "use the softmax's cross-entropy for classes that exclude each other")  # fmt: skip
def _(s: State) -> None:
    s.p = 1 / (1 + np.exp(-s.u))
    s.losses = (s.t * np.logaddexp(0, -s.u) + (1 - s.t) * np.logaddexp(0, s.u)).sum(axis=1)


simple("m@shift", "mistake", {
    "no shift": (lambda s: 0 * s.row_maximum, "exp is taken of the logits as they are: it overflows at 710 in float64, at 89 in float32, and is 0 for a whole row below −745.", "exp(z)", "exp(z − max z)", "z = z - z.max(axis=1, keepdims=True) before exp"),
    "shift by the maximum of the whole array": (lambda s: s.u.max() + 0 * s.row_maximum, "The largest logit of all rows is subtracted: rows far below it underflow to 0 / 0.", "exp(z − z.max())", "exp(zᵢ − max zᵢ)", "z.max(axis=1, keepdims=True)"),
    "shift by a maximum that never falls": (lambda s: np.maximum.accumulate(s.u.max(axis=1, keepdims=True)), "The maximum is kept from one row to the next: a row far below an earlier one underflows to 0 / 0.", "m ← max(m, max zᵢ)", "m = max zᵢ", "set the maximum to −inf at the start of each row"),
    "shift by max(0, ·)": (lambda s: np.maximum(s.u.max(axis=1, keepdims=True), 0), "The maximum starts from 0, not from −inf: rows far below 0 underflow to 0 / 0.", "m = max(0, max zᵢ)", "m = max zᵢ", "start the maximum at −inf or at the first logit"),
    "shift by the mean": (lambda s: s.u.mean(axis=1, keepdims=True), "The mean is subtracted, not the maximum: a row with a wide spread still overflows.", "exp(z − mean z)", "exp(z − max z)", "z.max(axis=1, keepdims=True)"),
    "shift by the minimum": (lambda s: s.u.min(axis=1, keepdims=True), "The minimum is subtracted, not the maximum: a row with a wide spread overflows.", "exp(z − min z)", "exp(z − max z)", "z.max(axis=1, keepdims=True)"),
    "shift by the maximum of the column": (lambda s: np.broadcast_to(s.u.max(axis=0), s.u.shape), "Each class has its own maximum subtracted, which changes the probabilities.", "exp(z − z.max(axis=0))", "exp(z − z.max(axis=1))", "z.max(axis=1, keepdims=True)"),
})  # fmt: skip


@known("exponentials", "the column's maximum in the exponentials only", "Each class has its own maximum subtracted before exp, and not where the logit itself is used.",
       "exp(z − z.max(axis=0))", "exp(z − z.max(axis=1))", "z.max(axis=1, keepdims=True)")  # fmt: skip
def _(s: State) -> None:
    s.e = np.exp(s.u - s.u.max(axis=0))
    s.S = s.e.sum(axis=1, keepdims=True)


def _previous(m: Any) -> Any:
    return np.concatenate([m[:1], m[:-1]])


@known("exponentials", "the previous row's maximum", "The maximum of the row before is subtracted in one place and the row's own in another.",
       "log p = z − m_{i−1} − log Σ exp(z − mᵢ)", "log p = z − mᵢ − log Σ exp(z − mᵢ)", "compute the maximum inside the loop over rows, before it is used")  # fmt: skip
def _(s: State) -> None:
    s.S = s.S * np.exp(_previous(s.m) - s.m)


@known("probabilities", "the previous row's maximum in the loss", "The loss adds back the maximum of the row before.",
       "ℓ = m_{i−1} + log Σ exp(z − mᵢ) − z_y", "ℓ = mᵢ + log Σ exp(z − mᵢ) − z_y", "compute the maximum inside the loop over rows")  # fmt: skip
def _(s: State) -> None:
    s.log_p = s.log_p + s.m - _previous(s.m)


@known("probabilities", "the first row's maximum in the loss", "The loss adds back the maximum of the first row.",
       "ℓ = m₁ + log Σ exp(z − mᵢ) − z_y", "ℓ = mᵢ + log Σ exp(z − mᵢ) − z_y", "use each row's own maximum")  # fmt: skip
def _(s: State) -> None:
    s.log_p = s.log_p + s.m - s.m[0]


@known("probabilities", "maximum not added back", "The log-sum-exp is that of the shifted logits; the maximum is not added back.",
       "ℓ = log Σ exp(z − m) − z_y", "ℓ = m + log Σ exp(z − m) − z_y", "add the maximum, or subtract it from z_y too")  # fmt: skip
def _(s: State) -> None:
    s.log_p = s.log_p + s.m


@known("probabilities", "maximum added instead of subtracted", "The maximum is added to the logits and subtracted in the log-sum-exp, or the other way round.",
       "log p = z + m − log Σ exp(z − m)", "log p = z − m − log Σ exp(z − m)", "subtract the maximum in both")  # fmt: skip
def _(s: State) -> None:
    s.log_p = s.log_p + 2 * s.m


@known("exponentials", "running sum not rescaled", "The maximum is found while summing; what was summed before it grew is not rescaled.",
       "S ← S + exp(z_j − m_j)", "S ← S·exp(m_old − m_new) + exp(z_j − m_new)", "multiply the sum by exp(m_old − m_new) when the maximum grows")  # fmt: skip
def _(s: State) -> None:
    s.S = np.exp(s.u - np.maximum.accumulate(s.u, axis=1)).sum(axis=1, keepdims=True)


@known("exponentials", "shift in the numerator only", "The maximum is subtracted in the numerator; the sum is of exp(z) without it.",
       "p = exp(z − m) / Σ exp(z)", "p = exp(z − m) / Σ exp(z − m)", "shift once, z = z - z.max(axis=1, keepdims=True), and use it in both")  # fmt: skip
def _(s: State) -> None:
    s.S = np.exp(s.u).sum(axis=s.axis, keepdims=True)


@known("exponentials", "shift in the denominator only", "The maximum is subtracted in the sum; the numerator is exp(z) without it.",
       "p = exp(z) / Σ exp(z − m)", "p = exp(z − m) / Σ exp(z − m)", "shift once, z = z - z.max(axis=1, keepdims=True), and use it in both")  # fmt: skip
def _(s: State) -> None:
    s.e, s.m = np.exp(s.u), 0 * s.row_maximum


@known("exponentials", "row sums without keepdims", "The sums of the rows are divided out along the classes: with another number of rows than of classes it does not run.",
       "p_ij = e_ij / S_j", "p_ij = e_ij / S_i", "e.sum(axis=1, keepdims=True)")  # fmt: skip
def _(s: State) -> None:
    if len(s.z) == s.V:
        s.S = s.S.T


@known("shift", "row maxima without keepdims", "The maxima of the rows are subtracted along the classes: with another number of rows than of classes it does not run.",
       "z_ij − m_j", "z_ij − m_i", "z.max(axis=1, keepdims=True)")  # fmt: skip
def _(s: State) -> None:
    if len(s.z) == s.V:
        s.m = s.m.T


@known("exponentials", "the mean of the exponentials instead of their sum", "The exponentials are divided by their mean: the rows sum to V.", "p = e / mean(e)",
       "p = e / Σ e", "sum, not mean")  # fmt: skip
def _(s: State) -> None:
    s.S = s.S / s.V


@known("exponentials", "powers of 2 instead of e", "The exponentials are powers of 2.", "2^z", "e^z", "np.exp, or multiply the logits by log₂ e first")  # fmt: skip
def _(s: State) -> None:
    s.e = np.exp2(s.u - s.m)
    s.S = s.e.sum(axis=s.axis, keepdims=True)


@known("exponentials", "the sum leaves out the last class", "The loop over the classes ends one too early.", "Σ_{j<V−1} exp(z_j)", "Σ_j exp(z_j)", "range(V), not range(V - 1)")  # fmt: skip
def _(s: State) -> None:
    s.S = s.e[:, :-1].sum(axis=1, keepdims=True)


@known("exponentials", "the sum leaves out the first class", "The loop over the classes begins one too late.", "Σ_{j>0} exp(z_j)", "Σ_j exp(z_j)", "range(V), not range(1, V)")  # fmt: skip
def _(s: State) -> None:
    s.S = s.e[:, 1:].sum(axis=1, keepdims=True)


for lanes in LANES:

    @known("exponentials", f"padded lanes counted (multiples of {lanes})", f"Rows are padded to a multiple of {lanes}; the padding's exp(0) = 1 is in the sum.",
           "S = Σ exp(z − m) + k", "S = Σ exp(z − m)", "pad with −inf, or mask the lanes past the end of the row")  # fmt: skip
    def _(s: State, lanes: int = lanes) -> None:
        s.S = s.S + -s.V % lanes

    @known("exponentials", f"padded logits of 0 counted (multiples of {lanes})", f"Rows are padded with logits of 0 to a multiple of {lanes}, which take part in the softmax.",
           "S = Σ exp(z) + k·exp(0)", "S = Σ exp(z)", "pad with −inf, not with 0")  # fmt: skip
    def _(s: State, lanes: int = lanes) -> None:
        s.S = s.S + -s.V % lanes * np.exp(-s.m)


# --- the temperature

simple("slope@logits", "mistake", {
    "1/T left out of the gradient": (lambda s: 1.0, "The softmax is taken of z / T, but the chain rule's 1/T is missing.", "p − t", "(p − t) / T", "divide the gradient by T"),
    "1/T twice in the gradient": (lambda s: s.T**-2, "The gradient is divided by T in two places.", "(p − t) / T²", "(p − t) / T", "divide by T once"),
})  # fmt: skip


@known(
    "logits",
    "multiplied by the temperature",
    "The logits are multiplied by T, not divided.",
    "softmax(z·T)",
    "softmax(z / T)",
    "z / T",
)
def _(s: State) -> None:
    s.u, s.slope = s.z * s.T, s.T


@known(
    "logits",
    "temperature ignored",
    "The temperature has no effect.",
    "softmax(z)",
    "softmax(z / T)",
    "z = z / T before the softmax",
)
def _(s: State) -> None:
    s.u, s.slope = s.z, 1.0


@known("probabilities", "temperature on the log-sum-exp only", "The log-sum-exp is of z / T; the target's own logit is not divided.",
       "ℓ = lse(z / T) − z_y", "ℓ = lse(z / T) − z_y / T", "divide the target's logit by T too")  # fmt: skip
def _(s: State) -> None:
    s.log_p = s.log_p - s.u + s.z


@known("probabilities", "temperature on the target's logit only", "The target's own logit is divided by T; the log-sum-exp is of z.",
       "ℓ = lse(z) − z_y / T", "ℓ = lse(z / T) − z_y / T", "take the log-sum-exp of z / T")  # fmt: skip
def _(s: State) -> None:
    if s.T != 1:
        s.log_p = s.u - np.log(np.exp(s.z).sum(axis=1, keepdims=True))


@known("gradient", "temperature in the loss only", "The gradient's softmax is taken of z, without the temperature.",
       "softmax(z) − t", "(softmax(z / T) − t) / T", "use the same p in the loss and in the gradient")  # fmt: skip
def _(s: State) -> None:
    s.G, s.slope = s.mass * softmax(s.z) - s.t, 1.0


# --- the target

simple("t@smoothing", "mistake", {
    "labels one too low": (lambda s: np.roll(s.t, -1, axis=1), "Each label means the class before it: labels taken to count from 1.", "t = e_{y−1}", "t = e_y", "remove the − 1: labels count from 0"),
    "labels one too high": (lambda s: np.roll(s.t, 1, axis=1), "Each label means the class after it.", "t = e_{y+1}", "t = e_y", "remove the + 1: labels count from 0"),
    "the next row's label": (lambda s: np.roll(s.t, -1, axis=0), "Each row is compared with the label of the row after it.", "t = e_{y[i+1]}", "t = e_{y[i]}", "align logits and labels"),
    "the previous row's label": (lambda s: np.roll(s.t, 1, axis=0), "Each row is compared with the label of the row before it.", "t = e_{y[i−1]}", "t = e_{y[i]}", "align logits and labels"),
    "the first row's label for all rows": (lambda s: np.broadcast_to(s.t[:1], s.t.shape), "All rows are compared with the first row's label.", "t = e_{y[0]}", "t = e_{y[i]}", "index the label by the row: y[i]"),
    "labels as a column": (lambda s: np.broadcast_to(s.t.mean(axis=0), s.t.shape), "Labels of shape (N, 1) are broadcast against the N rows: the loss is the mean of a table of N × N, every row with every label.", "L = Σᵢⱼ −log p[i, yⱼ] / N²", "L = Σᵢ −log p[i, yᵢ] / N", "y = y.ravel(), or take_along_axis(log_p, y, axis=1)"),
    "labels as a column, summed": (lambda s: np.broadcast_to(s.t.sum(axis=0), s.t.shape), "Labels of shape (N, 1) are broadcast against the N rows: the loss is the sum of a table of N × N, every row with every label.", "L = Σᵢⱼ −log p[i, yⱼ] / N", "L = Σᵢ −log p[i, yᵢ] / N", "y = y.ravel(), or take_along_axis(log_p, y, axis=1)"),
    "the prediction as the label": (lambda s: one_hot(s.z.argmax(axis=1), s.V), "The label is the argmax of the logits: the loss is never large.", "t = e_{argmax z}", "t = e_y", "use the labels given"),
    "smoothing ignored": (lambda s: s.given_t, "The label smoothing has no effect.", "t = e_y", "t = (1 − ε) e_y + ε / V", "use the smoothed target"),
    "argmax of soft labels": (lambda s: one_hot(s.given_t.argmax(axis=1), s.V), "A distribution over the classes is replaced by its likeliest class.", "t = e_{argmax t}", "t as given", "multiply by t, do not take its argmax"),
    "targets compared with ==": (lambda s: (s.given_t == 1) * 1.0, "The target counts only where it equals 1 exactly; shares of a distribution are lost.", "t = [t == 1]", "t as given", "multiply by t, do not compare it"),
    "targets cut to integers": (lambda s: np.trunc(s.t), "The target is converted to integers: shares of a distribution become 0.", "t = int(t)", "t as given", "keep the target in floating point"),
    "the one-hot vector taken for class indices": (lambda s: (s.V - np.trunc(s.t).sum(axis=1, keepdims=True)) * one_hot(0 * s.y, s.V) + np.trunc(s.t).sum(axis=1, keepdims=True) * one_hot(0 * s.y + 1, s.V), "A one-hot target is used as indices: its zeros and ones pick the classes 0 and 1.", "Σ_j log p[t_j]", "Σ_j t_j log p_j", "multiply by the one-hot vector, or use its argmax"),
    "smoothing by ε / (V − 1)": (lambda s: (1 - s.epsilon) * s.given_t + s.epsilon / (s.V - 1) * (1 - s.given_t), "ε is spread over the other V − 1 classes; PyTorch spreads it over all V.", "t_j = ε / (V − 1), j ≠ y", "t = (1 − ε) e_y + ε / V", "t = (1 - eps) * onehot + eps / V"),
    "ε / (V − 1) added to all classes": (lambda s: (1 - s.epsilon) * s.given_t + s.epsilon / (s.V - 1), "ε / (V − 1) is added to the target's class too: the target sums to more than 1.", "t = (1 − ε) e_y + ε / (V − 1)", "t = (1 − ε) e_y + ε / V", "divide ε by V"),
    "smoothing without its uniform part": (lambda s: (1 - s.epsilon) * s.given_t, "The target's class gives up ε, and nobody receives it.", "t = (1 − ε) e_y", "t = (1 − ε) e_y + ε / V", "add eps / V to every class"),
    "uniform part added, nothing given up": (lambda s: s.given_t + s.epsilon / s.V * s.keep[:, None], "ε / V is added to every class, but the target's class keeps its 1.", "t = e_y + ε / V", "t = (1 − ε) e_y + ε / V", "multiply the one-hot target by 1 − ε"),
    "the whole ε added to every class": (lambda s: (1 - s.epsilon) * s.given_t + s.epsilon, "ε is not divided among the classes.", "t = (1 − ε) e_y + ε", "t = (1 − ε) e_y + ε / V", "divide ε by V"),
    "ε and 1 − ε exchanged": (lambda s: s.epsilon * s.given_t + (1 - s.epsilon) / s.V, "The smoothing is the wrong way round.", "t = ε e_y + (1 − ε) / V", "t = (1 − ε) e_y + ε / V", "exchange ε and 1 − ε"),
})  # fmt: skip


@known("divisor", "smoothing of ignored rows", "The mask hits the target's own term alone: the uniform part of the smoothing is added in ignored rows too.",
       "ℓ = −ε / V Σ log p in ignored rows", "ℓ = 0 in ignored rows", "mask the rows after smoothing")  # fmt: skip
def _(s: State) -> None:
    uniform = s.epsilon / s.V * ~s.keep[:, None]
    s.losses = s.losses - (uniform * s.log_p).sum(axis=1)
    s.G = s.G + uniform * (s.V * s.p - 1)
    s.R = s.r


@known("gradient", "smoothing in the loss only", "The gradient subtracts the target without smoothing.", "p − e_y", "p − t",
       "use the smoothed target in the gradient too")  # fmt: skip
def _(s: State) -> None:
    t = s.w * s.given_t
    s.G = t.sum(axis=1, keepdims=True) * s.p - t


@known("loss", "smoothing in the gradient only", "The loss uses the target without smoothing.", "ℓ = −log p_y", "ℓ = −Σ t log p",
       "use the smoothed target in the loss too")  # fmt: skip
def _(s: State) -> None:
    s.losses = -np.where(s.given_t == 0, 0, s.w * s.given_t * s.log_p).sum(axis=1)


@known("divisor", "ignored rows not left out", "Rows to be ignored are counted, with no target: their gradient is p.", "p in ignored rows",
       "0 in ignored rows", "multiply the gradient by the mask")  # fmt: skip
def _(s: State) -> None:
    s.G = s.G + (~s.keep[:, None]) * s.p
    s.R = s.r


def _ignored_as(label: int) -> Change:
    def change(s: State) -> None:
        t = ~s.keep[:, None] * one_hot(np.full(len(s.z), label), s.V)
        s.losses = s.losses - (t * s.log_p).sum(axis=1)
        s.G = s.G + t.sum(axis=1, keepdims=True) * s.p - t
        s.R = s.r

    return change


known("divisor", "ignored rows counted as class 0", "Rows to be ignored are taken for class 0, which was put in for their label.", "t = e_0", "the row counts for nothing", "multiply losses and gradient by the mask")(_ignored_as(0))  # fmt: skip
known("divisor", "ignored rows counted as the last class", "A label of −1 picks the last class, as indexing in Python does.", "t = e_{−1}", "the row counts for nothing", "multiply losses and gradient by the mask")(_ignored_as(-1))  # fmt: skip


@known("logits", "rows of label 0 ignored", "Rows whose label is 0 count for nothing, as if it marked padding.", "Σ over yᵢ ≠ 0",
       "Σ over all rows", "if 0 is the label of padding, say ignore_index=0; if it is a class, do not mask it")  # fmt: skip
def _(s: State) -> None:
    if s.hard:
        s.keep = s.keep & (s.y != 0)
        s.t = s.t * s.keep[:, None]


simple("D_gradient@divisor", "mistake", {
    "ignored rows in the gradient's N": (lambda s: s.D_gradient * s.N / s.keep.sum(), "The gradient is divided by the number of all rows, the loss by that of the rows that count.", "(p − t) / N", "(p − t) / N_valid", "divide both by mask.sum()"),
})  # fmt: skip
simple("D_loss@divisor", "mistake", {
    "ignored rows in the loss's N": (lambda s: s.D_loss * s.N / s.keep.sum(), "The loss is divided by the number of all rows, the gradient by that of the rows that count.", "Σ ℓᵢ / N", "Σ ℓᵢ / N_valid", "divide both by mask.sum()"),
})  # fmt: skip


@known("mass", "the class index taken for its one-hot vector", "The number of the class is used as if it were the target's value in each class.",
       "t_ij = yᵢ", "t_ij = [j = yᵢ]", "t = np.eye(V)[y]")  # fmt: skip
def _(s: State) -> None:
    s.t, s.mass = s.y[:, None] + 0.0 * s.z, 1.0


# --- the weights

simple("t@weighting", "mistake", {
    "class weights squared": (lambda s: s.w * s.t, "The class weights are multiplied in twice.", "w² ⊙ t", "w ⊙ t", "multiply by the weights once"),
    "class weights of the prediction": (lambda s: s.t / s.w * s.w[s.z.argmax(axis=1)][:, None], "A row is weighted by the class predicted, not by its label.", "w[argmax z]", "w[y]", "w[y]"),
    "class weights by the row's position": (lambda s: s.t / s.w * np.resize(s.w, len(s.t))[:, None], "The weights are taken by the row's number, not by its label.", "w[i]", "w[yᵢ]", "w[y]"),
    "class weights ignored": (lambda s: s.t / s.w, "The class weights have no effect on the losses.", "ℓ = −log p_y", "ℓ = −w_y log p_y", "multiply by w[y]"),
})  # fmt: skip


@known("divisor", "weighted mean divided by the sum over the classes", "The weighted sum is divided by Σ_c w_c, one term a class, not by one term a row.",
       "Σ w[yᵢ] ℓᵢ / Σ_c w_c", "Σ w[yᵢ] ℓᵢ / Σᵢ w[yᵢ]", "divide by w[y].sum(), not w.sum()")  # fmt: skip
def _(s: State) -> None:
    s.D_loss = s.D_gradient = s.w.sum()


@known("gradient", "class weights in the loss only", "The gradient is not weighted.", "p − t", "w_y (p − t)", "multiply each row of the gradient by w[y]")  # fmt: skip
def _(s: State) -> None:
    s.G = s.G / s.mass


@known("loss", "class weights in the gradient only", "The loss is not weighted.", "−log p_y", "−w_y log p_y", "multiply each row's loss by w[y]")  # fmt: skip
def _(s: State) -> None:
    s.losses = s.losses / s.t.sum(axis=1)


@known("divisor", "weights left out of the gradient", "The gradient is that of the mean without weights.", "(p − t) / N", "wᵢ (p − t) / Σ wᵢ",
       "multiply each row of the gradient by its weight, and divide by the weights' sum")  # fmt: skip
def _(s: State) -> None:
    s.G, s.D_gradient = s.G / s.mass / s.r[:, None], s.keep.sum() if s.reduction == "mean" else 1.0


@known("divisor", "weights left out of the loss", "The loss is the mean without weights.", "Σ ℓᵢ / N", "Σ wᵢ ℓᵢ / Σ wᵢ",
       "multiply each loss by its weight, and divide by the weights' sum")  # fmt: skip
def _(s: State) -> None:
    s.losses, s.D_loss = s.losses / s.t.sum(axis=1) / s.r, s.keep.sum() if s.reduction == "mean" else 1.0


@known("gradient", "class weights on the target's entry only", "Only the subtracted target is weighted, not the whole row.", "p − w ⊙ t", "w_y (p − t)",
       "multiply the whole row by w[y]")  # fmt: skip
def _(s: State) -> None:
    s.G = s.G - (s.mass - 1) * s.p


@known("gradient", "class weights by column", "Each column of the gradient is multiplied by its own class's weight.", "w ⊙ (p − t)", "w_y (p − t)",
       "w[y][:, None] * (p - t)")  # fmt: skip
def _(s: State) -> None:
    s.G = s.G / s.mass * s.w


@known("divisor", "sample weights ignored", "The sample weights have no effect.", "Σ ℓᵢ / N", "Σ rᵢ ℓᵢ / Σ rᵢ", "multiply by the sample weights")  # fmt: skip
def _(s: State) -> None:
    s.R, ratio = s.keep * 1.0, s.keep.sum() / s.R.sum()
    s.D_loss, s.D_gradient = s.D_loss * ratio, s.D_gradient * ratio


@known("gradient", "sample weights in the loss only", "The gradient's rows are not multiplied by their weights.", "(p − t) / Σ r", "rᵢ (p − t) / Σ r",
       "multiply each row of the gradient by its weight")  # fmt: skip
def _(s: State) -> None:
    s.G = s.G / s.r[:, None]


@known("loss", "sample weights in the gradient only", "The losses are not multiplied by their weights.", "Σ ℓᵢ / Σ r", "Σ rᵢ ℓᵢ / Σ r",
       "multiply each loss by its weight")  # fmt: skip
def _(s: State) -> None:
    s.losses = s.losses / s.r


# --- the loss


def floored(epsilon: float, clip: bool) -> Mistake:
    """``log(p + ε)``, or ``log(max(p, ε))``."""

    def change(s: State) -> None:
        s.divided = np.maximum(s.p, epsilon) if clip else s.p + epsilon
        s.log_p = np.log(s.divided)

    name = f"p clipped at {epsilon:g}" if clip else f"log(p + {epsilon:g})"
    how = "The probability is clipped at {:g}" if clip else "{:g} is added to the probability"
    return Mistake(
        name,
        f"{how.format(epsilon)} before the logarithm: the loss never exceeds {-np.log(epsilon):.3g}.",
        f"ℓ = −log max(p_y, {epsilon:g})" if clip else f"ℓ = −log(p_y + {epsilon:g})",
        "ℓ = m + log Σ exp(z − m) − z_y",
        "log_p = z - m - np.log(np.exp(z - m).sum(axis=1, keepdims=True))",
        "probabilities",
        change=change,
    )


CATALOGUE += [floored(epsilon, clip) for epsilon in EPSILONS for clip in (False, True)]


@known("probabilities", "logarithm of a softmax that underflowed", "The logarithm is taken of the finished softmax: where p rounds to 0 the loss is infinite.",
       "ℓ = −log(softmax(z)_y)", "ℓ = m + log Σ exp(z − m) − z_y", "log_p = z - m - np.log(np.exp(z - m).sum(axis=1, keepdims=True))", "limit")  # fmt: skip
def _(s: State) -> None:
    s.log_p = np.log(s.p)


@known("loss", "0 · log 0 of a softmax that underflowed", "The target is multiplied by the logarithm of the finished softmax: where p rounds to 0 in another class, 0 · (−∞) is NaN.",
       "ℓ = −Σ t log(softmax(z))", "ℓ = −Σ t (z − m − log Σ exp(z − m))", "log_p = z - m - np.log(np.exp(z - m).sum(axis=1, keepdims=True))", "limit")  # fmt: skip
def _(s: State) -> None:
    s.losses = s.losses + (0 * np.log(s.p)).sum(axis=1)


def _divided(everywhere: bool) -> Change:
    def change(s: State) -> None:
        s.G = s.G + np.where(everywhere | (s.t > 0), 0 * s.t / s.p, 0)

    return change


known("gradient", "division by a probability that underflowed", "The gradient divides by p, which rounds to 0 for a class far below the largest: 0 / 0.",
      "(−t / p) · p …", "p − t", "grad = p - t, which divides by nothing", "limit")(_divided(True))  # fmt: skip
known("gradient", "division by the target's probability where it underflowed", "The gradient divides by the target's p, which rounds to 0 where its logit is far below the largest.",
      "(−1 / p_y) · p_y …", "p − t", "grad = p - t, which divides by nothing", "limit")(_divided(False))  # fmt: skip


simple("losses@loss", "mistake", {
    "loss in bits, gradient not": (lambda s: s.losses / np.log(2), "The loss is of base 2, the gradient of base e: they do not belong together.", "ℓ = −log₂ p_y", "ℓ = −ln p_y", "np.log, not np.log2"),
    "loss of base 10, gradient of base e": (lambda s: s.losses / np.log(10), "The loss is of base 10, the gradient of base e.", "ℓ = −log₁₀ p_y", "ℓ = −ln p_y", "np.log, not np.log10"),
    "logarithm left out": (lambda s: -(s.t * s.p).sum(axis=1), "The loss is minus the probability, as when probabilities are passed to a loss that takes log-probabilities.", "ℓ = −p_y", "ℓ = −log p_y", "take log_softmax, not softmax"),
    "logits taken for log-probabilities": (lambda s: -np.where(s.t == 0, 0, s.t * s.u).sum(axis=1), "The loss is minus the logit: the log-sum-exp is missing.", "ℓ = −z_y", "ℓ = lse − z_y", "apply log_softmax first"),
    "squared error in the loss": (lambda s: ((s.p - s.t) ** 2).sum(axis=1), "The loss is the squared error of the probabilities.", "ℓ = Σ (p − t)²", "ℓ = −log p_y", "use the cross-entropy"),
    "half the squared error in the loss": (lambda s: ((s.p - s.t) ** 2).sum(axis=1) / 2, "The loss is half the squared error of the probabilities.", "ℓ = ½ Σ (p − t)²", "ℓ = −log p_y", "use the cross-entropy"),
    "binary cross-entropy of the softmax": (lambda s: -(s.t * s.log_p + (1 - s.t) * np.log1p(-s.p)).sum(axis=1), "Each class adds a term log(1 − p), which belongs to a sigmoid.", "ℓ = −Σ t log p + (1 − t) log(1 − p)", "ℓ = −Σ t log p", "drop the second term"),
    "entropy of the prediction": (lambda s: -(s.p * s.log_p).sum(axis=1), "The probabilities are multiplied by their own logarithms; the target is not used.", "ℓ = −Σ p log p", "ℓ = −Σ t log p", "multiply by the target"),
    "logarithm of 1 − p": (lambda s: -np.where(s.t == 0, 0, s.t * np.log1p(-s.p)).sum(axis=1), "The logarithm is of 1 − p_y, not of p_y.", "ℓ = −log(1 − p_y)", "ℓ = −log p_y", "take the logarithm of p_y"),
    "the largest probability instead of the target's": (lambda s: -s.log_p.max(axis=1), "The loss uses the likeliest class, not the label.", "ℓ = −log max p", "ℓ = −log p_y", "p[np.arange(N), y]"),
    "target's logit not subtracted": (lambda s: s.losses + (s.t * s.u).sum(axis=1), "The loss is the log-sum-exp alone.", "ℓ = lse", "ℓ = lse − z_y", "subtract z_y"),
    "log-probabilities summed over all classes": (lambda s: -s.log_p.sum(axis=1), "The loss sums over the classes without the target.", "ℓ = −Σ_j log p_j", "ℓ = −Σ_j t_j log p_j", "multiply by the one-hot target"),
    "loss with the wrong sign": (lambda s: -s.losses, "The minus of −log p is missing.", "ℓ = log p_y", "ℓ = −log p_y", "loss = -..."),
})  # fmt: skip


# --- the gradient at the logits


def _jacobian_times(p: Any, g: Any) -> Any:
    return p * (g - (p * g).sum(axis=1, keepdims=True))


def _entries(s: State) -> Any:
    return (s.t != 0) * 1.0


RIGHT = "∂ℓ/∂z = p − t"
simple("G@gradient", "mistake", {
    "gradient at the probabilities": (lambda s: -s.t / s.divided, "This is the derivative by the probabilities; the softmax's own derivative is missing.", "−t / p", RIGHT, "grad = p - t"),
    "gradient at the log-probabilities": (lambda s: -s.t, "This is the derivative by the log-probabilities; the log-softmax's own derivative is missing.", "−t", RIGHT, "grad = p - t"),
    "diagonal of the softmax's derivative only": (lambda s: -s.t * (1 - s.p), "Only ∂p_y/∂z_y = p_y (1 − p_y) is used; the other logits change p_y too.", "−t (1 − p)", RIGHT, "add the off-diagonal part −p_i p_j: grad = p - t"),
    "off-diagonal sign": (lambda s: -s.t * (1 - s.p) - (s.t.sum(axis=1, keepdims=True) - s.t) * s.p, "The off-diagonal part of the softmax's derivative is −p_i p_j; its minus is missing.", "−p_j for j ≠ y", "+p_j for j ≠ y", "J = np.diag(p) - np.outer(p, p)"),
    "target not subtracted": (lambda s: s.mass * s.p, "The gradient is the softmax alone.", "p", RIGHT, "grad[np.arange(N), y] -= 1"),
    "target added": (lambda s: s.mass * s.p + s.t, "The target is added, not subtracted.", "p + t", RIGHT, "grad = p - t"),
    "softmax's derivative applied twice": (lambda s: _jacobian_times(s.p, s.G), "p − t already contains the softmax's derivative; it was multiplied by the Jacobian again.", "J (p − t)", RIGHT, "grad = p - t, without another softmax backward"),
    "extra factor p (1 − p)": (lambda s: s.p * (1 - s.p) * s.G, "p − t already contains the softmax's derivative; it was multiplied by σ′ = p (1 − p) again.", "(p − t) p (1 − p)", RIGHT, "remove the factor p * (1 - p)"),
    "the derivative of a squared error through the softmax": (lambda s: 2 * _jacobian_times(s.p, s.p - s.t), "This is the gradient of Σ (p − t)².", "2 J (p − t)", RIGHT, "grad = p - t, and the cross-entropy as the loss"),
    "the derivative of a squared error with σ′": (lambda s: 2 * s.p * (1 - s.p) * s.G, "This is the gradient of a squared error with the sigmoid's derivative.", "2 (p − t) p (1 − p)", RIGHT, "grad = p - t"),
    "the derivative of p instead of log p": (lambda s: (s.t * s.p).sum(axis=1, keepdims=True) * s.p - s.t * s.p, "This is the gradient of −p_y: the logarithm's 1 / p_y is missing.", "p_y (p − t)", RIGHT, "grad = p - t"),
    "the derivative of the binary cross-entropy through the softmax": (lambda s: _jacobian_times(s.p, (s.p - s.t) / (s.p * (1 - s.p))), "The loss's derivative is that of the binary cross-entropy, (p − t) / (p (1 − p)), which belongs to a sigmoid.", "J (p − t) / (p (1 − p))", RIGHT, "dL/dp = -t / p; or at once grad = p - t"),
    "the derivative of the binary cross-entropy": (lambda s: (s.p - s.t) / (s.p * (1 - s.p)), "This is the derivative of a binary cross-entropy by its probability.", "(p − t) / (p (1 − p))", RIGHT, "grad = p - t"),
    "gradient multiplied by the loss": (lambda s: s.losses[:, None] * s.G, "Each row's gradient is multiplied by its loss; the gradient from above is 1, not the loss.", "ℓ (p − t)", RIGHT, "start from 1, not from the loss"),
    "probabilities stored as integers": (lambda s: np.trunc(s.p) - s.t, "The probabilities are written into an array of integers, which makes them 0: zeros_like of the labels, or of integer logits.", "int(p) − t", RIGHT, "np.zeros(z.shape), of floats"),
    "the softmax's derivative without the loss": (lambda s: s.p * (1 - s.p), "This is p (1 − p), the diagonal of the softmax's derivative; the loss is not in it.", "p (1 − p)", RIGHT, "grad = p - t"),
    "logits in place of probabilities": (lambda s: s.mass * s.u - s.t, "The target is subtracted from the logits, not from their softmax.", "z − t", RIGHT, "grad = softmax(z) - t"),
    "log-probabilities in place of probabilities": (lambda s: s.mass * s.log_p - s.t, "The target is subtracted from log p.", "log p − t", RIGHT, "grad = np.exp(log_p) - t"),
    "exponentials not normalised": (lambda s: s.mass * s.e - s.t, "The target is subtracted from exp(z − max z), before the division by the sum.", "exp(z − m) − t", RIGHT, "divide by the sum first"),
    "sign of the target's entry": (lambda s: s.G * (1 - 2 * _entries(s)), "The target's own entry has the wrong sign, or the absolute value is taken of all.", "1 − p_y at y", "p_y − 1 at y", "grad[np.arange(N), y] = p_y - 1"),
    "target's entry left 0": (lambda s: s.G * (1 - _entries(s)), "The target's own entry is 0.", "0 at y", "p_y − 1 at y", "grad[np.arange(N), y] = p_y - 1"),
    "prediction minus target": (lambda s: one_hot(s.p.argmax(axis=1), s.V) - s.t, "The perceptron's update: the predicted class stands for the probabilities.", "e_{argmax p} − t", RIGHT, "grad = p - t"),
    "squared entries": (lambda s: s.G**2, "Every entry is squared.", "(p − t)²", RIGHT, "grad = p - t"),
    "mass of the target taken for 1": (lambda s: s.p - s.t, "The target does not sum to 1 here, but p is not multiplied by its sum.", "p − t", "(Σ t) p − t", "grad = t.sum(axis=1, keepdims=True) * p - t"),
    "1 subtracted in the columns of all labels": (lambda s: s.p - s.t.any(axis=0), "grad[:, y] -= 1 subtracts in every row, at every label of the batch.", "p[:, y] − 1", "p[i, yᵢ] − 1", "grad[np.arange(N), y] -= 1"),
    "1 subtracted once for each label in every row": (lambda s: s.p - s.t.sum(axis=0), "Every row has 1 subtracted for the label of every row.", "p − Σᵢ e_{yᵢ}", "pᵢ − e_{yᵢ}", "grad[np.arange(N), y] -= 1"),
    "1 subtracted in the first row only": (lambda s: s.p - s.t.any(axis=0) * (np.arange(len(s.p)) == 0)[:, None], "grad[0, y] -= 1 hits the first row, at every label of the batch.", "p[0, y] − 1", "p[i, yᵢ] − 1", "grad[np.arange(N), y] -= 1"),
    "only the first row's target subtracted": (lambda s: s.p - s.t * (np.arange(len(s.p)) == 0)[:, None], "The target is subtracted in the first row only.", "p[0, y₀] − 1", "p[i, yᵢ] − 1", "grad[np.arange(N), y] -= 1"),
    "only the last row's target subtracted": (lambda s: s.p - s.t * (np.arange(len(s.p)) == len(s.p) - 1)[:, None], "The target is subtracted in the last row only: the line stands after the loop.", "p[N−1, y] − 1", "p[i, yᵢ] − 1", "indent the line into the loop"),
    "1 subtracted from whole rows": (lambda s: s.p - np.isin(np.arange(len(s.p)), s.t.argmax(axis=1))[:, None], "grad[y] -= 1 picks rows by the labels, and subtracts from all their classes.", "p[y, :] − 1", "p[i, yᵢ] − 1", "grad[np.arange(N), y] -= 1"),
})  # fmt: skip
simple("G@divisor", "mistake", {
    "sign flipped": (lambda s: -s.G, "This is minus the gradient: a step along it goes down, a step against it goes up. If it is the direction of descent on purpose, say descent=True.", "t − p", RIGHT, "grad = p - t"),
    "the mean gradient in every row": (lambda s: np.broadcast_to(s.G.mean(axis=0), s.G.shape), "The gradient is averaged over the rows before it is returned.", "mean over rows of (p − t)", "a row of its own for each", "do not average over the batch axis"),
    "only the last row's gradient": (lambda s: s.G * (np.arange(len(s.G)) == len(s.G) - 1)[:, None], "The gradient is made anew in every pass of the loop; the last row survives.", "0 in all rows but the last", "p − t in every row", "create the array before the loop"),
    "only the first row's gradient": (lambda s: s.G * (np.arange(len(s.G)) == 0)[:, None], "The function returns, or stops, after the first row.", "0 in all rows but the first", "p − t in every row", "return after the loop"),
    "gradient zero": (lambda s: 0 * s.G, "The gradient is 0 everywhere: integer division (1 // N), an array of integers, or a detached result.", "0", RIGHT, "use / and floating point; do not detach"),
})  # fmt: skip


def _gradient(value: Callable[[State], Any]) -> Change:
    def change(s: State) -> None:
        s.out["gradient"] = value(s)

    return change


FIRST = "the first row's upstream gradient for all rows"
known("divisor", FIRST, "Every row is scaled by the gradient that comes from above for the first row.", "g₀ (p − t)", "gᵢ (p − t)", "multiply each row by its own upstream gradient")(
    lambda s: setattr(s, "upstream", s.upstream[:1]) if np.ndim(s.upstream) else None)  # fmt: skip
known("divisor", "upstream gradient ignored", "The gradient that comes from above is not multiplied in.", "p − t", "g (p − t)", "multiply by grad_output")(lambda s: setattr(s, "upstream", None))  # fmt: skip
known(
    "reduction",
    "integer division of the gradient",
    "The gradient is divided with //, which rounds down.",
    "(p − t) // N",
    "(p − t) / N",
    "/ instead of //",
)(_gradient(lambda s: np.floor(s.out["gradient"])))
known(
    "reduction",
    "gradient stored as integers",
    "The gradient is written into an array of integers, which cuts its decimals.",
    "int(p − t)",
    RIGHT,
    "np.zeros(z.shape), of floats: not zeros_like of the labels",
)(_gradient(lambda s: np.trunc(s.out["gradient"])))


@known("reduction", "the rows' gradients added up", "One gradient is returned for all rows: the sum, or the mean, runs over the batch.", "Σᵢ (pᵢ − tᵢ) / N, of shape (V,)",
       "(p − t) / N, of shape (N, V)", "do not reduce over the rows: the gradient has the logits' shape")  # fmt: skip
def _(s: State) -> None:
    if s.x is None:
        s.out["gradient"] = s.out["gradient"].sum(axis=0)


@known("reduction", "integer division of the loss", "The loss is divided with //, which rounds down.", "L = Σ ℓᵢ // N", MEAN, "/ instead of //")  # fmt: skip
def _(s: State) -> None:
    s.out["loss"] = np.floor(s.out["loss"])


@known("reduction", "the exponential of the loss", "What is returned is the perplexity.", "exp(L)", "L", "return the loss, not its exponential")  # fmt: skip
def _(s: State) -> None:
    s.out["loss"] = np.exp(s.out["loss"])


@known("reduction", "only the last row's loss", "The loss is set in the loop, not added up.", "L = ℓ_N / N", MEAN, "loss += ..., not loss = ...")  # fmt: skip
def _(s: State) -> None:
    if s.reduction != "none":
        s.out["loss"] = s.R[-1] * s.losses[-1] / s.D_loss


# --- the layer


def _if_square(value: Callable[[State], Any], otherwise: str) -> Callable[[State], Any]:
    return lambda s: value(s) if s.W.shape[0] == s.W.shape[1] else s.out[otherwise]


def _here(entries: dict[str, Any]) -> dict[str, Any]:
    """Entries that stand aside where there is no layer."""

    def guarded(value: Callable[[State], Any]) -> Callable[[State], Any]:
        return lambda s: np.nan if s.x is None else value(s)

    return {name: (guarded(value), *words) for name, (value, *words) in entries.items()}


DW, DB, DX = "dW = Gᵀ x", "db = Gᵀ 1", "dx = G W"
simple("dW@layer", "mistake", _here({
    "dW transposed": (lambda s: s.out["dW"].T, "The weight's gradient is transposed; with as many features as classes nobody notices.", "dW = xᵀ G", DW, "dW must have the shape of W"),
    "dW from the probabilities": (lambda s: s.p.T @ s.x / s.D_gradient, "The weight's gradient is made from p, not from p − t.", "dW = pᵀ x", DW, "use G = (p - t) / N"),
    "dW from the targets": (lambda s: -s.t.T @ s.x / s.D_gradient, "The weight's gradient is made from the targets alone.", "dW = −tᵀ x", DW, "use G = (p - t) / N"),
    "dW from the logits instead of the input": (_if_square(lambda s: s.out["gradient"].T @ s.z, "dW"), "The weight's gradient is made from the layer's output, not from its input.", "dW = Gᵀ z", DW, "use the x that went into the layer"),
    "dW from the input of the next row": (lambda s: s.out["gradient"].T @ np.roll(s.x, -1, axis=0), "Gradient and input of different rows are paired.", "dW = Σ Gᵢ xᵢ₊₁", DW, "pair each row's gradient with its own input"),
    "dW from the absolute input": (lambda s: s.out["gradient"].T @ np.abs(s.x), "The input's sign is lost.", "dW = Gᵀ |x|", DW, "use x itself"),
    "dW from a rectified input": (lambda s: s.out["gradient"].T @ np.maximum(s.x, 0), "The weight's gradient is made from max(x, 0), which did not go into this layer.", "dW = Gᵀ max(x, 0)", DW, "use the x that went into the layer"),
    "dW not divided by N": (lambda s: s.out["dW"] * s.N, "The weight's gradient is N times too large.", "dW = N·Gᵀ x", DW, "divide by N"),
    "dW divided by N twice": (lambda s: s.out["dW"] / s.N, "G already contains 1/N; dW is divided by N again.", "dW = Gᵀ x / N", DW, "divide by N once"),
    "dW from the last row only": (lambda s: np.outer(s.out["gradient"][-1], s.x[-1]), "The weight's gradient is set in the loop, not added up.", "dW = G_N x_Nᵀ", DW, "dW += ..., not dW = ..."),
    "dW with the wrong sign": (lambda s: -s.out["dW"], "The weight's gradient has the wrong sign, the others not.", "dW = −Gᵀ x", DW, "remove the minus"),
}))  # fmt: skip
simple("db@layer", "mistake", _here({
    "bias gradient not summed": (lambda s: s.out["gradient"], "The bias is shared by all rows; its gradient is a sum over them, which is missing.", "db = G", DB, "db = G.sum(axis=0)"),
    "bias gradient averaged": (lambda s: s.out["db"] / s.N, "G already contains 1/N; the mean over the rows divides by it again.", "db = mean of G", DB, "G.sum(axis=0), not G.mean(axis=0)"),
    "bias gradient zero": (lambda s: 0 * s.out["db"], "The bias's gradient is missing.", "db = 0", DB, "db = G.sum(axis=0)"),
    "bias gradient summed over everything": (lambda s: np.full(s.V, s.out["gradient"].sum()), "The sum runs over the classes too, so that every entry is 0 but for rounding.", "db = Σᵢⱼ G", DB, "G.sum(axis=0)"),
    "bias gradient summed over the classes": (lambda s: s.out["gradient"].sum(axis=1), "The sum runs over the classes, not over the rows.", "db = G 1", DB, "G.sum(axis=0)"),
    "bias gradient not divided by N": (lambda s: s.out["db"] * s.N, "The bias's gradient is N times too large: the sum is repeated.", "db = N·Gᵀ 1", DB, "divide by N"),
    "bias gradient from the first row only": (lambda s: s.out["gradient"][0], "Only the first row's gradient is used.", "db = G₁", DB, "G.sum(axis=0)"),
    "bias gradient from the last row only": (lambda s: s.out["gradient"][-1], "The bias's gradient is set in the loop, not added up.", "db = G_N", DB, "db += ..., not db = ..."),
    "bias gradient doubled": (lambda s: 2 * s.out["db"], "The bias's sum is added twice.", "db = 2 Gᵀ 1", DB, "add it once"),
    "bias gradient with the wrong sign": (lambda s: -s.out["db"], "The bias's gradient has the wrong sign, the others not.", "db = −Gᵀ 1", DB, "remove the minus"),
}))  # fmt: skip
simple("dx@layer", "mistake", _here({
    "dx with Wᵀ": (_if_square(lambda s: s.out["gradient"] @ s.W.T, "dx"), "The input's gradient is multiplied by the transposed weight; with as many features as classes nobody notices.", "dx = G Wᵀ", DX, "multiply by W in the other orientation"),
    "dx not divided by N": (lambda s: s.out["dx"] * s.N, "The input's gradient is N times too large.", "dx = N·G W", DX, "divide by N"),
    "dx divided by N twice": (lambda s: s.out["dx"] / s.N, "G already contains 1/N; dx is divided by N again.", "dx = G W / N", DX, "divide by N once"),
    "dx multiplied by the input": (lambda s: s.out["dx"] * s.x, "The input's gradient is multiplied by the input.", "dx = (G W) ⊙ x", DX, "remove the factor x"),
    "dx from a rectified input": (lambda s: s.out["dx"] * (s.x > 0), "The derivative of a rectifier is multiplied in, which is not part of this layer.", "dx = (G W) ⊙ [x > 0]", DX, "leave it to the layer before"),
    "dx with the wrong sign": (lambda s: -s.out["dx"], "The input's gradient has the wrong sign, the others not.", "dx = −G W", DX, "remove the minus"),
    "dx zero": (lambda s: 0 * s.out["dx"], "The input's gradient is missing.", "dx = 0", DX, "dx = G @ W"),
}))  # fmt: skip


@known(
    "logits",
    "bias left out of the logits",
    "The logits are x Wᵀ without the bias.",
    "z = x Wᵀ",
    "z = x Wᵀ + b",
    "add the bias",
)
def _(s: State) -> None:
    if s.x is not None:
        s.z = s.u = s.x @ s.W.T


@known(
    "logits",
    "W transposed in the logits",
    "The logits use the transposed weight; with as many features as classes nobody notices.",
    "z = x W + b",
    "z = x Wᵀ + b",
    "transpose W",
)
def _(s: State) -> None:
    if s.x is not None and s.W.shape[0] == s.W.shape[1]:
        s.z = s.u = s.x @ s.W + s.b


# --- the softmax's own derivative

J = "J = diag p − p pᵀ"
simple("jacobian@derivative", "mistake", {
    "Jacobian's diagonal only": (lambda s: s.out["jacobian"] * np.eye(s.V), "Only the diagonal p (1 − p) is filled.", "J = diag p (1 − p)", J, "add −p_i p_j off the diagonal"),
    "Jacobian's off-diagonal sign": (lambda s: np.abs(s.out["jacobian"]), "The off-diagonal entries are −p_i p_j; their minus is missing.", "J_ij = +p_i p_j", "J_ij = −p_i p_j", "np.diag(p) - np.outer(p, p)"),
    "Jacobian without p pᵀ": (lambda s: s.p[:, :, None] * np.eye(s.V), "The outer product is missing.", "J = diag p", J, "np.diag(p) - np.outer(p, p)"),
    "Jacobian without its diagonal": (lambda s: -s.p[:, :, None] * s.p[:, None, :], "diag p is missing.", "J = −p pᵀ", J, "np.diag(p) - np.outer(p, p)"),
    "Jacobian with p pᵀ added": (lambda s: s.p[:, :, None] * np.eye(s.V) + s.p[:, :, None] * s.p[:, None, :], "The outer product is added, not subtracted.", "J = diag p + p pᵀ", J, "np.diag(p) - np.outer(p, p)"),
    "Jacobian with the wrong sign": (lambda s: -s.out["jacobian"], "Every entry has the wrong sign.", "J = p pᵀ − diag p", J, "np.diag(p) - np.outer(p, p)"),
    "Jacobian p_i (1 − p_j)": (lambda s: s.p[:, :, None] * (1 - s.p[:, None, :]), "The diagonal's formula is used in every entry.", "J_ij = p_i (1 − p_j)", "J_ij = p_i (δ_ij − p_j)", "np.diag(p) - np.outer(p, p)"),
    "Jacobian from the logits": (lambda s: s.u[:, :, None] * np.eye(s.V) - s.u[:, :, None] * s.u[:, None, :], "The logits stand where the probabilities belong.", "J = diag z − z zᵀ", J, "apply the softmax first"),
})  # fmt: skip


simple("softmax@derivative", "mistake", {
    "p (1 − p) in place of the Jacobian": (lambda s: s.p * (1 - s.p), "This is the diagonal of the softmax's derivative; every probability depends on every logit.", "p (1 − p)", J, "np.diag(p) - np.outer(p, p)"),
})  # fmt: skip


def _product(value: Callable[[State, Any, Any], Any]) -> Callable[[State], Any]:
    return lambda s: np.nan if s.vector is None else value(s, s.p, s.vector)


VJP = "p ⊙ (v − ⟨p, v⟩)"
simple("vjp@derivative", "mistake", {
    "product with the diagonal only": (_product(lambda s, p, v: p * (1 - p) * v), "Only the diagonal p (1 − p) is used.", "p (1 − p) ⊙ v", VJP, "p * (v - (p * v).sum(axis=1, keepdims=True))"),
    "product without ⟨p, v⟩": (_product(lambda s, p, v: p * v), "The sum over the row is missing.", "p ⊙ v", VJP, "p * (v - (p * v).sum(axis=1, keepdims=True))"),
    "product without the factor p": (_product(lambda s, p, v: v - (p * v).sum(axis=1, keepdims=True)), "The factor p in front is missing.", "v − ⟨p, v⟩", VJP, "multiply by p"),
    "product with an unweighted sum": (_product(lambda s, p, v: p * (v - v.sum(axis=1, keepdims=True))), "The sum over the row is not weighted by p.", "p ⊙ (v − Σ v)", VJP, "(p * v).sum"),
    "product with p times an unweighted sum": (_product(lambda s, p, v: p * (v - p * v.sum(axis=1, keepdims=True))), "The sum over the row is of v alone, and p is multiplied afterwards.", "p ⊙ (v − p Σ v)", VJP, "(p * v).sum(axis=1, keepdims=True)"),
    "product with a sum over the batch": (_product(lambda s, p, v: p * (v - (p * v).sum(axis=0))), "The sum runs down the columns.", "p ⊙ (v − Σᵢ p v)", VJP, "sum with axis=1, keepdims=True"),
    "product with a sum over everything": (_product(lambda s, p, v: p * (v - (p * v).sum())), "The sum runs over all rows.", "p ⊙ (v − Σᵢⱼ p v)", VJP, "sum with axis=1, keepdims=True"),
    "product with the off-diagonal sign": (_product(lambda s, p, v: p * (v * (1 - 2 * p) + (p * v).sum(axis=1, keepdims=True))), "The off-diagonal entries −p_i p_j have lost their minus.", "+p_i p_j v_j", "−p_i p_j v_j", "p * (v - (p * v).sum(axis=1, keepdims=True))"),
    "product with the sum added": (_product(lambda s, p, v: p * (v + (p * v).sum(axis=1, keepdims=True))), "The sum is added, not subtracted.", "p ⊙ (v + ⟨p, v⟩)", VJP, "v - ..., not v + ..."),
    "product with the wrong sign": (_product(lambda s, p, v: -p * (v - (p * v).sum(axis=1, keepdims=True))), "Every entry has the wrong sign.", "p ⊙ (⟨p, v⟩ − v)", VJP, "v - ..."),
})  # fmt: skip


# --- what values alone don't show

BEHAVIOURS = {
    mistake.name: mistake
    for mistake in (
        Mistake("input overwritten", "The function changes the logits or the target that it is given: whoever uses them next gets something else.", "z −= max z, in place", "z is left as it is", "z = z - ..., not z -= ...; or copy first"),
        Mistake("gradient accumulated", "The second call returns the first call's gradient on top of its own: a buffer is not reset.", "G₂ = G₁ + (p − t)", "G₂ = p − t", "set the buffer to 0 at the start of each call"),
        Mistake("second call returns something else", "Called twice with the same input, the function returns different numbers: something is kept between calls.", "f(z) ≠ f(z)", "f(z) = f(z)", "keep no state between calls"),
        Mistake("computed in float16", "Input and output have more digits, but the numbers are only as good as half precision: sums are rounded to 11 bits.", "float16 inside", "float32 or wider inside", "accumulate in float32"),
        Mistake("labels one too high", "A label of the last class is out of range: labels taken to count from 0 where 1 is added, or tables one too short.", "y + 1", "y in 0 … V − 1", "remove the + 1"),
    )
}  # fmt: skip
"""Mistakes that show when a function is called, not in one call's numbers."""
