"""Where a store lies: which addresses there are, who answers there, and whose turn it is."""

from __future__ import annotations

import http.client
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from clv.errors import LockError, RegistryError, UsageError, storing
from clv.foreign import reason
from clv.masking import masked
from clv.storage import folder

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
LOCK_SECONDS = 300
REACH_SECONDS = 10
_LOCK_NUMBER = 0x636C76  # "clv", among PostgreSQL's advisory locks
_LOCK_TIMEOUT = "55P03"


def is_database(uri: str) -> bool:
    """Say whether a tracking address is a database that is opened from this process."""
    return uri.split(":", 1)[0].split("+")[0] in DATABASES


def local_address(workspace: Path) -> str:
    """Return the address of the store inside a workspace.

    Raises
    ------
    UsageError
        Where the folder's path has a character that means something in an address.

    Examples
    --------
    >>> local_address(Path("/data/clv-out"))
    'sqlite:////data/clv-out/mlflow.db'
    """
    place = workspace.resolve()
    marks = [mark for mark in "?%#" if mark in str(place)]
    if marks:
        raise UsageError(
            f"workspace: the path {str(place)!r} has {' and '.join(marks)}, which an address of "
            "the model registry cannot have; expected a path without ?, % and #. Set `workspace` "
            "to another folder, or registry.tracking_uri to a store of its own."
        )
    return f"sqlite:///{place / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """Return the file of an SQLite address, or None for any other.

    Raises
    ------
    RegistryError
        When the path is relative: it would depend on where the program was started.
    """
    if not uri.startswith("sqlite:"):
        return None
    path = Path(uri.split(":///", 1)[-1])
    if not path.is_absolute():
        raise RegistryError(
            f"registry: {shown(uri)!r} has a relative path; expected sqlite:////absolute/path/mlflow.db."
        )
    return path


@contextmanager
def locked(uri: str) -> Iterator[None]:
    """Hold the store's lock: a file beside SQLite, PostgreSQL's own; a server needs none.

    Raises
    ------
    LockError
        When another process holds it for longer than five minutes.
    RegistryError
        When the database that keeps the lock cannot be reached.
    """
    path = sqlite_path(uri)
    if path is not None:
        with _file_locked(path):
            yield
    elif uri.startswith("postgresql"):
        with _database_locked(uri):
            yield
    else:
        yield


@contextmanager
def _file_locked(path: Path) -> Iterator[None]:
    with storing(path.parent):
        folder(path.parent)
        lock = FileLock(f"{path}.lock", mode=0o600)
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout as error:
            raise _held(f"{path}.lock") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _database_locked(uri: str) -> Iterator[None]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = create_engine(uri, isolation_level="AUTOCOMMIT")
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise unreachable(shown(uri), error) from error
    try:
        try:
            connection = engine.connect()
            wait = {"wait": f"{LOCK_SECONDS}s"}
            connection.execute(text("select set_config('lock_timeout', :wait, false)"), wait)
            connection.execute(text("select pg_advisory_lock(:n)"), {"n": _LOCK_NUMBER})
        except SQLAlchemyError as error:
            if getattr(getattr(error, "orig", None), "sqlstate", None) == _LOCK_TIMEOUT:
                raise _held(shown(uri)) from error
            raise unreachable(shown(uri), error) from error
        # The lock ends with the connection, also when this process is killed.
        with connection:
            yield
    finally:
        engine.dispose()


def _held(what: str) -> LockError:
    return LockError(
        f"registry: another process has held {what} for {LOCK_SECONDS} s. "
        "Wait for it to end, then run again."
    )


def reach(uri: str) -> None:
    """Fail in seconds when nobody answers; MLflow itself retries for minutes."""
    place = shown(uri)
    if uri.startswith(("http://", "https://")):
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=REACH_SECONDS):  # noqa: S310 (http only)
                return
        except urllib.error.HTTPError:
            return  # somebody answers; what it refuses is said by the first call
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise unreachable(place, error) from error
    if not is_database(uri):
        raise RegistryError(
            f"registry: {place!r} is not a store; expected sqlite:////absolute/path/mlflow.db, "
            "a database URL, or http(s)://server. MLflow no longer writes file stores."
        )
    path = sqlite_path(uri)
    if path is not None:
        if not path.exists():
            return
        try:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("pragma schema_version").fetchone()
        except sqlite3.Error as error:
            raise unreachable(place, error) from error
    else:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError

        try:
            engine = create_engine(uri)
            try:
                engine.connect().close()
            finally:
                engine.dispose()
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise unreachable(place, error) from error


def unreachable(place: str, error: Exception) -> RegistryError:
    """Return the error to raise when nobody answers at an address."""
    return RegistryError(
        f"registry {place}: not reachable: {reason(error)} Start the server or correct "
        "the tracking address (MLFLOW_TRACKING_URI, or registry.tracking_uri in the settings)."
    )


def shown(uri: str) -> str:
    """Return an address that may be shown.

    Examples
    --------
    >>> shown("postgresql://clv:secret@db:5432/mlflow")
    'postgresql://clv:***@db:5432/mlflow'
    """
    return masked(uri)


def absolute(root: str | None) -> str | None:
    """Return an artefact root as a URL, refusing one that depends on the working directory."""
    if root is None or "://" in root:
        return root
    if not Path(root).is_absolute():
        raise RegistryError(
            f"registry: artifact_root {shown(root)!r} is relative; expected an absolute path or a "
            "URL, since it is fixed for ever when the store is created."
        )
    return Path(root).as_uri()
