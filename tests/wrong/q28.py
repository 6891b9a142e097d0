# grad(): the rows' gradients added up
import numpy as np
def grad(z, y):
    p = np.exp(z - z.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return p.mean(axis=0)
