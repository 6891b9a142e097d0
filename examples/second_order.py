"""Newton's method with Hessian-vector products: the weight's Hessian, 640 × 640 here, is applied and never formed.

The objective is the mean cross-entropy of a linear layer plus a small penalty. Each step solves H d = -g by conjugate
gradients; a line search halves the step until the objective falls as it should.
"""

import numpy as np
from sklearn.datasets import load_digits

import luce

PENALTY = 1e-3


def value_and_gradient(weight, x, y):
    """The objective and its gradient in the weight."""
    loss, grads = luce.linear_cross_entropy_and_grad(x, weight, y)
    return loss + 0.5 * PENALTY * np.vdot(weight, weight), grads.linear_weight + PENALTY * weight


def hessian_times(vector, weight, x, y):
    """The objective's Hessian in the weight, times a matrix of the weight's shape."""
    product = luce.linear_cross_entropy_hvp(x, weight, y, (None, vector, None))
    return product.linear_weight + PENALTY * vector


def conjugate_gradients(apply, right, tolerance):
    """Solve apply(d) = right to that norm of the residual."""
    solution, residual = np.zeros_like(right), right.copy()
    direction, square = residual.copy(), np.vdot(residual, residual)
    while np.sqrt(square) > tolerance:
        image = apply(direction)
        step = square / np.vdot(direction, image)
        solution += step * direction
        residual -= step * image
        square, previous = np.vdot(residual, residual), square
        direction = residual + square / previous * direction
    return solution


def main():
    """Minimise; return the last gradient's norm."""
    digits = load_digits()
    x, y = digits.data / 16, digits.target
    weight = np.zeros((10, x.shape[1]))
    value, grad = value_and_gradient(weight, x, y)
    for iteration in range(20):
        norm = np.linalg.norm(grad)
        print(f"iteration {iteration:2d}   objective {value:.12f}   |gradient| {norm:.1e}")
        if norm < 1e-12:
            break
        # a residual of norm**1.5 makes the convergence faster than linear without solving early systems in full
        step = conjugate_gradients(
            lambda v, at=weight: hessian_times(v, at, x, y), -grad, max(min(0.1, np.sqrt(norm)) * norm, 1e-15)
        )
        length, slope, before = 1.0, np.vdot(grad, step), value
        while True:
            trial = weight + length * step
            value, grad = value_and_gradient(trial, x, y)
            if value <= before + 1e-4 * length * slope + 1e-14 * abs(before):
                break
            length /= 2
        weight = trial
    return norm


if __name__ == "__main__":
    main()
