"""Ranking: a probability is at most the reciprocal of its rank, so the cross-entropy bounds measures of ranking."""

from __future__ import annotations

import numpy as np
from mpmath import mp

from luce.explanation.case import Case
from luce.explanation.parts.looked_at import has_target, written_out
from luce.explanation.quantities import Exact, Number, Numbers, Values, quantity
from luce.explanation.shown import Slot, n
from luce.explanation.step import Note, Part, Step, Table

__all__ = ["part"]


@quantity
def ranks(v: Values) -> Numbers:
    """The rank of each class by score, the number of classes not below it: ties take the worst; of shape (T,)."""
    z = v["scores"]
    ordered = sorted(z)
    places = {x: len(z) - k for k, x in reversed(list(enumerate(ordered)))}
    return np.array([mp.mpf(places[x]) for x in z], object)


@quantity
def reciprocal_ranks(v: Values) -> Numbers:
    """The reciprocals of the ranks, of shape (T,)."""
    return np.asarray(1 / v["ranks"])


@quantity
def gains(v: Values) -> Numbers:
    """The target as it was given, scaled to the sum 1, of shape (T,)."""
    t = v["target_given"]
    return np.asarray(t / t.sum())


@quantity
def ranking_loss(v: Values) -> Numbers:
    """The cross-entropy −Σ g log p of that target: without smoothing, class weights and z-loss."""
    terms = (-g * x for g, x in zip(v["gains"], v["log_probabilities"], strict=True) if g)
    return np.asarray(mp.fsum(terms), object)


@quantity
def reciprocal_rank(v: Values) -> Numbers:
    """The reciprocal rank of the first class that the target holds."""
    best = max(r for g, r in zip(v["gains"], v["reciprocal_ranks"], strict=True) if g)
    return np.asarray(best, object)


@quantity
def reciprocal_rank_loss(v: Values) -> Numbers:
    """Minus the logarithm of the reciprocal rank."""
    return np.asarray(-mp.log(v["reciprocal_rank"].item()), object)


@quantity
def ndcg(v: Values) -> Numbers:
    """The normalised discounted cumulative gain Σ g / log2(1 + rank), over that of the best order."""
    g = v["gains"]
    best = _discounted(sorted(g, reverse=True), range(1, len(g) + 1))
    return np.asarray(_discounted(g, v["ranks"]) / best, object)


@quantity
def ndcg_loss(v: Values) -> Numbers:
    """Minus the logarithm of it."""
    return np.asarray(-mp.log(v["ndcg"].item()), object)


NDCG_CODE = """
best = np.sort(target_given)[::-1] / np.log2(2 + np.arange(len(target_given)))
ndcg = (target_given / np.log2(1 + ranks)).sum() / best.sum()
""".strip()


def _discounted(gains: Exact | list[Number], ranks: Exact | range) -> Number:
    """Return Σ g / log2(1 + rank)."""
    return mp.fsum(g * mp.log(2) / mp.log(1 + rank) for g, rank in zip(gains, ranks, strict=True))


def part(case: Case, v: Values) -> Part | None:
    """Return the part about ranking, if the row has a target."""
    if not has_target(v):
        return None
    lead = (
        "A class that is ranked k-th has at least k − 1 others whose probability is no smaller, so its own can't "
        "exceed 1/k. The cross-entropy therefore bounds how badly the truth is ranked, though ranks have no derivative."
    )
    return Part("ranking", "Ranking", lead, (_ranks(case), _reciprocal_rank(case), _ndcg(case)))


