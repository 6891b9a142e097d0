"""The page of a function that was checked: the verdict, and below it the derivation of the input that shows it."""

import re

import numpy as np
import pytest

import luce
import luce.check
from luce.explanation.checked import page_beside


def scaled(logits, target):
    value, grad = luce.cross_entropy_and_grad(logits, target)
    return value, 3.7 * grad


def without_division(logits, target):
    value, grad = luce.cross_entropy_and_grad(logits, target)
    return value, grad * len(target)


def half_a_layer(x, W, b, y):
    value, grads = luce.linear_cross_entropy_and_grad(x, W, y, linear_bias=b)
    return value, grads.linear_weight / 2, grads.linear_bias, grads.input


def inside_out(logits):
    return luce.softmax(-np.asarray(logits), axis=1)


def page_of(function, **options):
    report = luce.check.gradient(function, repair=False, **options)
    return report, page_beside(report.to_dict(), report.show)


@pytest.mark.parametrize(
    ("function", "step", "words"),
    [
        (scaled, "batch_gradient", "at the latest in what it returns here"),
        (without_division, "batch_gradient", "gradient not divided by N. It has p − t"),
        (half_a_layer, "weight_gradient", "The function half_a_layer and the derivation part ways"),
        (
            inside_out,
            "scaled|scores|exponentials|probabilities",
            "he function inside_out",
        ),
    ],
)
def test_the_page_marks_the_step_where_function_and_derivation_part(function, step, words):
    report, page = page_of(function)
    assert report.headline in page and re.search(words, page)
    marked = re.findall(r'<article id="(\w+)"[^>]*>(?:(?!</article>).)*class="note parted"', page, re.DOTALL)
    assert len(marked) == 1 and re.fullmatch(step, marked[0])
    assert f'<a href="#{marked[0]}">' in page


def test_the_derivation_is_of_the_input_that_shows_it():
    report, page = page_of(scaled)
    right = report.example.expected
    for number in right:
        assert f"{abs(number):.4g}" in page
    assert "label_smoothing" not in page.partition("<h1>")[2].partition("</header>")[0]

    def smoothed(logits, target):
        value, grad = luce.cross_entropy_and_grad(logits, target, label_smoothing=0.25)
        return value, 3.7 * grad

    _, page = page_of(smoothed, label_smoothing=0.25)
    assert "label_smoothing = 0.25" in page.partition("<h1>")[2].partition("</header>")[0]


def test_what_is_right_or_was_not_run_has_no_such_page():
    assert page_of(luce.cross_entropy_and_grad)[1] is None
    assert page_of(lambda logits, target: 1 / 0)[1] is None


@pytest.mark.parametrize(
    ("function", "options"),
    [(luce.softmax_jvp, {"task": "vjp"}), (lambda z: np.zeros((*np.shape(z), 3)), {"task": "softmax"})],
)
def test_other_tasks_do_not_break_it(function, options):
    report, page = page_of(function, **options)
    assert page is None or report.headline in page
