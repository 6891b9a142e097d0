# backward(): gradient not divided by N
import torch
import torch.nn.functional as F
def backward(logits, Yb):
    n = logits.shape[0]
    loss = F.cross_entropy(logits, Yb)
    dlogits = F.softmax(logits, 1)
    dlogits[range(n), Yb] -= 1
    return loss, dlogits
