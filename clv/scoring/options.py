"""Options of a scoring run: which model it is, where to publish, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from clv.monitoring import Profile
    from clv.scoring.guards import Guards
    from clv.sinks import Sink

CHUNK_CUSTOMERS = 100_000


@dataclass(frozen=True)
class ScoringOptions:
    """What a scoring run is asked to do, beside histories and model.

    Attributes
    ----------
    model_name, model_version : str, int
        What the model's alias was resolved to, once.
    out : str or pathlib.Path
        The folder of published runs.
    sinks : sequence of Sink
        Besides Parquet and CSV.
    reasons : str
        ``all``, ``none`` or ``top:N``.
    chunk_customers : int
        Customers in memory at once; changes no byte of the result.
    limit_share : float
        Of rows quarantined, above which nothing is published.
    keep : int
        Published runs to keep.
    keep_months : int
        Older months of which one run is kept, so that what was said can be held against what
        came true.
    wait_seconds : float
        How long to wait for another run that holds the folder's lock.
    dry_run : bool
        Do everything but publish.
    data_fingerprint : str
        Of the tables, for the record.
    profile : Profile or None
        The training population, for drift.
    clock : callable or None
        Gives the time that the manifest names.
    guards : Guards or None
        How far the run may lie from the last published one; None asks nothing of it.
    """

    model_name: str
    model_version: int
    out: str | Path
    sinks: Sequence[Sink] = ()
    reasons: str = "all"
    chunk_customers: int = CHUNK_CUSTOMERS
    limit_share: float = 0.05
    keep: int = 10
    wait_seconds: float = 300.0
    keep_months: int = 13
    dry_run: bool = False
    data_fingerprint: str = ""
    profile: Profile | None = None
    clock: Callable[[], dt.datetime] | None = None
    guards: Guards | None = None

    @property
    def folder(self) -> Path:
        """The folder of published runs."""
        return Path(self.out)
