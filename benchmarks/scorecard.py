"""docs/scorecard.md: the conformance suite on Luce and on those other implementations that are installed.

    python -m benchmarks.scorecard

Kernels of Triton run in its interpreter, which is slow: all of it takes some ten minutes.
"""

import importlib.util
import os
import re
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
if importlib.util.find_spec("triton"):
    import benchmarks.interpreter  # noqa: F401

from luce.check.conformance_suite.scorecard import Comparison
from luce.check.conformance_suite.suite import CHECKS, conformance

PAGE = Path(__file__).parent.parent / "docs" / "scorecard.md"
SECTIONS = {
    "Losses of logits": [
        "luce:cross_entropy",
        "luce.torch:cross_entropy",
        "torch.nn.functional:cross_entropy",
        "optax:softmax_cross_entropy_with_integer_labels",
        "optax:softmax_cross_entropy",
        "optax:safe_softmax_cross_entropy",
        "jax.nn:log_softmax",
        "scipy.special:log_softmax",
        "sklearn.metrics:log_loss",
        "sklearn._loss:HalfMultinomialLoss",
        "liger_kernel.transformers.functional:liger_cross_entropy",
    ],
    "Losses of a last layer": [
        "luce:linear_cross_entropy",
        "luce.torch:linear_cross_entropy",
        "torch.nn.functional:linear_cross_entropy",
        "torch.nn.functional:linear_cross_entropy, auto",
        "liger_kernel.transformers.functional:liger_fused_linear_cross_entropy",
        "cut_cross_entropy:linear_cross_entropy, cce",
        "cut_cross_entropy:linear_cross_entropy, torch_compile",
        "tokamax:linear_softmax_cross_entropy_loss",
        "jax_cce:linear_cross_entropy",
    ],
    "PyTorch's layer in chunks, by its options": [
        f"torch.nn.functional:linear_cross_entropy, {options}"
        for options in ("auto", "2 rows", "256 rows", "accurate", "balanced", "compact", "retained")
    ],
}
HEAD = """\
# Scorecard

What [the conformance suite](conformance.md) finds in Luce and in the implementations that others have published.
`python -m benchmarks.scorecard` makes this page.

A check that fails says that a promise of [the contract](contract.md) is not kept, which the other library may never
have made. Many will never meet logits of −inf, rows whose loss is 1e-8 or a second derivative; who does gets a wrong
number and no message. That is what is counted here: an exception is not.

* **✓** passed, **✗** failed, **–** not supported: there is no such option or derivative, or the call raised.
* The number is the largest error that was found, in eps of the dtype: relative to the largest entry, and in the checks
  called "accurate" and "confident rows" to the entry itself, of which 8e6 in float32 and 5e15 in float64 leave no
  digit. For 16-bit numbers it counts roundings, of which one cannot be avoided. ∞: NaN or infinity for a number.
* Everything ran on a CPU: the kernels of Liger and of cut-cross-entropy in Triton's interpreter, with NumPy's tanh and
  log1p for a GPU's, and without products of bfloat16, which it lacks; of tokamax what it chooses where there is no TPU.
* SciPy and jax.nn stand for the textbook expressions of their parts, log_softmax at the class; scikit-learn's log_loss
  gets the probabilities of SciPy's softmax. Of PyTorch's layer "auto", "2 rows" and so on are the
  `LinearCrossEntropyOptions`: all by default, `batch_chunk_size` with `chunking_method=None`, `acc_policy`, and
  `allow_retain_graph=True`.
"""


def section(title, names):
    """A heading, the table of what ran, and what did not."""
    cards, absent = [], []
    for name in names:
        try:
            cards.append(conformance(name))
            print(name, len(cards[-1].failures), "failed", flush=True)
        except (ImportError, ValueError) as error:
            absent.append(f"* `{name}`: {re.sub(r' ?[(]/[^)]*[)]', '', str(error))}")  # whose file it was is nobody's
    lines = [f"## {title}", "", Comparison(cards).to_markdown()]
    return "\n".join([*lines, "", "Not run:", "", *absent] if absent else lines)


def main():
    """Write the page; what compiles itself compiles for every shape."""
    if importlib.util.find_spec("torch"):
        from torch._dynamo import config

        config.recompile_limit = config.accumulated_recompile_limit = 10_000
    parts = [HEAD, *(section(title, names) for title, names in SECTIONS.items())]
    checks = "\n".join(f"* **{check.name}**: {check.what}" for check in CHECKS.values())
    text = "\n\n".join(part.strip("\n") for part in [*parts, f"## The checks\n\n{checks}"])
    PAGE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
