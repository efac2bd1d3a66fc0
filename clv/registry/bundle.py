"""A model as one file: carried from one store to another, and not believed on arrival.

A zip archive of the registered files, beside ``bundle.json``: hashes of every file, what the
training logged, and its documents. Nothing in it is run or unpacked before its name, size,
type and hash have been looked at.
"""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from clv.errors import RegistryError, listing
from clv.registry.digests import check_types, verify
from clv.storage import whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
RECORD = "bundle.json"
MODEL = "model/"
MAX_BYTES = 2**30
"""Larger than any model of clv, smaller than a disk."""

_SAME_TIME = (1980, 1, 1, 0, 0, 0)
_PRIVATE_FILE = 0o600


@dataclass(frozen=True)
class Bundle:
    """What is known of a model besides its files.

    Attributes
    ----------
    source : str
        The address it had where it came from.
    digests : mapping of str to str
        SHA-256 of each of the model's files.
    parameters : mapping of str to str
    metrics : mapping of str to float
    tags : mapping of str to str
        Of the version, without those that its store gives.
    documents : mapping of str to mapping
        JSON documents of its training.
    """

    source: str
    digests: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    documents: Mapping[str, Mapping[str, Any]]


def write(path: Path, model: Path, bundle: Bundle) -> None:
    """Write a bundle: the same model gives the same bytes.

    Raises
    ------
    StorageError
        When it cannot be written; nothing is left behind.
    """
    record = json.dumps({"format": FORMAT, **asdict(bundle)}, indent=1, sort_keys=True)
    with whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, RECORD, record.encode())
        for name in sorted(bundle.digests):
            _put(archive, f"{MODEL}{name}", (model / name).read_bytes())


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _SAME_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = _PRIVATE_FILE << 16
    archive.writestr(entry, content)


def read(path: Path, folder: Path) -> Bundle:
    """Unpack a bundle's model into an empty folder, and hold it against its hashes.

    Raises
    ------
    RegistryError
        When it is no bundle, names a file outside of it, is too large, or a file is missing,
        added, changed, or of a type a model may not have.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_entries(path, archive.infolist())
            bundle = _record(path, archive.read(RECORD))
            for entry in archive.infolist():
                if entry.filename != RECORD:
                    target = folder / entry.filename.removeprefix(MODEL)
                    with archive.open(entry) as source, whole(target) as file:
                        shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, KeyError, EOFError, RuntimeError) as error:
        raise _refused(path, f"is not a bundle that can be read ({type(error).__name__})") from None
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or error}") from None
    check_types(folder)
    verify(folder, bundle.digests)
    return bundle


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    outside = [name for name in names if name != RECORD and not _inside(name)]
    if outside:
        raise _refused(path, f"names {listing(outside)}, which is no file of a model")
    if any(stat.S_ISLNK(entry.external_attr >> 16) for entry in entries):
        raise _refused(path, "holds a link")
    if len(set(names)) != len(names):
        raise _refused(path, "names a file twice")
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise _refused(path, f"unpacks to more than {MAX_BYTES:,} bytes")


def _inside(name: str) -> bool:
    """Say whether an entry is a file below ``model/``, without a step up or a drive.

    Examples
    --------
    >>> _inside("model/artifacts/clv/value.txt"), _inside("model/../../etc/passwd")
    (True, False)
    """
    parts = PurePosixPath(name).parts
    plain = "\\" not in name and ":" not in name and not name.endswith("/")
    return plain and len(parts) > 1 and parts[0] == "model" and ".." not in parts


def _record(path: Path, text: bytes) -> Bundle:
    try:
        document = json.loads(text)
        version = document.pop("format")
        bundle = Bundle(**document)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _refused(path, f"has no {RECORD} that can be read") from None
    mappings = (bundle.digests, bundle.parameters, bundle.metrics, bundle.tags, bundle.documents)
    if version != FORMAT or not all(isinstance(each, dict) for each in mappings):
        raise _refused(path, f"has format {version!r}; expected {FORMAT}")
    return bundle


def _refused(path: Path, why: str) -> RegistryError:
    return RegistryError(
        f"bundle {path}: {why}. Nothing was registered. Export the model again with "
        "`clv models export`."
    )
