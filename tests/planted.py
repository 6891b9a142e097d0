"""Implementations with mistakes planted: right code in lines that have names, and for each mistake the lines that it changes.

The NumPy code is PyTorch's too, by its spelling; the loops are plain Python. Nothing here uses the package.
"""

import itertools
import math
import re

import numpy as np

NUMPY = """
def loss(z, y):
    N, V = z.shape
    rows = np.arange(N)
    u = z
    m = u.max(axis=1, keepdims=True)
    e = np.exp(u - m)
    S = e.sum(axis=1, keepdims=True)
    p = e / S
    logp = u - m - np.log(S)
    t = np.eye(V)[y]
    losses = -(t * logp).sum(axis=1)
    L = losses.sum() / N
    G = p - t
    grad = G / N
    result = L, grad
    return result
"""

LOOPS = """
def loss(z, y):
    N, V = len(z), len(z[0])
    L, grad, labels, columns = 0.0, [], y, range(V)
    top = -math.inf
    for i in range(N):
        u = [z[i][j] for j in columns]
        m = max(u)
        e = [math.exp(u[j] - m) for j in columns]
        S = sum(e)
        p = [e[j] / S for j in columns]
        logp = [u[j] - m - math.log(S) for j in columns]
        t = [1.0 if j == y[i] else 0.0 for j in columns]
        losses = -sum(t[j] * logp[j] for j in columns)
        L = L + losses
        G = [p[j] - t[j] for j in columns]
        grad.append(G)
    mean = L / N
    grad = [[g / N for g in G] for G in grad]
    result = mean, grad
    return result
"""

OPTIONS = {
    "weight": "weight=None",
    "ignore_index": "ignore_index=-100",
    "label_smoothing": "label_smoothing=0.0",
    "temperature": "temperature=1.0",
    "sample_weight": "sample_weight=None",
    "label_smoothing and ignore_index": "label_smoothing=0.0, ignore_index=-100",
}

# With all options; the same names of lines.
FULL = """
def loss(z, y, OPTION):
    N, V = z.shape
    rows = np.arange(N)
    w = np.ones(V)
    eps = 0.0
    T = 1.0
    r = np.ones(N)
    keep = y == y
    SETUP
    safe = np.where(keep, y, 0)
    u = z / T
    m = u.max(axis=1, keepdims=True)
    e = np.exp(u - m)
    S = e.sum(axis=1, keepdims=True)
    p = e / S
    logp = u - m - np.log(S)
    hot = np.eye(V)[safe]
    t = (1 - eps) * hot + eps / V
    wy = w[safe] * keep * r
    D = wy.sum()
    losses = -(t * logp * w).sum(axis=1) * keep * r
    L = losses.sum() / D
    alpha = (t * w).sum(axis=1, keepdims=True)
    G = (alpha * p - t * w) * (keep * r)[:, None]
    grad = G / D / T
    result = L, grad
    return result
"""

SETUPS = {
    "weight": "w = w if weight is None else weight",
    "ignore_index": "keep = y != ignore_index",
    "label_smoothing": "eps = label_smoothing",
    "temperature": "T = temperature",
    "sample_weight": "r = r if sample_weight is None else sample_weight",
    "label_smoothing and ignore_index": "eps = label_smoothing\n    keep = y != ignore_index",
}


def build(template, edits, name="loss", **space):
    """The function of a template after its edits: a label replaces the line that sets it, "label+" is put after it."""
    return compiled(source(template, edits), name, **space)


def source(template, edits):
    lines = []
    missing = {label.rstrip("+") for label in edits}
    for line in template.strip("\n").splitlines():
        label, indent = line.split("=")[0].strip(), re.match(" *", line)[0]
        new = edits.get(label) if " = " in line else None
        lines += [indent + part for part in new.split("\n")] if new is not None else [line]
        if label + "+" in edits and " = " in line:
            lines += [indent + part for part in edits[label + "+"].split("\n")]
        missing -= {label}
    assert not missing, missing
    return "\n".join(lines) + "\n"


def compiled(text, name="loss", **space):
    space = {"np": np, "math": math, **space}
    exec(compile(text, "<planted>", "exec"), space)
    return space[name]


def as_torch(text):
    """The NumPy code in PyTorch's spelling."""
    for old, new in (
        (r"np\.eye\((V|len\(W\))\)", r"torch.eye(\1, dtype=z.dtype)"),
        (r"np\.eye\(V, k=(-?1)\)", r"torch.diag(torch.ones(V - 1, dtype=z.dtype), \1)"),
        (r"np\.ones\((\w)\)", r"torch.ones(\1, dtype=z.dtype)"),
        (r"np\.zeros\((\w+)\)", r"torch.zeros(\1, dtype=z.dtype)"),
        (r"axis=", "dim="),
        (r"keepdims", "keepdim"),
        (r"\.max\((?=dim)", ".amax("),
        (r"\.min\((?=dim)", ".amin("),
        (r"\.argmax\(dim=1\)", ".argmax(1)"),
        (r"np\.maximum\((.+), ([\d.e-]+)\)(?=\)|\n)", r"torch.clamp(\1, min=\2)"),
        (r"\.astype\(int\)", ".long()"),
        (r"\.copy\(\)", ".clone()"),
        (r"np\.log2", "torch.log2"),
        (r"np\.", "torch."),
        (r"shift\(1", "roll(1"),
    ):
        text = re.sub(old, new, text)
    return text


