"""PyTorch's forward mode brings rules of its own that warn of `torch.jit.script` when they are first imported."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import torch._decomp.decompositions_for_jvp  # noqa: F401
