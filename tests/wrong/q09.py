# softmax_grad(): Jacobian's off-diagonal sign
import numpy as np
def softmax_grad(s):
    jac = np.diag(s)
    for i in range(len(jac)):
        for j in range(len(jac)):
            jac[i][j] = s[i] * (1 - s[i]) if i == j else s[i] * s[j]
    return jac