# name of the mistake: (edits of NUMPY, edits of LOOPS)
MISTAKES = {
    "softmax applied twice": (
        {"p+": "m = p.max(axis=1, keepdims=True)\nu = p\ne = np.exp(u - m)\nS = e.sum(axis=1, keepdims=True)\np = e / S"},
        {"p+": "u, m = p, max(p)\ne = [math.exp(a - m) for a in u]\nS = sum(e)\np = [a / S for a in e]"},
    ),
    "softmax over the batch axis": (
        {"m": "m = u.max(axis=0, keepdims=True)", "S": "S = e.sum(axis=0, keepdims=True)"},
        {"m": "m = [max(z[k][j] for k in range(N)) for j in columns]", "e": "e = [math.exp(u[j] - m[j]) for j in columns]",
         "S": "S = [sum(math.exp(z[k][j] - m[j]) for k in range(N)) for j in columns]", "p": "p = [e[j] / S[j] for j in columns]",
         "logp": "logp = [u[j] - m[j] - math.log(S[j]) for j in columns]"},
    ),
    "softmax over the whole array": (
        {"m": "m = u.max()", "S": "S = e.sum()"},
        {"S": "S = sum(math.exp(a - m) for row in z for a in row)"},
    ),
    "sigmoid instead of softmax": (
        {"p": "p = 1 / (1 + np.exp(-u))", "logp": "logp = np.log(p)"},
        {"p": "p = [1 / (1 + math.exp(-a)) for a in u]", "logp": "logp = [math.log(a) for a in p]"},
    ),
    "sigmoid with the binary loss": (
        {"p": "p = 1 / (1 + np.exp(-u))", "losses": "losses = -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(axis=1)"},
        {"p": "p = [1 / (1 + math.exp(-a)) for a in u]",
         "losses": "losses = -sum(math.log(p[j]) if t[j] else math.log(1 - p[j]) for j in columns)"},
    ),
    "no shift": ({"m": "m = 0.0"}, {"m": "m = 0.0"}),
    "shift by the maximum of the whole array": ({"m": "m = u.max()"}, {"m": "m = max(max(row) for row in z)"}),
    "shift by a maximum that never falls": (
        {"m": "m = u.max(axis=1)\nm = np.stack([m[:k + 1].max() for k in range(N)])[:, None]"},
        {"m": "m = top = max(top, max(u))"},
    ),
    "shift by max(0, ·)": ({"m": "m = np.maximum(u.max(axis=1, keepdims=True), 0.0)"}, {"m": "m = max(0.0, max(u))"}),
    "shift by the mean": ({"m": "m = u.mean(axis=1, keepdims=True)"}, {"m": "m = sum(u) / V"}),
    "shift by the minimum": ({"m": "m = u.min(axis=1, keepdims=True)"}, {"m": "m = min(u)"}),
    "the column's maximum in the exponentials only": (
        {"e": "e = np.exp(u - u.max(axis=0, keepdims=True))"},
        {"e": "e = [math.exp(u[j] - max(z[k][j] for k in range(N))) for j in columns]"},
    ),
    "the previous row's maximum in the loss": (
        {"logp": "before = np.stack([*m[:1], *m[:-1]])\nlogp = u - before - np.log(S)"},
        {"logp": "before = max(z[max(i - 1, 0)])\nlogp = [u[j] - before - math.log(S) for j in columns]"},
    ),
    "the first row's maximum in the loss": (
        {"logp": "logp = u - m[0] - np.log(S)"},
        {"logp": "logp = [u[j] - max(z[0]) - math.log(S) for j in columns]"},
    ),
    "maximum not added back": ({"logp": "logp = u - np.log(S)"}, {"logp": "logp = [u[j] - math.log(S) for j in columns]"}),
    "maximum added instead of subtracted": (
        {"logp": "logp = u + m - np.log(S)"},
        {"logp": "logp = [u[j] + m - math.log(S) for j in columns]"},
    ),
    "running sum not rescaled": (
        {"S": "S = 0.0\nfor j in range(V):\n    S = S + np.exp(u[:, j] - u[:, :j + 1].max(axis=1))\nS = S[:, None]"},
        {"S": "S, run = 0.0, -math.inf\nfor a in u:\n    run = max(run, a)\n    S += math.exp(a - run)"},
    ),
    "shift in the numerator only": ({"S": "S = np.exp(u).sum(axis=1, keepdims=True)"}, {"S": "S = sum(math.exp(a) for a in u)"}),
    "shift in the denominator only": (
        {"e": "e = np.exp(u)", "S": "S = np.exp(u - m).sum(axis=1, keepdims=True)", "logp": "logp = u - np.log(S)"},
        {"e": "e = [math.exp(a) for a in u]", "S": "S = sum(math.exp(a - m) for a in u)", "logp": "logp = [a - math.log(S) for a in u]"},
    ),
    "the mean of the exponentials instead of their sum": ({"S": "S = e.mean(axis=1, keepdims=True)"}, {"S": "S = sum(e) / V"}),
    "powers of 2 instead of e": ({"e": "e = 2 ** (u - m)"}, {"e": "e = [2 ** (a - m) for a in u]"}),
    "the sum leaves out the last class": (
        {"S": "S = e[:, :-1].sum(axis=1, keepdims=True)"},
        {"S": "S = sum(e[j] for j in range(V - 1))"},
    ),
    "the sum leaves out the first class": (
        {"S": "S = e[:, 1:].sum(axis=1, keepdims=True)"},
        {"S": "S = sum(e[j] for j in range(1, V))"},
    ),
    "padded lanes counted (multiples of 8)": (
        {"S": "S = e.sum(axis=1, keepdims=True) + (-V % 8)"},
        {"S": "S = sum(e) + (-V % 8)"},
    ),
    "padded logits of 0 counted (multiples of 16)": (
        {"S": "S = e.sum(axis=1, keepdims=True) + (-V % 16) * np.exp(-m)"},
        {"S": "S = sum(e) + (-V % 16) * math.exp(-m)"},
    ),
    "log(p + 1e-08)": ({"logp": "logp = np.log(p + 1e-8)"}, {"logp": "logp = [math.log(a + 1e-8) for a in p]"}),
    "log(p + 1e-12)": ({"logp": "logp = np.log(p + 1e-12)"}, {"logp": "logp = [math.log(a + 1e-12) for a in p]"}),
    "p clipped at 1e-07": ({"logp": "logp = np.log(np.maximum(p, 1e-7))"}, {"logp": "logp = [math.log(max(a, 1e-7)) for a in p]"}),
    "p clipped at 1e-15": ({"logp": "logp = np.log(np.maximum(p, 1e-15))"}, {"logp": "logp = [math.log(max(a, 1e-15)) for a in p]"}),
    "loss in bits, gradient not": ({"losses": "losses = -(t * logp).sum(axis=1) / np.log(2 + 0 * u[:, 0])"}, {"losses+": "losses = losses / math.log(2)"}),
    "loss of base 10, gradient of base e": ({"losses+": "losses = losses / 2.302585092994046"}, {"losses+": "losses = losses / math.log(10)"}),
    "logarithm of base 10": ({"grad+": "L, grad = L / 2.302585092994046, grad / 2.302585092994046"},
                             {"grad": "grad = [[g / N / math.log(10) for g in G] for G in grad]", "mean": "mean = L / N / math.log(10)"}),
    "in bits": ({"grad+": "L, grad = L / 0.6931471805599453, grad / 0.6931471805599453"},
                {"grad": "grad = [[g / N / math.log(2) for g in G] for G in grad]", "mean": "mean = L / N / math.log(2)"}),
    "logarithm left out": ({"losses": "losses = -(t * p).sum(axis=1)"}, {"losses": "losses = -p[y[i]]"}),
    "logits taken for log-probabilities": ({"losses": "losses = -(t * z).sum(axis=1)"}, {"losses": "losses = -z[i][y[i]]"}),
    "squared error in the loss": ({"losses": "losses = ((p - t) ** 2).sum(axis=1)"}, {"losses": "losses = sum((p[j] - t[j]) ** 2 for j in columns)"}),
    "half the squared error in the loss": ({"losses": "losses = 0.5 * ((p - t) ** 2).sum(axis=1)"}, {"losses": "losses = 0.5 * sum((p[j] - t[j]) ** 2 for j in columns)"}),
    "binary cross-entropy of the softmax": (
        {"losses": "losses = -(t * logp + (1 - t) * np.log(1 - p)).sum(axis=1)"},
        {"losses": "losses = -sum(logp[j] if t[j] else math.log(1 - p[j]) for j in columns)"}),
    "entropy of the prediction": ({"losses": "losses = -(p * logp).sum(axis=1)"}, {"losses": "losses = -sum(p[j] * logp[j] for j in columns)"}),
    "logarithm of 1 − p": ({"losses": "losses = -(t * np.log(1 - p)).sum(axis=1)"}, {"losses": "losses = -math.log(1 - p[y[i]])"}),
    "the largest probability instead of the target's": ({"losses": "losses = -logp.max(axis=1)"}, {"losses": "losses = -max(logp)"}),
    "target's logit not subtracted": ({"losses": "losses = (m + np.log(S))[:, 0]"}, {"losses": "losses = m + math.log(S)"}),
    "log-probabilities summed over all classes": ({"losses": "losses = -logp.sum(axis=1)"}, {"losses": "losses = -sum(logp)"}),
    "loss with the wrong sign": ({"losses": "losses = (t * logp).sum(axis=1)"}, {"losses": "losses = logp[y[i]]"}),
    "the exponential of the loss": ({"L+": "L = np.exp(L)"}, {"mean+": "mean = math.exp(mean)"}),
    "only the last row's loss": ({"L": "L = losses[-1] / N"}, {"L": "L = losses"}),
    "integer division of the loss": ({"L": "L = losses.sum() // N"}, {"mean": "mean = L // N"}),
    "labels one too low": ({"t": "t = np.eye(V)[y - 1]"}, {"t": "t = [1.0 if j == (y[i] - 1) % V else 0.0 for j in columns]"}),
    "labels one too high": ({"t": "t = np.eye(V)[y + 1]"}, {"t": "t = [0.0] * V\nt[y[i] + 1] = 1.0"}),
    "the next row's label": ({"t": "t = np.eye(V)[y[(rows + 1) % N]]"}, {"t": "t = [1.0 if j == y[(i + 1) % N] else 0.0 for j in columns]"}),
    "the previous row's label": ({"t": "t = np.eye(V)[y[(rows - 1) % N]]"}, {"t": "t = [1.0 if j == y[i - 1] else 0.0 for j in columns]"}),
    "the first row's label for all rows": ({"t": "t = np.eye(V)[0 * y + y[0]]"}, {"t": "t = [1.0 if j == y[0] else 0.0 for j in columns]"}),
    "labels as a column": (
        {"losses": "losses = -logp[rows, y[:, None]]", "L": "L = losses.mean()", "G": "G = p - t.mean(axis=0)"},
        {"losses": "losses = -sum(logp[y[k]] for k in range(N)) / N", "G": "G = [p[j] - sum(y[k] == j for k in range(N)) / N for j in columns]"},
    ),
    "labels as a column, summed": (
        {"losses": "losses = -logp[rows, y[:, None]]", "G": "G = N * p - t.sum(axis=0)"},
        {"losses": "losses = -sum(logp[y[k]] for k in range(N))", "G": "G = [N * p[j] - sum(y[k] == j for k in range(N)) for j in columns]"},
    ),
    "rows of label 0 ignored": (
        {"losses": "losses = -(t * logp).sum(axis=1) * (y != 0)", "L": "L = losses.sum() / (y != 0).sum()",
         "G": "G = (p - t) * (y != 0)[:, None]", "grad": "grad = G / (y != 0).sum()"},
        {"losses": "losses = -logp[y[i]] if y[i] else 0.0", "G": "G = [p[j] - t[j] if y[i] else 0.0 for j in columns]",
         "mean": "mean = L / sum(k > 0 for k in y)", "grad": "grad = [[g / sum(k > 0 for k in y) for g in G] for G in grad]"},
    ),
    "the prediction as the label": ({"t": "t = np.eye(V)[u.argmax(axis=1)]"}, {"t": "t = [1.0 if a == max(u) else 0.0 for a in u]"}),
    "the class index taken for its one-hot vector": ({"t": "t = y[:, None] + 0 * z"}, {"t": "t = [float(y[i])] * V"}),
    "gradient at the probabilities": ({"G": "G = -t / p"}, {"G": "G = [-t[j] / p[j] for j in columns]"}),
    "gradient at the log-probabilities": ({"G": "G = -t"}, {"G": "G = [-a for a in t]"}),
    "diagonal of the softmax's derivative only": (
        {"G": "G = -t / p * (p * (1 - p))"},
        {"G": "G = [-t[j] / p[j] * (p[j] * (1 - p[j])) for j in columns]"},
    ),
    "off-diagonal sign": (
        {"G": "G = np.stack([(np.diag(p[i]) + np.outer(p[i], p[i]) * (1 - 2 * np.eye(V))) @ (-t[i] / p[i]) for i in range(N)])"},
        {"G": "G = [sum(-t[k] / p[k] * (p[k] * (1 - p[k]) if j == k else p[k] * p[j]) for k in columns) for j in columns]"},
    ),
    "target not subtracted": ({"G": "G = p"}, {"G": "G = p"}),
    "target added": ({"G": "G = p + t"}, {"G": "G = [p[j] + t[j] for j in columns]"}),
    "softmax's derivative applied twice": (
        {"G": "g = p - t\nG = p * (g - (p * g).sum(axis=1, keepdims=True))"},
        {"G": "g = [p[j] - t[j] for j in columns]\nG = [p[j] * (g[j] - sum(p[k] * g[k] for k in columns)) for j in columns]"},
    ),
    "extra factor p (1 − p)": ({"G": "G = (p - t) * p * (1 - p)"}, {"G": "G = [(p[j] - t[j]) * p[j] * (1 - p[j]) for j in columns]"}),
    "the derivative of a squared error through the softmax": (
        {"G": "g = 2 * (p - t)\nG = p * (g - (p * g).sum(axis=1, keepdims=True))"},
        {"G": "g = [2 * (p[j] - t[j]) for j in columns]\nG = [p[j] * (g[j] - sum(p[k] * g[k] for k in columns)) for j in columns]"},
    ),
    "the derivative of a squared error with σ′": ({"G": "G = 2 * (p - t) * p * (1 - p)"}, {"G": "G = [2 * (p[j] - t[j]) * p[j] * (1 - p[j]) for j in columns]"}),
    "the derivative of p instead of log p": (
        {"G": "py = (p * t).sum(axis=1, keepdims=True)\nG = py * (p - t)"},
        {"G": "G = [p[y[i]] * (p[j] - t[j]) for j in columns]"},
    ),
    "the derivative of the binary cross-entropy through the softmax": (
        {"G": "g = (p - t) / (p * (1 - p))\nG = p * (g - (p * g).sum(axis=1, keepdims=True))"},
        {"G": "g = [(p[j] - t[j]) / (p[j] * (1 - p[j])) for j in columns]\nG = [p[j] * (g[j] - sum(p[k] * g[k] for k in columns)) for j in columns]"},
    ),
    "the derivative of the binary cross-entropy": ({"G": "G = (p - t) / (p * (1 - p))"}, {"G": "G = [(p[j] - t[j]) / (p[j] * (1 - p[j])) for j in columns]"}),
    "gradient multiplied by the loss": ({"G": "G = losses[:, None] * (p - t)"}, {"G": "G = [losses * (p[j] - t[j]) for j in columns]"}),
    "probabilities stored as integers": ({"G": "G = p.astype(int) - t"}, {"G": "G = [int(p[j]) - t[j] for j in columns]"}),
    "the softmax's derivative without the loss": ({"G": "G = p * (1 - p)"}, {"G": "G = [a * (1 - a) for a in p]"}),
    "logits in place of probabilities": ({"G": "G = z - t"}, {"G": "G = [z[i][j] - t[j] for j in columns]"}),
    "log-probabilities in place of probabilities": ({"G": "G = logp - t"}, {"G": "G = [logp[j] - t[j] for j in columns]"}),
    "exponentials not normalised": ({"G": "G = e - t"}, {"G": "G = [e[j] - t[j] for j in columns]"}),
    "sign of the target's entry": ({"G": "G = (p - t) * (1 - 2 * t)"}, {"G": "G = [1 - p[j] if t[j] else p[j] for j in columns]"}),
    "target's entry left 0": ({"G": "G = p * (1 - t)"}, {"G": "G = [0.0 if t[j] else p[j] for j in columns]"}),
    "prediction minus target": ({"G": "G = np.eye(V)[p.argmax(axis=1)] - t"}, {"G": "G = [(p[j] == max(p)) - t[j] for j in columns]"}),
    "squared entries": ({"G": "G = (p - t) ** 2"}, {"G": "G = [(p[j] - t[j]) ** 2 for j in columns]"}),
    "1 subtracted in the columns of all labels": ({"G": "G = p.copy()\nG[:, y] -= 1"}, {"G": "G = [p[j] - (j in list(labels)) for j in columns]"}),
    "1 subtracted once for each label in every row": ({"G": "G = p - t.sum(axis=0)"}, {"G": "G = list(p)\nfor k in range(N):\n    G[y[k]] -= 1"}),
    "1 subtracted in the first row only": ({"G": "G = p.copy()\nG[0, y] -= 1"}, {"G": "G = [p[j] - (i == 0 and j in list(labels)) for j in columns]"}),
    "only the first row's target subtracted": ({"G": "G = p.copy()\nG[0, y[0]] -= 1"}, {"G": "G = [p[j] - t[j] * (i == 0) for j in columns]"}),
    "only the last row's target subtracted": ({"G": "G = p.copy()\nG[N - 1, y[N - 1]] -= 1"}, {"G": "G = [p[j] - t[j] * (i == N - 1) for j in columns]"}),
    "1 subtracted from whole rows": ({"u": "u = z", "G": "G = p.copy()\nG[y[y < N]] -= 1"}, {"G": "G = [p[j] - (i in list(labels)) for j in columns]"}),
    "sign flipped": ({"grad": "grad = (t - p) / N"}, {"grad": "grad = [[-g / N for g in G] for G in grad]"}),
    "the mean gradient in every row": ({"G+": "G = 0 * G + G.mean(axis=0)"}, {"grad": "rows = [sum(G[j] for G in grad) / N for j in columns]\ngrad = [[g / N for g in rows] for _ in grad]"}),
    "the rows' gradients added up": ({"grad": "grad = G.mean(axis=0)"}, {"grad": "grad = [sum(G[j] for G in grad) / N for j in columns]"}),
    "only the last row's gradient": ({"grad": "grad = np.zeros_like(z)\ngrad[N - 1] = G[N - 1] / N"}, {"grad": "grad = [[g / N * (i == N - 1) for g in G] for i, G in enumerate(grad)]"}),
    "only the first row's gradient": ({"grad": "grad = np.zeros_like(z)\ngrad[0] = G[0] / N"}, {"grad": "grad = [[g / N * (i == 0) for g in G] for i, G in enumerate(grad)]"}),
    "gradient zero": ({"grad": "grad = G * (1 // N)"}, {"grad": "grad = [[g * (1 // N) for g in G] for G in grad]"}),
    "gradient stored as integers": (
        {"grad": "grad = np.zeros_like(z.astype(int))\ngrad[:] = G / N"},
        {"grad": "grad = [[int(g / N) for g in G] for G in grad]"},
    ),
    "integer division of the gradient": ({"grad": "grad = G // N"}, {"grad": "grad = [[g // N for g in G] for G in grad]"}),
    "gradient not divided by N": ({"grad": "grad = G"}, {"grad": "grad = grad"}),
    "gradient divided by N twice": ({"grad": "grad = G / N / N"}, {"grad": "grad = [[g / N / N for g in G] for G in grad]"}),
    "gradient divided by V instead of N": ({"grad": "grad = G / V"}, {"grad": "grad = [[g / V for g in G] for G in grad]"}),
    "gradient divided by N·V": ({"grad": "grad = G / (N * V)"}, {"grad": "grad = [[g / (N * V) for g in G] for G in grad]"}),
    "gradient divided by N − 1": ({"grad": "grad = G / (N - 1)"}, {"grad": "grad = [[g / (N - 1) for g in G] for G in grad]"}),
    "gradient doubled": ({"grad": "grad = 2 * G / N"}, {"grad": "grad = [[2 * g / N for g in G] for G in grad]"}),
    "gradient halved": ({"grad": "grad = 0.5 * G / N"}, {"grad": "grad = [[g / N / 2 for g in G] for G in grad]"}),
    "gradient multiplied by N": ({"grad": "grad = G * N"}, {"grad": "grad = [[g * N for g in G] for G in grad]"}),
    "loss not divided by N": ({"L": "L = losses.sum()"}, {"mean": "mean = L"}),
    "loss divided by N twice": ({"L": "L = losses.mean() / N"}, {"mean": "mean = L / N / N"}),
    "loss divided by V instead of N": ({"L": "L = losses.sum() / V"}, {"mean": "mean = L / V"}),
    "loss divided by N·V": ({"L": "L = losses.mean() / V"}, {"mean": "mean = L / (N * V)"}),
    "loss doubled": ({"L": "L = 2 * losses.mean()"}, {"mean": "mean = 2 * L / N"}),
    "loss halved": ({"L": "L = losses.mean() / 2"}, {"mean": "mean = L / (2 * N)"}),
    "divided by N twice": ({"grad": "grad = G / N\ngrad, L = grad / N, L / N"}, {"grad": "grad = [[g / N / N for g in G] for G in grad]", "mean": "mean = L / N / N"}),
    "divided by V instead of N": ({"grad": "grad = G / V\nL = L * N / V"}, {"grad": "grad = [[g / V for g in G] for G in grad]", "mean": "mean = L / V"}),
    "divided by N·V": ({"grad": "grad = G / (N * V)\nL = L / V"}, {"grad": "grad = [[g / (N * V) for g in G] for G in grad]", "mean": "mean = L / (N * V)"}),
    "mean of the means of chunks of 3 rows": (
        {"L": "L = np.stack([losses[k:k + 3].mean() for k in range(0, N, 3)]).mean()",
         "grad": "grad = np.concatenate([G[k:k + 3] / len(G[k:k + 3]) for k in range(0, N, 3)]) / -(-N // 3)"},
        {"L": "size = min(3, N - i // 3 * 3)\nL = L + losses / size / -(-N // 3)", "mean": "mean = L",
         "grad": "grad = [[g / min(3, N - i // 3 * 3) / -(-N // 3) for g in G] for i, G in enumerate(grad)]"},
    ),
    "sum of the means of chunks of 2 rows": (
        {"L": "L = np.stack([losses[k:k + 2].mean() for k in range(0, N, 2)]).sum()",
         "grad": "grad = np.concatenate([G[k:k + 2] / len(G[k:k + 2]) for k in range(0, N, 2)])"},
        {"L": "L = L + losses / min(2, N - i // 2 * 2)", "mean": "mean = L",
         "grad": "grad = [[g / min(2, N - i // 2 * 2) for g in G] for i, G in enumerate(grad)]"},
    ),
    "sum instead of mean": ({"grad": "grad = G\nL = losses.sum()"}, {"grad": "grad = grad", "mean": "mean = L"}),
}  # fmt: skip

