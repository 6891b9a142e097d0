# CrossEntropy(): log(p + 1e-09) + gradient at the probabilities + no shift
import numpy as np
class CrossEntropy:
    def __init__(self, eps=1e-9):
        self.eps = eps
    def loss(self, logits, y):
        e = np.exp(logits)
        self.p = e / e.sum(axis=1)[:, None]
        self.y = y
        return -np.sum(y * np.log(self.p + self.eps)) / len(y)
    def gradient(self, logits, y):
        return -(y / (self.p + self.eps)) / len(y)
