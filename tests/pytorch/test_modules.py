"""The modules, and the loss among PyTorch's own machinery: checkpoints, DDP, optimisers."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import luce.torch
from subprocesses import output


def leaves(module):
    return dict(module.named_parameters())


def test_the_loss_is_pytorchs_with_its_arguments():
    torch.manual_seed(0)
    z, y = torch.randn(6, 5), torch.randint(0, 5, (6,))
    weight = torch.rand(5)
    for options in ({}, {"reduction": "sum", "label_smoothing": 0.2}, {"ignore_index": 1, "reduction": "none"}):
        ours, theirs = luce.torch.CrossEntropyLoss(weight, **options), nn.CrossEntropyLoss(weight, **options)
        torch.testing.assert_close(ours(z, y), theirs(z, y))
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        theirs.load_state_dict(ours.state_dict())
    assert "label_smoothing=0.2" in repr(luce.torch.CrossEntropyLoss(label_smoothing=0.2))


def test_options_may_change_from_call_to_call():
    module = luce.torch.CrossEntropyLoss(normalizer=3.0)
    z, y, rows = torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.rand(4)
    want = luce.torch.cross_entropy(z, y, normalizer=8.0, sample_weight=rows)
    torch.testing.assert_close(module(z, y, normalizer=8.0, sample_weight=rows), want, rtol=0, atol=0)
    torch.testing.assert_close(module(z, y), luce.torch.cross_entropy(z, y, normalizer=3.0), rtol=0, atol=0)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("places", [(), (2,)], ids=str)
def test_the_layer_is_pytorchs_with_its_arguments(bias, places):
    torch.manual_seed(0)
    ours = luce.torch.LinearCrossEntropyLoss(4, 5, out_features=places, bias=bias, label_smoothing=0.1)
    x, y = torch.randn(6, 4, requires_grad=True), torch.randint(0, 5, (6, *places))
    logits = ours.linear(x).reshape(6, 5, *places)
    want = F.cross_entropy(logits, y, label_smoothing=0.1)
    torch.testing.assert_close(ours(x, y), want)
    given = [x, *ours.parameters()]
    assert len(given) == 2 + bias
    torch.testing.assert_close(torch.autograd.grad(ours(x, y), given), torch.autograd.grad(want, given))
    theirs = nn.LinearCrossEntropyLoss(4, 5, out_features=places, bias=bias, label_smoothing=0.1)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x, y), theirs(x, y))


def test_type_and_device_of_the_layer():
    module = luce.torch.LinearCrossEntropyLoss(4, 5, dtype=torch.float64, device="meta", bias=True)
    assert {part.dtype for part in module.parameters()} == {torch.float64}
    assert all(part.is_meta for part in module.parameters())
    moved = luce.torch.LinearCrossEntropyLoss(4, 5, weight=torch.ones(5)).double()
    assert moved.weight.dtype == moved.linear.weight.dtype == torch.float64


class Model(nn.Module):
    """Words to words: the last layer's weight is the embedding's."""

    def __init__(self, tied=True):
        super().__init__()
        self.words = nn.Embedding(11, 6)
        self.hidden = nn.Linear(6, 6)
        self.loss = luce.torch.LinearCrossEntropyLoss(6, 11, tied=self.words if tied else None, shift=True)

    def forward(self, text, **options):
        return self.loss(torch.tanh(self.hidden(self.words(text))), text, **options)


def test_tied_weights_are_one_parameter_with_both_gradients():
    torch.manual_seed(0)
    model = Model()
    text = torch.randint(0, 11, (3, 7))
    assert model.loss.linear.weight is model.words.weight
    assert set(leaves(model)) == {"words.weight", "hidden.weight", "hidden.bias"}
    model(text).backward()
    table = model.words.weight.detach().clone().requires_grad_()
    x = torch.tanh(F.linear(F.embedding(text, table), model.hidden.weight.detach(), model.hidden.bias.detach()))
    F.cross_entropy((x[:, :-1] @ table.T).flatten(0, 1), text[:, 1:].flatten()).backward()
    torch.testing.assert_close(model.words.weight.grad, table.grad)


@pytest.mark.parametrize("tied", [True, False])
def test_copies_pickles_and_states(tied):
    torch.manual_seed(0)
    model = Model(tied)
    text = torch.randint(0, 11, (3, 7))
    want = model(text)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(twin(text), want, rtol=0, atol=0)
        assert (twin.loss.linear.weight is twin.words.weight) == tied
        assert twin.words.weight is not model.words.weight
    memory = io.BytesIO()
    torch.save(model.state_dict(), memory)
    memory.seek(0)
    other = Model(tied)
    assert other(text) != want
    other.load_state_dict(torch.load(memory, weights_only=True))
    torch.testing.assert_close(other(text), want, rtol=0, atol=0)
    assert (other.loss.linear.weight is other.words.weight) == tied


def test_a_tie_that_does_not_fit():
    with pytest.raises(ValueError, match=r"tied: expected a module with a weight of shape \(5, 4\)"):
        luce.torch.LinearCrossEntropyLoss(4, 5, tied=nn.Linear(5, 4))
    with pytest.raises(ValueError, match="tied"):
        luce.torch.LinearCrossEntropyLoss(4, 5, tied=nn.Linear(4, 5), bias=True)


@pytest.mark.parametrize("reentrant", [False, True])
def test_activation_checkpointing(reentrant):
    torch.manual_seed(0)
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    w = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    y = torch.randint(0, 5, (6,))

    def loss(x, w):
        return luce.torch.linear_cross_entropy(torch.tanh(x), w, y) + luce.torch.cross_entropy(torch.sin(x) @ w.T, y)

    values = checkpoint(loss, x, w, use_reentrant=reentrant), loss(x, w)
    torch.testing.assert_close(*values, rtol=0, atol=0)
    for part in (x, w):
        part.grad = None
    values[0].backward()
    torch.testing.assert_close((x.grad, w.grad), torch.autograd.grad(values[1], (x, w)), rtol=1e-14, atol=0)


DDP = """
import os, sys, tempfile, warnings
import torch, luce.torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

