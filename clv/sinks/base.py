"""What a sink is: one destination of scores, written so that twice is once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clv.errors import SinkError, UsageError, listing
from clv.spreadsheet import escaped

if TYPE_CHECKING:
    import datetime as dt
    from collections import Counter
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

_STRING, _FLOAT, _INT = pa.string(), pa.float64(), pa.int64()

SCORES = pa.schema(
    [
        ("customer_id", _STRING),
        ("as_of", pa.date32()),
        ("horizon_days", _INT),
        ("currency", _STRING),
        ("clv", _FLOAT),
        ("clv_low", _FLOAT),
        ("clv_high", _FLOAT),
        ("purchases_only_clv", _FLOAT),
        ("typical_clv", _FLOAT),
        ("service_contribution", _FLOAT),
        ("p_churn", _FLOAT),
        ("p_alive", _FLOAT),
        ("expected_purchases", _FLOAT),
        ("expected_spend", _FLOAT),
        ("p_repeat", _FLOAT),
        ("value_decile", _INT),
        ("reason_1", _STRING),
        ("reason_2", _STRING),
        ("reason_3", _STRING),
        ("reason_1_amount", _FLOAT),
        ("reason_2_amount", _FLOAT),
        ("reason_3_amount", _FLOAT),
        ("cold_start", pa.bool_()),
        ("model_name", _STRING),
        ("model_version", _INT),
        ("feature_fingerprint", _STRING),
    ]
)
"""The score table: names, types and order, the same in every destination."""

TOMBSTONES = pa.schema([("customer_id", _STRING), ("since", pa.date32())])
"""Customers who had a score and have none, and the first day without one."""

DIGITS, MOST_DIGITS = 3, 15
"""Significant digits of values that a destination holds, unless told otherwise; and the most."""

BATCH_ROWS = 50_000
NUL = "\0"
"""PostgreSQL takes it in no text: one id with it would stop a whole load."""


@dataclass(frozen=True)
class WriteReport:
    """What a sink did.

    Attributes
    ----------
    kind : str
        The sink's key in ``SINKS``.
    place : str
        Where the scores went; a password in it is hidden.
    written : int
        Rows that are there now.
    rejected : int
        Rows that the destination cannot take.
    reasons : mapping of str to int
        Why, with counts.
    files : tuple of str
        Names of files written into the run's directory.
    cleared : int
        Customers without a score any more, whose fields are emptied.
    """

    kind: str
    place: str
    written: int
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    cleared: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return the report as JSON-able values."""
        return asdict(self) | {"reasons": dict(self.reasons), "files": list(self.files)}


class Sink(Protocol):
    """A destination: a frozen dataclass whose fields are its settings."""

    kind: ClassVar[str]
    apart_by: ClassVar[str]
    """The setting by which two sinks of a kind write to different places."""

    @property
    def places(self) -> tuple[str, ...]:
        """Names of everything that it writes: no two sinks share one."""

    def write(self, scores: Path, directory: Path, gone: Path | None = None) -> WriteReport:
        """Write a published score file.

        Parameters
        ----------
        scores : pathlib.Path
            Parquet with the columns of ``SCORES``.
        directory : pathlib.Path
            The run's directory, for files; empty of this sink's files.
        gone : pathlib.Path, optional
            Parquet with the columns of ``TOMBSTONES``: who had a score before, sorted by id.

        Raises
        ------
        SinkError
            When the destination refuses; nothing is half written there.
        """

    def restore(
        self, scores: Path, days: Collection[dt.date], gone: Path | None = None
    ) -> WriteReport | None:
        """Hold an earlier run again, as if those after it had not been.

        Parameters
        ----------
        scores : pathlib.Path
            Of the run that counts again.
        days : collection of datetime.date
            Days of the runs that are taken back.
        gone : pathlib.Path, optional
            Tombstones of the run that counts again.

        Returns
        -------
        WriteReport or None
            None from a sink whose files lie in the run's directory, and so come back with it.
        """

    def run_held(self) -> str | None:
        """Return the hash of the scores that the destination holds, where it knows."""


def frames(scores: Path, rows: int = BATCH_ROWS) -> Iterator[pd.DataFrame]:
    """Read a score file in frames of at most ``rows``, nulls as None or NaN.

    Raises
    ------
    SinkError
        When the file lacks columns of ``SCORES``.
    """
    with pq.ParquetFile(scores) as file:
        absent = [name for name in SCORES.names if name not in file.schema_arrow.names]
        if absent:
            raise SinkError(
                f"{scores.name}: missing column {listing(absent)}; expected a file that "
                "`clv score` wrote."
            )
        for batch in file.iter_batches(batch_size=rows):
            yield whole_numbers(batch.to_pandas(date_as_object=True))


