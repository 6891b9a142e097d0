# xent(): divided by N·V + no shift
import numpy as np
def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)
def xent(logits, y_onehot):
    return np.mean(-y_onehot * np.log(softmax(logits)))
