"""One form of text for all patterns: the same on every engine and in the standard library.

Lower case, printable ASCII, one space between words; no commas, hyphens or underscores, no
quoted e-mail history, signatures or disclaimers; what stands between double quotes is blanked,
since it is somebody else's words. Engines disagree on ``\\b`` beside accented letters, on
case outside ASCII and on control characters: none of these is left.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

MAX_CHARS = 20_000
"""Longer turns are cut here, and counted: engines that backtrack stay bounded."""

BLANK = "~"
"""Stands for a blanked span; no normalised text has it otherwise, no pattern finds it."""

_PAIRS = {
    "'": "\u2018\u2019\u201a\u201b\u02bc\u00b4\u2032",
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    "$": "\u20ac\u00a3\u00a5\u20b9",
    ".": "\u2026",
    " ": "\u00a0\u2002\u2003\u2009\u202f\u3000\u2028\u2029\u0085",
    "?": "\u00bf",
    "!": "\u00a1",
    "K": "\u212a",
    "s": "\u017f",
}
_DELETED = "".join(map(chr, range(0x300, 0x370))) + "\u00ad\u200b\u200c\u200d\u2060\ufeff\ufe0f"


def _table() -> tuple[str, str]:
    """Return the characters to replace and, in the same order, what replaces them."""
    pairs = {sign: plain for plain, signs in _PAIRS.items() for sign in signs}
    pairs |= {chr(0xFEE0 + code): chr(code) for code in range(0x21, 0x7F)}  # full-width forms
    for code in range(0xC0, 0x180):  # Latin letters with accents
        plain = unicodedata.normalize("NFKD", chr(code))[0]
        if plain.isascii() and plain.isalpha():
            pairs.setdefault(chr(code), plain)
    # Combining marks come last and have no counterpart: they are deleted, so that a letter
    # with its accent apart (NFD) reads like the same letter in one piece (NFC).
    return "".join(pairs) + _DELETED, "".join(pairs.values())


FROM, TO = _table()
_TRANSLATION = str.maketrans(
    dict(zip(FROM, TO, strict=False)) | dict.fromkeys(_DELETED),  # type: ignore[arg-type]
)

_FOREIGN = r"[^\x00-\x7f]"
_QUOTED_LINE = r"(?:^|\n)[ \t]*>[^\n]*"
_TAIL = (
    r"(?:^|\n)[ \t]*(?:[Oo]n [^\n]{6,90} wrote:|--+ ?(?:[Oo]riginal|[Ff]orwarded)|-- ?\n|________"
    r"|[Ff]rom: [^\n]+\n|[Ss]ent from my |[Tt]his (?:e-?mail|message) (?:and any|is confidential"
    r"|is intended|may contain)|C(?:ONFIDENTIALITY|onfidentiality) |D(?:ISCLAIMER|isclaimer))"
    r"(?s:.*)"
)
_LOOSE = r"[^!-)+.-^a-}]+"
_SPOKEN = r'"[^"]{2,300}"'
_FILLERS = r" ?\b(?:um+|uh+|erm?|hmm+|mhm|ah|you know|i mean)\b"


def normalise(text: str, *, voice: bool = False) -> str:
    """Return the form of a text that patterns read; the oracle of ``normalised``.

    Examples
    --------
    >>> normalise('I’m SO sorry — you wrote “never mind”, Zoë!')
    "i'm so sorry you wrote ~ zoe!"
    >>> normalise("Done.\\n\\nOn Monday, 3 May, Ann wrote:\\n> please hurry")
    'done.'
    """
    text = text[:MAX_CHARS]
    if not text.isascii():
        text = text.translate(_TRANSLATION)
    for pattern, blank in ((_QUOTED_LINE, "\n"), (_TAIL, " "), (_LOOSE, " ")):
        text = re.sub(pattern, blank, text, flags=re.ASCII)
    text = re.sub(_SPOKEN, BLANK, text.lower(), flags=re.ASCII)
    if voice:
        text = re.sub(_FILLERS, "", text, flags=re.ASCII)
    return text.strip(" ")


def normalised(text: ir.StringValue, voice: ir.BooleanValue) -> ir.StringValue:
    """Return the same as an expression on the engine."""
    text = text.left(MAX_CHARS)
    plain = text.re_search(_FOREIGN).ifelse(text.translate(FROM, TO), text)
    for pattern, blank in ((_QUOTED_LINE, "\n"), (_TAIL, " "), (_LOOSE, " ")):
        plain = plain.re_replace(pattern, blank)
    plain = plain.lower().re_replace(_SPOKEN, BLANK)
    return voice.ifelse(plain.re_replace(_FILLERS, ""), plain).strip()


def was_cut(text: ir.StringValue) -> ir.BooleanValue:
    """Say which texts are longer than what is read."""
    return text.length() > MAX_CHARS