# option: {name of the mistake: edits of FULL}
OPTION_MISTAKES = {
    "label_smoothing": {
        "smoothing by ε / (V − 1)": {"t": "t = (1 - eps) * hot + eps / (V - 1) * (1 - hot)"},
        "ε / (V − 1) added to all classes": {"t": "t = (1 - eps) * hot + eps / (V - 1)"},
        "smoothing without its uniform part": {"t": "t = (1 - eps) * hot"},
        "uniform part added, nothing given up": {"t": "t = hot + eps / V"},
        "the whole ε added to every class": {"t": "t = (1 - eps) * hot + eps"},
        "ε and 1 − ε exchanged": {"t": "t = eps * hot + (1 - eps) / V"},
        "smoothing ignored": {"t": "t = hot"},
        "smoothing in the loss only": {"G": "G = p - hot"},
        "smoothing in the gradient only": {"losses": "losses = -(hot * logp).sum(axis=1)"},
    },
    "temperature": {
        "1/T left out of the gradient": {"grad": "grad = G / D"},
        "1/T twice in the gradient": {"grad": "grad = G / D / T / T"},
        "gradient times T²": {"grad": "grad = G / D * T"},
        "temperature on the log-sum-exp only": {"losses": "losses = (m + np.log(S))[:, 0] - z[rows, y]"},
        "temperature on the target's logit only": {"losses": "losses = np.log(np.exp(z).sum(axis=1)) - z[rows, y] / T"},
        "loss and gradient times T²": {"L": "L = losses.sum() / D * T * T", "grad": "grad = G / D * T"},
        "multiplied by the temperature": {"u": "u = z * T", "grad": "grad = G / D * T"},
        "temperature ignored": {"u": "u = z", "grad": "grad = G / D"},
        "temperature in the loss only": {"G": "q = np.exp(z)\nq = q / q.sum(axis=1, keepdims=True)\nG = q - t", "grad": "grad = G / D"},
    },
    "weight": {
        "mean over all rows": {"D": "D = N"},
        "weighted mean divided by the sum over the classes": {"D": "D = w.sum()"},
        "class weights squared": {"losses": "losses = -(t * logp * w * w).sum(axis=1)", "G": "G = (p - t) * (w * w)[y][:, None]"},
        "class weights in the loss only": {"G": "G = p - t"},
        "class weights in the gradient only": {"losses": "losses = -(t * logp).sum(axis=1)"},
        "weights left out of the gradient": {"G": "G = p - t", "grad": "grad = G / N"},
        "weights left out of the loss": {"losses": "losses = -(t * logp).sum(axis=1)", "L": "L = losses.mean()"},
        "class weights on the target's entry only": {"G": "G = p - t * w"},
        "class weights by column": {"G": "G = w * (p - t)"},
        "class weights ignored": {"losses": "losses = -(t * logp).sum(axis=1)", "G": "G = p - t"},
        "class weights of the prediction": {"losses": "wp = w[z.argmax(axis=1)]\nlosses = -(t * logp).sum(axis=1) * wp", "G": "G = (p - t) * wp[:, None]"},
        "class weights by the row's position": {"losses": "wi = w[rows % V]\nlosses = -(t * logp).sum(axis=1) * wi", "G": "G = (p - t) * wi[:, None]"},
    },
    "sample_weight": {
        "mean over all rows": {"D": "D = N"},
        "sample weights ignored": {"wy": "wy = w[safe]", "losses": "losses = -(t * logp).sum(axis=1)", "G": "G = p - t"},
        "sample weights in the loss only": {"G": "G = p - t"},
        "weights left out of the gradient": {"G": "G = p - t", "grad": "grad = G / N"},
        "weights left out of the loss": {"losses": "losses = -(t * logp).sum(axis=1)", "L": "L = losses.mean()"},
        "sample weights in the gradient only": {"losses": "losses = -(t * logp).sum(axis=1)"},
    },
    "label_smoothing and ignore_index": {
        "smoothing of ignored rows": {
            "losses": "losses = -(1 - eps) * logp[rows, safe] * keep - eps / V * logp.sum(axis=1)",
            "G": "G = (1 - eps) * (p - hot) * keep[:, None] + eps * (p - 1 / V)",
        },
    },
    "ignore_index": {
        "mean over all rows": {"D": "D = N"},
        "ignored rows in the gradient's N": {"grad": "grad = G / N"},
        "ignored rows in the loss's N": {"L": "L = losses.sum() / N"},
        "ignored rows not left out": {"hot": "hot = np.eye(V)[safe] * keep[:, None]", "G": "G = p - t"},
        "ignored rows counted as class 0": {"losses": "losses = -(t * logp).sum(axis=1)", "G": "G = p - t"},
    },
}  # fmt: skip


