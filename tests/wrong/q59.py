# masked_loss(): mean over all rows
import torch
import torch.nn.functional as F
def masked_loss(logits, targets, pad=0):
    mask = (targets != pad).float()
    losses = F.cross_entropy(logits, targets, reduction='none')
    return (losses * mask).mean()
