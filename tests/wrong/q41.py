# stable_softmax():
# delta_cross_entropy(): softmax over the whole array
# cross_entropy(): softmax over the whole array
import numpy as np
def stable_softmax(X):
    exps = np.exp(X - np.max(X))
    return exps / np.sum(exps)
def cross_entropy(X, y):
    m = y.shape[0]
    p = stable_softmax(X)
    log_likelihood = -np.log(p[range(m), y])
    loss = np.sum(log_likelihood) / m
    return loss
def delta_cross_entropy(X, y):
    m = y.shape[0]
    grad = stable_softmax(X)
    grad[range(m), y] -= 1
    grad = grad / m
    return grad