# The same in loops.
FULL_LOOPS = """
def loss(z, y, OPTION):
    N, V = len(z), len(z[0])
    w = [1.0] * V
    eps = 0.0
    T = 1.0
    r = [1.0] * N
    keep = [True] * N
    SETUP
    total, mass, grad, columns = 0.0, 0.0, [], range(V)
    for i in range(N):
        k = y[i] if keep[i] else 0
        u = [a / T for a in z[i]]
        m = max(u)
        e = [math.exp(a - m) for a in u]
        S = sum(e)
        p = [a / S for a in e]
        logp = [a - m - math.log(S) for a in u]
        hot = [1.0 if j == k else 0.0 for j in columns]
        t = [(1 - eps) * hot[j] + eps / V for j in columns]
        c = keep[i] * r[i]
        count = w[k] * c
        losses = -sum(t[j] * logp[j] * w[j] for j in columns) * c
        alpha = sum(t[j] * w[j] for j in columns)
        G = [(alpha * p[j] - t[j] * w[j]) * c for j in columns]
        mass += count
        total += losses
        grad.append(G)
    D = mass
    L = total / D
    grad = [[g / D / T for g in G] for G in grad]
    result = L, grad
    return result
"""

LOOP_SETUPS = SETUPS | {
    "ignore_index": "keep = [k != ignore_index for k in y]",
    "label_smoothing and ignore_index": "eps = label_smoothing\n    keep = [k != ignore_index for k in y]",
}
UNWEIGHTED = "losses = -logp[k]"
PLAIN = "G = [p[j] - hot[j] for j in columns]"
OF_N = "grad = [[g / N for g in G] for G in grad]"

