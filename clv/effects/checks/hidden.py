"""The check of level 1: how strong a hidden factor would have to be."""

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
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.design.exposure import Floats
    from clv.effects.estimators.study import Study
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class Hidden:
    """What a hidden factor as strong as the best observed proxy would do to level 1."""

    applies_to: ClassVar[tuple[Evidence, ...]] = ("adjusted",)
    place: ClassVar[int] = 10

    times: tuple[float, ...] = (1.0, 3.0)

    def run(self, estimated: Estimated) -> CheckResult:
        """Bound the bias by the strongest observed control, ``times`` over."""
        study, fit = estimated.study, estimated.first
        weights = study.weights(estimated.behaviour)
        estimate = float(weights @ fit.coefficients)
        error = float(np.sqrt(weights @ fit.covariance @ weights))
        focal, others = focal_treatment(study.raw_treatment, weights)
        controls = study.controls - study.controls.mean(axis=0)
        proxy = strongest_benchmark(
            controls,
            control_groups(study),
            centred(focal),
            others - others.mean(axis=0),
            centred(study.exposure.outcome),
        )
        degrees = study.exposure.customers - controls.shape[1] - len(weights)
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


def centred(values: Floats) -> Floats:
    """Subtract the mean."""
    return values - values.mean()


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


def control_groups(study: Study) -> dict[str, list[int]]:
    """Return the columns of each control; ``priority=high`` belongs to ``priority``."""
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(study.control_names):
        stem = name.split("=")[0]
        if stem not in ("contacts", "occasions"):
            groups.setdefault(stem, []).append(number)
    return groups
