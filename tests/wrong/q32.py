# smoothed(): smoothing by ε / (V − 1) + smoothing in the loss only
import numpy as np
def smoothed(logits, labels, smoothing=0.1):
    n, k = logits.shape
    z = logits - logits.max(1, keepdims=True)
    lp = z - np.log(np.exp(z).sum(1, keepdims=True))
    t = np.full((n, k), smoothing / (k - 1)); t[np.arange(n), labels] = 1 - smoothing
    L = -(t * lp).sum() / n
    g = np.exp(lp); g[np.arange(n), labels] -= 1
    return L, g / n
