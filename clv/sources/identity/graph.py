"""The graph of records and keys: which records are one person, and which only share a key.

Kinds of keys are asked from the strongest to the weakest: the company's own ids, ids of a
vendor, e-mail addresses, phone numbers. A key joins all who hold it, unless they are known to be
several: two groups that differ in a stronger kind that tells people apart (own ids; e-mail
addresses, before phone numbers), or more groups than a limit. Such a key is contested, and
joins nobody: a family's telephone, a switchboard. What all keys of a kind would join is asked as
a whole, so that neither the order of rows nor that of files decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Sequence

EXTERNAL, EMAIL, PHONE = "external", "email", "phone"
FEWEST_ASKED = 3
"""So few ids do not tell whether two systems number alike."""

OWN, COMPANY = "own tables", "identities"
"""The systems of the company's own tables, and of the file in which it says who is who."""

COLUMNS = ("unit_id", "system", "kind", "key")
MOST_SHARING = 5
"""A key that more groups than these hold is a place's or a role's, not a person's."""


@dataclass(frozen=True)
class Contested:
    """A key that joins nobody, since those who hold it are several.

    Attributes
    ----------
    kind, key : str
        E-mail addresses and phone numbers as pseudonyms.
    groups : int
        How many people hold it, as far as stronger keys tell.
    why : str
        The kind in which they differ, or ``shared`` where there are too many of them.
    unit_ids : tuple of str
        All who hold it, sorted.
    """

    kind: str
    key: str
    groups: int
    why: str
    unit_ids: tuple[str, ...]


@dataclass(frozen=True)
class Joined:
    """Which records are one person.

    Attributes
    ----------
    people : pandas.Series
        By ``unit_id``, the id that the person goes by: of the strongest kind, then the first.
    contested : tuple of Contested
    apart : tuple of tuple of str and str
        Pairs of systems whose own ids are not of one numbering, and so join nobody.
    """

    people: pd.Series
    contested: tuple[Contested, ...]
    apart: tuple[tuple[str, str], ...]


def join(records: pd.DataFrame, *, most_sharing: int = MOST_SHARING) -> Joined:
    """Join records that share a key which only one person holds.

    Parameters
    ----------
    records : pandas.DataFrame
        ``unit_id``, ``system``, ``kind`` and ``key``: a row for each key that a record knows.
        Keys of the kinds ``external``, ``email`` and ``phone`` are of all systems; of any other
        kind, such as ``zendesk``, an id of that vendor.
    most_sharing : int
        A key that more groups hold joins nobody.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("anna", "shop", "email", "a"), ("anna", "shop", "phone", "1"),
    ...         ("caller", "calls", "phone", "1"), ("ben", "shop", "email", "b"),
    ...         ("ben", "shop", "phone", "2"), ("carl", "shop", "email", "c"),
    ...         ("carl", "shop", "phone", "2"), ("family", "calls", "phone", "2")]
    >>> joined = join(pd.DataFrame(rows, columns=["unit_id", "system", "kind", "key"]))
    >>> joined.people.to_dict()  # doctest: +NORMALIZE_WHITESPACE
    {'anna': 'anna', 'ben': 'ben', 'caller': 'anna', 'carl': 'carl', 'family': 'family'}
    >>> [(c.kind, c.groups, c.why) for c in joined.contested]
    [('phone', 3, 'email')]
    """
    rows = records.loc[:, list(COLUMNS)].drop_duplicates().sort_values(list(COLUMNS))
    names, node = np.unique(rows["unit_id"].to_numpy(dtype=str), return_inverse=True)
    rows = rows.assign(node=node)
    apart = _numberings_apart(rows)
    rows = _numbered(rows, apart)
    group = np.arange(len(names))
    contested: list[Contested] = []
    kinds = _by_strength(rows["kind"].unique().tolist())
    for kind in kinds:
        held = rows.loc[rows["kind"] == kind]
        differ = [k for k in kinds if tells_apart(k) and strength(k) < strength(kind)]
        known = {k: rows.loc[rows["kind"] == k, "node"].to_numpy() for k in differ}
        group, refused = _joined_by(kind, held, group, known, most_sharing)
        contested += [_named(row, held, names) for row in refused]
    return Joined(_called(rows, names, group), tuple(contested), apart)


def strength(kind: str) -> int:
    """Return the place of a kind of key among the others: the lowest is the strongest."""
    return 0 if kind.startswith(EXTERNAL) else {EMAIL: 2, PHONE: 3}.get(kind, 1)


def tells_apart(kind: str) -> bool:
    """Say whether two values of a kind are two people, to every weaker kind."""
    return kind.startswith(EXTERNAL) or kind == EMAIL


def _by_strength(kinds: Sequence[str]) -> list[str]:
    return sorted(kinds, key=lambda kind: (strength(kind), kind))


