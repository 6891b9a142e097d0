"""A softmax classifier of handwritten digits in ten lines of gradient descent; the logits' gradient is never held."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import luce


def main():
    """Train, printing the loss now and then; return the accuracy on the held-out rows."""
    digits = load_digits()
    x, x_test, y, y_test = train_test_split(
        digits.data / 16, digits.target, test_size=0.25, stratify=digits.target, random_state=0
    )
    weight, bias = np.zeros((10, x.shape[1])), np.zeros(10)
    for step in range(301):
        loss, grads = luce.linear_cross_entropy_and_grad(x, weight, y, linear_bias=bias)
        weight -= 2.0 * grads.linear_weight
        bias -= 2.0 * grads.linear_bias
        if step % 100 == 0:
            print(f"step {step:3d}   loss {loss:.4f}")
    accuracy = np.mean((x_test @ weight.T + bias).argmax(axis=1) == y_test)
    print(f"accuracy on {len(y_test)} digits not seen: {accuracy:.1%}")
    return accuracy


if __name__ == "__main__":
    main()
