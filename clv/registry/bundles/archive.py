"""Zip archives from elsewhere: how much they hold is known before anything is unpacked.

A megabyte of zip may unpack to gigabytes, hold a million names, or one name twice. What is
read here is at most so many files of so many bytes, by the two methods that `zipfile`
writes, and no name that leads out of the archive.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from clv.errors import RegistryError, listing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_MEMBERS = 64
MAX_NAMES_BYTES = 2**16
"""Of the directory at the archive's end; `zipfile` reads all of it at once."""
MAX_ARCHIVE_BYTES = 2**28
MAX_MEMBER_BYTES = 2**28
MAX_BYTES = 2**29
"""All members unpacked: larger than any model of clv, smaller than a machine."""
MAX_RATIO = 100
"""Unpacked over packed; trees and JSON reach 20."""
RATIO_FROM_BYTES = 2**20
"""A small file of blanks may well be packed better."""
CHUNK_BYTES = 2**20

_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_SIGNATURE = b"PK\x06\x07"
_ZIP64_BYTES = 20
_ENCRYPTED = 0x1


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose members are few, plain, and of a bounded size.

    Raises
    ------
    RegistryError
        When it is no archive, is broken, or holds more than it may.
    """
    try:
        _check_end(path)
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive.infolist())
            yield archive
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror or type(error).__name__}") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        LookupError,
        ValueError,
        ArithmeticError,
        RuntimeError,  # also what zipfile does not know, and what is nested too deep
    ) as error:
        raise refused(path, f"is not a bundle that can be read ({type(error).__name__})") from None


def content(archive: zipfile.ZipFile, name: str, limit: int = MAX_MEMBER_BYTES) -> bytes:
    """Return a member's bytes, at most ``limit`` of them.

    Raises
    ------
    ValueError
        When it is longer.
    KeyError
        When there is no such member.
    """
    with archive.open(name) as source:
        data = source.read(limit + 1)
    if len(data) > limit:
        raise ValueError(name)
    return data


def _check_end(path: Path) -> None:
    """Look at the archive's last bytes before `zipfile` reads a directory of any length.

    No comment may follow, and none of the fields for archives beyond four gigabytes: then
    what is read here is what `zipfile` goes by.
    """
    size = path.stat().st_size
    if size > MAX_ARCHIVE_BYTES:
        raise refused(path, f"is larger than {MAX_ARCHIVE_BYTES:,} bytes")
    with path.open("rb") as file:
        file.seek(max(size - _END.size - _ZIP64_BYTES, 0))
        tail = file.read()
    if len(tail) < _END.size:
        raise zipfile.BadZipFile
    signature, *_, here, members, directory_bytes, _, comment = _END.unpack(tail[-_END.size :])
    if signature != _END_SIGNATURE or comment or here != members:
        raise zipfile.BadZipFile
    if tail.startswith(_ZIP64_SIGNATURE) or members > MAX_MEMBERS:
        raise refused(path, f"holds more than {MAX_MEMBERS} files")
    if directory_bytes > MAX_NAMES_BYTES:
        raise refused(path, f"names its files in more than {MAX_NAMES_BYTES:,} bytes")


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if outside := [name for name in names if not inside(name)]:
        raise refused(path, f"names {listing(outside)}, which is no file of a model")
    if any(stat.S_ISLNK(member.external_attr >> 16) for member in members):
        raise refused(path, "holds a link")
    if len({name.casefold() for name in names}) != len(names):
        raise refused(path, "names a file twice")
    if len(members) > MAX_MEMBERS:
        raise refused(path, f"holds more than {MAX_MEMBERS} files")
    for member in members:
        if member.flag_bits & _ENCRYPTED:
            raise refused(path, "is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refused(path, "is packed by a method that clv does not write")
        allowed = max(MAX_RATIO * member.compress_size, RATIO_FROM_BYTES)
        if member.file_size > min(allowed, MAX_MEMBER_BYTES):
            raise refused(path, f"unpacks to more than its {member.compress_size:,} bytes may")
    if sum(member.file_size for member in members) > MAX_BYTES:
        raise refused(path, f"unpacks to more than {MAX_BYTES:,} bytes")


def inside(name: str) -> bool:
    """Say whether a name is a plain file's, without a step up, a root or a drive.

    Examples
    --------
    >>> inside("model/artifacts/clv/value.txt"), inside("model/../../etc/passwd")
    (True, False)
    """
    plain = name.isascii() and name.isprintable() and "\\" not in name and ":" not in name
    path = PurePosixPath(name)
    return plain and not path.is_absolute() and ".." not in path.parts and name == str(path)


def refused(path: Path, why: str) -> RegistryError:
    """Return the error to raise for a bundle that is not what it should be."""
    return RegistryError(
        f"bundle {path}: {why}. Nothing was registered. Export the model again with "
        "`clv models export`."
    )
