"""The protocols of solvers, objectives and places, and a check that a pairing has all that it needs.

An objective is evaluated at parameters and hands back a place; the place answers for its value, its gradient and the
curvature there. A solver names the kind of place that it needs. Data never pass: a sum over rows here, a network, or a
sum over partitions elsewhere are objectives alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "HasCurvature",
    "HasHessian",
    "HasHessianAmong",
    "HasProducts",
    "Objective",
    "Penalised",
    "Penalty",
    "Place",
    "Precondition",
    "Sampled",
    "Solver",
    "Strength",
    "Vector",
    "lacking",
]

Vector = npt.NDArray[np.float64]
Strength = Literal["weak", "strong"]
Precondition = Callable[[Vector], Vector]


class Place(Protocol):
    """An objective at some parameters: what every solver may ask.

    Attributes
    ----------
    parameters, gradient : (P,) float64 array
    value : float
        Value of the smooth part.
    gap : float
        Upper bound on the objective above its minimum, infinite where none is known.
    objective : object
        The objective that was evaluated; another one for a sample of the rows.
    """

    @property
    def objective(self) -> object:
        """The objective that was evaluated."""

    @property
    def parameters(self) -> Vector:
        """The parameters at which it was evaluated."""

    @property
    def value(self) -> float:
        """The value of the smooth part."""

    @property
    def gradient(self) -> Vector:
        """The gradient of the smooth part."""

    @property
    def gap(self) -> float:
        """An upper bound on the objective above its minimum, infinite where none is known."""


class HasHessian(Place, Protocol):
    """A place that can write out its Hessian."""

    def hessian(self) -> Vector:
        """Return H (P, P), which may be overwritten."""


class HasProducts(Place, Protocol):
    """A place that multiplies with its Hessian, and with something close to its inverse."""

    @property
    def strong_preconditioner_cost(self) -> float:
        """The cost of building the strong preconditioner, in Hessian-vector products."""

    def hvp(self, vector: Vector) -> Vector:
        """Return H·vector."""

    def preconditioner(self, strength: Strength) -> Precondition:
        """Return a map close to H⁻¹, symmetric and positive definite."""


class HasCurvature(HasHessian, HasProducts, Protocol):
    """A place that has what any solver of smooth objectives needs."""


class HasHessianAmong(Place, Protocol):
    """A place that can write out the Hessian among some parameters."""

    def hessian_among(self, chosen: npt.NDArray[np.intp]) -> Vector:
        """Return the rows and columns of H that belong to some parameters, given in ascending order."""


AnyPlace = TypeVar("AnyPlace", bound=Place)
Given = TypeVar("Given", bound=Place, covariant=True)
Needed = TypeVar("Needed", bound=Place, contravariant=True)


class Objective(Protocol[Given]):
    """A smooth convex function of a vector; `resolution` is the relative rounding error of its values."""

    @property
    def resolution(self) -> float:
        """Relative rounding error of a value."""

    def at(self, parameters: Vector) -> Given:
        """Evaluate the function."""


class Penalised(Objective[Given], Protocol[Given]):
    """A smooth function whose objective adds Σ l |θ|, with `lasso` the vector l ≥ 0."""

    @property
    def lasso(self) -> Vector:
        """The weights l of the absolute values, one for each parameter."""


class Sampled(Objective[Given], Protocol[Given]):
    """An objective that is a sum over many rows."""

    def samples(self) -> Iterable[Objective[Given]]:
        """Yield objectives over samples of the rows, in the same parameters, coarse to fine."""


class Penalty(Protocol):
    """The part of an objective that is not smooth: what it adds, its steepest slope, and how to step beside it."""

    def value(self, parameters: Vector) -> float:
        """Return what is added to the smooth part."""

    def steepest(self, place: Place) -> Vector:
        """Return the subgradient of the sum that is nearest to 0."""

    def promised(self, place: Place, direction: Vector) -> float:
        """Return the change of the sum along a direction, to first order in the smooth part."""

    def step(
        self, objective: Objective[AnyPlace], place: AnyPlace, direction: Vector, promised: float
    ) -> tuple[AnyPlace, str]:
        """Walk along a direction as far as it keeps its promise, and say how it went."""


class Solver(Protocol[Needed]):
    """One way to choose a direction of descent; made anew for each minimisation, so it may remember earlier places.

    Attributes
    ----------
    name : str
    needs : type
        The protocol whose members places must have.
    shortfall : float
        Factor by which the gain that its direction promises may be too small.
    """

    name: ClassVar[str]
    needs: ClassVar[type]
    shortfall: ClassVar[float]

    def penalty(self, objective: Objective[Place]) -> Penalty:
        """Return the part of the objective that is not smooth, as this solver takes it."""

    def decrement(self, place: Needed) -> float:
        """Return about what is left to gain by the curvature at an earlier place, infinity where none is known."""

    def direction(self, place: Needed, tol: float) -> tuple[Vector, int]:
        """Return the direction and the number of inner iterations that it took."""


def lacking(thing: object, protocol: type) -> list[str]:
    """Return the members of a protocol that a thing has not."""
    wanted = {
        name
        for base in protocol.__mro__
        if base.__module__ == __name__
        for name in vars(base)
        if not name.startswith("_")
    }
    return sorted(wanted - set(dir(thing)))  # which evaluates nothing
