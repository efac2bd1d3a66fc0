"""Roll-outs: what a training, a tool or a policy did, and whether it paid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from clv.effects.checks.rollouts.base import RollOutStudy, gates
from clv.effects.design.exposure import CORE_BEHAVIOURS, HANDLE, clipped
from clv.effects.estimators.rollout import Imputation, Interval, Staggered
from clv.effects.results import CheckResult, Refusal, rounded
from clv.engines.physical import MONEY_SCALE
from clv.windows import DAY_SECONDS, YEAR_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.contract.tables import Tables
    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Floats
    from clv.effects.estimators.study import EffectOptions

EVIDENCE = "quasi-experimental (roll-out)"
TRAINING = "training"
COLUMNS = {"agent": "agent_id", "team": "team", "queue": "queue"}
LEAST_CONTACTS = 30  # of a month since, for it to be shown
Verdict = Literal["paid", "lost", "open"]


@dataclass(frozen=True)
class Month:
    """The effect in one month of 30 days since units were reached, currency per contact."""

    month: int
    estimate: float
    low: float
    high: float
    contacts: int


@dataclass(frozen=True)
class Payment:
    """Whether a roll-out paid in a year: its gain net of agents' minutes, less what it cost.

    Attributes
    ----------
    net : Interval
        Currency per contact that was reached: the effect on what the customer is worth, and
        the minutes that were saved, or spent.
    cost_per_minute : float or None
        Of agents; None where it is unknown, and minutes are left out.
    contacts_per_agent_year : float
        Of the agents that were reached.
    cost_per_agent : float or None
        Once; None where it was not told.
    """

    net: Interval
    cost_per_minute: float | None
    contacts_per_agent_year: float
    cost_per_agent: float | None

    def per_agent_year(self, per_contact: float) -> float:
        """Turn currency per contact into currency per agent in the first year, cost paid."""
        return per_contact * self.contacts_per_agent_year - (self.cost_per_agent or 0.0)

    @property
    def verdict(self) -> Verdict:
        """``paid`` or ``lost`` where the whole interval says so, else ``open``."""
        if self.per_agent_year(self.net.low) > 0:
            return "paid"
        return "lost" if self.per_agent_year(self.net.high) < 0 else "open"

    @property
    def payback_days(self) -> float | None:
        """Days until the cost is earned at the estimate; None without a cost or a gain."""
        yearly = self.net.estimate * self.contacts_per_agent_year
        if self.cost_per_agent is None or yearly <= 0:
            return None
        return YEAR_DAYS * self.cost_per_agent / yearly

    def as_dict(self) -> dict[str, object]:
        """Return the payment as JSON-able values."""
        ends = (self.net.estimate, self.net.low, self.net.high)
        estimate, low, high = (rounded(self.per_agent_year(end)) for end in ends)
        return {
            "verdict": self.verdict,
            "net_per_contact": dict(
                zip(("estimate", "low", "high"), map(rounded, ends), strict=True)
            ),
            "per_agent_year": {"estimate": estimate, "low": low, "high": high},
            "contacts_per_agent_year": rounded(self.contacts_per_agent_year),
            "cost_per_agent": rounded(self.cost_per_agent),
            "cost_per_minute": rounded(self.cost_per_minute),
            "payback_days": rounded(self.payback_days),
        }


@dataclass(frozen=True)
class RollOutResult:
    """What a roll-out did in the contacts that it reached.

    Attributes
    ----------
    what, unit : str
        Its name, and what was reached: ``agent``, ``team`` or ``queue``.
    units, units_reached : int
        Units with contacts, and those that were reached in the time studied.
    contacts, contacts_reached : int
        Contacts compared, and those whose unit had been reached.
    left_out : int
        Contacts with nothing to be compared with.
    value : Interval or None
        Currency per contact that was reached, over the days of follow-up; None where refused.
    by_month : tuple of Month
        The same by month since the unit was reached.
    behaviours : mapping of str to Interval
        What it did to behaviours, in their own units, per contact.
    payment : Payment or None
        Whether it paid.
    checks : tuple of CheckResult
        The gates.
    refused : Refusal or None
        Set where no effect is claimed.
    """

    what: str
    unit: str
    units: int
    units_reached: int
    contacts: int
    contacts_reached: int
    left_out: int = 0
    value: Interval | None = None
    by_month: tuple[Month, ...] = ()
    behaviours: Mapping[str, Interval] = field(default_factory=dict)
    payment: Payment | None = None
    checks: tuple[CheckResult, ...] = ()
    refused: Refusal | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the result as JSON-able values."""
        return {
            "what": self.what,
            "evidence": EVIDENCE,
            "unit": self.unit,
            "units": self.units,
            "units_reached": self.units_reached,
            "contacts": self.contacts,
            "contacts_reached": self.contacts_reached,
            "left_out": self.left_out,
            "per_contact": None if self.value is None else _interval(self.value),
            "by_month": [
                {
                    "month": month.month,
                    "estimate": rounded(month.estimate),
                    "low": rounded(month.low),
                    "high": rounded(month.high),
                    "contacts": month.contacts,
                }
                for month in self.by_month
            ],
            "behaviours": [
                {"behaviour": name, **_interval(interval)}
                for name, interval in self.behaviours.items()
            ],
            "payment": None if self.payment is None else self.payment.as_dict(),
            "checks": [check.as_dict() for check in self.checks],
            "refused": None if self.refused is None else self.refused.as_dict(),
        }


