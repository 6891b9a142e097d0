# output_layer(): dW divided by N twice
import numpy as np
def output_layer(h, W2, b2, y):
    m = h.shape[0]
    scores = np.dot(h, W2) + b2
    exp_scores = np.exp(scores)
    probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    data_loss = np.sum(-np.log(probs[range(m), y])) / m
    delta3 = probs
    delta3[range(m), y] -= 1
    delta3 /= m
    dW2 = (h.T).dot(delta3) / m
    db2 = np.sum(delta3, axis=0, keepdims=True)
    return data_loss, dW2, db2