OPTION_LOOPS = {
    "label_smoothing": {
        "smoothing by ε / (V − 1)": {"t": "t = [(1 - eps) if hot[j] else eps / (V - 1) for j in columns]"},
        "ε / (V − 1) added to all classes": {"t": "t = [(1 - eps) * hot[j] + eps / (V - 1) for j in columns]"},
        "smoothing without its uniform part": {"t": "t = [(1 - eps) * hot[j] for j in columns]"},
        "uniform part added, nothing given up": {"t": "t = [hot[j] + eps / V for j in columns]"},
        "the whole ε added to every class": {"t": "t = [(1 - eps) * hot[j] + eps for j in columns]"},
        "ε and 1 − ε exchanged": {"t": "t = [eps * hot[j] + (1 - eps) / V for j in columns]"},
        "smoothing ignored": {"t": "t = hot"},
        "smoothing in the loss only": {"G": PLAIN},
        "smoothing in the gradient only": {"losses": UNWEIGHTED},
    },
    "temperature": {
        "1/T left out of the gradient": {"grad": "grad = [[g / D for g in G] for G in grad]"},
        "1/T twice in the gradient": {"grad": "grad = [[g / D / T / T for g in G] for G in grad]"},
        "gradient times T²": {"grad": "grad = [[g / D * T for g in G] for G in grad]"},
        "temperature on the log-sum-exp only": {"losses": "losses = m + math.log(S) - z[i][k]"},
        "temperature on the target's logit only": {"losses": "top = max(z[i])\nlosses = top + math.log(sum(math.exp(a - top) for a in z[i])) - z[i][k] / T"},
        "loss and gradient times T²": {"L": "L = total / D * T * T", "grad": "grad = [[g / D * T for g in G] for G in grad]"},
        "multiplied by the temperature": {"u": "u = [a * T for a in z[i]]", "grad": "grad = [[g / D * T for g in G] for G in grad]"},
        "temperature ignored": {"u": "u = list(z[i])", "grad": "grad = [[g / D for g in G] for G in grad]"},
        "temperature in the loss only": {"G": "q = [math.exp(a - max(z[i])) for a in z[i]]\nG = [q[j] / sum(q) - t[j] for j in columns]",
                                         "grad": "grad = [[g / D for g in G] for G in grad]"},
    },
    "weight": {
        "mean over all rows": {"D": "D = N"},
        "weighted mean divided by the sum over the classes": {"D": "D = sum(w)"},
        "class weights squared": {"losses": "losses = -logp[k] * w[k] ** 2", "G": "G = [(p[j] - hot[j]) * w[k] ** 2 for j in columns]"},
        "class weights in the loss only": {"G": PLAIN},
        "class weights in the gradient only": {"losses": UNWEIGHTED},
        "weights left out of the gradient": {"G": PLAIN, "grad": OF_N},
        "weights left out of the loss": {"losses": UNWEIGHTED, "L": "L = total / N"},
        "class weights on the target's entry only": {"G": "G = [p[j] - t[j] * w[j] for j in columns]"},
        "class weights by column": {"G": "G = [w[j] * (p[j] - t[j]) for j in columns]"},
        "class weights ignored": {"losses": UNWEIGHTED, "G": PLAIN},
        "class weights of the prediction": {"losses": "own = w[u.index(m)]\nlosses = -logp[k] * own", "G": "G = [(p[j] - hot[j]) * own for j in columns]"},
        "class weights by the row's position": {"losses": "losses = -logp[k] * w[i % V]", "G": "G = [(p[j] - hot[j]) * w[i % V] for j in columns]"},
    },
    "sample_weight": {
        "mean over all rows": {"D": "D = N"},
        "sample weights ignored": {"count": "count = 1", "losses": UNWEIGHTED, "G": PLAIN},
        "weights left out of the gradient": {"G": PLAIN, "grad": OF_N},
        "weights left out of the loss": {"losses": UNWEIGHTED, "L": "L = total / N"},
        "sample weights in the loss only": {"G": PLAIN},
        "sample weights in the gradient only": {"losses": UNWEIGHTED},
    },
    "label_smoothing and ignore_index": {
        "smoothing of ignored rows": {
            "losses": "losses = -(1 - eps) * logp[k] * keep[i] - eps / V * sum(logp)",
            "G": "G = [(1 - eps) * (p[j] - hot[j]) * keep[i] + eps * (p[j] - 1 / V) for j in columns]",
        },
    },
    "ignore_index": {
        "mean over all rows": {"D": "D = N"},
        "ignored rows in the gradient's N": {"grad": OF_N},
        "ignored rows in the loss's N": {"L": "L = total / N"},
        "ignored rows not left out": {"hot": "hot = [1.0 if keep[i] and j == k else 0.0 for j in columns]", "G": PLAIN},
        "ignored rows counted as class 0": {"losses": UNWEIGHTED, "G": PLAIN},
    },
}  # fmt: skip


