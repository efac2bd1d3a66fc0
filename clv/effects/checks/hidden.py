"""The check of the adjusted estimate: how strong a hidden factor would have to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import stats

from clv.effects.checks.sensitivity import (
    bias_bound,
    robustness_value,
    scaled_strength,
    strongest_benchmark,
)
from clv.effects.estimators.residuals import demeaned
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.effects.checks.base import Estimated
    from clv.effects.design.exposure import Floats
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class Hidden:
    """What a hidden factor as strong as the best observed proxy would do to the estimate."""

    applies_to: ClassVar[tuple[Evidence, ...]] = ("adjusted",)
    place: ClassVar[int] = 10

    times: tuple[float, ...] = (1.0, 3.0)

    def run(self, estimated: Estimated) -> CheckResult:
        """Bound the bias by the strongest observed control, ``times`` over."""
        study, fit = estimated.study, estimated.first
        weights = study.weights(estimated.behaviour)
        estimate = float(weights @ fit.coefficients)
        error = float(np.sqrt(weights @ fit.covariance @ weights))
        exposure, rows = study.exposure, np.flatnonzero(study.followed)
        stratum = np.unique(exposure.stratum[rows], return_inverse=True)[1].astype(np.int64)
        focal, others = focal_treatment(demeaned(study.terms[rows], stratum), weights)
        # Whether there was an occasion stays in the model: without one a term says nothing.
        occasions = demeaned(study.present[rows].astype(np.float64), stratum)
        controls = demeaned(exposure.controls[rows], stratum)
        proxy = strongest_benchmark(
            controls,
            control_groups(exposure.control_names),
            focal,
            np.hstack([others, occasions]),
            demeaned(exposure.outcome[rows, None], stratum)[:, 0],
        )
        degrees = len(rows) - int(stratum.max(initial=0)) - controls.shape[1] - len(weights)
        robust = robustness_value(estimate / error, degrees) if error > 0 else 0.0
        half = float(stats.norm.ppf(0.5 + estimated.options.level / 2)) * error
        details = {"robustness_value": robust}
        for times in self.times if proxy else ():
            assert proxy is not None
            bias = bias_bound(error, degrees, *scaled_strength(proxy, times))
            details |= {
                f"low_{times:g}x": estimate - half - bias,
                f"high_{times:g}x": estimate + half + bias,
            }
        low, high = details.get("low_3x", -np.inf), details.get("high_3x", np.inf)
        name = proxy.name if proxy else "no observed control"
        return CheckResult(
            "hidden_factor",
            bool(low > 0 or high < 0),
            robust,
            None,
            f"A hidden factor would have to explain {robust:.1%} of what is left of both sides "
            f"to bring it to 0. Strongest observed proxy: {name}.",
            details,
        )


def focal_treatment(treatment: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Turn terms so that one coefficient is ``weights @ coefficients``.

    Returns
    -------
    tuple of arrays, shapes (n,) and (n, k - 1)
        The focal treatment, and the others.
    """
    lead = int(np.argmax(np.abs(weights)))
    focal = treatment[:, lead] / weights[lead]
    others = treatment - focal[:, None] * weights
    return focal, np.delete(others, lead, axis=1)


def control_groups(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns of each control.

    Examples
    --------
    >>> control_groups(["priority=high", "priority=urgent", "sequence"])
    {'priority': [0, 1], 'sequence': [2]}
    """
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        groups.setdefault(name.split("=")[0], []).append(number)
    return groups
