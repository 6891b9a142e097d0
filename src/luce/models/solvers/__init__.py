"""The methods that minimise an objective; each knows the objective's methods only and names those it needs."""

from luce.models.solvers.newton import Newton
from luce.models.solvers.newton_cg import NewtonCG
from luce.models.solvers.proximal_newton import ProximalNewton
from luce.models.solvers.quasi_newton import QuasiNewton
from luce.models.solvers.sampling import start_from_samples
from luce.models.solvers.walk import Iterate, Solver, minimise

__all__ = [
    "SOLVERS",
    "Iterate",
    "Newton",
    "NewtonCG",
    "ProximalNewton",
    "QuasiNewton",
    "Solver",
    "minimise",
    "start_from_samples",
]

SOLVERS: dict[str, type[Solver]] = {solver.name: solver for solver in (Newton, NewtonCG, QuasiNewton)}
