"""The exceptions of clv; each class knows the exit code of the command line.

::

    ClvError                      1  anything below, or a defect of clv itself
    ├── UsageError                2  a call or a flag that cannot be meant
    │   └── SettingsError         2  the settings file
    ├── DataError                 3  the company's tables
    │   ├── SourceError           3  a file or database that cannot be read
    │   ├── SchemaError           3  a table or column is missing, or has another type
    │   ├── QuarantineError       3  more bad rows than allowed
    │   └── WindowError           3  a cutoff or horizon that the data do not reach
    ├── ModelError                4  a model that cannot be fitted, loaded or applied
    ├── GateError                 5  a gate, drift or staleness stopped the run
    ├── RegistryError             6  the MLflow store
    ├── SinkError                 7  a destination of scores
    ├── LockError                 8  another run holds the lock
    └── StorageError              9  disk full, or no permission

Every message says what, where, what was expected, and what to do next, in one line, and
never more than five examples, whatever the size of the table.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clv.masking import are_data, shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

EXAMPLES = 5
COLUMNS = 12
NAMED_CHARACTERS = 80
_STORAGE = {
    errno.ENOSPC: "Free some space, or choose another place.",
    errno.EFBIG: "Free some space, or choose another place.",
    errno.EDQUOT: "Free some space, or choose another place.",
    errno.EACCES: "Allow this user to write there, or choose another place.",
    errno.EPERM: "Allow this user to write there, or choose another place.",
    errno.EROFS: "Choose a place that can be written.",
    errno.EIO: "Check the disk.",
    errno.EEXIST: "Something else stands in its place: choose another place.",
    errno.ENOTDIR: "Something else stands in its place: choose another place.",
    errno.EISDIR: "A folder stands in its place: choose another place.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def listing(items: Iterable[object], limit: int = EXAMPLES) -> str:
    """Name the first few items, long ones cut, and how many there are besides.

    Examples
    --------
    >>> listing(["b", "a"])
    "'b', 'a'"
    >>> listing(range(9), limit=2)
    '0, 1 and 7 more'
    """
    shown = list(items)
    text = ", ".join(_cut(repr(item)) for item in shown[:limit])
    return f"{text} and {len(shown) - limit} more" if len(shown) > limit else text


def columns(names: Iterable[object]) -> str:
    """Name a table's columns, or show their shapes where its first line seems to be data.

    Examples
    --------
    >>> columns(["Invoice", "Customer ID"])
    "'Invoice', 'Customer ID'"
    >>> columns(["c17", "Anna Schmidt", "anna@example.com"])
    "'x99', 'Xxxx Xxxxxxx', 'xxxx@xxxxxxx.xxx' (its first line seems to be data, not names)"
    """
    known = [str(name) for name in names]
    if not are_data(known):
        return listing(known, COLUMNS)
    return f"{listing(map(shape, known), COLUMNS)} (its first line seems to be data, not names)"


def _cut(text: str) -> str:
    return text if len(text) <= NAMED_CHARACTERS else text[: NAMED_CHARACTERS - 1] + "…"


class ClvError(Exception):
    """Base of every error that clv raises on purpose."""

    exit_code = 1


class UsageError(ClvError):
    """A call or a flag that cannot be meant."""

    exit_code = 2


class SettingsError(UsageError):
    """The settings file cannot be read, or says something that is not a setting."""


class DataError(ClvError):
    """The company's tables cannot be used as they are."""

    exit_code = 3


class SourceError(DataError):
    """A file or database cannot be read."""


class SchemaError(DataError):
    """A table or column is missing, or has another type than the contract says."""

    @classmethod
    def missing_columns(
        cls, table: str, missing: Iterable[str], found: Iterable[str]
    ) -> SchemaError:
        """Name the columns that the contract requires and the table lacks."""
        return cls(
            f"{table}: missing column {listing(missing)}; found {columns(found)}. "
            f"Map it under sources.{table}.columns in the settings."
        )


class QuarantineError(DataError):
    """More rows break the contract than the settings allow."""


class WindowError(DataError):
    """A cutoff or horizon lies outside the data."""


class ModelError(ClvError):
    """A model cannot be fitted, loaded or applied."""

    exit_code = 4


class GateError(ClvError):
    """A gate, drift or staleness stopped the run."""

    exit_code = 5


class RegistryError(ClvError):
    """The model registry cannot be reached, or refuses."""

    exit_code = 6


class SinkError(ClvError):
    """A destination of scores refuses."""

    exit_code = 7


class LockError(ClvError):
    """Another run holds the lock."""

    exit_code = 8


class StorageError(ClvError):
    """The disk is full, or a path may not be written."""

    exit_code = 9


@contextmanager
def storing(where: Path | str) -> Iterator[None]:
    """Turn a full disk or a missing permission into a StorageError; let the rest pass.

    Raises
    ------
    StorageError
        For an OSError that says: no space, no permission, read-only, broken disk.

    Examples
    --------
    >>> with storing("out"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    clv.errors.StorageError: out: No space left on device. Free some space, or choose another place.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE:
            raise
        place = error.filename or where
        advice = _STORAGE[error.errno]
        raise StorageError(f"{place}: {error.strerror}. {advice}") from error
