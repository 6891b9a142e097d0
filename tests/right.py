"""Right implementations in many styles: nothing here may be called wrong."""

import math

import numpy as np
import scipy.special
import torch
import torch.nn.functional as F

import luce


def textbook(z, y):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean()
    grad = p.copy()
    grad[rows, y] -= 1
    return loss, grad / len(y)


def log_sum_exp(logits, target):
    m = logits.max(1)
    lse = m + np.log(np.exp(logits - m[:, None]).sum(1))
    loss = (lse - logits[np.arange(len(target)), target]).mean()
    grad = np.exp(logits - lse[:, None])
    np.subtract.at(grad, (np.arange(len(target)), target), 1.0)
    return {"loss": loss, "grad": grad / len(target)}


def one_hot_matmul(z, t):
    log_p = scipy.special.log_softmax(z, axis=1)
    return -np.trace(t @ log_p.T) / len(z), (np.exp(log_p) - t) / len(z)


def einsum(scores, labels):
    p = scipy.special.softmax(scores, axis=-1)
    t = np.eye(scores.shape[1])[labels]
    jacobian = np.einsum("ni,ij->nij", p, np.eye(p.shape[1])) - np.einsum("ni,nj->nij", p, p)
    inner = np.divide(-t, p, out=np.zeros_like(p), where=t > 0)
    return np.einsum("nij,nj->ni", jacobian, inner) / len(labels)


def loops(z, y):
    n, k = len(z), len(z[0])
    grad, total = [], 0.0
    for i in range(n):
        m = max(z[i])
        e = [math.exp(a - m) for a in z[i]]
        s = sum(e)
        total += math.log(s) + m - z[i][y[i]]
        grad.append([(e[j] / s - (j == y[i])) / n for j in range(k)])
    return total / n, grad


def lists_only(z, y):
    rows = [list(map(float, row)) for row in list.copy(z)]
    out = []
    for row, label in zip(rows, y, strict=True):
        s = math.fsum(math.exp(a - max(row)) for a in row)
        out.append([(math.exp(a - max(row)) / s - (k == label)) / len(rows) for k, a in enumerate(row)])
    return out


def one_row(z, y):
    shifted = z - np.max(z)
    log_p = shifted - np.log(np.sum(np.exp(shifted)))
    grad = np.exp(log_p)
    grad[y] -= 1.0
    return -log_p[y], grad


def one_row_one_hot(z, onehot):
    p = np.exp(z - z.max())
    p /= p.sum()
    return p - onehot


def loss_only(z, y):
    return np.mean(scipy.special.logsumexp(z, axis=1) - np.take_along_axis(z, y[:, None], 1)[:, 0])


def gradient_only(z, y):
    return (scipy.special.softmax(z, axis=1) - np.eye(z.shape[1])[y]) / z.shape[0]


def target_first(labels, logits):
    return textbook(logits, labels)


def each_row(z, y):
    p = scipy.special.softmax(z, axis=1)
    return -scipy.special.log_softmax(z, axis=1)[np.arange(len(y)), y], p - np.eye(z.shape[1])[y]


def in_float32(z, y):
    loss, grad = textbook(z.astype(np.float32), y)
    return np.float32(loss), grad.astype(np.float32)


def through_float32(z, y):
    loss, grad = textbook(z.astype(np.float32), y)
    return float(loss), grad.astype(np.float64)


def in_float16(z, y):
    loss, grad = textbook(z.astype(np.float16), y)
    return np.float16(loss), grad.astype(np.float16)


def online(z, y):
    grad, loss = np.empty_like(z), 0.0
    for i, row in enumerate(z):
        m, s = -np.inf, 0.0
        for a in row:
            if a > m:
                s, m = s * np.exp(m - a), a
            s += np.exp(a - m)
        loss += np.log(s) + m - row[y[i]]
        grad[i] = np.exp(row - m) / s
        grad[i, y[i]] -= 1
    return loss / len(z), grad / len(z)


def chunked(z, y):
    parts = [luce.cross_entropy_and_grad(z[k : k + 2], y[k : k + 2], reduction="sum") for k in range(0, len(z), 2)]
    return sum(p[0] for p in parts) / len(z), np.concatenate([p[1] for p in parts]) / len(z)


