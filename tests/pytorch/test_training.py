"""Real training runs: a small transformer learns to write a module's source, by PyTorch's loss and by Luce's.

The last layer shares its weight with the embedding, so that both gradients of the fused layer take part. Activation and
optimiser are smooth, which keeps rounding from being amplified: the curves then tell of the loss alone.
"""

import argparse
import functools
import inspect

import pytest
import torch
from torch import nn
from torch.nn import functional

import luce.torch

WIDTH, CONTEXT, BATCH, STEPS = 64, 64, 4, 300
BYTES = torch.tensor(list(inspect.getsource(argparse).encode()))


class Transformer(nn.Module):
    """Two layers; gives what the last layer is applied to."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(256, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        nn.init.normal_(self.words.weight, std=0.1)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, words):
        x = self.words(words) + self.places.weight
        mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT, dtype=x.dtype)
        for layer in self.layers:
            x = layer(x, mask, is_causal=True)
        return self.norm(x)


def theirs(x, weight, words):
    logits = functional.linear(x[:, :-1], weight)
    return functional.cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten())


def ours(x, weight, words):
    return luce.torch.linear_cross_entropy(x, weight, words, shift=True)


@functools.cache
def curve(loss_of, dtype=torch.float32, autocast=False):
    """The loss at each step."""
    torch.manual_seed(0)
    model = Transformer().to(dtype)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    starts = torch.randint(len(BYTES) - CONTEXT, (STEPS, BATCH, 1))
    losses = []
    for start in starts:
        words = BYTES[start + torch.arange(CONTEXT)]
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = loss_of(model(words), model.words.weight, words)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64)


@functools.cache
def truth():
    """PyTorch in float64, which has learnt something."""
    losses = curve(theirs, torch.float64)
    assert losses[0] > 5
    assert losses[-20:].mean() < 2.7
    return losses


@pytest.fixture(autouse=True)
def one_thread():
    """Products this small gain nothing from a second thread, and two that wait for each other lose much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_curve_is_that_of_float64_to_rounding(dtype):
    # The mean over 252 rows and the network's own rounding are a few eps at each step; 300 steps add no more, since
    # descent contracts. In float64 a gradient that is wrong in the twelfth digit moves the curve by 2900 eps.
    off = (curve(ours, dtype) - truth()).abs() / truth()
    assert off.max() <= 8 * torch.finfo(dtype).eps


def test_bfloat16_by_autocast_agrees_with_pytorch():
    # With u = 2^-8, half the distance of bfloat16's numbers, both losses round x, W and the logits once, where a logit
    # moves by at most u|z| and a row's loss by 2u max|z|, of either sign; the mean over the rows keeps some u of the
    # loss. Gradients are off by u too, as if the learning rate were: that moves a curve that falls from 5.8 to 2.3 by
    # less than 2u of its value. Hence 2u for each side.
    off = (curve(ours, autocast=True) - curve(theirs, autocast=True)).abs() / truth()
    assert off.max() <= 4 * 2.0**-8


def test_bfloat16_throughout_is_no_further_from_the_truth_than_pytorch():
    # Both round logits, gradients, weights and the value to bfloat16, and stall alike where a step of the optimiser is
    # less than half the distance to the next weight. PyTorch rounds the rows' log-probabilities as well.
    ours_off, theirs_off = ((curve(side, torch.bfloat16) / truth() - 1).square().mean() for side in (ours, theirs))
    assert ours_off <= theirs_off
