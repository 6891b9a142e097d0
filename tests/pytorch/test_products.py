"""Products by NumPy's library among threads of ours, and the compiled core on PyTorch's threads: the same numbers."""

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

import luce.torch
from luce.check.truth.tolerance import assert_same_bits
from luce.torch.layer import matmul
from luce.torch.threads import threads
from tensors import array


@pytest.fixture
def shared(monkeypatch):
    """Every product, however small, by NumPy's library; returns how many pieces it was asked for."""
    monkeypatch.setattr(matmul, "LARGE", 0)
    monkeypatch.setattr(matmul, "NARROW", 0)
    monkeypatch.setattr(matmul, "SCRATCH", 64)
    monkeypatch.setattr(matmul, "_openblas", lambda: True)
    pieces = []
    product = matmul._product
    monkeypatch.setattr(
        matmul, "_product", lambda *args, **more: (pieces.append(args[2].shape), product(*args, **more))
    )
    return pieces


@pytest.fixture(params=[1, 2, 3])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def whole_numbers(*shape):
    """Numbers whose products and sums are exact."""
    return torch.randint(-8, 9, shape, generator=torch.Generator().manual_seed(sum(shape))).to(torch.float32)


@pytest.mark.parametrize("plus", ["nothing", "itself", "a row"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 70), (70, 3, 5), (33, 17, 33), (4, 0, 6)], ids=str)
def test_products(shared, n_threads, shape, plus):
    rows, inner, columns = shape
    a, b, row = whole_numbers(rows, inner), whole_numbers(columns, inner).t(), whole_numbers(columns)
    out = whole_numbers(rows, columns)
    added = {"nothing": 0.0, "itself": out.clone(), "a row": row}[plus]
    found = matmul.multiply(a, b, out, plus={"nothing": None, "itself": out, "a row": row}[plus])
    assert found is out
    torch.testing.assert_close(out, a @ b + added, rtol=0, atol=0)
    assert sum(int(np.prod(piece)) for piece in shared) == rows * columns
    assert len(shared) <= n_threads


def test_what_numpy_can_not_read_as_it_lies_is_left_to_pytorch(shared):
    a, b = whole_numbers(6, 4), whole_numbers(4, 10)[:, ::2]
    matmul.multiply(a, b, torch.empty(6, 5))
    matmul.multiply(a.bfloat16(), b.bfloat16(), torch.empty(6, 5, dtype=torch.bfloat16))
    assert not shared


def test_the_threads_of_the_libraries_are_as_before(shared, n_threads):
    before = threadpool_info()
    matmul.multiply(whole_numbers(60, 4), whole_numbers(4, 50), torch.empty(60, 50))
    assert shared
    assert threadpool_info() == before


@pytest.mark.parametrize("seed", range(3))
def test_a_layer_whose_products_are_shared_out(shared, n_threads, seed):
    rng = np.random.default_rng(seed)
    x, weight, bias = (torch.tensor(rng.standard_normal(shape)).requires_grad_() for shape in ((40, 6), (9, 6), 9))
    target = torch.tensor(rng.integers(0, 9, 40))

    def gradients(loss):
        first = torch.autograd.grad(loss, (x, weight, bias), create_graph=True)
        return *first, *torch.autograd.grad(sum((part**2).sum() for part in first), (x, weight, bias))

    found = gradients(luce.torch.linear_cross_entropy(x, weight, target, linear_bias=bias))
    assert shared
    wanted = gradients(luce.torch.cross_entropy(x @ weight.t() + bias, target))
    for ours, plain in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-13, atol=1e-15)


@pytest.mark.skipif("OpenMP" not in torch.__config__.parallel_info(), reason="this PyTorch has no OpenMP threads")
def test_the_core_runs_on_the_threads_of_pytorch(n_threads):
    count = threads()
    assert count == 1 if n_threads == 1 else count[0] == n_threads and count[1] > 0


def test_any_threads_give_the_same_bits(n_threads):
    z = torch.randn(3000, 70, generator=torch.Generator().manual_seed(0)).requires_grad_()
    y = torch.arange(3000) % 70
    (found,) = torch.autograd.grad(luce.torch.cross_entropy(z, y), z)
    value, grad = luce.cross_entropy_and_grad(z.detach().numpy(), y.numpy(), n_threads=1)
    assert_same_bits(array(found), grad)
    assert luce.torch.cross_entropy(z, y).item() == value
