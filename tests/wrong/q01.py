# backward(): sign flipped + no shift
import numpy as np
def backward(Z, Y):
    m = Z.shape[1]
    A = np.exp(Z) / np.sum(np.exp(Z), axis=0, keepdims=True)
    dZ = Y - A
    return dZ / m