def _ranks(case: Case) -> Step:
    return Step(
        name="ranks",
        title="The ranks",
        symbol=r"\operatorname{rank}",
        formula=r"\operatorname{rank}_i = \sum_k [z_k \ge z_i], \qquad p_i \operatorname{rank}_i \le "
        r"\sum_{k : z_k \ge z_i} p_k \le 1 \;\Rightarrow\; \frac{1}{\operatorname{rank}_i} \ge p_i",
        follows=("scores", "probabilities"),
        rule="a sum of terms that are no smaller",
        why="Each of the classes ranked no lower has at least the probability p_i, and together they have at most 1.",
        axes=("T",),
        code="ranks = (scores[:, None] <= scores).sum(axis=1)",
        notes=(Note("Classes of the same score share the worst of their ranks; so a tie never looks like a success."),),
        tables=(
            Table(
                caption="Rank and probability.",
                head=("class", "score", "rank", "1 / rank", "p"),
                rows=tuple(
                    (
                        case.classes[k],
                        *(Slot(q, (k,)) for q in ("scores", "ranks", "reciprocal_ranks", "probabilities")),
                    )
                    for k in written_out(case)
                ),
            ),
        ),
    )


def _reciprocal_rank(case: Case) -> Step:
    notes = [
        Note(
            "Averaged over rows, by Jensen's inequality, the mean cross-entropy is at least minus the logarithm of "
            "the mean reciprocal rank (S. Bruch, X. Wang, M. Bendersky, M. Najork, An Analysis of the Softmax Cross "
            "Entropy Loss for Learning-to-Rank with Binary Relevance, ICTIR 2019).",
            r"-\log \frac{1}{B} \sum_b \frac{1}{\operatorname{rank}_b} \le \frac{1}{B} \sum_b \ell_b",
        )
    ]
    if {"label_smoothing", "weight", "z_loss"} & {*case.options} or case.of_class is None:
        notes.append(
            Note(
                "The cross-entropy meant here is that of the target scaled to the sum 1, without smoothing, class "
                "weights and z-loss; the rank is that of the first class that the target holds."
            )
        )
    return Step(
        name="reciprocal_rank",
        title="The reciprocal rank",
        symbol=r"\mathrm{RR}",
        formula=r"\mathrm{RR} = \max_{i : t_i > 0} \frac{1}{\operatorname{rank}_i}, \qquad -\log \mathrm{RR} \le "
        r"-\sum_i t_i \log p_i",
        template=rf"-\log \mathrm{{RR}} \eq -\log {n('reciprocal_rank')} \eq {n('reciprocal_rank_loss')} \;\le\; "
        rf"\ell \eq {n('ranking_loss')}",
        follows=("ranks", "loss"),
        rule="the logarithm grows",
        why="The logarithm keeps the order: from 1/rank ≥ p follows −log(1/rank) ≤ −log p.",
        code="reciprocal_rank = (1 / ranks)[target_given > 0].max()",
        notes=tuple(notes),
    )


def _ndcg(case: Case) -> Step:
    return Step(
        name="ndcg",
        title="The discounted gain",
        symbol=r"\mathrm{NDCG}",
        formula=r"\mathrm{NDCG} = \frac{\sum_i t_i / \log_2(1 + \operatorname{rank}_i)}"
        r"{\max_{\text{orders}} \sum_i t_i / \log_2(1 + \operatorname{rank}_i)}, \qquad -\log \mathrm{NDCG} \le "
        r"-\sum_i t_i \log p_i",
        template=rf"-\log \mathrm{{NDCG}} \eq -\log {n('ndcg')} \eq {n('ndcg_loss')} \;\le\; "
        rf"\ell \eq {n('ranking_loss')}",
        follows=("ranks", "loss"),
        rule="Jensen's inequality",
        why="Each discount is at least p, and the logarithm of a mean at least the mean of the logarithms.",
        code=NDCG_CODE,
        notes=(
            Note(
                "With Σ t = 1 the best order's gain is at most 1, and log2(1 + x) ≤ x for x ≥ 1. Bruch et al. "
                "(2019) prove it for binary relevance, where t is the same for all relevant classes; the steps "
                "hold for any t.",
                r"\mathrm{NDCG} \ge \sum_i \frac{t_i}{\log_2(1 + \operatorname{rank}_i)} \ge "
                r"\sum_i \frac{t_i}{\log_2(1 + 1 / p_i)} \ge \sum_i t_i\, p_i \ge \exp \sum_i t_i \log p_i",
            ),
        ),
    )
