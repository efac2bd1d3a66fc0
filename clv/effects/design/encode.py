"""From the contact table and the outcomes to arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.effects.design.exposure import Exposure
from clv.features.contacts import CATEGORIES, MONEY, NUMBERS
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.effects.design.exposure import Floats

MAX_LEVELS = 20
SEEN_ONCE = 20
HISTORY = ("orders_before", "spend_before", "spend_year_before", "days_since_order", "at_s")
_OTHER = "other"


@dataclass(frozen=True)
class Studied:
    """An exposure, and the rows it was made of.

    Attributes
    ----------
    exposure : Exposure
        Arrays.
    contacts : DataFrame
        Rows in the exposure's order.
    customers : ndarray of str, shape (n,)
        The ids behind the customer codes.
    notes : tuple of Note
        What was left out.
    """

    exposure: Exposure
    contacts: pd.DataFrame
    customers: np.ndarray
    notes: tuple[Note, ...]


def encode(
    contacts: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    outcome: str = "value_undiscounted",
    max_customers: int | None = None,
    seed: int = 0,
    behaviours: Sequence[str] = (),
) -> Studied:
    """Join contacts with their customers' outcomes, and hold both as arrays.

    Parameters
    ----------
    contacts : DataFrame
        As ``build_contact_table`` returns it.
    outcomes : DataFrame
        ``customer_id`` and the outcome, one row per customer of the population.
    outcome : str
        The column that is the outcome.
    max_customers : int, optional
        Of more, a sample of that many is drawn.
    seed : int
        Of the sample.
    behaviours : sequence of str
        Columns to hold as behaviours, where they are given.
    """
    values = outcomes.dropna(subset=[outcome]).set_index("customer_id")[outcome]
    known = contacts["customer_id"].isin(values.index)
    notes = []
    if (~known).any():
        lost = int((~known).sum())
        notes.append(
            Note("without_outcome", "attribution", lost, "contacts of customers who never bought")
        )
    rows = contacts[known]
    ids = np.sort(rows["customer_id"].unique())
    if max_customers is not None and len(ids) > max_customers:
        drawn = np.random.default_rng(seed).choice(len(ids), max_customers, replace=False)
        notes.append(
            Note("sampled", "attribution", len(ids), f"a sample of {max_customers} was studied")
        )
        ids = np.sort(ids[drawn])
        rows = rows[rows["customer_id"].isin(ids)]
    rows = rows.sort_values(["customer_id", "at_s", "interaction_id"]).reset_index(drop=True)
    exposure = _exposure(rows, ids, values, behaviours)
    return Studied(exposure, rows, ids, tuple(notes))


def _exposure(
    rows: pd.DataFrame, ids: np.ndarray, values: pd.Series[float], behaviours: Sequence[str]
) -> Exposure:
    customer = np.searchsorted(ids, rows["customer_id"].to_numpy())
    agent, agents = pd.factorize(rows["agent_id"], sort=True)
    controls, names = control_matrix(rows)
    first = rows.groupby("customer_id", sort=True).head(1)
    history, history_names = numeric_controls(first, HISTORY)
    held = {
        name: rows[name].to_numpy(np.float64)
        for name in behaviours
        if name in rows.columns and rows[name].notna().any()
    }
    return Exposure(
        customer=customer.astype(np.int64),
        agent=agent.astype(np.int64),
        pool=pd.factorize(rows["pool"], sort=True)[0].astype(np.int64),
        stratum=rows["stratum"].to_numpy(np.int64),
        controls=controls,
        control_names=names,
        behaviours=held,
        customer_controls=history,
        customer_control_names=history_names,
        outcome=np.asarray(values.loc[ids], dtype=np.float64),
        before=first["spend_year_before"].to_numpy(np.float64),
        agents=tuple(map(str, agents)),
    )


def control_matrix(rows: pd.DataFrame) -> tuple[Floats, tuple[str, ...]]:
    """Return controls per contact: categories as indicators, numbers with their unknowns."""
    numbers, names = numeric_controls(rows, NUMBERS)
    blocks, labels = [numbers], list(names)
    for column in CATEGORIES:
        if column not in rows or rows[column].isna().all():
            continue
        words = rows[column].fillna("unknown").astype(str)
        counted = words.value_counts()
        common = sorted(counted.index[(counted >= SEEN_ONCE)][:MAX_LEVELS])
        held = words.where(words.isin(common), _OTHER).to_numpy()
        levels = sorted(set(held))[1:]
        blocks += [(held == level).astype(np.float64)[:, None] for level in levels]
        labels += [f"{column}={level}" for level in levels]
    return np.hstack(blocks), tuple(labels)


def numeric_controls(rows: pd.DataFrame, columns: Sequence[str]) -> tuple[Floats, tuple[str, ...]]:
    """Return numbers, their logarithms where they are skewed, and whether they are known.

    Money is in hundredths of its median, lest controls depend on how much a unit of it is.
    """
    blocks: list[Floats] = []
    names: list[str] = []
    for column in columns:
        if column not in rows or rows[column].isna().all():
            continue
        raw = rows[column].to_numpy(np.float64)
        known = np.isfinite(raw)
        if column in MONEY:
            raw = raw / _hundredth(raw[known])
        filled = np.where(known, raw, np.median(raw[known]))
        blocks.append(filled)
        names.append(column)
        if filled.min() >= 0 and filled.max() > 100 and column != "at_s":
            blocks.append(np.log1p(filled))
            names.append(f"{column}=log")
        if not known.all():
            blocks.append(known.astype(np.float64))
            names.append(f"{column}=known")
    return np.column_stack(blocks) if blocks else np.zeros((len(rows), 0)), tuple(names)


def _hundredth(money: Floats) -> float:
    """Return a hundredth of the median of the amounts that are not zero."""
    sizes = np.abs(money[money != 0])
    return float(np.median(sizes)) / 100 if sizes.size else 1.0
