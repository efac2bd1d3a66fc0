"""A premium queue against the standard ones, as a behaviour.

Who is let into a queue is decided before any agent answers, so that agents are no instrument
for it: it is adjusted for, or tried in an experiment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.design.eligibility import eligible
from clv.effects.design.exposure import PREMIUM
from clv.effects.effects import adjusted_level, effect_of
from clv.effects.estimators.nuisance import learner_of
from clv.effects.estimators.study import build_study
from clv.effects.results import Level
from clv.features.contacts import strata

if TYPE_CHECKING:
    from clv.effects.design.encode import Studied
    from clv.effects.estimators.study import EffectOptions
    from clv.effects.results import Effect

WHY = "who is let into a queue is decided before any agent answers"
MEND = "let chance decide for a share of contacts which queue answers, and log it as an experiment"


def premium_effect(studied: Studied, queue: str, options: EffectOptions) -> Effect:
    """Estimate what a contact's moving from the standard queues to a premium one does.

    Contacts are compared within channel and period, over queues. What agents then do is
    part of the effect, so that no channel is held fixed.
    """
    rows = studied.contacts
    pool = [" · ".join(name.split(" · ")[1:]) for name in rows["pool"]]
    shared = rows.assign(pool=pool)
    exposure = replace(
        studied.exposure,
        pool=np.unique(shared["pool"], return_inverse=True)[1].astype(np.int64),
        stratum=strata(shared),
        behaviours={PREMIUM.name: (rows["queue"] == queue).to_numpy().astype(np.float64)},
    )
    eligibility = eligible(exposure, (PREMIUM,))
    refused = Level.refusal("quasi-experimental", WHY, MEND)
    if PREMIUM.name in eligibility.refused:
        why = eligibility.refused[PREMIUM.name]
        first = Level.refusal("adjusted", why.why, why.mend)
    else:
        study = build_study(exposure, (PREMIUM,), options, learner_of(options))
        first = adjusted_level(study, study.adjusted(), PREMIUM, options)
    return effect_of(exposure, PREMIUM, (first, refused))