def _interval(interval: Interval) -> dict[str, object]:
    return {
        "estimate": rounded(interval.estimate),
        "low": rounded(interval.low),
        "high": rounded(interval.high),
        "standard_error": rounded(interval.standard_error),
        "p_value": rounded(interval.p_value),
    }


def told_rollouts(tables: Tables) -> pd.DataFrame:
    """Return what was told of roll-outs: what, unit, unit_id, since_s, cost_per_agent.

    ``agents.trained_at`` is the roll-out ``training`` of agents, unless the table tells of it.
    """
    frames = [pd.DataFrame(columns=["what", "unit", "unit_id", "since_s", "cost_per_agent"])]
    if "rollouts" in tables:
        rows = tables.engine.to_pandas(tables["rollouts"])
        cost = rows.get("cost_per_agent", np.nan)
        cost = pd.to_numeric(pd.Series(cost, index=rows.index)) / MONEY_SCALE
        frames.append(rows.assign(since_s=rows["since"], cost_per_agent=cost))
    named = set(frames[-1]["what"])
    if tables.has("agents", "trained_at") and TRAINING not in named:
        agents = tables["agents"]
        rows = tables.engine.to_pandas(agents.select("agent_id", "trained_at"))
        rows = rows.dropna(subset=["trained_at"])
        frames.append(
            pd.DataFrame(
                {
                    "what": TRAINING,
                    "unit": "agent",
                    "unit_id": rows["agent_id"],
                    "since_s": rows["trained_at"],
                    "cost_per_agent": np.nan,
                }
            )
        )
    kept = [frame[frames[0].columns] for frame in frames[1:] if len(frame)]
    return pd.concat(kept, ignore_index=True) if kept else frames[0]


def rollout_results(
    tables: Tables,
    studied: Studied,
    contacts: pd.DataFrame,
    cost_per_minute: float | None,
    options: EffectOptions,
) -> tuple[RollOutResult, ...]:
    """Estimate what every roll-out did; nothing where none was told of.

    Parameters
    ----------
    tables : Tables
        With ``rollouts``, or ``agents.trained_at``.
    studied : Studied
        Contacts with what followed them.
    contacts : DataFrame
        All agents' contacts, for how many an agent has in a year.
    cost_per_minute : float or None
        Of agents, in the currency.
    options : EffectOptions
        Level of the intervals, and the seed.
    """
    told = told_rollouts(tables)
    results = []
    for (what, unit), rows in told.groupby(["what", "unit"], sort=True):
        column = COLUMNS[str(unit)]
        if column not in studied.contacts or studied.contacts[column].isna().all():
            why = f"contacts do not tell their {unit}"
            mend = f"give {'interactions' if unit != 'team' else 'agents'}.{column}"
            results.append(
                RollOutResult(str(what), str(unit), len(rows), 0, 0, 0, refused=Refusal(why, mend))
            )
            continue
        study = _Study(rows, told.drop(rows.index), studied, options)
        results.append(study.result(contacts, cost_per_minute))
    return tuple(results)


