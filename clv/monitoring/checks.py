"""The questions of monitoring, each with its answer in a sentence, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.monitoring.drift import ACT_PSI, ROWS_ENOUGH, WARN_PSI
from clv.monitoring.realised import RUN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from clv.monitoring.drift import ColumnDrift, DriftReport
    from clv.monitoring.realised import Realised, Tracking

STATUSES = ("unknown", "ok", "watch", "act")
"""From the least grave on."""

REFIT = "Refit: clv train --promote."


@dataclass(frozen=True)
class Limits:
    """From where on something is said.

    Attributes
    ----------
    total_bias, prospects_error, calibration_error, coverage_low, coverage_high : float
        As the promotion gate asks of a new model.
    inputs_watch, inputs_act : float
        Share of what the model uses, by contribution, that reads another population.
    unknown : float
        Rise of the share of unknown or unseen values in one column.
    stale_days : int or None
        Days that the newest order may be old; None does not ask.
    """

    total_bias: float = 0.15
    prospects_error: float = 0.05
    calibration_error: float = 0.03
    coverage_low: float = 0.85
    coverage_high: float = 0.95
    inputs_watch: float = 0.1
    inputs_act: float = 0.5
    unknown: float = 0.1
    stale_days: int | None = None


@dataclass(frozen=True)
class Check:
    """One question and its answer.

    Attributes
    ----------
    name, status : str
        ``name`` is one of those in ``clv.monitoring.job``; ``status`` one of ``STATUSES``.
    figure, threshold : float or None
        What was measured, and from where on it is said.
    unit : str
        ``days``, ``share`` or ``psi``.
    n : int
        Customers behind it.
    sentence, next : str
        For people: what was found, and what to do; ``next`` is empty where nothing is.
    """

    name: str
    status: str
    figure: float | None
    threshold: float | None
    unit: str
    n: int
    sentence: str
    next: str = ""


def freshness(
    as_of: dt.date, last: dt.date, today: dt.date, customers: int, limits: Limits
) -> Check:
    """Ask whether orders still arrive, and whether the scores know them."""
    age = (today - last).days
    said = f"The newest order is of {last}; the scores are as of {as_of}."
    if limits.stale_days is None:
        return Check("freshness", "ok", age, None, "days", customers, said)
    stale = age > limits.stale_days
    step = ""
    if stale:
        step = f"No order in {age:,} days: find out why none arrives, then score again."
    status = "act" if stale else "ok"
    if not stale and (last - as_of).days > limits.stale_days:
        status, step = "watch", "Score again: clv score."
    return Check("freshness", status, age, limits.stale_days, "days", customers, said, step)


def drifted(
    drift: DriftReport | None, weights: Mapping[str, float], limits: Limits
) -> tuple[Check, ...]:
    """Ask whether inputs and scores are of another population than at training."""
    units = {"inputs": "share", "unknown": "share", "scores": "psi"}
    if drift is None or drift.rows < ROWS_ENOUGH:
        rows = 0 if drift is None else drift.rows
        text = f"{rows:,} customers are too few to tell drift from chance."
        return tuple(Check(n, "unknown", None, None, u, rows, text) for n, u in units.items())
    return (
        _inputs(drift, weights, limits),
        _unknown(drift, limits),
        _scores(drift),
    )


def _inputs(drift: DriftReport, weights: Mapping[str, float], limits: Limits) -> Check:
    total = sum(weights.get(column.name, 0.0) for column in drift.inputs)
    moved = [c for c in drift.inputs if c.verdict == "other population"]
    share = sum(weights.get(c.name, 0.0) for c in moved) / total if total > 0 else 0.0
    status = _grade(share, limits.inputs_watch, limits.inputs_act)
    limit = limits.inputs_act if status == "act" else limits.inputs_watch
    said = (
        f"{len(moved):,} of {len(drift.inputs):,} inputs are of another population than at "
        f"training; they carry {share:.0%} of what the model uses"
        f"{_most(sorted(moved, key=lambda c: -weights.get(c.name, 0.0)))}."
    )
    step = "" if status == "ok" else "See whether the data or the customers changed."
    step = f"{step} {REFIT}" if status == "act" else step
    return Check("inputs", status, round(share, 4), limit, "share", drift.rows, said, step)


def _most(columns: Sequence[ColumnDrift]) -> str:
    named = ", ".join(f"{c.name} (PSI {c.psi:.2f})" for c in columns[:3])
    return f": first {named}" if named else ""


def _unknown(drift: DriftReport, limits: Limits) -> Check:
    rises = [(c.unknown - c.unknown_before + c.unseen, c.name) for c in drift.inputs]
    rise, name = max(rises, default=(0.0, ""))
    status = "watch" if rise > limits.unknown else "ok"
    said = f"No input has lost values: the largest rise of unknown values is {rise:.0%} ({name})."
    if status == "watch":
        said = f"{name} is unknown or unseen for {rise:.0%} more customers than at training."
    step = "See whether a source stopped delivering." if status == "watch" else ""
    return Check("unknown", status, round(rise, 4), limits.unknown, "share", drift.rows, said, step)


def _scores(drift: DriftReport) -> Check:
    furthest = max(drift.scores, key=lambda c: c.psi, default=None)
    if furthest is None:
        text = "The model keeps no profile of its own scores; one trained with this version does."
        return Check("scores", "unknown", None, None, "psi", drift.rows, text, REFIT)
    status = _grade(furthest.psi, WARN_PSI, ACT_PSI)
    said = (
        f"Of the scores {furthest.name} moved furthest since training: PSI {furthest.psi:.2f}, "
        f"{furthest.elsewhere:.0%} of customers in another bin."
    )
    step = {"act": REFIT, "watch": "Compare with clv scores diff."}.get(status, "")
    limit = ACT_PSI if status == "act" else WARN_PSI
    return Check("scores", status, furthest.psi, limit, "psi", drift.rows, said, step)


def came_true(
    judged: Sequence[Realised], chart: Tracking, due: dt.date | None, limits: Limits
) -> tuple[Check, ...]:
    """Ask of the latest complete table whether total, intervals and churn came true."""
    names = ("total", "tracking", "prospects", "coverage", "calibration")
    if not judged:
        when = "" if due is None else f" The first one ends on {due}."
        text = f"No score table of this model has a complete horizon yet.{when}"
        return tuple(Check(name, "unknown", None, None, "share", 0, text) for name in names)
    latest = judged[-1]
    if latest.customers < ROWS_ENOUGH:
        text = f"{latest.customers:,} customers as of {latest.as_of} are too few to judge by."
        return tuple(
            Check(name, "unknown", None, None, "share", latest.customers, text) for name in names
        )
    return (
        _total(latest, limits),
        _tracked(latest, chart, len(judged)),
        _prospects(latest, limits),
        _coverage(latest, limits),
        _calibration(latest, limits),
    )


def _total(latest: Realised, limits: Limits) -> Check:
    limit, n = limits.total_bias, latest.customers
    said = (
        f"As of {latest.as_of}, {latest.predicted:,.0f} were forecast and {latest.actual:,.0f} "
        "came true"
    )
    if latest.total_bias is None or latest.bias_low is None or latest.bias_high is None:
        return Check("total", "watch", None, limit, "share", n, f"{said}.", "Check the orders.")
    out = abs(latest.total_bias) > limit
    settled = latest.bias_low * latest.bias_high > 0
    status = ("act" if settled else "watch") if out else "ok"
    step = {"act": REFIT, "watch": "Wait for the next horizon to complete."}.get(status, "")
    said = f"{said}: {latest.total_bias:+.1%} ({latest.bias_low:+.1%} to {latest.bias_high:+.1%})."
    return Check("total", status, round(latest.total_bias, 4), limit, "share", n, said, step)


def _tracked(latest: Realised, chart: Tracking, tables: int) -> Check:
    figure = None if latest.total_bias is None else round(latest.total_bias, 4)
    said = f"{tables} completed horizons; the totals lie inside the band of ±{chart.band:.0%}."
    if chart.refit:
        said = (
            f"{tables} completed horizons: the latest lies outside the band of ±{chart.band:.0%}, "
            f"or {RUN} in a row on one side."
        )
    status, step = ("act", REFIT) if chart.refit else ("ok", "")
    return Check("tracking", status, figure, chart.band, "share", latest.customers, said, step)


def _prospects(latest: Realised, limits: Limits) -> Check:
    limit, n, error = limits.prospects_error, latest.prospects, latest.prospects_error
    if error is None:
        text = f"Nothing came true as of {latest.as_of}."
        return Check("prospects", "unknown", None, limit, "share", n, text)
    said = (
        f"As of {latest.as_of}, {n:,} people were yet to buy: {latest.prospects_predicted:,.0f} "
        f"were forecast of them and {latest.prospects_actual:,.0f} came true, {error:+.1%} of "
        "the total."
    )
    status, step = ("act", REFIT) if abs(error) > limit else ("ok", "")
    return Check("prospects", status, round(error, 4), limit, "share", n, said, step)


def _coverage(latest: Realised, limits: Limits) -> Check:
    share, n = latest.coverage, latest.customers
    # The settings' limits are of a 90 % interval; another level moves them along.
    low = limits.coverage_low + latest.level - 0.9
    high = min(limits.coverage_high + latest.level - 0.9, 1.0)
    slack = 2 * (share * (1 - share) / n) ** 0.5
    out = share + slack < low or share - slack > high
    said = (
        f"{share:.0%} of customers came out inside their interval of {latest.level:.0%} "
        f"(as of {latest.as_of})."
    )
    limit = low if share < latest.level else high
    status, step = ("act", REFIT) if out else ("ok", "")
    return Check("coverage", status, round(share, 4), round(limit, 4), "share", n, said, step)


def _calibration(latest: Realised, limits: Limits) -> Check:
    error, chance, n = latest.calibration_error, latest.calibration_by_chance, latest.customers
    limit = limits.calibration_error
    if error is None or chance is None:
        return Check("calibration", "unknown", None, limit, "share", n, "No churn was forecast.")
    beyond = max(error - chance, 0.0)
    said = (
        f"Churn forecasts were off by {error:.1%} on average, {chance:.1%} of it expected by "
        f"chance: {latest.churn_predicted:.1%} forecast, {latest.churn_observed:.1%} observed."
    )
    status, step = ("act", REFIT) if beyond > limit else ("ok", "")
    return Check("calibration", status, round(beyond, 4), limit, "share", n, said, step)


def _grade(figure: float, watch: float, act: float) -> str:
    return "act" if figure >= act else "watch" if figure >= watch else "ok"
