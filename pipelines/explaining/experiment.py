"""Experiment: how large it must be, who gets which arm, and what it did."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clv.errors import GateError, UsageError

from ..data.validate import company_of, histories_of
from ..learning.train import horizon_of
from ..running.run import Result, Run, disk_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clv.experiments.assign import Plan
    from clv.experiments.design import Design
    from clv.experiments.results import ReadOut
    from clv.windows import Window

LOG = "assignments.csv"
YEAR_WEEKS = 52


@dataclass(frozen=True)
class Asked:
    """What is asked of a design: a size for an effect, or the effect that a size detects.

    Attributes
    ----------
    effect : float or None
        Least difference in means that matters; or ``per_arm``.
    per_arm : int or None
        Units in each arm.
    power, alpha : float
        Chance to find the effect, and to find one where there is none.
    """

    effect: float | None
    per_arm: int | None
    power: float = 0.8
    alpha: float = 0.05


def design(ctx: Run, asked: Asked, *, unit: str, weeks: int | None, out: Path | None) -> Result:
    """Size an experiment on the company's own past; write experiment-design.json."""
    from clv.effects.estimators.residuals import ridge
    from clv.events.histories import make_histories
    from clv.experiments.assign import known_unit
    from clv.experiments.design import Clusters
    from clv.experiments.design import design as sized
    from clv.experiments.past import past_outcomes

    known_unit(unit)
    if (asked.effect is None) == (asked.per_arm is None):
        raise UsageError("experiment design: give either --effect or --per-arm.")
    if weeks is not None and unit != "agent":
        raise UsageError(
            f"experiment design: --weeks is {weeks} with --unit {unit}; expected it with --unit "
            "agent alone, where an arm's agents have that many weeks of contacts."
        )
    window = _window(ctx)
    tables = company_of(ctx).tables
    with ctx.step("Looking at past outcomes"), make_histories(tables) as histories:
        past = past_outcomes(histories, window, unit, ridge, seed=ctx.settings.seed)
    found = sized(
        past.outcome,
        effect=asked.effect,
        units_per_arm=asked.per_arm,
        covariate=past.predicted,
        power=asked.power,
        alpha=asked.alpha,
        clusters=None
        if past.per_agent_week is None
        else Clusters(past.per_agent_week * (weeks or YEAR_WEEKS), past.correlation),
    )
    currency = tables.terms.currency
    document: dict[str, Any] = {"unit": unit, "currency": currency, "available": len(past.outcome)}
    document |= {"as_of": f"{window.cutoff}", "horizon_days": window.horizon_days}
    document |= {"weeks": (weeks or YEAR_WEEKS) if unit == "agent" else None}
    document |= found.as_dict()
    path = _written(ctx, "experiment-design.json", document, out)
    lines = design_lines(found, document, window)
    return Result("experiment design", lines, {"design": path}, tuple(ctx.notes), document)


def design_lines(found: Design, document: Mapping[str, Any], window: Window) -> tuple[str, ...]:
    """Say the design in sentences."""
    unit, currency, available, weeks = (
        document[key] for key in ("unit", "currency", "available", "weeks")
    )
    whom = "customers" if unit == "customer" else "contacts"
    size = f"{found.units_per_arm:,} {whom} per arm"
    if found.clusters_per_arm:
        size += f" ({found.clusters_per_arm:,} agents, {weeks} weeks)"
    lines = [
        f"{size} find a difference of {found.effect:.2f} {currency} over {window.horizon_days} "
        f"days with {found.power:.0%} power at {found.alpha:.0%} error",
        f"outcomes vary by {found.standard_deviation:.2f} {currency} once what was known before "
        f"has taken {found.covariate_share:.0%} of the variance",
    ]
    if 2 * found.units_per_arm > available:
        lines.append(f"that is more than the {available:,} {whom} of the past")
    if not found.enough_for_normal:
        lines.append(
            f"money has a long tail (skew {found.skew:.1f}): arms this small are read with care"
        )
    return tuple(lines)


