# weighted_ce(): weights left out of the gradient
import numpy as np
def weighted_ce(logits, labels, class_weights=None):
    z = logits - logits.max(1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(1, keepdims=True))
    w = np.ones(len(labels)) if class_weights is None else class_weights[labels]
    loss = -(w * logp[np.arange(len(labels)), labels]).sum() / w.sum()
    g = np.exp(logp)
    g[np.arange(len(labels)), labels] -= 1
    return loss, g / len(labels)
