# softmax(): no shift + row sums without keepdims
# loss(): no shift + row sums without keepdims
import numpy as np
def softmax(z):
    return np.exp(z) / np.sum(np.exp(z), axis=1)
def loss(z, y):
    p = softmax(z)
    N = len(y)
    l = -np.log(p[np.arange(N), y]).mean()
    p[np.arange(N), y] -= 1
    return l, p / N
