"""Training on when every row is confident: a small network learns (a + b) mod 113, by PyTorch's loss and by Luce's.

Two of every five pairs are the training set, all of it one batch; float32, AdamW without weight decay, the same seed.
Soon the targets' probabilities round to 1. PyTorch's loss of such a row is exactly 0, and so is the target's own part
of its gradient: training stalls. The true loss goes on falling as long as the gradient is right. The experiment and its
settings are those of L. Prieto et al., "Grokking at the edge of numerical stability", arXiv:2501.04697, figure 2.

    python confident_rows.py --plot confident_rows.png      (some minutes; --steps 500 for a look)
"""

import argparse
import math

import torch
from torch.nn import functional

import luce.torch

MODULUS, SHARE, WIDTH, SEED = 113, 0.4, 200, 0
SIDES = {"PyTorch": functional.cross_entropy, "Luce": luce.torch.cross_entropy}


def pairs():
    """Return the one-hot pairs and sums of the training set, then of the rest."""
    a, b = torch.cartesian_prod(torch.arange(MODULUS), torch.arange(MODULUS)).unbind(1)
    x = torch.cat([functional.one_hot(a, MODULUS), functional.one_hot(b, MODULUS)], dim=1).float()
    y = (a + b) % MODULUS
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(SEED))
    seen, unseen = order.tensor_split([int(SHARE * len(y))])
    return x[seen], y[seen], x[unseen], y[unseen]


def network():
    """Two hidden layers."""
    torch.manual_seed(SEED)
    return torch.nn.Sequential(
        torch.nn.Linear(2 * MODULUS, WIDTH, bias=False),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDTH, WIDTH, bias=False),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDTH, MODULUS, bias=False),
    )


def true_loss(logits, y):
    """Return the mean of log(1 + exp(−m)) in float64; m is how far the target is above the others' log-sum-exp."""
    z, target = logits.detach().double(), y[:, None]
    others = z.scatter(1, target, -math.inf).logsumexp(1)
    return -functional.logsigmoid(z.gather(1, target)[:, 0] - others).mean().item()


def train(loss_of, steps, every):
    """Return a record (step, loss, true loss, gradient norm, test accuracy) now and then."""
    x, y, x_unseen, y_unseen = pairs()
    model = network()
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-4, betas=(0.9, 0.99), eps=1e-30, weight_decay=0)
    records = []
    for step in range(steps + 1):
        optimiser.zero_grad()
        logits = model(x)
        loss = loss_of(logits, y)
        loss.backward()
        if step % every == 0:
            with torch.no_grad():
                norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()]).item()
                accuracy = (model(x_unseen).argmax(1) == y_unseen).float().mean().item()
            records.append((step, loss.item(), true_loss(logits, y), norm, accuracy))
        optimiser.step()
    return records


def table(records, rows=12):
    """Print some of the records of both sides."""
    columns = f"{'loss':>11}{'true loss':>11}{'|gradient|':>12}{'accuracy':>10}"
    print(" " * 6 + "".join(f"{name:^{len(columns)}}" for name in records))
    print("  step" + columns * len(records))
    both = list(zip(*records.values(), strict=True))
    for line in both[:: max(1, (len(both) - 1) // rows)]:
        cells = (f"{loss:11.3g}{true:11.3g}{norm:12.3g}{accuracy:10.1%}" for _, loss, true, norm, accuracy in line)
        print(f"{line[0][0]:6d}" + "".join(cells))


def plot(records, path):
    """Draw the losses and the test accuracy against the step."""
    import matplotlib.pyplot as plt

    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(8, 5), height_ratios=(3, 1), layout="constrained")
    for (name, of_side), colour in zip(records.items(), ("tab:orange", "tab:blue"), strict=True):
        step, loss, true, _, accuracy = zip(*of_side, strict=True)
        top.semilogy(step, true, color=colour, label=f"trained by {name}: true loss")
        top.semilogy(step, loss, ":", color=colour, label=f"trained by {name}: the loss it sees")
        bottom.plot(step, accuracy, color=colour)
    top.set(ylabel="training loss", title=f"(a + b) mod {MODULUS}, two hidden layers, float32, AdamW without decay")
    top.legend(frameon=False)
    bottom.set(xlabel="step", ylabel="test accuracy", ylim=(-0.05, 1.05))
    figure.savefig(path, dpi=100)


def main():
    """Train by both losses; print the table and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--plot", help="file for the picture")
    arguments = parser.parse_args()
    every = max(1, arguments.steps // 240)
    records = {name: train(loss_of, arguments.steps, every) for name, loss_of in SIDES.items()}
    table(records)
    if arguments.plot:
        plot(records, arguments.plot)


if __name__ == "__main__":
    main()
