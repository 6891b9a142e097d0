# SoftmaxRegression.softmax(): no shift
# SoftmaxRegression.gradient(): sign flipped + sum instead of mean
import numpy as np
class SoftmaxRegression:
    def __init__(self, lr=0.1):
        self.lr = lr
    def softmax(self, z):
        return np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)
    def gradient(self, X, y, W):
        p = self.softmax(X @ W)
        return X.T @ (np.eye(W.shape[1])[y] - p)
    def fit(self, X, y):
        pass
