"""Loss and gradient of class-index targets in the libraries people use: each a factory (z, y) -> callable, or None.

Every callable makes fresh arrays, as the user's own call would, and returns (loss, gradient).
"""

import importlib
import warnings

import numpy as np

from benchmarks.machine import THREADS


def luce(z, y):
    """One call."""
    import luce

    return lambda: luce.cross_entropy_and_grad(z, y)


def scipy(z, y):
    """The textbook expression."""
    from scipy.special import log_softmax

    rows, n = np.arange(len(z)), len(z)

    def run():
        log_p = log_softmax(z, axis=1)
        loss = -log_p[rows, y].mean()
        grad = np.exp(log_p)
        grad[rows, y] -= 1
        grad /= n
        return loss, grad

    return run


def scikit_learn(z, y):
    """The compiled loop of its logistic regression and boosting: losses and gradients per row, not divided by N."""
    from sklearn._loss import HalfMultinomialLoss

    if z.shape[1] > 1000:  # a row's classes go through a loop with a call each: minutes
        return None
    loss, target = HalfMultinomialLoss(n_classes=z.shape[1]), y.astype(z.dtype)
    return lambda: loss.loss_gradient(y_true=target, raw_prediction=z, n_threads=THREADS)


def torch_eager(z, y):
    """F.cross_entropy and backward."""
    import torch

    torch.set_num_threads(THREADS)
    logits, target = torch.from_numpy(z).requires_grad_(), torch.from_numpy(y)

    def run():
        logits.grad = None
        loss = torch.nn.functional.cross_entropy(logits, target)
        loss.backward()
        return loss, logits.grad

    return run


def torch_compile(z, y):
    """The same loss and its own derivative, compiled as one function."""
    import torch

    both = torch.func.grad_and_value(torch.nn.functional.cross_entropy)
    return _compiled(lambda logits, target: both(logits, target)[::-1], z, y)


def torch_compile_by_hand(z, y):
    """What is left to a user who writes the derivative down: somewhat faster than the library's own."""
    import torch

    n, classes = z.shape

    def both(logits, target):
        log_p = torch.log_softmax(logits, 1)
        one_hot = torch.nn.functional.one_hot(target, classes)
        return torch.nn.functional.nll_loss(log_p, target), (log_p.exp() - one_hot) / n

    return _compiled(both, z, y)


def _compiled(function, z, y):
    import torch

    torch.set_num_threads(THREADS)
    logits, target = torch.from_numpy(z), torch.from_numpy(y)
    program = compiled(function, logits, target)
    return lambda: program(logits, target)


def compiled(function, *arguments, **options):
    """The function as inductor compiles it for these arguments alone."""
    import torch

    torch._dynamo.reset()  # each shape compiled for itself
    program = torch.compile(function, dynamic=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program(*arguments, **options)
    return program


def jax(z, y):
    """jit of value_and_grad of optax's loss."""
    import jax
    import optax

    logits, target = jax.numpy.asarray(z), jax.numpy.asarray(y)
    assert logits.dtype == z.dtype

    def mean_loss(logits, target):
        return optax.softmax_cross_entropy_with_integer_labels(logits, target).mean()

    program = jax.jit(jax.value_and_grad(mean_loss))
    return lambda: jax.block_until_ready(program(logits, target))


PEERS = {
    "PyTorch eager": ("torch", torch_eager),
    "torch.compile": ("torch", torch_compile),
    "torch.compile, gradient by hand": ("torch", torch_compile_by_hand),
    "JAX": ("optax", jax),
    "SciPy": ("scipy", scipy),
    "scikit-learn": ("sklearn", scikit_learn),
}


def available(z, y, chosen=PEERS):
    """Each peer that is installed and takes this shape; one whose answer is another than ours is left out aloud."""
    expected = luce(z, y)()[1]
    programs = {}
    for name in chosen:
        module, factory = PEERS[name]
        try:
            importlib.import_module(module)
        except ImportError:
            continue
        program = factory(z, y)
        if program is None:
            continue
        grad = np.asarray(program()[1])
        scale = 1 / len(z) if name == "scikit-learn" else 1.0
        if not np.allclose(grad[:64] * scale, expected[:64], rtol=1e-3, atol=1e-6 / len(z)):
            print(f"  {z.shape}, {z.dtype}  {name}: left out, its gradient is not ours")
            continue
        programs[name] = program
    return programs
