"""Signatures of bundles: who exported it, where a hash says only that nothing was changed since.

Ed25519 (RFC 8032) over the bundle's record, which holds the SHA-256 of every file. Keys are
those of OpenSSH (`ssh-keygen -t ed25519`) or of OpenSSL: the door to cryptography.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING

from clv.errors import RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ALGORITHM = "ed25519"
MAX_KEY_BYTES = 2**20
KEY_BYTES = 32
_CONTEXT = b"clv bundle 1\n"
"""What is signed begins with it, so that no other signature of the same key passes for one."""
_MAKE = "Make one with `ssh-keygen -t ed25519 -N '' -f clv-key`."


def sign(record: bytes, key: Path) -> bytes:
    """Return a signature document of a record.

    Parameters
    ----------
    record : bytes
        ``bundle.json``.
    key : pathlib.Path
        A private Ed25519 key without a passphrase.

    Raises
    ------
    UsageError
        When the file holds no such key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_ssh_private_key,
    )

    text = _text(key, "private key")
    load = load_ssh_private_key if b"OPENSSH" in text else load_pem_private_key
    try:
        private = load(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(
            f"{key}: is not a private Ed25519 key without a passphrase. Nothing was written. "
            f"{_MAKE}"
        )
    document = {
        "algorithm": ALGORITHM,
        "public_key": _encoded(private.public_key().public_bytes_raw()),
        "signature": _encoded(private.sign(_CONTEXT + record)),
    }
    return json.dumps(document, indent=1, sort_keys=True).encode()


def trusted_keys(path: Path) -> dict[bytes, str]:
    """Return the raw public keys of a file and their names.

    Parameters
    ----------
    path : pathlib.Path
        Lines such as ``ssh-ed25519 AAAA… ana@example``; empty ones and those that begin
        with ``#`` are passed over.

    Raises
    ------
    UsageError
        When a line is something else, or there is none.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    keys: dict[bytes, str] = {}
    for number, line in enumerate(_text(path, "file of public keys").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        try:
            public = load_ssh_public_key(line.strip())
        except (ValueError, UnsupportedAlgorithm):
            public = None
        if not isinstance(public, Ed25519PublicKey):
            raise UsageError(
                f"{path}, line {number}: is not a public Ed25519 key; expected a line such as "
                f"that of clv-key.pub, beginning with ssh-ed25519. {_MAKE}"
            )
        name = line.split(maxsplit=2)[2:] or [b""]
        keys[public.public_bytes_raw()] = name[0].decode("ascii", "replace").strip()
    if not keys:
        raise UsageError(f"{path}: holds no public key; expected lines of ssh-ed25519. {_MAKE}")
    return keys


def signer(record: bytes, document: bytes | None, trusted: Mapping[bytes, str]) -> str:
    """Return who signed a record, by the name or the key of the trusted ones.

    Raises
    ------
    RegistryError
        When it is not signed, by a key that is not trusted, or was changed since.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if document is None:
        raise _unsigned("it is not signed")
    try:
        given = json.loads(document)
        key, signature = (_decoded(given[name]) for name in ("public_key", "signature"))
        known = given["algorithm"] == ALGORITHM and len(key) == KEY_BYTES
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        known = False
    if not known:
        raise _unsigned("its signature cannot be read")
    if key not in trusted:
        raise _unsigned(f"it is signed by {fingerprint(key)}, which is not among them")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _CONTEXT + record)
    except InvalidSignature:
        raise _unsigned("its signature is not that of its content") from None
    return trusted[key] or fingerprint(key)


def fingerprint(key: bytes) -> str:
    """Return how OpenSSH shows a raw public key: ``SHA256:…``.

    Examples
    --------
    >>> fingerprint(bytes(32))
    'SHA256:kmYcvdi2GkPeWxB6XLjrZB8JHsy2Hm8luHMFp9GMvqk'
    """
    import hashlib
    import struct

    name = b"ssh-ed25519"
    blob = struct.pack(">I", len(name)) + name + struct.pack(">I", len(key)) + key
    return f"SHA256:{_encoded(hashlib.sha256(blob).digest()).rstrip('=')}"


def _text(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}. Expected a {what}. {_MAKE}"
        ) from None


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _unsigned(why: str) -> RegistryError:
    return RegistryError(
        f"bundle: {why}; only bundles signed by a trusted key are taken here. Nothing was "
        "registered. Ask its sender to export it with --sign, or add the sender's public key."
    )
