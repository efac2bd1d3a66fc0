"""From assignments, contacts and orders to the rows that an experiment is read from.

Customers give one row each. Where contacts or agents were randomised, every contact is a row
with its customer's outcome: contacts of one customer were randomised separately, so that the
difference is what treating one contact does to its customer, whatever happened in the others.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.errors import DataError, UsageError
from clv.experiments.read import read
from clv.features.contacts import contacts_before
from clv.features.table import build_feature_table
from clv.labels.outcomes import build_outcomes
from clv.notes import Note
from clv.sources.names import own_column
from clv.spreadsheet import unescaped
from clv.windows import day_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.contract.tables import Tables
    from clv.events.histories import Histories
    from clv.experiments.compare import Predictor
    from clv.experiments.read import ReadOptions
    from clv.experiments.results import ReadOut
    from clv.windows import Window

BEFORE = ("margin_365d", "orders_365d")
"""Features that CUPED adjusts for; MLRATE takes all numbers known before the start."""

BEHAVIOURS = ("empathy", "handle_seconds", "fcr")


@dataclass(frozen=True)
class Trial:
    """An experiment made ready for ``read``.

    Attributes
    ----------
    rows : DataFrame
        As ``read`` takes them.
    unit : str
        What was randomised.
    covariates, features, behaviours : tuple of str
        Columns for CUPED, for MLRATE, and behaviours that an arm may have moved.
    window : Window
        Of contacts and outcome.
    outcome, currency : str
        What is compared, and its unit.
    segment : str or None
        The column of subgroups.
    notes : tuple of Note
        What was left out.
    """

    rows: pd.DataFrame
    unit: str
    covariates: tuple[str, ...]
    features: tuple[str, ...]
    behaviours: tuple[str, ...]
    window: Window
    outcome: str
    currency: str
    segment: str | None
    notes: tuple[Note, ...]


def trial_rows(
    histories: Histories,
    experiment: str,
    window: Window,
    *,
    log: pd.DataFrame | None = None,
    outcome: str = "value_undiscounted",
    behaviours: Sequence[str] = BEHAVIOURS,
    segment: str | None = None,
) -> Trial:
    """Join the units of an experiment with what they did after the window's cutoff.

    Parameters
    ----------
    histories : Histories
        A company's.
    experiment : str
        Its name.
    window : Window
        Contacts count from a unit's assignment to the cutoff, the outcome in the horizon
        after it. A cutoff before the first contact gives outcomes from the start, and no
        behaviours.
    log : DataFrame, optional
        ``experiment``, ``unit``, ``unit_id``, ``arm``, ``assigned_at`` (seconds); by default
        the table ``assignments``.
    outcome : str
        A column of the outcomes.
    behaviours : sequence of str
        Columns of the contact table.
    segment : str, optional
        A column of customers to read by.

    Raises
    ------
    DataError
        When nothing was assigned before the cutoff, or nothing can be joined.
    UsageError
        When the log mixes units, or the segment is not known.
    """
    tables = histories.tables
    assigned, unit, notes = _assigned(tables, experiment, window, log)
    start = day_of(int(assigned["assigned_at"].min())) - dt.timedelta(days=1)
    contacts = None
    if "interactions" in tables and start < window.cutoff:
        days = (window.cutoff - start).days
        contacts = contacts_before(histories, window, exposure_days=days)
    if unit == "customer":
        rows, named = _by_customer(assigned, contacts, behaviours)
    else:
        rows, named = _by_contact(assigned, contacts, unit, behaviours)
        notes += _lost(assigned, rows, experiment, f"{unit}s", window)
    values = build_outcomes(histories, window).set_index("customer_id")[outcome]
    notes += _add_outcome(rows, values, experiment, window)
    rows, covariates, features = _before(histories, start, rows, notes)
    if segment is not None:
        values, segment = _segment(tables, segment, rows), own_column(segment)
        rows[segment] = values
    rows = rows.sort_values(["unit_id", "customer_id"], ignore_index=True)
    return Trial(
        rows,
        unit,
        covariates,
        features,
        named,
        window,
        outcome,
        tables.terms.currency,
        segment,
        tuple(notes),
    )


def _lost(
    assigned: pd.DataFrame, rows: pd.DataFrame, experiment: str, units: str, window: Window
) -> tuple[Note, ...]:
    """Say how many units had no contact."""
    lost = int((~assigned["unit_id"].isin(rows["unit_id"])).sum())
    if not lost:
        return ()
    text = f"{units} without a contact of theirs before {window.cutoff}"
    return (Note("without_contacts", f"experiment.{experiment}", lost, text),)


def _add_outcome(
    rows: pd.DataFrame, values: pd.Series[float], experiment: str, window: Window
) -> tuple[Note, ...]:
    """Add the outcome, 0 for those who had bought nothing by the cutoff; say how many."""
    unknown = int((~rows["customer_id"].isin(values.index)).sum())
    rows["outcome"] = rows["customer_id"].map(values).fillna(0.0).astype(float)
    if not unknown:
        return ()
    text = f"without a purchase by {window.cutoff}: their outcome is 0"
    return (Note("without_purchase", f"experiment.{experiment}", unknown, text),)


def read_trial(
    experiment: str, trial: Trial, *, predictor: Predictor, options: ReadOptions
) -> ReadOut:
    """Read an experiment from its trial, and say what the numbers are of."""
    found = read(
        experiment,
        trial.rows,
        covariates=trial.covariates,
        features=trial.features,
        predictor=predictor,
        behaviours=trial.behaviours,
        options=replace(options, unit=trial.unit, segment=trial.segment),
    )
    return replace(
        found,
        notes=(*trial.notes, *found.notes),
        as_of=trial.window.cutoff.isoformat(),
        horizon_days=trial.window.horizon_days,
        currency=trial.currency,
        outcome=trial.outcome,
    )


def _assigned(
    tables: Tables, experiment: str, window: Window, log: pd.DataFrame | None
) -> tuple[pd.DataFrame, str, list[Note]]:
    """Return the assignments that came before the outcome."""
    if log is None:  # perhaps our own log, handed in as the table
        log = tables.engine.to_pandas(tables["assignments"])
        log = log.assign(**{name: log[name].map(unescaped) for name in ("experiment", "unit_id")})
    rows = log
    mine = rows[rows["experiment"] == experiment]
    if mine.empty:
        names = ", ".join(sorted(rows["experiment"].unique())[:5]) or "none"
        raise DataError(
            f"assignments: no row of experiment {experiment!r}; found {names}. Check the name."
        )
    units = sorted(mine["unit"].unique())
    if len(units) > 1:
        raise UsageError(
            f"experiment {experiment}: {', '.join(units)} were assigned; expected one unit. "
            "Give the parts names of their own."
        )
    seen = mine[window.seen(mine["assigned_at"])]
    late, notes = len(mine) - len(seen), []
    if seen.empty:
        raise DataError(
            f"experiment {experiment}: nothing was assigned by {window.cutoff}, when the outcome "
            "begins. Choose a later --as-of, or wait for the horizon to pass."
        )
    if late:
        text = f"assigned after {window.cutoff}, when the outcome begins"
        notes.append(Note("assigned_late", f"experiment.{experiment}", late, text))
    return seen[["unit_id", "arm", "assigned_at"]].reset_index(drop=True), str(units[0]), notes


def _by_customer(
    assigned: pd.DataFrame, contacts: pd.DataFrame | None, behaviours: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return one row per customer, with the sums of behaviours over contacts since assignment."""
    rows = assigned.assign(customer_id=assigned["unit_id"])
    if contacts is None:
        return rows, ()
    since = contacts["customer_id"].map(rows.set_index("customer_id")["assigned_at"])
    mine = contacts[contacts["at_s"] >= since]
    named = _known(mine, behaviours)
    sums = mine.groupby("customer_id")[list(named)].sum()
    return rows.join(sums, on="customer_id").fillna(dict.fromkeys(named, 0.0)), named


