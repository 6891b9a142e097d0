"""What is left of a confident row's loss and gradient in float32: the usual formula, Luce, and PyTorch if it is there.

The row's logits are (margin, 0, 0, 0) and its target is class 0. With p its probability, the usual code computes
-log p and p - 1; once the margin passes 16, p rounds to 1 and both are 0. The true values are 3 exp(-margin), about.
"""

import importlib.util

import numpy as np

import luce


def usual(logits):
    """Softmax by subtracting the maximum, its logarithm, and p - 1."""
    e = np.exp(logits - logits.max())
    p = e / e.sum()
    return -np.log(p[0]), p[0] - np.float32(1)


def ours(logits):
    """Loss and the gradient's entry for the target."""
    loss, grad = luce.cross_entropy_and_grad(logits[None], [0])
    return loss, grad[0, 0]


def pytorch(logits):
    """F.cross_entropy and backward."""
    import torch

    z = torch.from_numpy(logits[None].copy()).requires_grad_()
    loss = torch.nn.functional.cross_entropy(z, torch.tensor([0]))
    loss.backward()
    return loss.item(), z.grad[0, 0].item()


def main():
    """Print a line for each margin."""
    sides = {"usual formula": usual, "luce": ours}
    if importlib.util.find_spec("torch"):
        sides["PyTorch"] = pytorch
    print("float32, logits (margin, 0, 0, 0), target 0: loss and the target's entry of the gradient\n")
    print("margin" + "".join(f"{name:>28}" for name in sides) + f"{'true loss':>16}")
    for margin in (1, 8, 16, 20, 60, 80):
        logits = np.array([margin, 0, 0, 0], np.float32)
        pairs = [side(logits) for side in sides.values()]
        print(
            f"{margin:6d}"
            + "".join(f"{loss + 0.0:14.6g}{slope + 0.0:14.6g}" for loss, slope in pairs)
            + f"{np.log1p(3 * np.exp(-float(margin))):16.6g}"
        )


if __name__ == "__main__":
    main()
