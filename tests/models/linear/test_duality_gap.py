"""The bound on what is left to gain: never below the truth, and near it at the minimum."""

import numpy as np
import pytest

import objectives
from luce.models.solvers import Newton, ProximalNewton, minimise
from objectives import PAIRS, TARGETS

PENALTIES = {"L2": (0.05, 0.0), "elastic net": (0.03, 0.02), "L1": (0.0, 0.02)}


def minimum(case):
    """The least value, walked to far below what is compared."""
    objective = case.objective
    if objective.lasso.any():
        last = minimise(ProximalNewton(), objective, objective.start(), tol=1e-14, max_iter=300)
    else:
        last = minimise(Newton(), objective, objective.start(), tol=1e-11, max_iter=300)
    return last.point.parameters, case.value(last.point.parameters)


def places(case, best):
    """From the minimum outwards, with and without the intercepts, and towards both sides of single parameters."""
    yield best
    yield 0 * best
    for distance in (1e-9, 1e-5, 1e-2, 0.3, 2.0, 10.0):
        for _ in range(4):
            yield best + distance * case.rng.normal(size=len(best))
        yield best * (1 + distance)
        yield np.where(case.rng.random(len(best)) < 0.5, best, 0) + 1e-3 * distance
        intercepts = best.reshape(-1, case.objective.design.n_columns).copy()
        intercepts[:, -1] += distance * case.rng.normal(size=len(intercepts))
        yield intercepts.ravel()


@pytest.mark.parametrize(
    ("penalty", "loss", "coordinates"),  # absolute values are no sum over the parameters of rows that sum to 0
    [(penalty, *pair) for penalty in PENALTIES for pair in PAIRS if penalty == "L2" or pair[1] != "sum zero"],
)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("target", TARGETS)
def test_it_is_a_bound_everywhere(penalty, loss, coordinates, fit_intercept, classes, target):
    l2, l1 = PENALTIES[penalty]
    seed = classes + len(target)
    case = objectives.drawn(
        seed,
        loss=loss,
        coordinates=coordinates,
        classes=classes,
        target=target,
        l2=l2,
        l1=l1,
        fit_intercept=fit_intercept,
        form="sparse" if seed % 2 else "dense",
        offset=30.0 if fit_intercept else 1.0,
    )
    best, least = minimum(case)
    rounding = 1e-13 * (1 + abs(least))
    assert case.objective.at(best).gap <= 1e-9 * least
    near = []
    for place in places(case, best):
        gap, above = case.objective.at(place).gap, case.value(place) - least
        assert gap >= above - rounding
        near.append((above, gap))
    # a bound that is worth having: near the minimum no more than some multiple of the truth
    assert any(0 < above < 1e-6 and gap < 1e-2 for above, gap in near)


@pytest.mark.parametrize(("loss", "coordinates"), PAIRS)
@pytest.mark.parametrize("l2", [0.05, 1e3])
@pytest.mark.parametrize("uneven", [0.3, 0.8])
def test_it_is_a_bound_where_classes_are_uneven_and_intercepts_all_there_is(loss, coordinates, l2, uneven):
    case = objectives.drawn(5, loss=loss, coordinates=coordinates, l2=l2, uneven=uneven, spread=0.0)
    best, least = minimum(case)
    for place in places(case, best):
        intercepts = place.reshape(-1, 4).copy()
        intercepts[:, :3] = best.reshape(-1, 4)[:, :3]
        for there in (place, intercepts.ravel()):
            assert case.objective.at(there).gap >= case.value(there) - least - 1e-13


@pytest.mark.parametrize("coordinates", ["sum zero", "whole", "log odds"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_for_l2_alone_it_is_the_bound_of_strong_convexity(coordinates, fit_intercept):
    case = objectives.drawn(1, coordinates=coordinates, l2=0.4, fit_intercept=fit_intercept)
    best, _ = minimum(case)
    features = case.objective.design.n_features
    moved = best.reshape(-1, case.objective.design.n_columns).copy()
    moved[:, :features] += 1e-3 * case.rng.normal(size=(len(moved), features))
    if fit_intercept:  # at rest there: then nothing is left but the gradient in the weights
        for _ in range(30):
            point = case.objective.at(moved.ravel())
            slope = point.gradient.reshape(moved.shape)[:, -1]
            inside = np.arange(len(moved)) * moved.shape[1] + features
            moved[:, -1] -= np.linalg.lstsq(point.hessian()[np.ix_(inside, inside)], slope, rcond=None)[0]
    point = case.objective.at(moved.ravel())
    full = case.objective.spread(point.gradient)[:, :features]
    assert point.gap == pytest.approx(np.sum(full**2 / (2 * case.objective.ridge[:features])), rel=1e-6)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_it_falls_with_the_walk_and_ends_it(penalty, loss):
    l2, l1 = PENALTIES[penalty]
    case = objectives.drawn(3, rows=200, loss=loss, coordinates="whole", l2=l2, l1=l1)
    gaps, values = [], []

    def record(iterate):
        gaps.append(iterate.point.gap)
        values.append(iterate.value)

    objective = case.objective
    if l1:
        last = minimise(ProximalNewton(), objective, objective.start(), tol=1e-10, max_iter=100, callback=record)
    else:
        last = minimise(Newton(), objective, objective.start(), tol=1e-10, max_iter=100, callback=record)
    assert last.status == "converged" and len(gaps) > 3
    assert gaps[-1] <= 1e-10 * values[-1]
    above = np.array(values) - values[-1]
    assert (np.array(gaps) >= above - 1e-14).all()
    assert gaps[-2] < 1e-2 * gaps[0]


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_without_a_penalty_there_is_none(loss):
    case = objectives.drawn(1, l2=0.0, loss=loss, coordinates="whole")
    assert case.objective.at(case.objective.start()).gap == np.inf


def test_a_constant_column_takes_no_bound_away():
    case = objectives.drawn(1, l2=0.1)
    case.X[:, 1] = 2.0
    design = type(case.objective.design)(type(case.objective.design.matrix)(case.X), None, True)
    objective = type(case.objective)(design, case.objective.loss, case.objective.coordinates, l2=0.1)
    assert objective.at(objective.start()).gap < np.inf


def test_a_class_that_no_row_has_leaves_no_bound():
    """Its intercept's infimum is at −∞, and no mixture of the rows' targets has any of it."""
    case = objectives.drawn(1, classes=4)
    case.objective.loss.target[:] = np.arange(len(case.X)) % 3
    point = case.objective.at(case.rng.normal(size=case.objective.size))
    assert point.gap == np.inf
