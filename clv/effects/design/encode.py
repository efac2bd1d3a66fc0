"""From the contact table and the outcomes to arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.effects.design.exposure import Exposure
from clv.features.contacts import CATEGORIES, MONEY, NUMBERS
from clv.notes import Note
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.effects.design.exposure import Floats

MAX_LEVELS = 20
SEEN_ONCE = 20
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
    follow_up: pd.DataFrame,
    *,
    outcome: str = "value_undiscounted",
    before: str = "value_before",
    max_customers: int | None = None,
    seed: int = 0,
    behaviours: Sequence[str] = (),
) -> Studied:
    """Join contacts with what followed each, and hold both as arrays.

    Contacts of people who had not bought before are left out: what they are worth later says
    whether they became customers at all.

    Parameters
    ----------
    contacts : DataFrame
        As ``build_contact_table`` returns it.
    follow_up : DataFrame
        ``interaction_id`` and outcomes, one row per contact whose follow-up is complete.
    outcome, before : str
        The columns of the outcome, and of the same measure before the contact.
    max_customers : int, optional
        Of more, the contacts of a sample of that many are studied.
    seed : int
        Of the sample.
    behaviours : sequence of str
        Columns to hold as behaviours, where they are given.
    """
    notes = []
    rows = contacts[contacts["orders_before"] > 0]
    if len(rows) < len(contacts):
        lost = len(contacts) - len(rows)
        text = "contacts of people who had not bought before them"
        notes.append(Note("before_first_purchase", "attribution", lost, text))
    ids = np.sort(rows["customer_id"].unique())
    if max_customers is not None and len(ids) > max_customers:
        drawn = np.random.default_rng(seed).choice(len(ids), max_customers, replace=False)
        notes.append(
            Note("sampled", "attribution", len(ids), f"a sample of {max_customers} was studied")
        )
        ids = np.sort(ids[drawn])
        rows = rows[rows["customer_id"].isin(ids)]
    rows = rows.sort_values(["customer_id", "at_s", "interaction_id"]).reset_index(drop=True)
    held = follow_up.set_index("interaction_id")
    held = held[[name for name in (outcome, before) if name in held]]
    found = held.reindex(rows["interaction_id"])
    exposure = _exposure(rows, ids, found, (outcome, before), behaviours)
    return Studied(exposure, rows, ids, tuple(notes))


def _exposure(
    rows: pd.DataFrame,
    ids: np.ndarray,
    found: pd.DataFrame,
    names: tuple[str, str],
    behaviours: Sequence[str],
) -> Exposure:
    customer = np.searchsorted(ids, rows["customer_id"].to_numpy())
    agent, agents = pd.factorize(rows["agent_id"], sort=True)
    controls, labels = control_matrix(rows)
    held = {
        name: rows[name].to_numpy(np.float64)
        for name in behaviours
        if name in rows.columns and rows[name].notna().any()
    }
    outcome, before = names
    return Exposure(
        customer=customer.astype(np.int64),
        agent=agent.astype(np.int64),
        pool=pd.factorize(rows["pool"], sort=True)[0].astype(np.int64),
        stratum=rows["stratum"].to_numpy(np.int64),
        at_days=rows["at_s"].to_numpy(np.float64) / DAY_SECONDS,
        controls=controls,
        control_names=labels,
        behaviours=held,
        outcome=found[outcome].to_numpy(np.float64),
        before=found[before].to_numpy(np.float64) if before in found else None,
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
