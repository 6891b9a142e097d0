# loss_and_grad(): gradient not divided by N + loss in bits, gradient not
import numpy as np
def loss_and_grad(x, y):
    n = x.shape[0]
    e = np.exp(x - x.max(axis=1).reshape(-1, 1))
    p = e / e.sum(axis=1).reshape(-1, 1)
    loss = np.mean(-np.log2(p[np.arange(n), y]))
    dx = p
    dx[np.arange(n), y] -= 1
    return loss, dx
