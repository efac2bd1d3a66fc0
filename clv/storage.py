"""Storage: the only module that writes files, and the only one that removes them.

A file is written in a folder of its own beside its place (mode 0700), made durable, and renamed:
readers see the old one or the new one, and a full disk leaves the old. What a killed process
left is removed by the next one that writes there. Nothing is removed but single files by their
name, and folders that hold a mark of ours.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from filelock import FileLock, Timeout

from clv.errors import LockError, StorageError, UsageError, storing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
MARK = ".clv-temporary"
"""A file in every temporary folder of ours, locked while the folder is in use."""

PARTIAL = ".clv-partial-"
_RANDOM_BYTES = 6
_TRIES = 100


def folder(path: Path) -> Path:
    """Make a folder that only this user may enter, with those above it, and return it.

    One that is there keeps its mode.

    Examples
    --------
    >>> made = folder(Path(tempfile.mkdtemp()) / "a" / "b")
    >>> oct(made.stat().st_mode & 0o777), oct(made.parent.stat().st_mode & 0o777)
    ('0o700', '0o700')
    """
    with storing(path):
        missing = [path]
        while not missing[-1].parent.exists():
            missing.append(missing[-1].parent)
        for part in reversed(missing):
            part.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    return path


class TemporaryFolder:
    """A folder for this process alone, removed by ``close``, at the process's end, or after it.

    Those that killed processes left beside it are removed when it is made.

    Parameters
    ----------
    prefix : str
        What its name begins with, such as ``clv-engine-``.
    parent : pathlib.Path, optional
        Where; by default the system's folder for temporary files.

    Attributes
    ----------
    path : pathlib.Path

    Raises
    ------
    OSError
        When it cannot be made.

    Examples
    --------
    >>> with TemporaryFolder("clv-example-") as place:
    ...     place.is_dir()
    True
    >>> place.exists()
    False
    """

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        place = Path(tempfile.gettempdir()) if parent is None else parent
        clean(place, prefix)
        self.path, handle = _claimed(place, prefix)
        self.close = weakref.finalize(self, _let_go, self.path, handle, os.getpid())

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def clean(place: Path, prefix: str) -> None:
    """Remove what killed processes left: folders of ours that no living process holds."""
    ours = re.compile(re.escape(prefix) + f"[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
    with suppress(OSError), os.scandir(place) as entries:
        for path in [Path(e.path) for e in entries if ours.fullmatch(e.name)]:
            _clean_one(path)


def _clean_one(path: Path) -> None:
    """Remove one temporary folder unless its mark is missing, locked, or another user's."""
    with suppress(OSError):
        if path.is_symlink() or path.lstat().st_uid != os.getuid():
            return
        try:
            handle = os.open(path / MARK, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            path.rmdir()  # its process was killed before the mark; refuses unless empty
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
        finally:
            os.close(handle)


def _claimed(place: Path, prefix: str) -> tuple[Path, int]:
    """Make a folder with a locked mark; another process may clean it away until it is locked."""
    for _ in range(_TRIES):
        path = place / f"{prefix}{secrets.token_hex(_RANDOM_BYTES)}"
        path.mkdir(mode=PRIVATE_FOLDER)
        try:
            handle = os.open(path / MARK, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        except FileNotFoundError:
            continue
        except OSError:
            with suppress(OSError):
                path.rmdir()
            raise
        with suppress(OSError):  # a file system without locks: nobody will clean there either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if (path / MARK).exists():
            return path, handle
        os.close(handle)
    raise StorageError(f"{place}: no folder can be kept there; other processes remove it.")


def _let_go(path: Path, handle: int, owner: int) -> None:
    if os.getpid() == owner:  # a forked child must not take the folder from its parent
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


@contextmanager
def partial(path: Path) -> Iterator[Path]:
    """Give a path to write to; the file takes its real name when the block ends well.

    For libraries that want a path; ``whole`` gives an open file.

    Parameters
    ----------
    path : pathlib.Path
        Where it is to appear, readable by this user alone.

    Raises
    ------
    UsageError
        When a folder, a device or a pipe stands there.
    StorageError
        When the disk is full or the place may not be written; what was there stays.

    Examples
    --------
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with partial(target) as place:
    ...     write_text(place, "done")
    ...     target.exists()
    False
    >>> target.read_text()
    'done'
    """
    _check_place(path)
    folder(path.parent)
    with storing(path):
        try:
            with TemporaryFolder(PARTIAL, path.parent) as place:
                written = place / path.name
                yield written
                written.chmod(PRIVATE_FILE)
                sync(written)
                written.replace(path)
            sync(path.parent)
        except OSError as error:
            if str(error.filename or "").startswith(str(path.parent / PARTIAL)):
                error.filename = str(path)  # people know the file by its own name
            raise


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that only this user may read, and that appears when it is complete.

    Raises
    ------
    UsageError, StorageError
        As for ``partial``.

    Examples
    --------
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with whole(target) as file:
    ...     _ = file.write(b"done")
    ...     target.exists()
    False
    >>> target.read_bytes()
    b'done'
    """
    with partial(path) as written, open(written, "xb", opener=_private) as file:
        yield file


def opened_regular(path: Path) -> IO[bytes]:
    """Open a regular file to read: no link is followed, no pipe waited for, no device read.

    Raises
    ------
    OSError
        When it is none, or may not be read.

    Examples
    --------
    >>> opened_regular(Path("/dev/zero"))
    Traceback (most recent call last):
    OSError: [Errno 22] Invalid argument: '/dev/zero'
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
    return os.fdopen(handle, "rb")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, in UTF-8."""
    with whole(path) as file:
        file.write(text.encode())


def marked(path: Path) -> Path:
    """Make a folder that ``remove_folder`` may remove, and return it."""
    with storing(path):
        (folder(path) / MARK).touch(mode=PRIVATE_FILE)
    return path


def remove_file(path: Path) -> None:
    """Remove one file, if it is there."""
    with storing(path):
        path.unlink(missing_ok=True)


def remove_folder(path: Path, mark: str = MARK) -> bool:
    """Remove a folder that holds a file of ours, and say whether it was removed.

    Parameters
    ----------
    path : pathlib.Path
        A folder itself, not a link to one.
    mark : str
        The name of the file without which nothing is removed.

    Examples
    --------
    >>> theirs = Path(tempfile.mkdtemp())
    >>> remove_folder(theirs)
    False
    """
    with storing(path):
        if path.is_symlink() or not (path / mark).is_file():
            return False
        # The mark goes last: what is killed midway can still be told, and removed, afterwards.
        for part in path.iterdir():
            if part.name != mark:
                _remove(part)
        (path / mark).unlink()
        path.rmdir()
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def remove_empty(path: Path) -> None:
    """Remove a folder that holds nothing."""
    with storing(path):
        if not any(path.iterdir()):
            path.rmdir()


def publish_folder(staged: Path, target: Path) -> None:
    """Make a staged folder appear under its name, durable with all that it holds."""
    with storing(target):
        for path in sorted(staged.iterdir()):
            sync(path)
        sync(staged)
        staged.rename(target)
        sync(target.parent)


def replace_file(written: Path, target: Path) -> None:
    """Give a durable file another name on the same file system; one that is there is replaced."""
    with storing(target):
        sync(written)
        written.replace(target)
        sync(target.parent)


def sync(path: Path) -> None:
    """Make a file, or a folder's entries, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FileLocked:
    """Hold the lock of a file or folder, as a context, so that one process at a time writes it.

    Parameters
    ----------
    path : pathlib.Path
        The lock's own file.
    what : str
        What is locked, for the message.
    wait_seconds : float
        How long to wait for another process.

    Raises
    ------
    LockError
        When another process holds it for longer.
    """

    def __init__(self, path: Path, what: str, wait_seconds: float = 0.0) -> None:
        self._path, self._what, self._wait_seconds = path, what, wait_seconds
        self._lock = FileLock(str(path), mode=PRIVATE_FILE)

    def __enter__(self) -> Self:
        folder(self._path.parent)
        with storing(self._path):
            try:
                self._lock.acquire(timeout=self._wait_seconds)
            except Timeout as error:
                raise LockError(
                    f"{self._what}: another run holds the lock. Wait for it to end, or write to "
                    "another place."
                ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, PRIVATE_FILE)


def _check_place(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # nothing there, or a broken link, which is replaced
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise UsageError(f"{path}: is {kind}; expected the name of a file to write.")
