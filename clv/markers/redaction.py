"""Who is named in a text, read before anything is taken from it.

The form that patterns read has no hyphens, underscores or capitals: an e-mail is then cut in
half, and a name is a word. So people are looked for in the text as it was written, and what is
found is masked in the form that is shown.
"""

from __future__ import annotations

import re

from clv.markers.normalise import MAX_CHARS

_NAME = r"[A-Z][\w'’-]+(?:[ ](?:[A-Z]\.|[A-Z][\w'’-]*)){0,2}"
_CONTACTS = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"  # e-mail
    r"|(?<![\w])[+(]?\d(?:[\s()/._-]{0,3}\d){5,}"  # telephone, card, any long number
    r"|(?<![\w@])@\w{2,}"  # a handle
)
_INTRODUCED = re.compile(
    r"(?i:\b(?:my name is|my name's|name is|this is|i am|i'm|i’m|speaking with|speaking to|"
    r"you(?:'|’)re through to|mein name ist|ich bin|hier ist|hier spricht)[ ]+)"
    rf"(?P<name>{_NAME})"
)
# Speech has no capitals; after these words a name follows all the same.
_SPOKEN = re.compile(
    r"\b(?:my name is|my name's|speaking with|mein name ist|hier spricht) (?P<name>[a-z]{2,})", re.I
)
_SIGNED = re.compile(
    r"(?i:\b(?:regards|sincerely|cheers|best|best wishes|yours|grüßen|grüße|gruß)[ ]*[,.!-]*\s+)"
    rf"(?P<name>{_NAME})[ ]*(?=$|[\n.,|])",
    re.MULTILINE,
)


def people_in(text: str) -> list[str]:
    r"""Return what names or reaches a person in a text, as it was written there.

    E-mail addresses, handles, long numbers, and the names that people introduce themselves
    with or sign with.

    Examples
    --------
    >>> people_in("Hi, this is Sarah Miller. Write to anna.schmidt@acme-corp.de or 0170-123 45 67")
    ['anna.schmidt@acme-corp.de', '0170-123 45 67', 'Sarah Miller']
    >>> people_in("Your order 42 is late.\nBest regards,\nTom")
    ['Tom']
    """
    text = text[:MAX_CHARS]
    people = [match[0] for match in _CONTACTS.finditer(text)]
    for pattern in (_INTRODUCED, _SPOKEN, _SIGNED):
        people += [match["name"].rstrip(".") for match in pattern.finditer(text)]
    return people