def with_options(z, y, weight=None, label_smoothing=0.0, ignore_index=-100, temperature=1.0, reduction="mean"):
    z = z / temperature
    k = z.shape[1]
    keep = y != ignore_index
    w = np.ones(k) if weight is None else weight
    hot = np.eye(k)[np.where(keep, y, 0)]
    t = w * ((1 - label_smoothing) * hot + label_smoothing / k) * keep[:, None]
    log_p = scipy.special.log_softmax(z, axis=1)
    losses = -(t * log_p).sum(axis=1)
    grad = (t.sum(axis=1, keepdims=True) * np.exp(log_p) - t) / temperature
    if reduction == "mean":
        total = (w[np.where(keep, y, 0)] * keep).sum()
        return losses.sum() / total, grad / total
    return (losses.sum() if reduction == "sum" else losses), grad


class Layer:
    def forward(self, z, y):
        self.p, self.y = scipy.special.softmax(z, axis=1), y
        return -scipy.special.log_softmax(z, axis=1)[np.arange(len(y)), y].mean()

    def backward(self):
        grad = self.p.copy()
        grad[np.arange(len(self.y)), self.y] -= 1
        return grad / len(self.y)


def torch_by_hand(logits, target):
    p = torch.softmax(logits, 1)
    grad = p.clone()
    grad[torch.arange(len(target)), target] -= 1
    return -torch.log_softmax(logits, 1).gather(1, target[:, None]).mean(), grad / len(target)


def torch_autograd(logits, target):
    return -(torch.log_softmax(logits, dim=-1) * F.one_hot(target, logits.shape[1])).sum() / len(target)


def torch_logsumexp(logits, target):
    return (torch.logsumexp(logits, 1) - logits[torch.arange(len(target)), target]).mean()


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target):
        ctx.save_for_backward(torch.softmax(logits, 1), target)
        return F.nll_loss(torch.log_softmax(logits, 1), target)

    @staticmethod
    def backward(ctx, above):
        p, target = ctx.saved_tensors
        grad = p.clone()
        grad[torch.arange(len(target)), target] -= 1
        return above * grad / len(target), None


class OwnEach(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target):
        ctx.save_for_backward(torch.softmax(logits, 1), target)
        return F.nll_loss(torch.log_softmax(logits, 1), target, reduction="none")

    @staticmethod
    def backward(ctx, above):
        p, target = ctx.saved_tensors
        return above[:, None] * (p - F.one_hot(target, p.shape[1])), None


class Module(torch.nn.Module):
    def forward(self, input, target):
        return F.nll_loss(F.log_softmax(input, dim=1), target)


def layer(x, W, b, y):
    loss, G = textbook(x @ W.T + b, y)
    return loss, G.T @ x, G.sum(0), G @ W


def layer_columns(X, W, b, y):
    loss, G = textbook(X @ W + b, y)
    return {"loss": loss, "dW": X.T @ G, "db": np.sum(G, axis=0, keepdims=True), "dX": G @ W.T}


def layer_loops(x, w, b, y):
    n, d, k = len(x), len(x[0]), len(b)
    dw, db = [[0.0] * d for _ in range(k)], [0.0] * k
    for i in range(n):
        z = [sum(w[j][c] * x[i][c] for c in range(d)) + b[j] for j in range(k)]
        s = sum(math.exp(a - max(z)) for a in z)
        for j in range(k):
            g = (math.exp(z[j] - max(z)) / s - (y[i] == j)) / n
            db[j] += g
            for c in range(d):
                dw[j][c] += g * x[i][c]
    return dw, db


def layer_autograd(x, W, b, y):
    return F.cross_entropy(F.linear(x, W, b), y)


def softmax_row(z):
    e = np.exp(z - np.max(z))
    return e / e.sum()


def jacobian_row(z):
    p = softmax_row(z)
    return np.diag(p) - np.outer(p, p)


def jacobian_loops(z):
    p = softmax_row(z)
    k = range(len(p))
    return [[p[i] * ((i == j) - p[j]) for j in k] for i in k]


def softmax_backward(dout, softmax):
    return softmax * (dout - (dout * softmax).sum(axis=-1, keepdims=True))