def whole_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep whole numbers whole beside nulls, which pandas would turn into 3.0 and NaN.

    Examples
    --------
    >>> whole_numbers(pd.DataFrame({"value_decile": [3.0, None]})).value_decile.tolist()
    [3, None]
    """
    names = [f.name for f in SCORES if f.type == _INT and f.name in frame]
    broken = [name for name in names if frame[name].isna().any()]
    for name in broken:
        whole = frame[name].astype("Int64").astype(object)
        frame = frame.assign(**{name: whole.where(frame[name].notna(), None)})
    return frame


def split(frame: pd.DataFrame, id_characters: int | None) -> tuple[pd.DataFrame, dict[str, int]]:
    """Part the rows that a destination can take from those it cannot, counted by reason.

    Parameters
    ----------
    frame : DataFrame
        Scores.
    id_characters : int or None
        The longest id it takes; None takes any, and characters that databases and CRMs refuse.
    """
    ids = frame["customer_id"]
    absent = (ids.isna() | (ids == "")).to_numpy(bool)
    long = nul = np.zeros(len(ids), bool)
    if id_characters is not None:
        long = ids.str.len().fillna(0).to_numpy() > id_characters
        nul = ids.str.contains(NUL, regex=False).fillna(value=False).to_numpy(bool) & ~long
    counts = {
        "customer_id is missing": int(absent.sum()),
        f"customer_id is longer than {id_characters} characters": int(long.sum()),
        "customer_id holds a NUL": int(nul.sum()),
    }
    return frame[~(absent | long | nul)], {reason: n for reason, n in counts.items() if n}


def accepted(
    scores: Path, columns: Sequence[str], id_characters: int, rejects: Counter[str]
) -> Iterator[tuple[Any, ...]]:
    """Read the rows that a destination can take, one tuple each, and count the others.

    Parameters
    ----------
    scores : pathlib.Path
        A score file.
    columns : sequence of str
        What to read besides ``customer_id``, which comes first.
    id_characters : int
        The longest id the destination takes.
    rejects : Counter
        Counts of refused rows by reason are added here.
    """
    for frame in frames(scores):
        kept, refused = split(frame, id_characters)
        rejects.update(refused)
        yield from kept[["customer_id", *columns]].itertuples(index=False, name=None)


def blanks(
    gone: Path | None, columns: Sequence[str], id_characters: int
) -> Iterator[tuple[Any, ...]]:
    """Return a row of unknown values for each customer who has no score any more.

    An id that the destination cannot take was never there.

    Parameters
    ----------
    gone : pathlib.Path or None
        A tombstone file; None is nobody.
    columns : sequence of str
        As for ``accepted``, whose rows these follow.
    id_characters : int
        The longest id the destination takes.
    """
    if gone is None:
        return
    with pq.ParquetFile(gone) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=["customer_id"]):
            for customer in batch.column(0).to_pylist():
                if len(customer) <= id_characters and NUL not in customer:
                    yield (customer, *(None for _ in columns))


def customers_of(gone: Path | None) -> list[str]:
    """Return the customers of a tombstone file; None is nobody."""
    if gone is None:
        return []
    ids: list[str] = pq.read_table(gone, columns=["customer_id"])["customer_id"].to_pylist()
    return ids


def day_of(scores: Path) -> dt.date:
    """Return the as_of of a score file.

    Raises
    ------
    SinkError
        When the file holds no row.
    """
    for frame in frames(scores, rows=1):
        return frame["as_of"].iloc[0]
    raise SinkError(f"{scores.name}: holds no row; expected one per customer. Score again.")


def report(
    kind: str,
    place: str,
    written: int,
    rejects: Counter[str],
    files: Sequence[str] = (),
    cleared: int = 0,
) -> WriteReport:
    """Put a write report together."""
    reasons = dict(sorted(rejects.items()))
    return WriteReport(kind, place, written, rejects.total(), reasons, tuple(files), cleared)


def significant(frame: pd.DataFrame, digits: int) -> pd.DataFrame:
    """Round the numbers of score columns to significant digits; whole numbers stay as they are.

    Examples
    --------
    >>> significant(pd.DataFrame({"clv": [1234.56, 0.00012345, -65.789, None]}), 3).clv.tolist()
    [1230.0, 0.000123, -65.8, nan]
    """
    names = [f.name for f in SCORES if f.type == _FLOAT and f.name in frame]
    rounded = {name: _significant(frame[name].to_numpy(np.float64), digits) for name in names}
    return frame.assign(**rounded)


def _significant(values: np.ndarray, digits: int) -> np.ndarray:
    size = np.abs(values)
    known = np.isfinite(values) & (size > 0)
    places = digits - 1 - np.floor(np.log10(np.where(known, size, 1.0)))
    # a whole number by an exact power of ten is the nearest number of that many digits
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    return np.where(known, np.round(values * up / down) * down / up, values)


def spreadsheet(frame: pd.DataFrame) -> pd.DataFrame:
    """Escape every text cell that a spreadsheet would run; numbers stay as they are."""
    text = [field.name for field in SCORES if field.type == _STRING and field.name in frame]
    return frame.assign(**{name: frame[name].map(escaped, na_action="ignore") for name in text})


def chosen(fields: Mapping[str, str]) -> dict[str, str]:
    """Check a mapping of score columns to a destination's names.

    Raises
    ------
    UsageError
        For a column that is not a score.
    """
    unknown = [name for name in fields if name not in SCORES.names]
    if unknown:
        raise UsageError(
            f"sink: {listing(unknown)} is not a score column; expected some of "
            f"{', '.join(SCORES.names)}."
        )
    return dict(fields)


def plain(value: Any) -> str | None:
    """Write one value as CRMs take it: text, no exponent, nothing for what is unknown.

    Examples
    --------
    >>> plain(12.5), plain(1e-06), plain(float("nan")), plain(True), plain(10.0)
    ('12.5', '0.000001', None, 'true', '10')
    """
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return str(value)


def json_line(document: Mapping[str, Any]) -> bytes:
    """Write one line of JSON Lines."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{text}\n".encode()
