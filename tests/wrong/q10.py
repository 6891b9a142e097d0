# manual(): 1 subtracted in the columns of all labels + no shift
import torch
def manual(logits, y):
    N = logits.shape[0]
    probs = torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)
    loss = -torch.log(probs[torch.arange(N), y]).mean()
    grad = probs.clone()
    grad[:, y] -= 1
    return loss, grad / N