def _joined_by(
    kind: str,
    held: pd.DataFrame,
    group: np.ndarray,
    known: dict[str, np.ndarray],
    most_sharing: int,
) -> tuple[np.ndarray, list[tuple[str, str, int, str]]]:
    """Join groups by all keys of a kind at once; return them beside the keys that join nobody."""
    keys, key = np.unique(held["key"].to_numpy(dtype=str), return_inverse=True)
    pairs = np.unique(np.column_stack((key, group[held["node"].to_numpy()])), axis=0)
    holders = np.bincount(pairs[:, 0], minlength=len(keys))
    reasons = np.full(len(keys), "", dtype=object)
    groups = len(group)
    told = {k: np.isin(np.arange(groups), group[nodes]) for k, nodes in known.items()}
    if kind in (EMAIL, PHONE):
        reasons[holders > most_sharing] = "shared"
    for name, has in reversed(list(told.items())):
        several = np.bincount(pairs[:, 0], weights=has[pairs[:, 1]], minlength=len(keys)) > 1
        reasons[several] = name
    while True:
        open_pairs = pairs[(reasons == "")[pairs[:, 0]]]
        parts = _components(open_pairs, groups, len(keys))
        refused = False
        for name, has in reversed(list(told.items())):
            # One person by way of several keys, and several people by a stronger kind.
            distinct = np.bincount(parts[:groups], weights=has, minlength=parts.max() + 1) > 1
            # A key that only one group holds joins nobody, and is nobody's dispute.
            bad = np.flatnonzero(distinct[parts[groups:]] & (holders > 1) & (reasons == ""))
            reasons[bad] = name
            refused |= bool(len(bad))
        if not refused:
            break
    labels = np.unique(parts[:groups][group], return_inverse=True)[1]
    shown = np.flatnonzero(reasons != "")
    return labels, [(kind, str(keys[k]), int(holders[k]), str(reasons[k])) for k in shown]


def _components(pairs: np.ndarray, groups: int, keys: int) -> np.ndarray:
    """Return the part of the graph that each group, then each key, lies in."""
    size = groups + keys
    edges = (np.ones(len(pairs), dtype=np.int8), (pairs[:, 1], groups + pairs[:, 0]))
    return connected_components(coo_array(edges, shape=(size, size)), directed=False)[1]


def _numberings_apart(rows: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Return the systems whose own ids are of several numberings, as e-mail addresses tell.

    An ``external_id`` of 1001 may be the shop's customer 1001, or somebody else's: where two
    systems share ids, and know an address of both, more must agree than differ.
    """
    external = rows.loc[rows["kind"] == EXTERNAL, ["node", "system", "key"]]
    if external["system"].nunique() < 2:
        return ()
    email = rows.loc[rows["kind"] == EMAIL, ["node", "key"]].rename(columns={"key": "email"})
    shared = external.merge(external, on="key", suffixes=("", "_other"))
    shared = shared[shared["system"] < shared["system_other"]]
    shared = shared.merge(email, on="node").merge(
        email.rename(columns={"node": "node_other", "email": "email_other"}), on="node_other"
    )
    shared["agree"] = shared["email"] == shared["email_other"]
    asked = shared.groupby(["system", "system_other", "key"])["agree"].any()
    pairs = asked.groupby(["system", "system_other"]).agg(["mean", "size"])
    apart = pairs.index[(pairs["mean"] < 0.5) & (pairs["size"] >= FEWEST_ASKED)]
    return tuple((str(one), str(other)) for one, other in apart)


def _numbered(rows: pd.DataFrame, apart: tuple[tuple[str, str], ...]) -> pd.DataFrame:
    """Give each system in such a pair a numbering of its own: its ids join none of another's."""
    own = {name for pair in apart for name in pair}
    alone = (rows["kind"] == EXTERNAL) & rows["system"].isin(own)
    return rows.assign(kind=rows["kind"].where(~alone, f"{EXTERNAL} of " + rows["system"]))


def _named(row: tuple[str, str, int, str], held: pd.DataFrame, names: np.ndarray) -> Contested:
    kind, key, groups, why = row
    holders = names[np.unique(held.loc[held["key"] == key, "node"])]
    return Contested(kind, key, groups, why, tuple(map(str, holders)))


def _called(rows: pd.DataFrame, names: np.ndarray, group: np.ndarray) -> pd.Series:
    """Return the id that each record's person goes by: that of its strongest record."""
    rank = rows["kind"].map({kind: strength(kind) for kind in rows["kind"].unique()})
    # The company's own tables and file come before what a vendor was told of them.
    rank = rank - rows["system"].isin((OWN, COMPANY)).astype(int)
    best = rank.groupby(rows["node"]).min().reindex(range(len(names)))
    frame = pd.DataFrame({"group": group, "rank": best.to_numpy(), "name": names})
    first = frame.sort_values(["group", "rank", "name"]).groupby("group")["name"].first()
    return pd.Series(first.loc[group].to_numpy(), index=pd.Index(names, name="unit_id"))