def product(v, z):
    p = scipy.special.softmax(z, axis=1)
    return np.einsum("ni,nij->nj", v, np.einsum("ni,ij->nij", p, np.eye(p.shape[1])) - p[:, :, None] * p[:, None, :])


def fenchel_young(theta, y):
    """Ω*(θ) + Ω(e_y) − ⟨θ, e_y⟩ with Ω the negative entropy; its gradient is argmax − e_y."""

    def regularised_prediction(row):
        p = np.exp(row - scipy.special.logsumexp(row))
        return p, float(row @ p - (p * np.log(p, where=p > 0, out=np.zeros_like(p))).sum())

    total, grad = 0.0, np.zeros_like(theta)
    for i, row in enumerate(theta):
        p, conjugate = regularised_prediction(row)
        total += conjugate - row[y[i]]
        grad[i] = p
        grad[i, y[i]] -= 1
    return total / len(theta), grad / len(theta)


def log1p_form(z, y):
    rows = np.arange(len(y))
    d = z - z[rows, y][:, None]
    top = d.max(axis=1)
    rest = np.exp(d - top[:, None]).sum(axis=1) - 1
    losses = top + np.log1p(rest)
    grad = np.exp(d - losses[:, None])
    grad[rows, y] = np.expm1(-losses)
    return losses.mean(), grad / len(y)


def logaddexp_reduce(z, y):
    lse = np.logaddexp.reduce(z, axis=-1)
    return float(np.average(lse - z[range(len(y)), y]))


def batch_last(Z, Y):
    A = scipy.special.softmax(Z, axis=0)
    m = Y.shape[1]
    return -np.sum(Y * scipy.special.log_softmax(Z, axis=0)) / m, (A - Y) / m


def batch_last_index(logits, labels):
    lp = scipy.special.log_softmax(logits, axis=0)
    m = logits.shape[1]
    G = np.exp(lp)
    G[labels, np.arange(m)] -= 1
    return -lp[labels, np.arange(m)].sum() / m, G / m


def column_vector(z, y):
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    t = np.zeros(z.shape)
    t[y] = 1
    return -np.log(p[y, 0]), p - t


def masked(logits, target, ignore_index=-1):
    keep = target != ignore_index
    lp = scipy.special.log_softmax(logits[keep], axis=1)
    t = target[keep]
    grad = np.zeros_like(logits)
    g = np.exp(lp)
    g[np.arange(len(t)), t] -= 1
    grad[keep] = g / keep.sum()
    return -lp[np.arange(len(t)), t].mean(), grad


def padding_zero(logits, target, pad=0):
    return F.cross_entropy(logits, target, ignore_index=pad)


def labels_as_column(z, y):
    lp = scipy.special.log_softmax(z, axis=1)
    t = np.zeros_like(z)
    np.put_along_axis(t, y, 1.0, axis=1)
    return -np.take_along_axis(lp, y, axis=1).mean(), (np.exp(lp) - t) / len(z)


def torch_column(logits, target):
    return -torch.log_softmax(logits, 1).gather(1, target).mean()


def of_probabilities(p, y):
    return -np.mean(np.log(p[np.arange(len(y)), y]))


def keras_like(y_true, y_pred):
    y_pred = y_pred / y_pred.sum(axis=-1, keepdims=True)
    return -(y_true * np.log(y_pred)).sum(axis=-1).mean()


def bfloat16(logits, target):
    return F.cross_entropy(logits.to(torch.bfloat16), target)


def half_in_float32_out(logits, target):
    x = logits.half().float()
    p = torch.softmax(x, 1)
    return F.cross_entropy(x, target), (p - F.one_hot(target, x.shape[1])) / len(x)


def micro_batches(logits, target):
    total = 0
    for z, y in zip(logits.split(3), target.split(3), strict=False):
        total = total + F.cross_entropy(z, y, reduction="sum") / len(logits)
    return total


def log_softmax_twice(logits, target):
    return F.cross_entropy(F.log_softmax(logits, 1), target)


def kl_form(logits, target):
    return F.kl_div(
        F.log_softmax(logits, 1), F.one_hot(target, logits.shape[1]).to(logits.dtype), reduction="batchmean"
    )


