# ce(): labels as a column, summed + no shift
import numpy as np
def ce(z, y):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return -np.log(p[:, y]).sum() / len(y)