def assign(
    ctx: Run,
    *,
    plan: Plan,
    units: int | None,
    ids: Path | None,
    log: Path | None,
) -> Result:
    """Deal units to arms and append them to the log, which never changes."""
    from clv.events.histories import make_histories
    from clv.experiments.assign import assign_all, read_ids
    from clv.experiments.log import append_log
    from clv.experiments.past import candidates

    experiment, unit = plan.experiment, plan.unit
    _named(experiment)
    if ids is None and unit == "interaction":
        raise UsageError(
            "experiment assign: contacts are assigned as they come in, so no table names them; "
            "expected --ids FILE with one id a line."
        )
    if ids is None:
        tables = company_of(ctx).tables
        with make_histories(tables) as histories:
            found = candidates(histories, unit, ctx.settings.as_of or tables.span()[1])
    else:
        found = read_ids(ids)
    assigned = assign_all(plan, found, units)
    path = log or ctx.workspace / LOG
    with disk_errors(path):
        logged = append_log(
            plan,
            assigned,
            path,
            assigned_at=ctx.started_at,
            wait_seconds=ctx.settings.scoring.wait_seconds,
        )
    ctx.note(logged.notes)
    counts = {str(arm): int(n) for arm, n in sorted(assigned["arm"].value_counts().items())}
    said = ", ".join(f"{arm} {n:,}" for arm, n in counts.items())
    line = f"{experiment}: {len(assigned):,} {unit}s assigned: {said}"
    facts = {"experiment": experiment, "unit": unit, "assigned": counts}
    return Result("experiment assign", (line,), {"assignments": path}, tuple(ctx.notes), facts)


def read(
    ctx: Run,
    *,
    experiment: str,
    arms: Sequence[str],
    segment: str | None,
    planned: int | None,
    log: Path | None,
    out: Path | None,
) -> Result:
    """Read an experiment and write experiment-NAME.json, which `clv attribute` takes.

    Raises
    ------
    GateError
        When the arms are not as large as planned; the read-out is written all the same.
    """
    from clv.effects.estimators.residuals import ridge
    from clv.experiments.assign import Plan
    from clv.experiments.log import read_log
    from clv.experiments.read import ReadOptions
    from clv.experiments.rows import BEHAVIOURS, read_trial, trial_rows

    slug = _named(experiment)
    shares = None
    if arms:
        plan = Plan.of(experiment, "customer", arms)
        shares = dict(zip(plan.arms, plan.shares, strict=True))
    window = _window(ctx)
    histories = histories_of(ctx)
    kept = log or (None if "assignments" in histories.tables else ctx.workspace / LOG)
    asked = (*BEHAVIOURS, *ctx.settings.attribution.behaviours)
    with ctx.step("Reading the experiment"):
        trial = trial_rows(
            histories,
            experiment,
            window,
            log=None if kept is None else read_log(kept),
            behaviours=asked,
            segment=segment,
        )
        options = ReadOptions(
            level=ctx.settings.attribution.level,
            shares=shares,
            planned=planned,
            seed=ctx.settings.seed,
        )
        found = read_trial(experiment, trial, predictor=ridge, options=options)
    ctx.note(found.notes)
    path = _written(ctx, f"experiment-{slug}.json", found.as_dict(), out)
    if not found.trusted:
        raise GateError(
            f"experiment {experiment}: arms of {dict(found.customers)} are not as large as planned "
            f"(p = {found.sample_ratio_p:.1g}), so no number may be used. Find where units of one "
            f"arm were lost; the read-out is in {path}."
        )
    return Result(
        "experiment read", read_lines(found), {"read-out": path}, tuple(ctx.notes), found.as_dict()
    )


def read_lines(found: ReadOut) -> tuple[str, ...]:
    """Say the read-out in sentences: each arm by its most precise method, and what it moved."""
    lines = [f"arms are as large as planned (p = {found.sample_ratio_p:.2f})"]
    for one in found.headlines:
        sizes = f"{found.customers[one.arm]:,} and {found.customers['control']:,}"
        lines.append(
            f"{one.arm} against control: {one.estimate:+.2f} {found.currency} a customer over "
            f"{found.horizon_days} days, {one.low:+.2f} to {one.high:+.2f} ({one.method}; {sizes})"
        )
    for moved in found.moved:
        low, high = moved.shift.interval(found.level)
        lines.append(
            f"{moved.arm} moved {moved.behaviour} by {moved.shift.estimate:+.3g} per "
            f"{'customer' if found.unit == 'customer' else 'contact'}, {low:+.3g} to {high:+.3g}"
        )
    return tuple(lines)


def _window(ctx: Run) -> Window:
    from clv.windows import latest_window

    first, last = company_of(ctx).tables.span()
    return latest_window(
        first, last, horizon_of(ctx, first, last, ctx.settings.as_of), ctx.settings.as_of
    )


def _named(experiment: str) -> str:
    """Return a name that can stand in a file's name."""
    slug = re.sub(r"[^a-z0-9_-]+", "-", experiment.lower()).strip("-")
    if not slug:
        raise UsageError(f"experiment: the name is {experiment!r}; expected letters or digits.")
    return slug


def _written(ctx: Run, name: str, document: dict[str, object], out: Path | None) -> Path:
    path = ctx.save(name, document)
    return path if out is None else ctx.save_to(out, document)
