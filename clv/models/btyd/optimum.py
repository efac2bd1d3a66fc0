"""The maximum of a likelihood, and what is to be said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from clv.models.btyd.results import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from clv.models.btyd.base import Likelihood

MIN_REPEATERS = 10
BOUND = 1e3
PRIOR_SD = 1.0
# Starting points are tried on this many distinct histories; the best is polished on all.
SEARCH_ROWS = 4_000


class Optimum(NamedTuple):
    """Where a search ended: the parameters, whether it is a maximum, whether at a bound."""

    theta: np.ndarray
    converged: bool
    at_bound: bool


def maximise(
    likelihood: Callable[[np.ndarray], Likelihood],
    customers: float,
    starts: tuple[tuple[float, ...], ...],
    *,
    centre: tuple[float, ...] | None = None,
    floor: tuple[float, ...] | None = None,
) -> Optimum:
    """Maximise over log(θ − floor) by L-BFGS-B from several starts; the best one wins."""
    low = np.array(floor if floor is not None else (0.0,) * len(starts[0]))

    def negative(z: np.ndarray) -> tuple[float, np.ndarray]:
        inner = np.exp(z)
        search = likelihood(low + inner)
        value, gradient = search.value, search.gradient * inner
        if centre is not None:
            away = z - np.log(np.array(centre))
            value -= 0.5 * float(away @ away) / PRIOR_SD**2
            gradient = gradient - away / PRIOR_SD**2
        return -value / customers, -gradient / customers

    edge = float(np.log(BOUND))
    best = None
    # four parameters: threads of the linear algebra cost a hundred times what they save
    with threadpool_limits(1, user_api="blas"):
        for start in starts:
            search = minimize(
                negative,
                np.log(np.clip(np.array(start), 2 / BOUND, BOUND / 2)),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-edge, edge)] * len(start),
                options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
            )
            if best is None or search.fun < best.fun - 1e-12:
                best = search
    assert best is not None
    flat = float(np.abs(np.where(np.abs(best.x) < edge - 1e-9, best.jac, 0.0)).max()) < 1e-4
    at_bound = bool((np.abs(best.x) > edge - 0.01).any())
    return Optimum(low + np.exp(best.x), bool(flat), at_bound)


def judge_repeaters(repeaters: float) -> tuple[Verdict, str] | None:
    """Return the verdict where too few customers bought again to fit anything, else None."""
    if repeaters == 0:
        return Verdict.NO_REPEATERS, "nobody has bought again; a weak prior stands in"
    if repeaters < MIN_REPEATERS:
        return (
            Verdict.TOO_FEW_REPEATERS,
            f"fewer than {MIN_REPEATERS} customers have bought again; a weak prior stands in",
        )
    return None


def judge_search(optimum: Optimum, at_bound: str) -> tuple[Verdict, str]:
    """Return the verdict of a search; ``at_bound`` says what a parameter at its bound means."""
    if optimum.at_bound:
        return Verdict.AT_BOUND, f"a parameter ran to its bound{at_bound}; a weak prior stands in"
    if not optimum.converged:
        return Verdict.NOT_CONVERGED, "the gradient did not vanish; a weak prior stands in"
    return Verdict.CONVERGED, "maximum likelihood"
