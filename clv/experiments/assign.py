"""Who gets which arm: decided by a salted hash, logged once, never changed.

The hash makes assignment reproducible and independent of order; within a stratum units are
ranked by it and dealt in turn, so that arms are balanced in every stratum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.errors import StorageError, UsageError, listing

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

UNITS = ("customer", "interaction", "agent")
COLUMNS = ("experiment", "unit", "unit_id", "arm", "assigned_at")
CONTROL = "control"


@dataclass(frozen=True)
class Plan:
    """An experiment that is to be assigned.

    Attributes
    ----------
    experiment : str
        Its name; the hash is salted with it.
    unit : {"customer", "interaction", "agent"}
        What is assigned.
    arms : tuple of str
        ``control`` and one or more others.
    shares : tuple of float
        Of the arms; they add up to 1.
    salt : str
        A secret or a date, so that two experiments of one name differ.
    """

    experiment: str
    unit: str = "customer"
    arms: tuple[str, ...] = (CONTROL, "treated")
    shares: tuple[float, ...] = (0.5, 0.5)
    salt: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UsageError(f"experiment: unit is {self.unit!r}; expected one of {UNITS}.")
        if CONTROL not in self.arms or len(set(self.arms)) != len(self.arms) or len(self.arms) < 2:
            raise UsageError(
                f"experiment: arms are {self.arms}; expected two or more different ones, "
                f"'{CONTROL}' among them."
            )
        if len(self.shares) != len(self.arms) or abs(sum(self.shares) - 1) > 1e-9:
            raise UsageError(
                f"experiment: shares are {self.shares}; expected one per arm, adding up to 1."
            )


def uniform(unit_id: str, salt: str) -> float:
    """Return a number in [0, 1) that depends on nothing but the id and the salt.

    Examples
    --------
    >>> uniform("c1", "x") == uniform("c1", "x"), uniform("c1", "x") == uniform("c1", "y")
    (True, False)
    """
    digest = hashlib.sha256(f"{salt}\x1f{unit_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign(
    plan: Plan, unit_ids: Sequence[str], *, strata: Sequence[str] | None = None
) -> pd.DataFrame:
    """Assign units to arms.

    Parameters
    ----------
    plan : Plan
        The experiment.
    unit_ids : sequence of str
        Whom to assign; no one twice.
    strata : sequence of str, optional
        One per unit, such as a value decile: arms are balanced within each.

    Returns
    -------
    DataFrame
        ``unit_id`` and ``arm``, sorted by ``unit_id``.

    Raises
    ------
    UsageError
        When a unit is given twice, or strata do not match.

    Examples
    --------
    >>> assign(Plan("warmth"), ["c3", "c1", "c2", "c4"]).arm.value_counts().tolist()
    [2, 2]
    """
    ids = pd.Series(list(unit_ids), dtype="str")
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        raise UsageError(f"experiment: unit {listing(twice)} is given twice; expected once.")
    if strata is not None and len(strata) != len(ids):
        raise UsageError(
            f"experiment: {len(strata)} strata for {len(ids)} units; expected one each."
        )
    key = f"{plan.experiment}\x1f{plan.salt}"
    frame = pd.DataFrame({"unit_id": ids, "stratum": "" if strata is None else list(strata)})
    frame["place"] = [uniform(unit, key) for unit in frame["unit_id"]]
    frame = frame.sort_values(["stratum", "place", "unit_id"])
    turn = frame.groupby("stratum").cumcount().to_numpy()
    size = frame.groupby("stratum")["unit_id"].transform("size").to_numpy()
    start = frame["stratum"].map(lambda stratum: uniform(str(stratum), key + "start")).to_numpy()
    # A random start per stratum keeps the shares exact on average where strata are small.
    position = ((turn + start) / size) % 1.0
    cut = np.cumsum(plan.shares)
    cut[-1] = 1.0 + 1e-12
    frame["arm"] = np.array(plan.arms)[np.searchsorted(cut, position, side="right")]
    return frame[["unit_id", "arm"]].sort_values("unit_id").reset_index(drop=True)


def append_log(
    plan: Plan, assigned: pd.DataFrame, log: Path, *, assigned_at: dt.datetime
) -> pd.DataFrame:
    """Append assignments to a log that only grows, in the contract's columns.

    Parameters
    ----------
    plan : Plan
        The experiment.
    assigned : DataFrame
        As ``assign`` returns it.
    log : Path
        A CSV file; created where there is none.
    assigned_at : datetime.datetime
        When.

    Raises
    ------
    UsageError
        When a unit is in the log of this experiment already.
    StorageError
        When the file cannot be written.
    """
    rows = assigned.assign(
        experiment=plan.experiment, unit=plan.unit, assigned_at=assigned_at.isoformat()
    )[list(COLUMNS)]
    try:
        if log.exists():
            known = pd.read_csv(log, dtype="str", keep_default_na=False)
            mine = known.loc[known["experiment"] == plan.experiment, "unit_id"]
            again = rows.loc[rows["unit_id"].isin(set(mine)), "unit_id"]
            if len(again):
                raise UsageError(
                    f"experiment {plan.experiment}: unit {listing(again)} was assigned before; an "
                    "assignment never changes. Leave them out, or name a new experiment."
                )
        log.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(log, mode="a", header=not log.exists(), index=False)
    except OSError as error:
        raise StorageError(f"{log}: cannot be written: {error.strerror}.") from error
    return rows
