# loss(): softmax applied twice
import numpy as np
def loss(z, y):
    z = z.astype(np.float32)
    p = np.exp(z - z.max(1, keepdims=True)); p /= p.sum(1, keepdims=True)
    q = np.exp(p); q /= q.sum(1, keepdims=True)
    return float(-np.log(q[np.arange(len(y)), y]).mean())