def option_source(option, edits, template=FULL, setups=SETUPS):
    text = template.replace("OPTION", OPTIONS[option]).replace("SETUP", setups[option])
    return source(text, edits)


LAYER = """
def layer(x, W, b, y):
    N = len(x)
    z = x @ W.T + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(N)
    t = np.eye(len(W))[y]
    L = -np.log(p[rows, y]).mean()
    G = (p - t) / N
    dW = G.T @ x
    db = G.sum(axis=0)
    dx = G @ W
    result = L, dW, db, dx
    return result
"""

# name: (edits of LAYER, lines of loops that follow it and compute the same thing by hand)
LAYER_MISTAKES = {
    "dW transposed": {"dW": "dW = x.T @ G"},
    "dW from the probabilities": {"dW": "dW = p.T @ x / N"},
    "dW from the targets": {"dW": "dW = -t.T @ x / N"},
    "dW from the input of the next row": {"dW": "dW = G.T @ x[(rows + 1) % N]"},
    "dW from a rectified input": {"dW": "dW = G.T @ np.maximum(x, 0)"},
    "dW from the absolute input": {"dW": "dW = G.T @ abs(x)"},
    "dW not divided by N": {"dW": "dW = (p - t).T @ x"},
    "dW divided by N twice": {"dW": "dW = G.T @ x / N"},
    "dW from the last row only": {"dW": "dW = G[-1:].T @ x[-1:]"},
    "dW with the wrong sign": {"dW": "dW = (t - p).T @ x / N"},
    "bias gradient not summed": {"db": "db = G"},
    "bias gradient averaged": {"db": "db = G.mean(axis=0)"},
    "bias gradient summed over everything": {"db": "db = G.sum() + 0 * b"},
    "bias gradient summed over the classes": {"db": "db = G.sum(axis=1)"},
    "bias gradient not divided by N": {"db": "db = (p - t).sum(axis=0)"},
    "bias gradient from the first row only": {"db": "db = G[0]"},
    "bias gradient from the last row only": {"db": "db = G[-1]"},
    "bias gradient doubled": {"db": "db = G.sum(axis=0)\ndb = db + G.sum(axis=0)"},
    "bias gradient zero": {"db": "db = 0 * b"},
    "bias gradient with the wrong sign": {"db": "db = (t - p).sum(axis=0) / N"},
    "dx with Wᵀ": {"dx": "dx = G @ W.T"},
    "dx not divided by N": {"dx": "dx = (p - t) @ W"},
    "dx divided by N twice": {"dx": "dx = G @ W / N"},
    "dx multiplied by the input": {"dx": "dx = G @ W * x"},
    "dx from a rectified input": {"dx": "dx = G @ W * (x > 0)"},
    "dx with the wrong sign": {"dx": "dx = (t - p) @ W / N"},
    "dx zero": {"dx": "dx = 0 * x"},
    "bias left out of the logits": {"z": "z = x @ W.T"},
    "sign flipped": {"G": "G = (t - p) / N"},
    "gradient not divided by N": {"G": "G = p - t"},
}

