# lossFun(): sign flipped + no shift
import numpy as np
def lossFun(y, target):
    p = np.exp(y) / np.sum(np.exp(y))
    loss = -np.log(p[target, 0])
    dy = -np.copy(p)
    dy[target] += 1
    return loss, dy
