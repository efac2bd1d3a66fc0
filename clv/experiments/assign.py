"""Who gets which arm: decided by a salted hash, logged once, never changed.

The hash makes assignment reproducible and independent of order; within a stratum units are
ranked by it and assigned in turn, so that arms are balanced in every stratum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.errors import StorageError, UsageError, listing

if TYPE_CHECKING:
    from collections.abc import Sequence

UNITS = ("customer", "interaction", "agent")
CONTROL = "control"


def known_unit(unit: str) -> None:
    """Raise a UsageError for what cannot be assigned."""
    if unit not in UNITS:
        raise UsageError(f"experiment: unit is {unit!r}; expected one of {UNITS}.")


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
        known_unit(self.unit)
        if CONTROL not in self.arms or len(set(self.arms)) != len(self.arms) or len(self.arms) < 2:
            raise UsageError(
                f"experiment: arms are {self.arms}; expected two or more different ones, "
                f"'{CONTROL}' among them."
            )
        if len(self.shares) != len(self.arms) or abs(sum(self.shares) - 1) > 1e-9:
            raise UsageError(
                f"experiment: shares are {self.shares}; expected one per arm, adding up to 1."
            )

    @classmethod
    def of(cls, experiment: str, unit: str, arms: Sequence[str], salt: str = "") -> Plan:
        """Return the plan of arms as people write them: ``control=0.5``, ``warm=0.5``.

        Examples
        --------
        >>> Plan.of("warmth", "customer", ["control=0.8", "warm=0.2"]).shares
        (0.8, 0.2)
        >>> Plan.of("warmth", "customer", ["control", "warm"]).shares
        (0.5, 0.5)
        """
        names, shares = [], []
        for arm in arms:
            name, _, share = arm.partition("=")
            try:
                shares.append(float(share) if share else 1 / len(arms))
            except ValueError:
                raise UsageError(
                    f"experiment: arm {arm!r} has no number as its share; expected control=0.5."
                ) from None
            names.append(name.strip())
        return cls(experiment, unit, tuple(names), tuple(shares), salt)


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


def drawn(plan: Plan, unit_ids: Sequence[str], units: int) -> set[str]:
    """Draw some of the units by the same hash; more units later keep those drawn before.

    Examples
    --------
    >>> ids = [f"c{n}" for n in range(9)]
    >>> drawn(Plan("warmth"), ids, 2) < drawn(Plan("warmth"), ids, 5)
    True
    """
    if units > len(unit_ids):
        raise UsageError(
            f"experiment: {units} units are asked for and {len(unit_ids)} are there; ask for less."
        )
    key = f"{plan.experiment}\x1f{plan.salt}\x1fdrawn"
    return set(sorted(unit_ids, key=lambda unit: (uniform(unit, key), unit))[:units])


def assign_all(plan: Plan, found: pd.DataFrame, units: int | None = None) -> pd.DataFrame:
    """Assign units within their strata, all of them or some that are drawn.

    Parameters
    ----------
    plan : Plan
        The experiment.
    found : DataFrame
        ``unit_id`` and ``stratum``.
    units : int, optional
        How many.
    """
    if units is not None:
        found = found[found["unit_id"].isin(drawn(plan, list(found["unit_id"]), units))]
    return assign(plan, list(found["unit_id"]), strata=list(found["stratum"]))


def read_ids(path: str | Path) -> pd.DataFrame:
    """Read ids from a text file, one a line; empty lines are left out. They are one stratum.

    Raises
    ------
    StorageError
        When the file cannot be read.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise StorageError(f"{path}: cannot be read: {why}. Expected one id a line.") from None
    return pd.DataFrame({"unit_id": [one.strip() for one in lines if one.strip()], "stratum": ""})
