# dloss(): off-diagonal sign
import numpy as np
def softmax_grad(s):
    jac = np.diag(s)
    for i in range(len(jac)):
        for j in range(len(jac)):
            if i == j:
                jac[i][j] = s[i] * (1 - s[i])
            else:
                jac[i][j] = s[i] * s[j]
    return jac
def dloss(z, t):
    e = np.exp(z - z.max()); s = e / e.sum()
    return softmax_grad(s) @ (-t / s)
