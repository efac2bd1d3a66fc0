"""Journeys: what bad experiences cost, where friction lies, referrals, and trends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from clv.effects.estimators.plr import partialled_out
from clv.effects.estimators.residuals import customer_folds, within_residuals
from clv.effects.results import rounded
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from clv.contract.tables import Tables
    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Basis, Codes, Exposure, Floats
    from clv.effects.effects import Effects
    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.study import Study

ORDINALS = ("first", "second", "third or later")
MIN_ARM = 30
REFERRAL_SHARE = 0.5


@dataclass(frozen=True)
class BadExperience:
    """What a contact that ends badly goes with, at equal customers and contacts (adjusted).

    Attributes
    ----------
    which : str
        ``first``, ``second`` or ``third or later`` of the customer.
    outcome : str
        ``value`` or ``churned``.
    customers : int
        Whose contact it was; those with a third or later one may have several.
    estimate, low, high : float
        Currency, or a difference in probability, over the days of follow-up after it.
    """

    which: str
    outcome: str
    customers: int
    estimate: float
    low: float
    high: float

    def as_dict(self) -> dict[str, object]:
        """Return the row as JSON-able values."""
        return {
            "which": self.which,
            "outcome": self.outcome,
            "evidence": "adjusted",
            "customers": self.customers,
            "estimate": rounded(self.estimate),
            "low": rounded(self.low),
            "high": rounded(self.high),
        }


@dataclass(frozen=True)
class Journey:
    """What happened to customers around their contacts.

    Attributes
    ----------
    bad_experiences : tuple of BadExperience
        The first, second and third, in value and in churn.
    friction : tuple of dict
        Contacts, waits, transfers, repeats and bad endings by stage and issue.
    referrals : dict or None
        Own and brought value; nobody's value is counted twice.
    trends : tuple of dict
        Behaviours by team and week, and their money where agents as instruments are claimed.
    trainings : tuple of dict
        Behaviours of trained agents after against before, beside untrained peers.
    """

    bad_experiences: tuple[BadExperience, ...]
    friction: tuple[Mapping[str, Any], ...]
    referrals: Mapping[str, Any] | None
    trends: tuple[Mapping[str, Any], ...]
    trainings: tuple[Mapping[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the journey as JSON-able values."""
        return {
            "bad_experiences": [row.as_dict() for row in self.bad_experiences],
            "friction": [dict(row) for row in self.friction],
            "referrals": None if self.referrals is None else dict(self.referrals),
            "trends": [dict(row) for row in self.trends],
            "trainings": [dict(row) for row in self.trainings],
        }


def build_journey(
    tables: Tables,
    studied: Studied,
    follow_up: pd.DataFrame,
    outcomes: pd.DataFrame,
    effects: Effects,
) -> tuple[Journey, list[Mapping[str, str]]]:
    """Build every part that the tables allow, and name the others."""
    missing: list[Mapping[str, str]] = []
    referrals = None
    if tables.has("customers", "referred_by"):
        customers = tables["customers"].select("customer_id", "referred_by")
        referrals = referral_value(tables.engine.to_pandas(customers), outcomes)
    else:
        missing.append(
            {"what": "referral value", "why": "customers.referred_by is not in the data"}
        )
    trends: tuple[Mapping[str, Any], ...] = ()
    trainings: tuple[Mapping[str, Any], ...] = ()
    if effects.study is not None:
        trends = weekly_trends(effects.study, effects.second, studied.contacts)
        trainings = training_changes(effects.study, effects.second, studied.contacts)
    if not trends:
        missing.append({"what": "team trends", "why": "agents.team is not in the data"})
    if not trainings:
        missing.append({"what": "before and after training", "why": "no agent was trained in it"})
    journey = Journey(
        bad_experiences(studied.exposure, studied, follow_up),
        friction(studied.contacts),
        referrals,
        trends,
        trainings,
    )
    return journey, missing