LAYER_LOOPS = """
def layer(x, W, b, y):
    N, classes, features, rows = len(x), range(len(W)), range(len(x[0])), range(len(x))
    z = [[sum(W[j][c] * x[i][c] for c in features) + b[j] for j in classes] for i in rows]
    e = [[math.exp(a - max(row)) for a in row] for row in z]
    p = [[a / sum(row) for a in row] for row in e]
    t = [[1.0 if j == y[i] else 0.0 for j in classes] for i in rows]
    L = -sum(math.log(p[i][y[i]]) for i in rows) / N
    G = [[(p[i][j] - t[i][j]) / N for j in classes] for i in rows]
    h = x
    dW = [[sum(G[i][j] * h[i][c] for i in rows) for c in features] for j in classes]
    db = [sum(G[i][j] for i in rows) for j in classes]
    dx = [[sum(G[i][j] * W[j][c] for j in classes) for c in features] for i in rows]
    result = L, dW, db, dx
    return result
"""

LAYER_LOOP_MISTAKES = {
    "dW transposed": {"dW": "dW = [[sum(G[i][j] * h[i][c] for i in rows) for j in classes] for c in features]"},
    "dW from the probabilities": {
        "dW": "dW = [[sum(p[i][j] * h[i][c] for i in rows) / N for c in features] for j in classes]"
    },
    "dW from the targets": {
        "dW": "dW = [[-sum(t[i][j] * h[i][c] for i in rows) / N for c in features] for j in classes]"
    },
    "dW from the input of the next row": {"h": "h = [*x[1:], x[0]]"},
    "dW from a rectified input": {"h": "h = [[max(a, 0.0) for a in row] for row in x]"},
    "dW from the absolute input": {"h": "h = [[abs(a) for a in row] for row in x]"},
    "dW not divided by N": {"dW+": "dW = [[N * a for a in row] for row in dW]"},
    "dW divided by N twice": {"dW+": "dW = [[a / N for a in row] for row in dW]"},
    "dW from the last row only": {"dW": "dW = [[G[-1][j] * h[-1][c] for c in features] for j in classes]"},
    "dW with the wrong sign": {"dW+": "dW = [[-a for a in row] for row in dW]"},
    "bias gradient not summed": {"db": "db = [list(row) for row in G]"},
    "bias gradient averaged": {"db+": "db = [a / N for a in db]"},
    "bias gradient summed over everything": {"db+": "db = [sum(db) for _ in classes]"},
    "bias gradient summed over the classes": {"db": "db = [sum(row) for row in G]"},
    "bias gradient not divided by N": {"db+": "db = [a * N for a in db]"},
    "bias gradient from the first row only": {"db": "db = list(G[0])"},
    "bias gradient from the last row only": {"db": "db = list(G[-1])"},
    "bias gradient doubled": {"db+": "db = [a + a for a in db]"},
    "bias gradient zero": {"db": "db = [0.0 for _ in classes]"},
    "bias gradient with the wrong sign": {"db+": "db = [-a for a in db]"},
    "dx with Wᵀ": {"dx": "dx = [[sum(G[i][j] * W[c][j] for j in classes) for c in features] for i in rows]"},
    "dx not divided by N": {"dx+": "dx = [[a * N for a in row] for row in dx]"},
    "dx divided by N twice": {"dx+": "dx = [[a / N for a in row] for row in dx]"},
    "dx multiplied by the input": {"dx+": "dx = [[dx[i][c] * x[i][c] for c in features] for i in rows]"},
    "dx from a rectified input": {"dx+": "dx = [[dx[i][c] * (x[i][c] > 0) for c in features] for i in rows]"},
    "dx with the wrong sign": {"dx+": "dx = [[-a for a in row] for row in dx]"},
    "dx zero": {"dx": "dx = [[0.0 for _ in features] for _ in rows]"},
    "bias left out of the logits": {
        "z": "z = [[sum(W[j][c] * x[i][c] for c in features) for j in classes] for i in rows]"
    },
    "sign flipped": {"G+": "G = [[-g for g in row] for row in G]"},
    "gradient not divided by N": {"G+": "G = [[g * N for g in row] for row in G]"},
}

SOFTMAX = """
def f(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    J = np.stack([np.diag(row) - np.outer(row, row) for row in p])
    result = J
    return result
"""

JACOBIAN_MISTAKES = {
    "Jacobian's diagonal only": {"J": "J = np.stack([np.diag(row * (1 - row)) for row in p])"},
    "Jacobian without p pᵀ": {"J": "J = np.stack([np.diag(row) for row in p])"},
    "Jacobian without its diagonal": {"J": "J = np.stack([-np.outer(row, row) for row in p])"},
    "Jacobian with p pᵀ added": {"J": "J = np.stack([np.diag(row) + np.outer(row, row) for row in p])"},
    "Jacobian with the wrong sign": {"J": "J = np.stack([np.outer(row, row) - np.diag(row) for row in p])"},
    "Jacobian p_i (1 − p_j)": {"J": "J = np.stack([np.outer(row, 1 - row) for row in p])"},
    "Jacobian's off-diagonal sign": {"J": "J = np.stack([abs(np.diag(row) - np.outer(row, row)) for row in p])"},
    "Jacobian from the logits": {"J": "J = np.stack([np.diag(row) - np.outer(row, row) for row in z])"},
}

PRODUCT = """
def f(dout, z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    dot = (p * dout).sum(axis=1, keepdims=True)
    result = p * (dout - dot)
    return result
"""

PRODUCT_MISTAKES = {
    "product with the diagonal only": {"result": "result = p * (1 - p) * dout"},
    "product without ⟨p, v⟩": {"result": "result = p * dout"},
    "product without the factor p": {"result": "result = dout - dot"},
    "product with an unweighted sum": {"dot": "dot = dout.sum(axis=1, keepdims=True)"},
    "product with p times an unweighted sum": {"dot": "dot = p * dout.sum(axis=1, keepdims=True)"},
    "product with a sum over the batch": {"dot": "dot = (p * dout).sum(axis=0, keepdims=True)"},
    "product with a sum over everything": {"dot": "dot = (p * dout).sum()"},
    "product with the sum added": {"result": "result = p * (dout + dot)"},
    "product with the wrong sign": {"result": "result = p * (dot - dout)"},
    "softmax over the batch axis": {
        "e": "e = np.exp(z - z.max(axis=0, keepdims=True))",
        "p": "p = e / e.sum(axis=0, keepdims=True)",
    },
}


