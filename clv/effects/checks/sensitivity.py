"""How strong a hidden factor would have to be to explain an adjusted estimate away.

Cinelli & Hazlett (2020), "Making sense of sensitivity: extending omitted variable bias",
JRSS-B 82; equation numbers below are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.effects.design.exposure import Floats


@dataclass(frozen=True)
class Benchmark:
    """How much the strongest observed proxy explains.

    Attributes
    ----------
    name : str
        The control.
    treatment_r2, outcome_r2 : float
        Partial R² with the treatment, and with the outcome given the treatment.
    """

    name: str
    treatment_r2: float
    outcome_r2: float


def robustness_value(t_value: float, degrees: float) -> float:
    """Return the partial R² with both sides that would bring an estimate to 0 (eq. 18).

    Examples
    --------
    >>> round(robustness_value(2.0, 100.0), 3)
    0.181
    """
    f2 = t_value**2 / degrees
    return float(0.5 * (np.sqrt(f2**2 + 4 * f2) - f2))


def bias_bound(
    standard_error: float, degrees: float, treatment_r2: float, outcome_r2: float
) -> float:
    """Return the bias that a hidden factor of that strength can cause (eq. 14)."""
    if treatment_r2 >= 1:
        return float("inf")
    return standard_error * float(
        np.sqrt(degrees * min(outcome_r2, 1.0) * treatment_r2 / (1 - treatment_r2))
    )


def scaled_strength(benchmark: Benchmark, times: float) -> tuple[float, float]:
    """Return the partial R² of a hidden factor ``times`` as strong as a proxy (eq. 21).

    Returns
    -------
    tuple of float
        With the treatment and with the outcome, given everything observed.
    """
    ratio = benchmark.treatment_r2 / (1 - benchmark.treatment_r2)
    with_treatment = times * ratio
    if with_treatment >= 1:
        return 1.0, 1.0
    shared = times * benchmark.treatment_r2 * ratio / (1 - times * ratio)
    if shared >= 1:
        return with_treatment, 1.0
    lift = (np.sqrt(times) + np.sqrt(shared)) / np.sqrt(1 - shared)
    outcome = benchmark.outcome_r2 / (1 - benchmark.outcome_r2)
    return with_treatment, float(min(lift**2 * outcome, 1.0))


def residual_sum(gram: Floats, target: int, given: Sequence[int]) -> float:
    """Return the residual sum of squares of one column given others, from the Gram matrix."""
    columns = list(given)
    inner = gram[np.ix_(columns, columns)]
    cross = gram[columns, target]
    return float(gram[target, target] - cross @ np.linalg.lstsq(inner, cross, rcond=1e-10)[0])


def strongest_benchmark(
    controls: Floats,
    groups: Mapping[str, Sequence[int]],
    treatment: Floats,
    others: Floats,
    outcome: Floats,
) -> Benchmark | None:
    """Find the observed control that would bias the estimate most if it were hidden.

    Parameters
    ----------
    controls : array, shape (n, p)
        Centred.
    groups : mapping of str to column numbers
        Columns that stand for one control, by its name.
    treatment : array, shape (n,)
        Centred.
    others : array, shape (n, j)
        The other treatments, which stay in the model.
    outcome : array, shape (n,)
        Centred.
    """
    columns = np.column_stack([controls, others, treatment, outcome])
    gram = columns.T @ columns
    d, y = columns.shape[1] - 2, columns.shape[1] - 1
    found: list[Benchmark] = []
    full_d = residual_sum(gram, d, range(d))
    full_y = residual_sum(gram, y, range(y))
    for name, members in groups.items():
        rest = [column for column in range(d) if column not in set(members)]
        less_d = residual_sum(gram, d, rest)
        less_y = residual_sum(gram, y, [*rest, d])
        if less_d > 0 and less_y > 0:
            r2_d, r2_y = max(1 - full_d / less_d, 0.0), max(1 - full_y / less_y, 0.0)
            found.append(Benchmark(name, min(r2_d, 0.999), min(r2_y, 0.999)))
    return max(found, key=lambda one: one.treatment_r2 * one.outcome_r2, default=None)
