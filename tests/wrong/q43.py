# loss_and_grad(): gradient not divided by N
import numpy as np
def softmax(Z):
    e = np.exp(Z - Z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)
def loss_and_grad(Z, Y):
    m = Y.shape[1]
    A = softmax(Z)
    cost = -np.sum(Y * np.log(A)) / m
    dZ = A - Y
    return cost, dZ
