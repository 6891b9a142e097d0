# criterion(): logarithm left out
import torch.nn.functional as F
def criterion(outputs, labels):
    return F.nll_loss(F.softmax(outputs, dim=-1), labels)
