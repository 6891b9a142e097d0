"""The oracle's answer for sets: that of one row, set by set, put together."""

from types import SimpleNamespace

import numpy as np

from luce.check.truth.oracle import CrossEntropy, Exact


def joined(parts):
    """Return exact numbers of sets (rows of one) as one exact vector."""
    return Exact(*(np.concatenate([np.ravel(getattr(part, name)) for part in parts]) for name in ("value", "scale")))


def truth(logits, target, counts, *, weights=None, vector=None, **options):
    """Return the exact losses (sets,) of r·ℓ and derivatives (items,); a chosen item, or shares (items,), per set."""
    ends = np.cumsum(counts)
    losses, grads, products = [], [], []
    for which, (end, count) in enumerate(zip(ends, counts, strict=True)):
        if count == 0:
            losses.append(Exact(np.array([0]), np.array([0])))
            continue
        part = slice(end - count, end)
        own = [int(target[which])] if np.ndim(target) and len(target) == len(counts) else np.asarray(target)[None, part]
        weight = None if weights is None else [weights[which]]
        loss = CrossEntropy(np.asarray(logits)[None, part], own, sample_weight=weight, reduction="sum", **options)
        losses.append(loss.losses)
        grads.append(loss.gradient())
        if vector is not None:
            products.append(loss.hvp(np.asarray(vector)[None, part]))
    return SimpleNamespace(
        losses=joined(losses), gradient=joined(grads), product=joined(products) if vector is not None else None
    )


def drawn(seed, dtype, *, most=60, sets=40, size=6.0):
    """Return counts, logits, chosen items, shares and a direction; some logits -inf, some sets confident."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most, sets)
    counts[:3] = 1, 2, 2
    logits = size * rng.normal(size=counts.sum())
    chosen = rng.integers(0, counts)
    begins = np.cumsum(counts) - counts
    confident = begins[3:8] + chosen[3:8]
    logits[confident] += 40
    far = begins[counts > 3] + (chosen[counts > 3] + 1) % counts[counts > 3]
    logits[far[::3]] = -np.inf
    shares = rng.random(counts.sum())
    shares[~np.isfinite(logits)] = 0
    shares[rng.random(len(shares)) < 0.3] = 0
    return counts, logits.astype(dtype), chosen, shares.astype(dtype), rng.normal(size=counts.sum()).astype(dtype)