class _Study:
    """One roll-out: its contacts as arrays, and what is asked of them."""

    def __init__(
        self,
        rows: pd.DataFrame,
        others: pd.DataFrame,
        studied: Studied,
        options: EffectOptions,
    ) -> None:
        what, unit = str(rows["what"].iloc[0]), str(rows["unit"].iloc[0])
        self.what, self.unit, self.rows, self.options = what, unit, rows, options
        exposure, named = studied.exposure, studied.contacts[COLUMNS[unit]]
        since = rows.set_index("unit_id")["since_s"].astype(np.float64) / DAY_SECONDS
        known = named.notna().to_numpy() & np.isfinite(exposure.outcome)
        code, names = pd.factorize(named[known], sort=True)
        began = since.reindex(names).fillna(np.inf)
        contacts = Staggered(
            unit=code.astype(np.int64),
            at_days=exposure.at_days[known],
            since_days=np.asarray(began, dtype=np.float64),
            controls=exposure.controls[known],
            others=_reached_by(others, studied)[known],
        )
        keep = contacts.comparable()
        self.contacts = contacts.of_contacts(keep)
        self.left_out = int((~keep).sum())
        self.place = np.flatnonzero(known)[keep]
        self.exposure = exposure

    def result(self, contacts: pd.DataFrame, cost_per_minute: float | None) -> RollOutResult:
        """Run the gates, and estimate where they hold."""
        reached = self.contacts.reached
        bare = RollOutResult(
            what=self.what,
            unit=self.unit,
            units=self.contacts.units,
            units_reached=int(np.unique(self.contacts.unit[reached]).size),
            contacts=int(reached.size),
            contacts_reached=int(reached.sum()),
            left_out=self.left_out,
        )
        if not reached.any() or reached.all():
            why = "no contact of a reached unit can be compared with one of a unit not yet reached"
            mend = (
                "give contacts from before it began, and of units that were reached later or never"
            )
            return replace(bare, refused=Refusal(why, mend))
        imputation = Imputation(self.contacts)
        outcome = self.exposure.outcome[self.place]
        study = RollOutStudy(imputation, outcome, self.options.level, self.options.seed)
        checks: list[CheckResult] = []
        for gate in gates():
            checks.append(gate.run(study))
            if not checks[-1].passed:
                refusal = Refusal(checks[-1].message, gate.mend)
                return replace(bare, checks=tuple(checks), refused=refusal)
        value = imputation.interval(outcome, study.level, study.seed)
        return replace(
            bare,
            value=value,
            by_month=_months(imputation, outcome, value.critical),
            behaviours=self._behaviours(),
            payment=self._payment(imputation, contacts, cost_per_minute),
            checks=tuple(checks),
        )

    def _behaviours(self) -> dict[str, Interval]:
        """Estimate what it did to the behaviours, the first outcomes of any training."""
        found = {}
        for behaviour in CORE_BEHAVIOURS:
            column = self.exposure.behaviours.get(behaviour.name)
            if column is None:
                continue
            values = (clipped(column) if behaviour.transform == "log" else column)[self.place]
            known = np.isfinite(values)
            few = self.contacts.of_contacts(known)
            usable = few.comparable()
            few, values = few.of_contacts(usable), values[known][usable]
            if few.reached.any():
                study = Imputation(few)
                found[behaviour.name] = study.interval(
                    values, self.options.level, self.options.seed
                )
        return found

    def _payment(
        self, imputation: Imputation, contacts: pd.DataFrame, cost_per_minute: float | None
    ) -> Payment:
        """Estimate value and minutes together, contact by contact, and set them against cost."""
        net = self.exposure.outcome[self.place]
        seconds = self.exposure.behaviours.get(HANDLE.name)
        if cost_per_minute is not None and seconds is not None:
            spent = clipped(seconds)[self.place]
            known = np.where(np.isfinite(spent), spent, np.nanmedian(spent))
            net = net - known / 60.0 * cost_per_minute
        cost = self.rows["cost_per_agent"].dropna()
        return Payment(
            net=imputation.interval(net, self.options.level, self.options.seed),
            cost_per_minute=cost_per_minute,
            contacts_per_agent_year=self._pace(contacts),
            cost_per_agent=float(cost.mean()) if len(cost) else None,
        )

    def _pace(self, contacts: pd.DataFrame) -> float:
        """Return contacts a year of an agent since they were reached."""
        since = self.rows.set_index("unit_id")["since_s"].astype(np.float64)
        began = contacts[COLUMNS[self.unit]].map(since).to_numpy(np.float64)
        at_s = contacts["at_s"].to_numpy(np.float64)
        after = at_s >= began
        first = pd.Series(began[after]).groupby(contacts["agent_id"].to_numpy()[after]).min()
        years = (at_s.max() + 1.0 - first).sum() / (YEAR_DAYS * DAY_SECONDS)
        return float(after.sum() / years) if years > 0 else 0.0


def _reached_by(others: pd.DataFrame, studied: Studied) -> Floats:
    """Say of each contact which other roll-outs had reached it, shape (C, k)."""
    columns = []
    for (_, unit), rows in others.groupby(["what", "unit"], sort=True):
        column = COLUMNS[str(unit)]
        if column in studied.contacts:
            since = rows.set_index("unit_id")["since_s"].astype(np.float64)
            began = studied.contacts[column].map(since).to_numpy(np.float64)
            columns.append(studied.contacts["at_s"].to_numpy(np.float64) >= began)
    empty = np.zeros((len(studied.contacts), 0))
    return np.column_stack([empty, *columns]).astype(np.float64)


def _months(imputation: Imputation, outcome: Floats, critical: float) -> tuple[Month, ...]:
    """Return the effect by month since units were reached, at the whole interval's width."""
    since, found = imputation.contacts.periods_since, []
    for month in range(int(since.max(initial=-1)) + 1):
        asked = since == month
        if int(asked.sum()) >= LEAST_CONTACTS:
            estimate, error = imputation.mean_effect(outcome, asked)
            low, high = estimate - critical * error, estimate + critical * error
            found.append(Month(month + 1, estimate, low, high, int(asked.sum())))
    return tuple(found)
