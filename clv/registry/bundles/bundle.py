"""A model as one file: carried from one store to another, and not believed on arrival.

A zip archive of the registered files, beside ``bundle.json``: hashes of every file, what the
training logged, and its documents. A hash that travels with its content says that nothing
was damaged on the way, and not who made it: only data is taken from a bundle, and it is
looked at before it is used. What MLflow runs is written anew by whoever imports it.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clv.errors import RegistryError, listing
from clv.registry.bundles import claims, signing
from clv.registry.bundles.archive import CHUNK_BYTES, content, opened, refused
from clv.registry.digests import PARTS, is_data, is_envelope
from clv.storage import whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
RECORD = "bundle.json"
SIGNATURE = "signature.json"
MODEL = "model/"
MAX_RECORD_BYTES = 2**25
MAX_SIGNATURE_BYTES = 2**12

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


def write(path: Path, model: Path, bundle: Bundle, key: Path | None = None) -> None:
    """Write a bundle: the same model, and key, give the same bytes.

    Parameters
    ----------
    path : pathlib.Path
    model : pathlib.Path
        The files that the bundle's digests name.
    bundle : Bundle
    key : pathlib.Path, optional
        A private Ed25519 key to sign with.

    Raises
    ------
    UsageError
        When the key is none.
    StorageError
        When it cannot be written; nothing is left behind.
    """
    record = json.dumps({"format": FORMAT, **asdict(bundle)}, indent=1, sort_keys=True).encode()
    signature = None if key is None else signing.sign(record, key)
    with whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, RECORD, record)
        if signature is not None:
            _put(archive, SIGNATURE, signature)
        for name in sorted(bundle.digests):
            _put(archive, f"{MODEL}{name}", (model / name).read_bytes())


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _SAME_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = _PRIVATE_FILE << 16
    archive.writestr(entry, data)


def read(
    path: Path, folder: Path, trusted: Mapping[bytes, str] | None = None
) -> tuple[Bundle, str | None]:
    """Take a model's data out of a bundle, held against the bundle's hashes.

    Parameters
    ----------
    path : pathlib.Path
    folder : pathlib.Path
        An empty folder, which gets the model's text and JSON and nothing else.
    trusted : mapping of bytes to str, optional
        Public keys and their names; where given, one of them must have signed.

    Returns
    -------
    Bundle
        What it claims besides.
    str or None
        Who signed it; None where nobody was asked for.

    Raises
    ------
    RegistryError
        When it is no bundle, names a file outside of it, is too large, is not signed by
        whom it should be, or a file is missing, added, changed, or of a type a model may
        not have.
    """
    with opened(path) as archive:
        names = archive.namelist()
        if RECORD not in names:
            raise refused(path, f"is not a bundle: it has no {RECORD}")
        record = content(archive, RECORD, MAX_RECORD_BYTES)
        signed_by = None
        if trusted is not None:
            there = SIGNATURE in names
            document = content(archive, SIGNATURE, MAX_SIGNATURE_BYTES) if there else None
            signed_by = signing.signer(record, document, trusted)
        bundle = _bundle(path, record)
        _check_names(path, [name for name in names if name not in (RECORD, SIGNATURE)])
        digests = {}
        for name in names:
            if name not in (RECORD, SIGNATURE):
                own = name.removeprefix(MODEL)
                digests[own] = _unpack(archive, name, folder if is_data(own) else None)
    changed = sorted(
        name
        for name in digests.keys() | bundle.digests.keys()
        if digests.get(name) != bundle.digests.get(name)
    )
    if changed:
        raise refused(
            path, f"file {listing(changed)} is missing, added or differs from what was registered"
        )
    return bundle, signed_by


def _check_names(path: Path, names: list[str]) -> None:
    if outside := [name for name in names if not name.startswith(MODEL)]:
        raise refused(path, f"names {listing(outside)}, which is no file of a model")
    own = [name.removeprefix(MODEL) for name in names]
    if strangers := [name for name in own if not (is_data(name) or is_envelope(name))]:
        raise refused(path, f"file {listing(strangers)} is not of a type a model may have")


def _unpack(archive: zipfile.ZipFile, name: str, folder: Path | None) -> str:
    """Return a member's SHA-256; write it below a folder where there is one.

    What MLflow would run or believe is hashed and left where it is.
    """
    digest = hashlib.sha256()
    own = name.removeprefix(f"{MODEL}{PARTS}/")
    with archive.open(name) as source, ExitStack() as stack:
        file = None
        if folder is not None:
            file = stack.enter_context(whole(folder / own))
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            if file is not None:
                file.write(chunk)
    return digest.hexdigest()


def _bundle(path: Path, record: bytes) -> Bundle:
    try:
        document = json.loads(record)
        version = document.pop("format")
        bundle = Bundle(**document)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise refused(path, f"has no {RECORD} that can be read") from None
    if version != FORMAT:
        raise refused(path, f"has format {str(version)[:20]}; expected {FORMAT}")
    try:
        claims.check(asdict(bundle))
    except RegistryError as error:
        raise refused(path, str(error)) from None
    return bundle
