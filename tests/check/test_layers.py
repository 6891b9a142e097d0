"""Layers whose backward pass returns nothing: what it writes is its result, or nothing is called correct."""

import numpy as np
import pytest

import luce.check


class Layer:
    """The loss, and for its subclasses the right gradient."""

    def forward(self, x, y):
        self.own = np.arange(len(y)), y
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return -np.log(self.p[self.own]).mean()

    def right(self):
        gradient = self.p.copy()
        gradient[self.own] -= 1
        return gradient / len(gradient)


class UnderAnyName(Layer):
    def backward(self):
        self.to_pass_on = self.right()


class InPlace(Layer):
    def backward(self):
        self.p[self.own] -= 1
        self.p /= len(self.p)


class BesideAnother(Layer):
    def backward(self):
        self.dropped = 2 * self.right()
        self.dX = self.right()


class InADictionary(Layer):
    def backward(self):
        self.grads = {"x": self.right(), "rows": np.ones(3)}


class Made(Layer):
    def backward(self):
        self.dX = self.right()


class Wrong(Layer):
    def backward(self):
        self.input_gradients = 2 * self.right()


class Two(Layer):
    def backward(self):
        self.dA, self.dB = self.right(), 2 * self.right()


class Nothing(Layer):
    def __init__(self):
        self.dX = None

    def backward(self):
        self.summed = self.right().sum(axis=0)


@pytest.mark.parametrize("layer", [UnderAnyName, InPlace, BesideAnother, InADictionary, Made, Made()])
def test_what_backward_writes_is_its_result(layer):
    report = luce.check.gradient(layer, repair=False)
    assert report.correct and report.checked == ("loss", "gradient"), report


def test_a_wrong_one_is_wrong():
    report = luce.check.gradient(Wrong, repair=False)
    assert report.verdict == "wrong" and report.diagnosis[0].name == "gradient doubled", report


@pytest.mark.parametrize(("layer", "words"), [(Two, "writes self.dA, self.dB"), (Nothing, "leaves no gradient")])
def test_nothing_is_called_correct_whose_result_is_not_found(layer, words):
    report = luce.check.gradient(layer)
    assert (
        report.verdict == "not runnable" and "its backward returns nothing" in report.reason and words in report.reason
    )


def by_keyword(logits, *, labels, scale=1.0):
    layer = Layer()
    return layer.forward(logits, labels), layer.right() * scale


def only_by_keyword(*, labels, logits):
    return by_keyword(logits, labels=labels)


def doubled(logits, *, labels):
    return by_keyword(logits, labels=labels, scale=2.0)


def test_arguments_that_are_taken_by_keyword_alone():
    assert luce.check.gradient(by_keyword).correct
    assert luce.check.gradient(only_by_keyword).correct
    report = luce.check.gradient(doubled)
    assert report.diagnosis[0].name == "gradient doubled" and report.repairs, report
