"""One handle on a company: its checked tables, the engine that holds them, and what is made ready.

Features, outcomes, contacts and panels are asked of it. Rows are made ready for cutoffs once,
and markers are found in messages once, when something first needs them.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

from clv.contract.check import check
from clv.contract.matching import LEAST_MATCH
from clv.contract.tables import DataOptions
from clv.contract.validation import LIMIT_SHARE
from clv.engines.connect import connect
from clv.errors import ClvError, QuarantineError, UsageError
from clv.events.histories import make_histories
from clv.features.contacts import build_contact_table
from clv.features.table import build_feature_table
from clv.labels.follow_up import build_follow_up
from clv.labels.outcomes import build_outcomes
from clv.markers.base import Pack
from clv.markers.contacts import make_markers
from clv.markers.packs import load_pack
from clv.models.training.panel import build_panel, choose_horizon, training_windows
from clv.sources.frames import read_frames
from clv.sources.guessing.frames import guessed
from clv.sources.reading import read_sources
from clv.sources.spec import SourceSpec
from clv.storage import TemporaryFolder
from clv.windows import Window, as_day

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    import pandas as pd

    from clv.contract.tables import Tables
    from clv.contract.validation import Checked, ValidationResult
    from clv.engines.base import Engine
    from clv.events.histories import Histories
    from clv.features.table import FeatureTable
    from clv.markers.contacts import ContactMarkers
    from clv.models.training.panel import Panel
    from clv.sources.reading import RawTables

Day = str | dt.date

_REFUSED: list[TemporaryFolder] = []
"""Quarantines of companies that were refused: messages name them, so they last as the process."""


class Company:
    """A company's checked tables, and whatever has been made ready from them.

    Use it as a context manager, or call ``close``: it gives back the engine's memory and disk.

    Parameters
    ----------
    checked : Checked
        Accepted tables and how they kept the contract, as ``clv.contract.check`` returns them.
    pack : Pack, str or pathlib.Path, optional
        The markers to look for in messages, or a file that adds to those that come with clv.

    Attributes
    ----------
    tables : Tables
        Accepted rows, in the engine.
    validation : ValidationResult
        What became of every row.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"order_id": ["o1", "o2"], "customer_id": ["anna", "ben"],
    ...     "day": ["2025-01-02", "2025-03-04"], "total": [9.99, 25.00]})
    >>> names = {"orders": {"ordered_at": "day", "amount": "total"}}
    >>> with Company.from_frames(orders=orders, columns=names) as company:
    ...     company
    Company(2 orders; 2025-01-02 to 2025-03-04; in units)
    """

    def __init__(self, checked: Checked, *, pack: Pack | str | Path | None = None) -> None:
        self.tables: Tables = checked.tables
        self.validation: ValidationResult = checked.validation
        self._pack = pack
        self._markers: ContactMarkers | None = None
        self._histories: Histories | None = None
        self._owned: list[TemporaryFolder | Engine] = []

    @classmethod
    def open(
        cls,
        place: str | Path | Mapping[str, Any] | SourceSpec,
        *,
        terms: DataOptions | None = None,
        engine: Engine | None = None,
        loaded_at: dt.datetime | None = None,
        quarantine: str | Path | None = None,
        limit_share: float = LIMIT_SHARE,
        least_match: float = LEAST_MATCH,
    ) -> Self:
        """Read a company's tables from where they lie, and check every row.

        Parameters
        ----------
        place : str, pathlib.Path, mapping or SourceSpec
            A folder of the contract's tables, a DuckDB file, a database's URL, or what stands
            under ``sources`` in the settings.
        terms : DataOptions, optional
            How the tables are to be read.
        engine : Engine, optional
            Where to hold them; by default DuckDB, closed with the company.
        loaded_at : datetime.datetime, optional
            With its time zone; rows dated after it are wrong. By default now.
        quarantine : str or pathlib.Path, optional
            Where rows that break the contract are written; by default a temporary folder,
            which ``close`` removes.
        limit_share : float
            Share of a table's rows that may break the contract.
        least_match : float
            Share of the ids of contacts, surveys and orders that other tables must know.

        Raises
        ------
        SourceError, SchemaError, DataError, QuarantineError
            As reading the sources, and checking the rows.
        """
        spec = SourceSpec.of(place)
        return cls._checked(
            lambda own: read_sources(own, spec),
            terms,
            engine,
            loaded_at,
            quarantine,
            limit_share,
            least_match,
        )

    @classmethod
    def from_frames(
        cls,
        *,
        columns: Mapping[str, Mapping[str, str]] | None = None,
        terms: DataOptions | None = None,
        engine: Engine | None = None,
        loaded_at: dt.datetime | None = None,
        quarantine: str | Path | None = None,
        limit_share: float = LIMIT_SHARE,
        least_match: float = LEAST_MATCH,
        **frames: Any,
    ) -> Self:
        """Check frames like any other source, and hold what is accepted.

        Parameters
        ----------
        columns : mapping of str to mapping of str to str, optional
            By table, the contract's column to an own column, or an expression of own columns:
            ``{"orders": {"ordered_at": "cast_time(epoch)", "amount": "total"}}``.
        terms, engine, loaded_at, quarantine, limit_share, least_match
            As in ``open``.
        **frames : DataFrame or Arrow table
            By the contract's tables: ``orders=…`` is required, ``customers``,
            ``interactions``, ``messages``, ``surveys`` and the others each add something.

        Raises
        ------
        UsageError
            For a table that the contract does not know, or a value that is no frame.
        SchemaError, DataError, QuarantineError
            As checking the rows.
        """
        return cls._checked(
            lambda own: read_frames(own, frames, columns),
            terms,
            engine,
            loaded_at,
            quarantine,
            limit_share,
            least_match,
        )

    @classmethod
    def guess(cls, frames: Mapping[str, Any], *, terms: DataOptions | None = None) -> Self:
        """Recognise frames by their columns, whatever they are called, and check them.

        Parameters
        ----------
        frames : mapping of str to DataFrame or Arrow table
            Under names of one's own, such as those of files.
        terms : DataOptions, optional
            How the tables are to be read.
        """
        tables, columns = guessed(frames)
        return cls.from_frames(columns=columns, terms=terms, **tables)

    @classmethod
    def _checked(
        cls,
        read: Callable[[Engine], RawTables],
        terms: DataOptions | None,
        engine: Engine | None,
        loaded_at: dt.datetime | None,
        quarantine: str | Path | None,
        limit_share: float,
        least_match: float,
    ) -> Self:
        own = engine or connect()
        temporary = None if quarantine else TemporaryFolder("clv-quarantine-")
        folder = temporary.path if temporary else Path(quarantine or "")
        try:
            checked = check(
                read(own),
                terms or DataOptions(),
                quarantine=folder,
                loaded_at=loaded_at or dt.datetime.now(dt.UTC),
                limit_share=limit_share,
                least_match=least_match,
            )
        except BaseException as error:
            if temporary is not None and isinstance(error, QuarantineError):
                _REFUSED.append(temporary)
            if engine is None:
                own.close()
            raise
        company = cls(checked)
        held = (temporary, own if engine is None else None)
        company._owned = [thing for thing in held if thing is not None]
        return company

    @property
    def markers(self) -> ContactMarkers | None:
        """Service behaviours found in the messages, once; None without messages of contacts."""
        if self._markers is None and self.has_messages:
            pack = self._pack if isinstance(self._pack, Pack) else load_pack(self._pack)
            self._markers = make_markers(self.tables, pack)
        return self._markers

    def use_markers(self, pack: Pack | str | Path) -> Self:
        """Look for the markers of another pack in the messages; before anything is made ready.

        Parameters
        ----------
        pack : Pack, str or pathlib.Path
            A pack, or a file that adds to the one that comes with clv.

        Raises
        ------
        UsageError
            When the messages have been read already.
        """
        if self._markers is not None or self._histories is not None:
            raise UsageError(
                "markers: the messages have been read already; expected the pack before anything "
                "is asked of the company. Open the company again, and name the pack first."
            )
        self._pack = pack
        return self

    @property
    def has_messages(self) -> bool:
        """Whether there are messages of contacts to read."""
        return {"messages", "interactions"} <= set(self.tables.frames)

    @property
    def is_ready(self) -> bool:
        """Whether the histories are made, so that asking for them costs nothing."""
        return self._histories is not None

    @property
    def histories(self) -> Histories:
        """Rows made ready for any cutoff, once, markers among them."""
        if self._histories is None:
            self._histories = make_histories(self.tables, markers=self.markers)
        return self._histories

    @property
    def span(self) -> tuple[dt.date, dt.date]:
        """The days of the first and the last order, strays left aside; kept after ``close``."""
        return self.tables.span()

    def features(self, as_of: Day) -> FeatureTable:
        """Return what was known of every customer by the end of a day."""
        return build_feature_table(self.histories, _day(as_of))

    def outcomes(
        self, cutoff: Day, horizon_days: int, *, discount_rate_annual: float = 0.0
    ) -> pd.DataFrame:
        """Return what customers did in the days after a cutoff.

        Parameters
        ----------
        cutoff : str or datetime.date
            Its whole day is past.
        horizon_days : int
        discount_rate_annual : float
            Of later money.
        """
        return build_outcomes(
            self.histories,
            Window(_day(cutoff), horizon_days),
            discount_rate_annual=discount_rate_annual,
        )

    def contacts(
        self, horizon_days: int, *, since: Day | None = None, until: Day | None = None
    ) -> pd.DataFrame:
        """Return one row per agents' contact, with what was known before it and what was done.

        Parameters
        ----------
        horizon_days : int
            Contacts count of which so many days after them lie in what is used.
        since, until : str or datetime.date, optional
            The first and the last day that are used; by default all.
        """
        return build_contact_table(
            self.histories, horizon_days, since=_day(since), until=_day(until)
        )

    def follow_up(
        self, horizon_days: int, *, since: Day | None = None, until: Day | None = None
    ) -> pd.DataFrame:
        """Return what the customer did in the days after each of those contacts.

        Parameters
        ----------
        horizon_days : int
            Days after each contact, in its own time.
        since, until : str or datetime.date, optional
            As in ``contacts``: the same rows come out.
        """
        return build_follow_up(self.histories, horizon_days, since=_day(since), until=_day(until))

    def panel(
        self, windows: Sequence[Window] | None = None, *, horizon_days: int | None = None
    ) -> Panel:
        """Return features and outcomes at several cutoffs, to train and test on.

        Parameters
        ----------
        windows : sequence of Window, optional
            By default all that the orders allow, at most eight, evenly spread.
        horizon_days : int, optional
            Of the default windows; by default the longest that can be tested three times.
        """
        if windows is None:
            first, last = self.span
            days = horizon_days or choose_horizon(first, last)[0]
            windows = training_windows(first, last, days)
        return build_panel(self.histories, windows)

    def close(self) -> None:
        """Give back what the company holds; an engine that was passed in stays open."""
        with suppress(ClvError):  # kept with the tables, which are gone afterwards
            self.tables.span()
        for made in (self._histories, self._markers):
            if made is not None:
                made.close()
        self._histories = self._markers = None
        for thing in self._owned:
            thing.close()
        self._owned = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Say what it holds, from what checking counted."""
        held = ", ".join(
            f"{table.accepted:,} {name}" for name, table in self.validation.tables.items()
        )
        first, last = self.span
        return f"Company({held}; {first} to {last}; in {self.tables.terms.currency})"


@overload
def _day(day: Day) -> dt.date: ...
@overload
def _day(day: None) -> None: ...
@overload
def _day(day: Day | None) -> dt.date | None: ...
def _day(day: Day | None) -> dt.date | None:
    return None if day is None else as_day(day)
