# softmax_loss_vectorized(): target not subtracted
import numpy as np
def softmax_loss_vectorized(W, X, y, reg):
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    sum_exp = np.exp(scores).sum(axis=1, keepdims=True)
    softmax_matrix = np.exp(scores) / sum_exp
    loss = np.sum(-np.log(softmax_matrix[np.arange(len(y)), y]))
    softmax_matrix[np.arange(len(y)), y] + 1
    dW = X.T.dot(softmax_matrix)
    loss /= len(y)
    dW /= len(y)
    loss += reg * np.sum(W * W)
    dW += reg * 2 * W
    return loss, dW