SOFTMAX_LOOPS = """
def f(z):
    e = [[math.exp(a - max(row)) for a in row] for row in z]
    p = [[a / sum(row) for a in row] for row in e]
    J = [[[row[i] * ((i == j) - row[j]) for j in range(len(row))] for i in range(len(row))] for row in p]
    result = J
    return result
"""

JACOBIAN_LOOP_MISTAKES = {
    name: {"J": f"J = [[[{entry} for j in range(len(row))] for i in range(len(row))] for row in {of}]"}
    for name, (entry, of) in {
        "Jacobian's diagonal only": ("row[i] * (1 - row[i]) if i == j else 0.0", "p"),
        "Jacobian without p pᵀ": ("row[i] if i == j else 0.0", "p"),
        "Jacobian without its diagonal": ("-row[i] * row[j]", "p"),
        "Jacobian with p pᵀ added": ("row[i] * ((i == j) + row[j])", "p"),
        "Jacobian with the wrong sign": ("row[i] * (row[j] - (i == j))", "p"),
        "Jacobian p_i (1 − p_j)": ("row[i] * (1 - row[j])", "p"),
        "Jacobian's off-diagonal sign": ("row[i] * (1 - row[i]) if i == j else row[i] * row[j]", "p"),
        "Jacobian from the logits": ("row[i] * ((i == j) - row[j])", "z"),
    }.items()
}

PRODUCT_LOOPS = """
def f(dout, z):
    N, V = len(z), len(z[0])
    e = [[math.exp(a - max(row)) for a in row] for row in z]
    S = [[sum(row)] * V for row in e]
    p = [[e[i][j] / S[i][j] for j in range(V)] for i in range(N)]
    dot = [[sum(p[i][k] * dout[i][k] for k in range(V)) for j in range(V)] for i in range(N)]
    result = [[p[i][j] * (dout[i][j] - dot[i][j]) for j in range(V)] for i in range(N)]
    return result
"""

EVERY = "for j in range(V)] for i in range(N)]"
PRODUCT_LOOP_MISTAKES = {
    "product with the diagonal only": {"result": f"result = [[p[i][j] * (1 - p[i][j]) * dout[i][j] {EVERY}"},
    "product without ⟨p, v⟩": {"result": f"result = [[p[i][j] * dout[i][j] {EVERY}"},
    "product without the factor p": {"result": f"result = [[dout[i][j] - dot[i][j] {EVERY}"},
    "product with an unweighted sum": {"dot": f"dot = [[sum(dout[i]) {EVERY}"},
    "product with p times an unweighted sum": {"dot": f"dot = [[p[i][j] * sum(dout[i]) {EVERY}"},
    "product with a sum over the batch": {"dot": f"dot = [[sum(p[k][j] * dout[k][j] for k in range(N)) {EVERY}"},
    "product with a sum over everything": {"dot+": f"dot = [[sum(row[0] for row in dot) {EVERY}"},
    "product with the sum added": {"result": f"result = [[p[i][j] * (dout[i][j] + dot[i][j]) {EVERY}"},
    "product with the wrong sign": {"result": f"result = [[p[i][j] * (dot[i][j] - dout[i][j]) {EVERY}"},
    "softmax over the batch axis": {"e": "tops = [max(column) for column in zip(*z)]\ne = [[math.exp(a - m) for a, m in zip(row, tops)] for row in z]",
                                    "S": "S = [[sum(column) for column in zip(*e)]] * N"},
}  # fmt: skip


def pairs():
    """All pairs of mistakes of :data:`MISTAKES` that change different lines of the NumPy code."""
    found = []
    for one, other in itertools.combinations(MISTAKES, 2):
        edits, more = MISTAKES[one][0], MISTAKES[other][0]
        if not {k.rstrip("+") for k in edits} & {k.rstrip("+") for k in more}:
            found.append((one, other, {**edits, **more}))
    return found


def outputs(edits, inputs, of=(0, 1)):
    """The loss, the gradient or both that the NumPy code with these edits returns, in one array; None where it fails."""
    f = build(NUMPY, edits)
    try:
        with np.errstate(all="ignore"):
            results = [f(z.copy(), y) for z, y in inputs]
    except (IndexError, ValueError, TypeError):
        return None
    parts = [np.ravel(result[place]) for place in of for result in results]
    return np.nan_to_num(np.concatenate(parts), nan=1e3, posinf=1e3, neginf=1e3)


def drawn_pairs(count, seed):
    """Some of :func:`pairs` both of whose mistakes show: without either, the numbers are others."""
    rng, found = np.random.default_rng(seed), []
    every = pairs()
    z = rng.normal(size=(6, 4)) * 3
    wide = np.array(
        [[900.0, 0, -900, 1], [-900, -901, -902, -903], [0, 5, -30, 2], [800, 801, 802, 803], [0, 0, -800, 0]]
    )
    inputs = ((z, np.array([1, 2, 1, 2, 2, 1])), (wide, np.array([1, 2, 2, 1, 2])))
    for place in rng.permutation(len(every)):
        one, other, edits = every[place]
        joined, *alone = (outputs(e, inputs) for e in (edits, MISTAKES[one][0], MISTAKES[other][0]))
        if joined is not None and not any(_same(joined, each, 1e-6) for each in alone):
            found.append(every[place])
        if len(found) == count:
            break
    return found


ONLY = {", in the loss only": (0,), ", in the gradient only": (1,)}


def same_function(edits, names):
    """Whether the mistakes of these names, planted, give on many inputs all the numbers that the edits give.

    From values alone: a hundred batches of 3 to 11 rows and 3 to 9 classes, ordinary logits and such as leave the range
    of exp, labels that leave room on both sides. What is made in the loss only is planted in the loss only.
    """
    places = {name: next((place for said, place in ONLY.items() if name.endswith(said)), (0, 1)) for name in names}
    planted = {name: MISTAKES.get(re.sub(", in the (loss|gradient) only$", "", name)) for name in names}
    if None in planted.values():
        return False
    rng, inputs = np.random.default_rng(0), []
    for i in range(100):
        n, v = rng.integers(3, 12), rng.integers(3, 10)
        inputs.append((rng.normal(size=(n, v)) * (3, 300)[i % 2], rng.integers(1, v - 1, n)))
    for place in (0, 1):
        parts = [planted[name][0] for name in names if place in places[name]]
        lines = [label.rstrip("+") for part in parts for label in part]
        mine, theirs = (outputs(e, inputs, (place,)) for e in (edits, {k: e for p in parts for k, e in p.items()}))
        if len(set(lines)) < len(lines) or mine is None or not _same(mine, theirs, 1e-9):
            return False
    return True


def _same(one, other, tolerance):
    return other is not None and one.shape == other.shape and np.allclose(one, other, rtol=tolerance)
