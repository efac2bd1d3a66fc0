"""Encodings: each is told by the whole file, and a wrong one is refused with its place."""

import gzip

import pytest

from clv.errors import SourceError, UsageError
from clv.sources.exports import encodings
from clv.sources.exports.encodings import check_encoding, encoding_of

TEXT = "Name,Wrap-up\n1,Rückgabe – 5 €\n" * 3


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("ascii", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
def test_each_is_told(write, written, found):
    content = TEXT.encode(written, errors="ignore")
    assert encoding_of(write(content)) == found
    assert encoding_of(write(gzip.compress(content), "a.csv.gz")) == found
    assert encoding_of(write(content), told=written) == written


def test_late_bytes_decide_too(write, monkeypatch):
    monkeypatch.setattr(encodings, "BLOCK_BYTES", 7)
    with pytest.raises(SourceError, match="but for byte 100: it is cut off"):
        encoding_of(write(b"x" * 100 + "€".encode()[:2]))
    with pytest.raises(SourceError, match="but for byte 20:"):
        encoding_of(write("ü".encode() * 10 + b"\xfcx" * 10))
    assert (
        encoding_of(write(b"plain text, " * 9 + "ü".encode("cp1252") + b", more text")) == "cp1252"
    )
    assert encoding_of(write(("ü€" * 20).encode())) == "utf-8"


def test_what_fits_nothing(write):
    with pytest.raises(SourceError, match="no text in UTF-8, UTF-16 or cp1252"):
        encoding_of(write(b"x" * 100 + b"\x81\x8d and more"))
    with pytest.raises(SourceError, match="UTF-8 text but for byte 100: it is cut off"):
        encoding_of(write(b"x" * 100 + "€".encode()[:2]))
    with pytest.raises(SourceError, match="UTF-8 text but for byte 52:"):
        encoding_of(write("ü".encode() + b"x" * 50 + "ü".encode("cp1252") + b" and more"))
    with pytest.raises(SourceError, match="is not utf-8 text, as --encoding says"):
        encoding_of(write(TEXT.encode("cp1252")), told="utf-8")


def test_names(write):
    check_encoding(None)
    check_encoding("latin-1")
    for name in ("utf-9", "base64", ""):
        with pytest.raises(UsageError, match="expected one as utf-8"):
            check_encoding(name)
