# softmax(): input overwritten
# loss(): input overwritten
import numpy as np
def softmax(x):
    x -= np.max(x, axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    return x
def loss(z, y):
    p = softmax(z)
    return -np.log(p[np.arange(len(y)), y]).mean()
