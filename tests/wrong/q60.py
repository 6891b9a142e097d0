# ce(): entropy of the prediction
import numpy as np
def ce(pred, target):
    e = np.exp(pred - pred.max(1)[:, None])
    q = e / e.sum(1)[:, None]
    return -(q * np.log(q)).sum(1).mean()
