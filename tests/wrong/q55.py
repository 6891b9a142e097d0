# forward_backward(): bias gradient averaged
import numpy as np
def forward_backward(X, W, b, Y):
    z = np.dot(X, W) + b
    ez = np.exp(z)
    p = ez / ez.sum(axis=1, keepdims=True)
    m = X.shape[0]
    loss = -np.sum(np.log(p[range(m), Y])) / m
    dz = p.copy()
    dz[range(m), Y] -= 1
    dz /= m
    dW = np.dot(X.T, dz)
    db = np.mean(dz, axis=0)
    dX = np.dot(dz, W.T)
    return loss, dW, db, dX