def shifted_by_constant(z, y):
    z = z - z.mean(axis=1, keepdims=True)
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y]).mean(), (p - np.eye(z.shape[1])[y]) / len(y)


def smoothed(z, y, smoothing=0.1):
    v = z.shape[1]
    lp = scipy.special.log_softmax(z, axis=1)
    t = np.full(z.shape, smoothing / v)
    t[np.arange(len(y)), y] += 1 - smoothing
    return -(t * lp).sum(1).mean(), (np.exp(lp) - t) / len(y)


def tempered(z, y, T=2.0):
    lp = scipy.special.log_softmax(z / T, axis=1)
    return -lp[np.arange(len(y)), y].mean(), (np.exp(lp) - np.eye(z.shape[1])[y]) / T / len(y)


def ten_classes(z, y):
    hot = np.eye(10)[y]
    lp = scipy.special.log_softmax(z, axis=1)
    return -(hot * lp).sum() / len(z), (np.exp(lp) - hot) / len(z)


def cs231n(W, X, y, reg):
    scores = X @ W
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    n = len(y)
    loss = -np.log(p[np.arange(n), y]).sum() / n + reg * (W * W).sum()
    p[np.arange(n), y] -= 1
    return loss, X.T @ p / n + 2 * reg * W


class SoftmaxWithLoss:
    def __init__(self):
        self.loss = self.y = self.t = None

    def forward(self, x, t):
        self.t = t
        self.y = scipy.special.softmax(x, axis=1)
        self.loss = -scipy.special.log_softmax(x, axis=1)[np.arange(len(t)), t].sum() / len(t)
        return self.loss

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)


class Combined:
    def forward(self, inputs, y_true):
        self.output = scipy.special.softmax(inputs, axis=1)
        return -scipy.special.log_softmax(inputs, axis=1)[range(len(inputs)), y_true].mean()

    def backward(self, dvalues, y_true):
        self.dinputs = dvalues.copy()
        self.dinputs[range(len(dvalues)), y_true] -= 1
        self.dinputs = self.dinputs / len(dvalues)


class SoftmaxLayer:
    def forward(self, inputs):
        self.output = scipy.special.softmax(inputs, axis=1)

    def backward(self, dvalues):
        self.dinputs = np.empty_like(dvalues)
        for index, (single_output, single_dvalues) in enumerate(zip(self.output, dvalues, strict=False)):
            single_output = single_output.reshape(-1, 1)
            jacobian = np.diagflat(single_output) - np.dot(single_output, single_output.T)
            self.dinputs[index] = np.dot(jacobian, single_dvalues)


def own_autograd(z, y):
    """A tape of its own, without a framework: dual numbers in every direction."""
    n, v = z.shape
    grad = np.zeros_like(z)
    total = 0.0
    for i in range(n):
        for k in range(v):
            value = z[i].astype(complex)
            value[k] += 1e-200j
            m = value.real.max()
            loss = np.log(np.exp(value - m).sum()) + m - value[y[i]]
            grad[i, k] = loss.imag / 1e-200 / n
        total += loss.real / n
    return total, grad


def streaming(z, y):
    m = np.full(len(z), -np.inf)
    s = np.zeros(len(z))
    for k in range(0, z.shape[1], 2):
        block = z[:, k : k + 2]
        new = np.maximum(m, block.max(axis=1))
        s = s * np.exp(m - new) + np.exp(block - new[:, None]).sum(axis=1)
        m = new
    p = np.exp(z - m[:, None]) / s[:, None]
    hot = np.zeros(z.shape)
    hot[np.arange(len(y)), y] = 1
    return np.mean(m + np.log(s) - (z * hot).sum(1)), (p - hot) / len(z)


RIGHT = {name: value for name, value in list(globals().items()) if getattr(value, "__module__", None) == __name__}
RIGHT |= {
    "F.cross_entropy": F.cross_entropy,
    "nn.CrossEntropyLoss": torch.nn.CrossEntropyLoss(),
    "scipy softmax": lambda z: scipy.special.softmax(z, axis=1),
    "torch softmax": lambda z: torch.softmax(z, -1),
    "luce": luce.cross_entropy_and_grad,
    "luce gradient": lambda z, y: luce.cross_entropy_and_grad(z, y)[1],
}
