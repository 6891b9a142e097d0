"""What a tolerance leaves out of a layer's gradient: less than it says, and never what row weights make large."""

import pytest
import torch

import luce.torch
from luce.torch.layer import chunked_layer, gradient_filter
from tensors import elsewhere

N, V = 24, 1024  # four blocks of classes a row


@pytest.fixture(params=["kernels", "formulas", "chunks"])
def path(request, monkeypatch):
    if request.param == "formulas":
        elsewhere(monkeypatch, rows=7)
    if request.param == "chunks":
        monkeypatch.setattr(chunked_layer, "CACHED", 0)
        monkeypatch.setattr(chunked_layer, "WORKSPACE", 8 * V)


@pytest.fixture
def peaked():
    """Some rows in doubt and more that are sure of their class; with a weight of 1 gradients are the logits'."""
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(N, V, generator=generator, dtype=torch.float64)
    y = torch.randint(0, V, (N,), generator=generator)
    x[torch.arange(N), y] += torch.where(torch.arange(N) < 6, 12.0, 32.0)
    return x.requires_grad_(), torch.eye(V, dtype=torch.float64).requires_grad_(), y


def gradients(x, w, y, upstream=None, **options):
    loss, stats = luce.torch.linear_cross_entropy(x, w, y, stats=True, **options)
    return loss, torch.autograd.grad(loss, (x, w), upstream), stats.left_out


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-2, 0.3])
def test_no_more_is_left_out_than_the_tolerance_says(tolerance, reduction, peaked, path):
    x, w, y = peaked
    upstream = torch.linspace(0.5, 2, N, dtype=torch.float64) if reduction == "none" else None
    want, exact, _ = gradients(x, w, y, upstream, reduction=reduction)
    found, rough, left_out = gradients(x, w, y, upstream, reduction=reduction, tolerance=tolerance)
    torch.testing.assert_close(found, want, rtol=0, atol=0)
    missing, size = torch.linalg.norm(rough[0] - exact[0]), torch.linalg.norm(exact[0])
    assert 0 < missing <= tolerance * size * (1 + 1e-12)
    assert missing * (1 - 1e-9) <= left_out <= tolerance * size * (1 + 1e-9)
    kept = rough[0] != 0
    torch.testing.assert_close(rough[0][kept], exact[0][kept], rtol=1e-13, atol=0)
    torch.testing.assert_close(rough[1], (rough[0].T @ x).detach(), rtol=1e-9, atol=1e-12 * float(size))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_rows_of_great_weight_are_not_left_out(reduction, peaked, path):
    """CCE tests its threshold before it multiplies by the upstream gradient: rows of weight 1e6 lose their gradient."""
    x, w, y = peaked
    heavy = torch.ones(N, dtype=torch.float64)
    heavy[3] = 1e6
    options = {"tolerance": 1e-3, "reduction": reduction}
    if reduction == "mean":
        options["sample_weight"] = heavy
    upstream = heavy if reduction == "none" else None
    exact = gradients(x, w, y, upstream, **{**options, "tolerance": None})[1][0]
    rough = gradients(x, w, y, upstream, **options)[1][0]
    missing = torch.linalg.norm(rough - exact)
    assert 0 < missing <= 1e-3 * torch.linalg.norm(exact)
    assert torch.linalg.norm(rough[3] - exact[3]) <= 1e-3 * torch.linalg.norm(exact[3])
    assert rough[3].any()


def test_what_was_left_out_scales_with_the_upstream_gradient(peaked):
    x, w, y = peaked
    _, once, left = gradients(x, w, y, tolerance=1e-2)
    _, scaled, left_scaled = gradients(x, w, y, torch.tensor(-0.25, dtype=torch.float64), tolerance=1e-2)
    torch.testing.assert_close(scaled, tuple(-0.25 * part for part in once), rtol=1e-12, atol=0)
    torch.testing.assert_close(left_scaled, 0.25 * left, rtol=1e-12, atol=0)


def test_higher_derivatives_and_forward_mode_stay_exact(peaked):
    x, w, y = peaked
    along = (torch.randn_like(x), torch.randn_like(w))
    found, want = (
        torch.func.jvp(lambda x, w, t=t: luce.torch.linear_cross_entropy(x, w, y, tolerance=t), (x, w), along)[1]
        for t in (0.3, None)
    )
    torch.testing.assert_close(found, want, rtol=1e-13, atol=0)
    products = []
    for tolerance in (0.3, None):
        loss = luce.torch.linear_cross_entropy(x, w, y, tolerance=tolerance)
        gradient = torch.autograd.grad(loss, (x, w), create_graph=True)
        products.append(torch.autograd.grad(gradient, (x, w), along))
    torch.testing.assert_close(*products, rtol=1e-12, atol=1e-15)


def test_nothing_is_left_out_of_rows_that_are_not_sure():
    generator = torch.Generator().manual_seed(0)
    x, w = (torch.randn(shape, generator=generator).requires_grad_() for shape in ((N, 8), (V, 8)))
    y = torch.arange(N)
    exact, rough = (gradients(x, w, y, tolerance=tolerance)[1] for tolerance in (None, 1e-4))
    torch.testing.assert_close(rough, exact, rtol=0, atol=0)


def test_no_tolerance_leaves_nothing_out(peaked):
    x, w, y = peaked
    exact, same = (gradients(x, w, y, tolerance=tolerance)[1] for tolerance in (None, 0.0))
    torch.testing.assert_close(same, exact, rtol=0, atol=0)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_a_broken_row_is_not_hidden(broken, peaked):
    x, w, y = peaked
    with torch.no_grad():
        x[5, 7] = broken
    assert torch.isnan(gradients(x, w, y, tolerance=0.3)[1][0][5]).any()


@pytest.mark.parametrize("tolerance", [-0.1, 1.0, float("nan")])
def test_a_tolerance_is_a_share(tolerance, peaked):
    with pytest.raises(ValueError, match="tolerance"):
        luce.torch.linear_cross_entropy(*peaked, tolerance=tolerance)


def test_what_one_chunk_leaves_out_the_next_may_not():
    """Each chunk may leave out the tolerance's share of what has been seen, less what is left out already."""
    chooser = gradient_filter.BlockFilter(0.1, torch.empty(0))
    first = torch.zeros(1, 11 * gradient_filter.COLUMNS)
    first[0, :: gradient_filter.COLUMNS] = torch.tensor([1.0, *[0.001**0.5] * 10])
    assert chooser.choose(first).tolist() == [[True, *[False] * 10]]
    second = torch.zeros(1, 20 * gradient_filter.COLUMNS)
    second[0, :: gradient_filter.COLUMNS] = 0.001**0.5
    assert chooser.choose(second) is None
    assert float(chooser.left_out) == pytest.approx(0.01)
    third = torch.zeros(1, 4 * gradient_filter.COLUMNS)
    third[0, 0], third[0, gradient_filter.COLUMNS] = 2, 0.1
    assert chooser.choose(third).tolist() == [[True, False, False, False]]
    assert float(chooser.left_out) == pytest.approx(0.02)