def bad_experiences(
    exposure: Exposure, studied: Studied, follow_up: pd.DataFrame, level: float = 0.95
) -> tuple[BadExperience, ...]:
    """Return what a contact that ends badly goes with, at equal customers and contacts.

    Parameters
    ----------
    exposure : Exposure
        Contacts with their controls and outcome.
    studied : Studied
        The same contacts as the company's tables name them.
    follow_up : DataFrame
        ``interaction_id`` with ``value_undiscounted`` and ``churned`` after the contact.
    level : float
        Of the intervals.
    """
    bad = studied.contacts["bad"].fillna(0.0).to_numpy(np.float64) > 0
    earlier = bad_before(bad, exposure.customer)
    groups = np.minimum(earlier, len(ORDINALS) - 1)
    reached = [int((bad & (groups == number)).sum()) for number in range(len(ORDINALS))]
    kept = [number for number, count in enumerate(reached) if count >= MIN_ARM]
    if not kept:
        return ()
    treatment = np.stack([bad & (groups == number) for number in kept], axis=1).astype(np.float64)
    history = np.stack([earlier >= number for number in (1, 2)], axis=1).astype(np.float64)
    controls = np.hstack([exposure.controls, history])
    folds = customer_folds(int(exposure.customer.max()) + 1, 5, 0)[exposure.customer]
    table = follow_up.set_index("interaction_id").reindex(studied.contacts["interaction_id"])
    half = float(stats.norm.ppf(0.5 + level / 2))
    found = []
    for name, column in (("value", "value_undiscounted"), ("churned", "churned")):
        values = table[column].to_numpy(np.float64)
        rows = np.flatnonzero(np.isfinite(values))
        sides = np.column_stack([treatment, values])[rows]
        rest = within_residuals(sides, controls[rows], exposure.stratum[rows], folds[rows])
        fit = partialled_out(
            rest[:, :-1], rest[:, -1], exposure.customer[rows], exposure.agent[rows]
        )
        errors = np.sqrt(np.diag(fit.covariance))
        for place, number in enumerate(kept):
            estimate, margin = float(fit.coefficients[place]), half * float(errors[place])
            found.append(
                BadExperience(
                    ORDINALS[number], name, reached[number], estimate, estimate - margin,
                    estimate + margin,
                )
            )  # fmt: skip
    return tuple(found)


def bad_before(bad: NDArray[np.bool_], customer: Codes) -> Codes:
    """Count each contact's earlier bad ones of its customer; rows are by customer and time.

    Examples
    --------
    >>> bad_before(np.array([True, False, True, True]), np.array([0, 0, 0, 1])).tolist()
    [0, 1, 1, 0]
    """
    total: Codes = np.cumsum(bad, dtype=np.int64) - bad
    first = np.flatnonzero(np.diff(customer, prepend=-1))
    sizes = np.diff(np.append(first, len(customer)))
    return total - np.repeat(total[first], sizes)


def friction(contacts: pd.DataFrame) -> tuple[Mapping[str, Any], ...]:
    """Return where contacts, waits, transfers, repeats and bad endings concentrate."""
    since = contacts["days_since_order"]
    stage = np.select(
        [since.isna(), since <= 7, since <= 30],
        ["before a purchase", "week after an order", "month after an order"],
        "later",
    )
    rows = contacts.assign(stage=stage, issue=contacts["issue_type"].fillna("unknown"))
    grouped = rows.groupby(["stage", "issue"], sort=True)
    found = grouped.agg(
        contacts=("interaction_id", "size"),
        customers=("customer_id", "nunique"),
        wait_seconds=("wait_seconds", "median"),
        transfers=("transfers", "mean"),
        repeats=("repeated", "mean"),
        bad=("bad", "mean"),
    ).reset_index()
    found["share"] = found["contacts"] / max(len(rows), 1)
    ordered = found.sort_values(["contacts", "stage", "issue"], ascending=[False, True, True])
    return plain_rows(ordered)


def plain_rows(frame: pd.DataFrame) -> tuple[Mapping[str, Any], ...]:
    """Return a frame's rows as JSON-able values."""
    return tuple(
        {
            str(key): rounded(value) if isinstance(value, float) else value
            for key, value in row.items()
        }
        for row in frame.to_dict("records")
    )


