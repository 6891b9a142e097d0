"""docs/scorecard.md: the conformance suite on Luce and on those other implementations that are installed.

    python -m benchmarks.scorecard

Liger's kernels run in Triton's interpreter, which is slow: all of it takes some minutes.
"""

import os
from pathlib import Path

os.environ["TRITON_INTERPRET"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

from luce.check.scorecard import Comparison
from luce.check.suite import CHECKS, conformance

PAGE = Path(__file__).parent.parent / "docs" / "scorecard.md"
LOGITS = [
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
]
LAYERS = [
    "luce:linear_cross_entropy",
    "luce.torch:linear_cross_entropy",
    "torch.nn.functional:linear_cross_entropy",
    "torch.nn.functional:linear_cross_entropy, auto",
    "torch.nn.functional:linear_cross_entropy, 256 rows",
    "liger_kernel.transformers.functional:liger_fused_linear_cross_entropy",
    "cut_cross_entropy:linear_cross_entropy",
    "tokamax:linear_softmax_cross_entropy_loss",
    "jax_cce:linear_cross_entropy",
]
HEAD = """\
# Scorecard

Made by `python -m benchmarks.scorecard`; [conformance](conformance.md) says what the checks are. A sign, ✓ passed,
✗ failed or – not supported, and the largest error found: in eps of the dtype, relative to the largest entry or, in the
checks called "accurate" and "confident rows", to the entry itself; for 16-bit numbers in roundings, of which one cannot
be avoided. A check that fails says that a promise of [the contract](contract.md) is not kept, which the other library
may never have made. SciPy and jax.nn stand for the textbook expressions of their parts, log_softmax at the class;
scikit-learn's log_loss gets the probabilities of SciPy's softmax. Everything ran on a CPU, Liger's kernels in Triton's
interpreter.
"""


def section(title, names):
    """A heading, the table of what ran, and what did not."""
    cards, absent = [], []
    for name in names:
        try:
            card = conformance(name)
        except ImportError as error:
            absent.append(f"* `{name}`: {error}")
            continue
        if card["loss"].status == "unsupported":
            absent.append(f"* `{name}` ({', '.join(map(' '.join, card.versions.items()))}): {card['loss'].detail}")
        else:
            cards.append(card)
        print(name, len(card.failures), "failed", flush=True)
    lines = [f"## {title}", "", Comparison(cards).to_markdown()]
    return "\n".join([*lines, "", "Not run:", "", *absent] if absent else lines)


def main():
    """Write the page."""
    checks = "\n".join(f"* **{check.name}**: {check.what}" for check in CHECKS.values())
    parts = [
        HEAD,
        section("Losses of logits", LOGITS),
        section("Losses of a last layer", LAYERS),
        f"## The checks\n\n{checks}",
    ]
    PAGE.write_text("\n\n".join(part.strip("\n") for part in parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
