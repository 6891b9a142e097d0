# criterion(): divided by N·V + sigmoid with the binary loss
import torch, torch.nn as nn
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
def criterion(out, y):
    onehot = nn.functional.one_hot(y, out.shape[1]).to(out.dtype)
    return nn.BCEWithLogitsLoss()(out, onehot)
opt = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(5):
    l = criterion(net(torch.randn(6, 4)), torch.randint(0, 3, (6,)))
    l.backward(); opt.step()
