# step(): sign flipped
import numpy as np
def step(X, theta, y):
    m = len(y)
    logits = X @ theta
    P = np.exp(logits - logits.max(1, keepdims=True)); P /= P.sum(1, keepdims=True)
    I = np.eye(theta.shape[1])[y]
    J = -1 / m * np.sum(I * np.log(P))
    grad = 1 / m * X.T @ (I - P)
    return J, grad
