# softmax_backward(): product with a sum over the batch
def softmax_backward(dy, y):
    return y * (dy - (dy * y).sum(axis=0, keepdims=True))