def _by_contact(
    assigned: pd.DataFrame, contacts: pd.DataFrame | None, unit: str, behaviours: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return one row per contact of a randomised agent, or per randomised contact."""
    key = f"{unit}_id"
    if contacts is None or not contacts[key].isin(assigned["unit_id"]).any():
        raise DataError(
            f"experiment: none of the assigned {unit}s answered or had a contact before the "
            "outcome begins. Check their ids, and that interactions were given."
        )
    rows = contacts.merge(assigned, left_on=key, right_on="unit_id")
    # A contact that was randomised itself is treated from its beginning.
    rows = rows[(rows["at_s"] >= rows["assigned_at"]) | (unit == "interaction")]
    named = _known(rows, behaviours)
    cluster = rows["agent_id" if unit == "agent" else "customer_id"]
    kept = rows[["unit_id", "customer_id", "arm", "assigned_at", *named]]
    return kept.assign(cluster=cluster).fillna(dict.fromkeys(named, 0.0)), named


def _known(contacts: pd.DataFrame, behaviours: Sequence[str]) -> tuple[str, ...]:
    return tuple(b for b in behaviours if b in contacts and contacts[b].notna().any())


def _before(
    histories: Histories, start: dt.date, rows: pd.DataFrame, notes: list[Note]
) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """Add what was known of the customers before anyone was assigned; new ones are marked."""
    if start < histories.tables.span()[0]:
        text = "orders begin with the experiment, so nothing is adjusted for"
        notes.append(Note("no_covariates", "experiment", len(rows), text))
        return rows, (), ()
    table = build_feature_table(histories, start)
    frame = table.to_pandas().set_index("customer_id")
    table.close()
    numbers = frame.select_dtypes("number").dropna(axis="columns", how="all")
    joined = numbers.fillna(numbers.median()).reindex(rows["customer_id"])
    known = joined.notna().any(axis=1).to_numpy()
    new = int((~known).sum())
    if new:
        text = f"not yet known on {start}: marked as such, adjusted by nothing else"
        notes.append(Note("new_units", "experiment", new, text))
    values = np.column_stack([joined.fillna(0.0).to_numpy(np.float64), known])
    held = pd.DataFrame(values, index=rows.index, columns=[*joined.columns, "known_before"])
    held = held.loc[:, held.std() > 0]
    together = pd.concat([rows, held], axis=1)
    covariates = tuple(name for name in (*BEFORE, "known_before") if name in held)
    return together, covariates, tuple(map(str, held.columns))


def _segment(tables: Tables, segment: str, rows: pd.DataFrame) -> pd.Series[str]:
    """Return a customer attribute per row."""
    column = tables.held_as("customers", segment)
    if segment in tables.terms.protected or column is None:
        raise UsageError(
            f"experiment: {segment!r} is no column of customers that may be read by; expected one "
            "such as segment or region."
        )
    customers = tables["customers"]
    frame = tables.engine.to_pandas(customers.select("customer_id", segment=customers[column]))
    found = rows["customer_id"].map(frame.set_index("customer_id")["segment"])
    return found.fillna("unknown")