torch.set_num_threads(1)
warnings.simplefilter("error")
warnings.filterwarnings("ignore", message=".*torch.jit.script", category=DeprecationWarning)

def work(rank, size, place):
    distributed.init_process_group("gloo", init_method="file://" + place, rank=rank, world_size=size)
    torch.manual_seed(0)
    model = luce.torch.LinearCrossEntropyLoss(4, 5, bias=True, dtype=torch.float64)
    x, y = torch.randn(8, 4, dtype=torch.float64), torch.randint(0, 5, (8,))
    whole = torch.autograd.grad(model(x, y), list(model.parameters()))
    parallel = DistributedDataParallel(model)
    mine = slice(rank * 8 // size, (rank + 1) * 8 // size)
    for _ in range(2):
        model.zero_grad()
        parallel(x[mine], y[mine]).backward()
    for part, want in zip(model.parameters(), whole):
        torch.testing.assert_close(part.grad, want, rtol=1e-12, atol=1e-14)
    distributed.destroy_process_group()

with tempfile.TemporaryDirectory() as folder:
    place = os.path.join(folder, "meeting")
    child = os.fork()
    work(1 if child else 0, 2, place) if child else (work(0, 2, place), os._exit(0))
    assert os.waitpid(child, 0)[1] == 0
print("the same")
"""


def test_two_processes_share_a_batch():
    assert output(DDP) == "the same"


def test_an_optimiser_fits_what_it_should():
    torch.manual_seed(0)
    x = torch.randn(60, 4)
    truth = torch.randn(3, 4)
    y = (x @ truth.T).argmax(1)
    loss = luce.torch.LinearCrossEntropyLoss(4, 3, bias=True)
    optimiser = torch.optim.LBFGS(loss.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss(x, y)
        value.backward()
        return value

    first = closure().item()
    optimiser.step(closure)
    assert closure().item() < 0.01 * first
    assert (loss.linear(x).argmax(1) == y).all()
