"""Which behaviours can be studied at all, and the words in which the rest are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.design.exposure import CORE_BEHAVIOURS, basis
from clv.effects.estimators.residuals import demeaned
from clv.effects.results import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.effects.design.exposure import Behaviour, Exposure, Floats
    from clv.effects.results import CheckResult

COPY_CORRELATION = 0.999
MIN_TREATED = 100


@dataclass(frozen=True)
class Eligibility:
    """What the screening found.

    Attributes
    ----------
    kept : tuple of str
        Behaviours that vary and are no copies.
    refused : mapping of str to Refusal
        The others.
    unmeasured : tuple of str
        Core behaviours without a column: agents move them unseen. One that never varies is
        none of them, since nobody moves it.
    """

    kept: tuple[str, ...]
    refused: Mapping[str, Refusal]
    unmeasured: tuple[str, ...]

    def no_agents(self, unknown: float) -> Refusal:
        """Say that contacts lack their agent."""
        return Refusal(
            f"{unknown:.0%} of contacts have no agent_id, so that agents cannot be compared",
            "fill interactions.agent_id for contacts that an agent answered",
        )

    def unmeasured_refusal(self) -> Refusal:
        """Say that a core behaviour is not measured."""
        names = ", ".join(self.unmeasured)
        columns = {
            "empathy": "messages",
            "handle_seconds": "interactions.handle_seconds",
            "fcr": "interactions.resolved_at",
        }
        needed = ", ".join(columns[name] for name in self.unmeasured)
        return Refusal(
            f"{names} is not measured, but agents move it together with the others, and its "
            "value would be counted as theirs",
            f"bring {needed}",
        )

    def few_agents(self, check: CheckResult, min_contacts: int) -> Refusal:
        """Say that there are too few agents."""
        return Refusal(
            f"only {check.value:.0f} agents have {min_contacts} contacts or more; "
            f"{check.threshold:.0f} are needed for intervals that hold",
            "bring a longer exposure or more teams, or run an experiment",
        )

    def alone(self, check: CheckResult) -> Refusal:
        """Say that agents cannot be compared with one another."""
        return Refusal(
            f"only {check.value:.0%} of contacts were in a queue and period with two agents or "
            "more: there is nobody to compare with",
            "fill interactions.queue with the routing queue that agents share",
        )

    def unbalanced(self, check: CheckResult) -> Refusal:
        """Say that routing is not random."""
        return Refusal(
            f"routing is not close to random: balance p = {check.value:.3f}",
            "log the routing rule as queue or certification, or randomise a share of contacts",
        )

    def changed(self, check: CheckResult) -> Refusal:
        """Say that routing was not random all the time."""
        half = min(("first", "second"), key=lambda name: check.details[f"{name}_half_p"])
        return Refusal(
            f"routing was not close to random in the {half} half of the time: "
            f"balance p = {check.details[f'{half}_half_p']:.3f}",
            "study the time before the rule changed, or log the rule as queue or certification",
        )

    def weak(self, behaviour: Behaviour, check: CheckResult) -> Refusal:
        """Say that agents hardly differ in the behaviour."""
        return Refusal(
            f"agents differ too little in {behaviour.name}, given the other behaviours: "
            f"first-stage F = {check.value:.1f}, {check.threshold:.0f} is needed",
            "bring more contacts per agent, or run an experiment",
        )

    def not_by_agent(self, behaviour: Behaviour) -> Refusal:
        """Say that agents do not move the behaviour."""
        return Refusal(
            f"{behaviour.name} is moved by load, not by the agent who answers",
            "run an experiment on staffing or callbacks",
        )


def _terms(exposure: Exposure, behaviour: Behaviour) -> Floats:
    """Return a behaviour's first term within strata; NaN where not treated."""
    one = basis(exposure, behaviour)
    found = np.full(exposure.contacts, np.nan)
    rows = np.flatnonzero(one.present)
    stratum = np.unique(exposure.stratum[rows], return_inverse=True)[1].astype(np.int64)
    found[rows] = demeaned(one.values[rows, :1], stratum)[:, 0]
    return found


def _reason(exposure: Exposure, behaviour: Behaviour) -> Refusal | None:
    values = exposure.behaviours.get(behaviour.name)
    if values is None:
        return Refusal(f"{behaviour.name} is not in the data", "bring the column it is read from")
    known = values[np.isfinite(values)]
    if len(known) < MIN_TREATED:
        return Refusal(
            f"{behaviour.name} is known for {len(known)} contacts only",
            f"bring at least {MIN_TREATED} contacts that had an occasion for it",
        )
    if known.min() == known.max():
        return Refusal(
            f"{behaviour.name} is {known[0]:g} in every contact: what never differs has no "
            "comparison",
            "bring contacts in which it differs, or check how it is recorded",
        )
    terms = _terms(exposure, behaviour)
    if np.nanstd(terms) <= 1e-9 * max(np.nanmax(np.abs(known)), 1e-300):
        return Refusal(
            f"{behaviour.name} differs between queues and periods only, never within one",
            "bring contacts of one queue and period in which it differs",
        )
    return None


def eligible(exposure: Exposure, behaviours: Sequence[Behaviour]) -> Eligibility:
    """Find the behaviours that vary within strata and copy no earlier one."""
    refused: dict[str, Refusal] = {}
    kept: list[Behaviour] = []
    terms = cache(partial(_terms, exposure))
    for behaviour in behaviours:
        if behaviour.name in refused or any(one.name == behaviour.name for one in kept):
            continue
        reason = _reason(exposure, behaviour)
        if reason is None:
            # In the form of the earlier one: minutes copy seconds whose logarithm is taken.
            twin = next(
                (
                    one.name
                    for one in kept
                    if _copies(terms(replace(behaviour, transform=one.transform)), terms(one))
                ),
                None,
            )
            if twin is None:
                kept.append(behaviour)
                continue
            reason = Refusal(
                f"{behaviour.name} is a copy of {twin}: their effects cannot be told apart",
                f"ask about one of {twin} and {behaviour.name}",
            )
        refused[behaviour.name] = reason
    unmeasured = tuple(one.name for one in CORE_BEHAVIOURS if one.name not in exposure.behaviours)
    return Eligibility(tuple(one.name for one in kept), refused, unmeasured)


def _copies(one: Floats, other: Floats) -> bool:
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < MIN_TREATED or min(one[both].std(), other[both].std()) == 0:
        return False
    return bool(abs(np.corrcoef(one[both], other[both])[0, 1]) > COPY_CORRELATION)