def referral_value(
    customers: pd.DataFrame, outcomes: pd.DataFrame, share: float = REFERRAL_SHARE
) -> Mapping[str, Any] | None:
    """Return what referrers are worth with those they brought.

    A share of a brought customer's value is credited to the referrer and taken off the
    brought customer, so the credited values add up to the plain ones. The outcome lies in
    one horizon, so it is undiscounted like every effect.

    Examples
    --------
    >>> people = pd.DataFrame({"customer_id": ["a", "b"], "referred_by": [None, "a"]})
    >>> money = pd.DataFrame({"customer_id": ["a", "b"], "value_undiscounted": [10.0, 4.0]})
    >>> found = referral_value(people, money)
    >>> found["own"], found["brought"], found["credited"], found["total"]
    (10.0, 4.0, 12.0, 14.0)
    """
    values = outcomes.set_index("customer_id")["value_undiscounted"]
    people = customers[customers["customer_id"].isin(values.index)].set_index("customer_id")
    by = people["referred_by"]
    by = by[by.isin(values.index) & (by != by.index)]
    if by.empty:
        return None
    brought = values.loc[by.index].groupby(by.to_numpy()).sum()
    credited = values.copy()
    credited.loc[by.index] *= 1 - share
    credited = credited.add(share * brought, fill_value=0.0)
    referrers = brought.index
    return {
        "referrers": len(referrers),
        "referred": len(by),
        "own": rounded(float(values.loc[referrers].sum())),
        "brought": rounded(float(brought.sum())),
        "credited": rounded(float(credited.loc[referrers].sum())),
        "total": rounded(float(credited.sum())),
        "share": share,
    }


def weekly_trends(
    study: Study, fit: Instrumented | None, contacts: pd.DataFrame
) -> tuple[Mapping[str, Any], ...]:
    """Return behaviours by team and week, with their money where they are priced."""
    if contacts["team"].isna().all():
        return ()
    names = [one.behaviour.name for one in study.bases if one.behaviour.name in contacts]
    rows = contacts[["team", *names]].copy()
    day = contacts["at_s"] // DAY_SECONDS
    monday = day - (day + 3) % 7  # 1970-01-01 was a Thursday
    rows["week"] = pd.to_datetime(monday * DAY_SECONDS, unit="s").dt.strftime("%Y-%m-%d")
    if fit is not None:
        rows["money_per_contact"] = study.residuals @ fit.coefficients
    grouped = rows.dropna(subset=["team"]).groupby(["team", "week"], sort=True)
    means = grouped.mean().join(grouped.size().rename("contacts"))
    return plain_rows(means.reset_index())


def training_changes(
    study: Study, fit: Instrumented | None, contacts: pd.DataFrame, level: float = 0.95
) -> tuple[Mapping[str, Any], ...]:
    """Return how trained agents moved against untrained peers of the same queue and period.

    Residuals are deviations from the stratum, which holds the peers, so after less before is
    a difference in differences; its error is over trained agents.
    """
    after = contacts["trained"].to_numpy(np.float64)
    agent, size = study.exposure.agent, study.exposure.n_agents
    both = np.isfinite(after) & (agent >= 0)
    found: list[dict[str, Any]] = []
    for one in study.bases:
        column = study.columns(one.behaviour.name).start
        used = both & study.present[:, column]
        means, counts = [], []
        for side in (0.0, 1.0):
            rows = np.flatnonzero(used & (after == side))
            counts.append(np.bincount(agent[rows], minlength=size))
            sums = np.bincount(agent[rows], weights=study.residuals[rows, column], minlength=size)
            means.append(sums / np.maximum(counts[-1], 1))
        kept = (counts[0] >= 5) & (counts[1] >= 5)
        if kept.sum() < 3:
            continue
        weight = 1 / (1 / counts[0][kept] + 1 / counts[1][kept])
        found.append(_change(one, (means[1] - means[0])[kept], weight, level))
        if fit is not None and one.behaviour.transform == "linear":
            price = float(fit.coefficients[column])
            found[-1]["money_per_contact"] = rounded(price * float(found[-1]["change"]))
    return tuple(found)


def _change(one: Basis, gaps: Floats, weight: Floats, level: float) -> dict[str, Any]:
    mean = float(np.average(gaps, weights=weight))
    scores = weight * (gaps - mean)
    agents = len(gaps)
    error = float(np.sqrt((scores**2).sum() * agents / (agents - 1)) / weight.sum())
    half = float(stats.t.ppf(0.5 + level / 2, agents - 1)) * error
    low, middle, high = (one.natural(value) for value in (mean - half, mean, mean + half))
    return {
        "behaviour": one.behaviour.name,
        "agents": agents,
        "change": rounded(middle),
        "low": rounded(low),
        "high": rounded(high),
    }
