"""Mistakes with the target: labels, one-hot rows and distributions, smoothing, and ignored rows."""

from __future__ import annotations

import numpy as np

from luce.check.doctor.mistakes.entry import Subject, at
from luce.derivation.quantities import Quantities, one_hot
from luce.derivation.steps import divisor, gradient, loss, mass, scores, smoothing

__all__ = ["SUBJECT"]

SUBJECT = Subject()
mistake = SUBJECT.mistake

LABEL_0 = "if 0 is the label of padding, say ignore_index=0; if it is a class, do not mask it"


def count_ignored_as(q: Quantities, label: int) -> None:
    """Let the rows to be ignored count as rows of a label."""
    t = ~q.counts[:, None] * one_hot(np.full(len(q.z), label), q.V)
    q.losses = q.losses - (t * q.log_p).sum(axis=1)
    q.dl_du = q.dl_du + t.sum(axis=1, keepdims=True) * q.p - t
    q.R = q.r


@mistake(name="labels one too low", fix="remove the − 1: labels count from 0")
@at(step=smoothing, computed="t = e_{y−1}", right="t = e_y")
def labels_one_too_low(q: Quantities) -> None:
    """Each label means the class before it: labels taken to count from 1."""
    q.t = np.roll(q.t, -1, axis=1)


@mistake(name="labels one too high", fix="remove the + 1: labels count from 0")
@at(step=smoothing, computed="t = e_{y+1}", right="t = e_y")
def labels_one_too_high(q: Quantities) -> None:
    """Each label means the class after it."""
    q.t = np.roll(q.t, 1, axis=1)


@mistake(name="the next row's label", fix="align logits and labels")
@at(step=smoothing, computed="t = e_{y[i+1]}", right="t = e_{y[i]}")
def the_next_rows_label(q: Quantities) -> None:
    """Each row is compared with the label of the row after it."""
    q.t = np.roll(q.t, -1, axis=0)


@mistake(name="the previous row's label", fix="align logits and labels")
@at(step=smoothing, computed="t = e_{y[i−1]}", right="t = e_{y[i]}")
def the_previous_rows_label(q: Quantities) -> None:
    """Each row is compared with the label of the row before it."""
    q.t = np.roll(q.t, 1, axis=0)


@mistake(name="the first row's label for all rows", fix="index the label by the row: y[i]")
@at(step=smoothing, computed="t = e_{y[0]}", right="t = e_{y[i]}")
def the_first_rows_label_for_all_rows(q: Quantities) -> None:
    """All rows are compared with the first row's label."""
    q.t = np.broadcast_to(q.t[:1], q.t.shape)


@mistake(name="labels as a column", fix="y = y.ravel(), or take_along_axis(log_p, y, axis=1)")
@at(step=smoothing, computed="L = Σᵢⱼ −log p[i, yⱼ] / N²", right="L = Σᵢ −log p[i, yᵢ] / N")
def labels_as_a_column(q: Quantities) -> None:
    """Labels of shape (N, 1) are broadcast against the N rows: the loss is the mean of a table of N × N, every row
    with every label.
    """
    q.t = np.broadcast_to(q.t.mean(axis=0), q.t.shape)


@mistake(name="labels as a column, summed", fix="y = y.ravel(), or take_along_axis(log_p, y, axis=1)")
@at(step=smoothing, computed="L = Σᵢⱼ −log p[i, yⱼ] / N", right="L = Σᵢ −log p[i, yᵢ] / N")
def labels_as_a_column_summed(q: Quantities) -> None:
    """Labels of shape (N, 1) are broadcast against the N rows: the loss is the sum of a table of N × N, every row with
    every label.
    """
    q.t = np.broadcast_to(q.t.sum(axis=0), q.t.shape)


@mistake(name="the prediction as the label", fix="use the labels given")
@at(step=smoothing, computed="t = e_{argmax z}", right="t = e_y")
def the_prediction_as_the_label(q: Quantities) -> None:
    """The label is the argmax of the logits: the loss is never large."""
    q.t = one_hot(q.z.argmax(axis=1), q.V)


@mistake(name="smoothing ignored", fix="use the smoothed target")
@at(step=smoothing, computed="t = e_y", right="t = (1 − ε) e_y + ε / V")
def smoothing_ignored(q: Quantities) -> None:
    """The label smoothing has no effect."""
    q.t = q.t_given


