"""How an effect comes and goes: the same regression, month by month after the contact.

The months' outcomes add up to that of the whole horizon, and the estimators are linear in the
outcome, so that the months of the curve add up to the effect per contact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from clv.effects.estimators.examiner import instrumented
from clv.effects.estimators.plr import partialled_out
from clv.effects.estimators.study import outcome_residual
from clv.effects.results import rounded

if TYPE_CHECKING:
    import pandas as pd

    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Floats
    from clv.effects.effects import Effects
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.plr import Adjusted
    from clv.effects.estimators.study import EffectOptions, Study
    from clv.effects.results import Evidence

MONTH = "value_month_"
MONTH_DAYS = 30


@dataclass(frozen=True)
class EffectCurve:
    """What the change of a behaviour in one contact does in each month after it.

    Attributes
    ----------
    behaviour : str
        Which; its change and unit are those of its effect.
    evidence : str
        ``quasi-experimental`` where agents as instruments are claimed, else ``adjusted``.
    until_days : tuple of int
        Where each month ends, in days since the contact.
    estimate, low, high : tuple of float
        Currency per contact with an occasion, in that month, and its interval.
    """

    behaviour: str
    evidence: Evidence
    until_days: tuple[int, ...]
    estimate: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the curve as JSON-able values."""
        return {
            "behaviour": self.behaviour,
            "evidence": self.evidence,
            "per": "contact with an occasion",
            "until_days": list(self.until_days),
            "estimate": [rounded(value) for value in self.estimate],
            "low": [rounded(value) for value in self.low],
            "high": [rounded(value) for value in self.high],
        }


def month_ends(count: int, horizon_days: int) -> tuple[int, ...]:
    """Return where months of 30 days end; the last one reaches to the horizon's end.

    Examples
    --------
    >>> month_ends(3, 100)
    (30, 60, 100)
    """
    return (*(MONTH_DAYS * month for month in range(1, count)), horizon_days)


def effect_curves(
    effects: Effects,
    studied: Studied,
    follow_up: pd.DataFrame,
    horizon_days: int,
    options: EffectOptions,
) -> tuple[EffectCurve, ...]:
    """Return the curve of every behaviour of the study.

    Parameters
    ----------
    effects : Effects
        Of the whole horizon, with their study.
    studied : Studied
        The contacts behind it.
    follow_up : DataFrame
        ``interaction_id`` and ``value_month_01`` …, as ``build_follow_up`` returns them.
    horizon_days : int
        Where the last month ends.
    options : EffectOptions
        The confidence of intervals.
    """
    study = effects.study
    names = sorted(name for name in map(str, follow_up.columns) if name.startswith(MONTH))
    if study is None or not names:
        return ()
    table = follow_up.set_index("interaction_id").reindex(studied.contacts["interaction_id"])
    rest = outcome_residual(
        study.exposure, table[names].to_numpy(np.float64), study.folds, study.learner
    )
    claimed = effects.second is not None
    evidence: Evidence = "quasi-experimental" if claimed else "adjusted"
    reach = float(
        stats.t.ppf(0.5 + options.level / 2, max(study.degrees, 1) if claimed else np.inf)
    )
    fits = [_fit(study, month, claimed=claimed) for month in rest.T]
    ends = month_ends(len(names), horizon_days)
    curves = []
    for one in study.bases:
        name = one.behaviour.name
        contacts = study.exposure.treated(name)
        values = np.array([study.effect(name, fit) for fit in fits]) / contacts
        half = reach * values[:, 1]
        sides = (values[:, 0], values[:, 0] - half, values[:, 0] + half)
        curves.append(EffectCurve(name, evidence, ends, *(tuple(side.tolist()) for side in sides)))
    return tuple(curves)


def _fit(study: Study, outcome: Floats, *, claimed: bool) -> Adjusted | Instrumented:
    exposure = study.exposure
    if claimed:
        return instrumented(
            study.instrument, study.residuals, outcome, exposure.agent, exposure.customer
        )
    rows = np.flatnonzero(study.followed)
    return partialled_out(
        study.residuals[rows], outcome[rows], exposure.customer[rows], exposure.agent[rows]
    )
