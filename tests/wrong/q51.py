# LabelSmoothingLoss(): label smoothing of 0.1 + smoothing by ε / (V − 1)
# LabelSmoothingLoss(label_smoothing=0.1): smoothing by ε / (V − 1)
import torch
import torch.nn as nn
class LabelSmoothingLoss(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing = smoothing
    def forward(self, pred, target):
        logp = pred.log_softmax(dim=-1)
        with torch.no_grad():
            true = torch.full_like(logp, self.smoothing / (pred.size(-1) - 1))
            true.scatter_(1, target.unsqueeze(1), 1 - self.smoothing)
        return torch.mean(torch.sum(-true * logp, dim=-1))