@mistake(name="argmax of soft labels", fix="multiply by t, do not take its argmax")
@at(step=smoothing, computed="t = e_{argmax t}", right="t as given")
def argmax_of_soft_labels(q: Quantities) -> None:
    """A distribution over the classes is replaced by its likeliest class."""
    q.t = one_hot(q.t_given.argmax(axis=1), q.V)


@mistake(name="targets compared with ==", fix="multiply by t, do not compare it")
@at(step=smoothing, computed="t = [t == 1]", right="t as given")
def targets_compared_with_equality(q: Quantities) -> None:
    """The target counts only where it equals 1 exactly; shares of a distribution are lost."""
    q.t = (q.t_given == 1) * 1.0


@mistake(name="targets cut to integers", fix="keep the target in floating point")
@at(step=smoothing, computed="t = int(t)", right="t as given")
def targets_cut_to_integers(q: Quantities) -> None:
    """The target is converted to integers: shares of a distribution become 0."""
    q.t = np.trunc(q.t)


@mistake(name="the one-hot vector taken for class indices", fix="multiply by the one-hot vector, or use its argmax")
@at(step=smoothing, computed="Σ_j log p[t_j]", right="Σ_j t_j log p_j")
def the_one_hot_vector_taken_for_class_indices(q: Quantities) -> None:
    """A one-hot target is used as indices: its zeros and ones pick the classes 0 and 1."""
    n_ones = np.trunc(q.t).sum(axis=1, keepdims=True)
    q.t = (q.V - n_ones) * one_hot(0 * q.y, q.V) + n_ones * one_hot(0 * q.y + 1, q.V)


@mistake(name="smoothing by ε / (V − 1)", fix="t = (1 - eps) * onehot + eps / V")
@at(step=smoothing, computed="t_j = ε / (V − 1), j ≠ y", right="t = (1 − ε) e_y + ε / V")
def smoothing_by_epsilon_V_minus_1(q: Quantities) -> None:
    """ε is spread over the other V − 1 classes; PyTorch spreads it over all V."""
    q.t = (1 - q.epsilon) * q.t_given + q.epsilon / (q.V - 1) * (1 - q.t_given)


@mistake(name="ε / (V − 1) added to all classes", fix="divide ε by V")
@at(step=smoothing, computed="t = (1 − ε) e_y + ε / (V − 1)", right="t = (1 − ε) e_y + ε / V")
def epsilon_V_minus_1_added_to_all_classes(q: Quantities) -> None:
    """ε / (V − 1) is added to the target's class too: the target sums to more than 1."""
    q.t = (1 - q.epsilon) * q.t_given + q.epsilon / (q.V - 1)


@mistake(name="smoothing without its uniform part", fix="add eps / V to every class")
@at(step=smoothing, computed="t = (1 − ε) e_y", right="t = (1 − ε) e_y + ε / V")
def smoothing_without_its_uniform_part(q: Quantities) -> None:
    """The target's class gives up ε, and nobody receives it."""
    q.t = (1 - q.epsilon) * q.t_given


@mistake(name="uniform part added, nothing given up", fix="multiply the one-hot target by 1 − ε")
@at(step=smoothing, computed="t = e_y + ε / V", right="t = (1 − ε) e_y + ε / V")
def uniform_part_added_nothing_given_up(q: Quantities) -> None:
    """ε / V is added to every class, but the target's class keeps its 1."""
    q.t = q.t_given + q.epsilon / q.V * q.counts[:, None]


@mistake(name="the whole ε added to every class", fix="divide ε by V")
@at(step=smoothing, computed="t = (1 − ε) e_y + ε", right="t = (1 − ε) e_y + ε / V")
def the_whole_epsilon_added_to_every_class(q: Quantities) -> None:
    """ε is not divided among the classes."""
    q.t = (1 - q.epsilon) * q.t_given + q.epsilon


@mistake(name="ε and 1 − ε exchanged", fix="exchange ε and 1 − ε")
@at(step=smoothing, computed="t = ε e_y + (1 − ε) / V", right="t = (1 − ε) e_y + ε / V")
def epsilon_and_1_minus_epsilon_exchanged(q: Quantities) -> None:
    """The smoothing is the wrong way round."""
    q.t = q.epsilon * q.t_given + (1 - q.epsilon) / q.V


