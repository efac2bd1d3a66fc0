"""Files of a store: named beforehand, few, and of a bounded size, whatever the store says.

A version's address may lead to any folder of this machine, to a file without an end, or to a
server that goes on sending. Nothing is copied but the files that were registered, and none
beyond its limit.
"""

from __future__ import annotations

import errno
import itertools
import os
import resource
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from clv.errors import RegistryError
from clv.registry import tracking
from clv.registry.digests import changed, is_data, is_envelope
from clv.storage import TemporaryFolder, folder, opened_regular, replace_file, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_FILES = 64
MAX_BYTES = 2**29
"""Of a version: larger than any model of clv, smaller than a machine."""
MAX_DOCUMENT_BYTES = 2**26
MAX_ENTRIES = 10_000
"""Of a folder; whoever holds more is not a training's."""
MAX_ADDRESS = 2_000
CHUNK_BYTES = 2**20

_OUR_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_NAMES_THAT_LEAD_ELSEWHERE = {"models", "runs"}


class Source(Protocol):
    """Where files of a store lie."""

    def entries(self, below: str) -> list[str]:
        """Return what lies in a folder, by its path; the empty one is the source itself."""
        ...

    def copy(self, name: str, target: Path, limit: int) -> None:
        """Copy one file of at most so many bytes."""
        ...


def source(address: str, uri: str) -> Source:
    """Open an address that a store gives.

    Raises
    ------
    RegistryError
        When it is none that a store of clv gives.
    """
    if not 0 < len(address) <= MAX_ADDRESS or not address.isprintable():
        raise _unusable("the address of its files is none that a store gives")
    parts = urllib.parse.urlsplit(address)
    if parts.scheme in _NAMES_THAT_LEAD_ELSEWHERE:
        raise _unusable("the address of its files is that of another version or run")
    if parts.scheme in ("", "file"):
        path = Path(urllib.request.url2pathname(parts.path) if parts.scheme else address)
        if not path.is_absolute():
            raise _unusable("the address of its files is a relative path")
        return _Local(path)
    return _Remote(address, uri)


def fetch_version(address: str, expected: Mapping[str, str], uri: str, directory: Path) -> Path:
    """Copy the files that were registered, and say so where there are others.

    Parameters
    ----------
    address : str
        Where the store says that the version lies.
    expected : mapping of str to str
        SHA-256 of each file by its name, as it was registered; compared by whoever called.
    uri : str
        Of the store.
    directory : pathlib.Path
        An empty folder.

    Raises
    ------
    RegistryError
        When a file is missing or added, is none that a model may have, or is too large.
    """
    if len(expected) > MAX_FILES or not all(is_data(n) or is_envelope(n) for n in expected):
        raise _unusable(f"it names more than {MAX_FILES} files, or some that no model has")
    found = source(address, uri)
    folders = {"", *(str(above) for name in expected for above in Path(name).parents)} - {"."}
    there = {name for below in sorted(folders) for name in found.entries(below)} - folders
    if strangers := there ^ set(expected):
        raise changed(strangers)
    left = MAX_BYTES
    for name in sorted(expected):
        target = directory / name
        folder(target.parent)
        found.copy(name, target, left)
        left -= target.stat().st_size
    return directory


class _Local:
    """A folder of this machine: regular files alone, read to their limit."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self, below: str) -> list[str]:
        """Return what lies in a folder, refused where it is more than a model has."""
        with _readable(below), os.scandir(self._path / below) as entries:
            names = [entry.name for entry in itertools.islice(entries, MAX_ENTRIES + 1)]
        return _few([f"{below}/{name}".lstrip("/") for name in names])

    def copy(self, name: str, target: Path, limit: int) -> None:
        """Copy a file of at most so many bytes."""
        with ExitStack() as stack:
            with _readable(name):
                given = stack.enter_context(opened_regular(self._path / name))
            taken = stack.enter_context(whole(target))
            while True:
                with _readable(name):
                    chunk = given.read(CHUNK_BYTES)
                if not chunk:
                    return
                limit -= len(chunk)
                if limit < 0:
                    raise _too_large(name)
                taken.write(chunk)


class _Remote:
    """A server or a bucket: what it sends beyond the limit is written nowhere."""

    def __init__(self, address: str, uri: str) -> None:
        self._uri = uri
        with tracking.refusals(uri):
            self._files = tracking.repository(address, uri)

    def entries(self, below: str) -> list[str]:
        """Return what lies in a folder, refused where it is more than a model has."""
        with tracking.refusals(self._uri):
            listed = itertools.islice(self._files.list_artifacts(below or None), MAX_ENTRIES + 1)
            return _few([str(entry.path) for entry in listed])

    def copy(self, name: str, target: Path, limit: int) -> None:
        """Download a file of at most so many bytes."""
        with TemporaryFolder("clv-download-", target.parent) as place:
            with tracking.refusals(self._uri), _readable(name), _files_of_at_most(limit):
                written = Path(self._files.download_artifacts(name, str(place)))
            if not written.is_file():
                raise _unusable(f"{name} is no file")
            replace_file(written, target)


@contextmanager
def _files_of_at_most(limit: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, whoever writes it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ends = [bound for bound in (limit, soft, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(ends), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn what the system says of the store's own file into the registry's error."""
    try:
        yield
    except (OSError, ValueError) as error:
        code = getattr(error, "errno", None)
        if code in _OUR_DISK:
            raise
        if code == errno.EFBIG:
            raise _too_large(name) from None
        why = getattr(error, "strerror", None) or type(error).__name__
        raise _unusable(f"{name or 'its folder'} cannot be read ({why})") from None


def _few(names: list[str]) -> list[str]:
    if len(names) > MAX_ENTRIES:
        raise _unusable(f"its folder holds more than {MAX_ENTRIES:,} files")
    return names


def _too_large(name: str) -> RegistryError:
    return _unusable(f"{name} is larger than any that a training leaves")


def _unusable(why: str) -> RegistryError:
    return RegistryError(
        f"registry: what the store says of a version cannot be used: {why}. Restore the store and "
        "its artefacts from a backup, or choose another version."
    )
