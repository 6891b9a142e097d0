"""The methods that minimise an objective: each names what it needs of one, and none sees data."""

from luce.models.solvers.newton import Newton
from luce.models.solvers.newton_cg import NewtonCG
from luce.models.solvers.protocol import HasCurvature, Solver
from luce.models.solvers.proximal_newton import ProximalNewton
from luce.models.solvers.quasi_newton import QuasiNewton
from luce.models.solvers.sampling import start_from_samples
from luce.models.solvers.walk import Iterate, minimise

__all__ = [
    "SOLVERS",
    "HasCurvature",
    "Iterate",
    "Newton",
    "NewtonCG",
    "ProximalNewton",
    "QuasiNewton",
    "Solver",
    "minimise",
    "start_from_samples",
]

# of smooth objectives, by name
SOLVERS: dict[str, type[Solver[HasCurvature]]] = {"newton": Newton, "newton-cg": NewtonCG, "quasi-newton": QuasiNewton}
