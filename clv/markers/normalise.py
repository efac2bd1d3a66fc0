r"""One form of text for all patterns: the same on every engine and in the standard library.

Lower case, printable ASCII, one space between words; no commas, hyphens or underscores, no
quoted e-mail history, signatures or disclaimers; what stands between double quotes is blanked,
since it is somebody else's words. Engines disagree on ``\b`` beside accented letters, on
case outside ASCII and on control characters: none of these is left.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

VOICE = "voice"
"""The channel whose text has neither punctuation nor case."""

MAX_CHARS = 20_000
"""Longer turns are cut here, and counted: engines that backtrack stay bounded."""

LINK = "https://link"
"""Stands for every address on the web."""

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
_DELETED = "\u00ad\u200b\u200c\u200d\u2060\ufeff\ufe0f"
_MARKS = "".join(map(chr, range(0x300, 0x370)))


def _letters() -> dict[str, str]:
    """Return full-width forms and Latin letters with accents, and what stands for them."""
    pairs = {chr(0xFEE0 + code): chr(code) for code in range(0x21, 0x7F)}
    for code in range(0xC0, 0x180):
        plain = unicodedata.normalize("NFKD", chr(code))[0]
        if plain.isascii() and plain.isalpha():
            pairs[chr(code)] = plain
    return pairs


_SIGNS = {sign: plain for plain, signs in _PAIRS.items() for sign in signs}
_LETTERS = _letters()
# What has no counterpart is deleted: soft hyphens, joiners, and combining marks, so that a
# letter with its accent apart (NFD) reads like the same letter in one piece (NFC).
SIGNS = ("".join(_SIGNS) + _DELETED, "".join(_SIGNS.values()))
LETTERS = ("".join(_LETTERS) + _MARKS, "".join(_LETTERS.values()))
_TRANSLATION = {
    ord(sign): (table[1][at] if at < len(table[1]) else None)
    for table in (SIGNS, LETTERS)
    for at, sign in enumerate(table[0])
}

_FOREIGN = r"[^\x00-\x7f]"
_ACCENTED = "[\u00c0-\u017f\u0300-\u036f\uff01-\uff5e]"
_QUOTED_LINE = r"(?:^|\n)[ \t]*>[^\n]*"
_TAIL = (
    r"(?:^|\n)[ \t]*(?:[Oo]n [^\n]{6,90} wrote:|--+ ?(?:[Oo]riginal|[Ff]orwarded)|-- ?\n|________"
    r"|[Ff]rom: [^\n]+\n|[Ss]ent from my |[Tt]his (?:e-?mail|message) (?:and any|is confidential"
    r"|is intended|may contain)|C(?:ONFIDENTIALITY|onfidentiality) |D(?:ISCLAIMER|isclaimer))"
    r"(?s:.*)"
)
_LINK = r"(?:https?:[/][/]|www[.])[^ \n\t]*"
_LOOSE = r" *[^ !-)+.-^a-}][^!-)+.-^a-}]*|  +"
_SPOKEN = r'"[^"]{2,300}"'
_ENDS = "^ +| +$"
_ODD = f'{_FOREIGN}|"|{_LINK}|{_QUOTED_LINE}|{_TAIL}'
"""What most texts have none of: all that the rules above change but loose signs."""
_FILLERS = r" ?\b(?:um+|uh+|erm?|hmm+|mhm|ah|you know|i mean)\b"


def normalise(text: str, *, voice: bool = False) -> str:
    r"""Return the form of a text that patterns read; the oracle of ``normalised``.

    Examples
    --------
    >>> normalise('I’m SO sorry — you wrote “never mind”, Zoë!')
    "i'm so sorry you wrote ~ zoe!"
    >>> normalise("Done.\n\nOn Monday, 3 May, Ann wrote:\n> please hurry")
    'done.'
    """
    text = text[:MAX_CHARS]
    if not text.isascii():
        text = text.translate(_TRANSLATION)
    for pattern, blank in ((_QUOTED_LINE, "\n"), (_TAIL, " "), (_LINK, LINK), (_LOOSE, " ")):
        text = re.sub(pattern, blank, text, flags=re.ASCII)
    text = re.sub(_SPOKEN, BLANK, text.lower(), flags=re.ASCII)
    if voice:
        text = re.sub(_FILLERS, "", text, flags=re.ASCII)
    return text.strip(" ")


def normalised(text: ir.StringValue, voice: ir.BooleanValue) -> ir.StringValue:
    """Return the same as an expression on the engine."""
    text = text.left(MAX_CHARS)
    # Translating builds its table for every row, and each replacement reads the text again:
    # only rows that have such characters, lines or links pay.
    plain = ibis.cases(
        (~text.re_search(_FOREIGN), text),
        (~text.re_search(_ACCENTED), text.translate(*SIGNS)),
        else_=text.translate(*SIGNS).translate(*LETTERS),
    )
    for pattern, blank in ((_QUOTED_LINE, "\n"), (_TAIL, " "), (_LINK, LINK), (_LOOSE, " ")):
        plain = plain.re_replace(pattern, blank)
    plain = text.re_search(_ODD).ifelse(
        plain.lower().re_replace(_SPOKEN, BLANK), text.re_replace(_LOOSE, " ").lower()
    )
    return voice.ifelse(plain.re_replace(_FILLERS, ""), plain).re_replace(_ENDS, "")


def was_cut(text: ir.StringValue) -> ir.BooleanValue:
    """Say which texts are longer than what is read."""
    return text.length() > MAX_CHARS