@mistake(name="smoothing of ignored rows", fix="mask the rows after smoothing")
@at(step=divisor, computed="ℓ = −ε / V Σ log p in ignored rows", right="ℓ = 0 in ignored rows")
def smoothing_of_ignored_rows(q: Quantities) -> None:
    """The mask hits the target's own term alone: the uniform part of the smoothing is added in ignored rows too."""
    uniform = q.epsilon / q.V * ~q.counts[:, None]
    q.losses = q.losses - (uniform * q.log_p).sum(axis=1)
    q.dl_du = q.dl_du + uniform * (q.V * q.p - 1)
    q.R = q.r


@mistake(name="smoothing in the loss only", fix="use the smoothed target in the gradient too")
@at(step=gradient, computed="p − e_y", right="p − t")
def smoothing_in_the_loss_only(q: Quantities) -> None:
    """The gradient subtracts the target without smoothing."""
    t = q.w * q.t_given
    q.dl_du = t.sum(axis=1, keepdims=True) * q.p - t


@mistake(name="smoothing in the gradient only", fix="use the smoothed target in the loss too")
@at(step=loss, computed="ℓ = −log p_y", right="ℓ = −Σ t log p")
def smoothing_in_the_gradient_only(q: Quantities) -> None:
    """The loss uses the target without smoothing."""
    q.losses = -np.where(q.t_given == 0, 0, q.w * q.t_given * q.log_p).sum(axis=1)


@mistake(name="ignored rows not left out", fix="multiply the gradient by the mask")
@at(step=divisor, computed="p in ignored rows", right="0 in ignored rows")
def ignored_rows_not_left_out(q: Quantities) -> None:
    """Rows to be ignored are counted, with no target: their gradient is p."""
    q.dl_du = q.dl_du + (~q.counts[:, None]) * q.p
    q.R = q.r


@mistake(name="ignored rows counted as class 0", fix="multiply losses and gradient by the mask")
@at(step=divisor, computed="t = e_0", right="the row counts for nothing")
def ignored_rows_counted_as_class_0(q: Quantities) -> None:
    """Rows to be ignored are taken for class 0, which was put in for their label."""
    count_ignored_as(q, 0)


@mistake(name="ignored rows counted as the last class", fix="multiply losses and gradient by the mask")
@at(step=divisor, computed="t = e_{−1}", right="the row counts for nothing")
def ignored_rows_counted_as_the_last_class(q: Quantities) -> None:
    """A label of −1 picks the last class, as indexing in Python does."""
    count_ignored_as(q, -1)


@mistake(name="rows of label 0 ignored", fix=LABEL_0)
@at(step=scores, computed="Σ over yᵢ ≠ 0", right="Σ over all rows")
def rows_of_label_0_ignored(q: Quantities) -> None:
    """Rows whose label is 0 count for nothing, as if it marked padding."""
    q.counts = q.counts & (q.y != 0 if q.hard else True)
    q.t = q.t * q.counts[:, None]


@mistake(name="ignored rows in the gradient's N", fix="divide both by mask.sum()")
@at(step=divisor, computed="(p − t) / N", right="(p − t) / N_valid")
def ignored_rows_in_the_gradients_N(q: Quantities) -> None:
    """The gradient is divided by the number of all rows, the loss by that of the rows that count."""
    q.D_gradient = q.D_gradient * q.N / q.counts.sum()


@mistake(name="ignored rows in the loss's N", fix="divide both by mask.sum()")
@at(step=divisor, computed="Σ ℓᵢ / N", right="Σ ℓᵢ / N_valid")
def ignored_rows_in_the_losss_N(q: Quantities) -> None:
    """The loss is divided by the number of all rows, the gradient by that of the rows that count."""
    q.D_loss = q.D_loss * q.N / q.counts.sum()


@mistake(name="the class index taken for its one-hot vector", fix="t = np.eye(V)[y]")
@at(step=mass, computed="t_ij = yᵢ", right="t_ij = [j = yᵢ]")
def the_class_index_taken_for_its_one_hot_vector(q: Quantities) -> None:
    """The number of the class is used as if it were the target's value in each class."""
    q.t, q.alpha = q.y[:, None] + 0.0 * q.z, np.ones_like(q.alpha)
