"""What a marker is: one service behaviour, found by patterns that are data, not code.

A pack is the markers of one language, read from TOML. Everything in it is checked when it is
read: fields, patterns, examples. The dialect of patterns is what RE2 (DuckDB) and Java (Spark)
share, so that both engines and the standard library find the same spans.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from clv.errors import SettingsError, listing
from clv.markers.nodes import Spans, matches_nothing, spans_of, trouble_of
from clv.markers.normalise import BLANK, normalise
from clv.schema import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MARKER_GROUPS = ("empathy", "tone", "resolution", "efficiency", "customer")
ROLES = ("behaviour", "control", "outcome")
EXAMPLES_EACH = 5
PATTERN_CHARS = 10_000
"""Five times the longest of the packs that come with clv."""
ATTENDED = tuple(name for name in CHANNELS if name not in ("bot", "self_service"))

_CLASS = re.compile(r"\\.|\[[^\]]*\]")
_FORBIDDEN_OUTSIDE = (
    (r"\$", "$: engines differ on the end of a text"),
    (r"\.", "a dot that stands for any character"),
    (r"[*+?}]\+", "a possessive quantifier, which RE2 lacks"),
)
_FORBIDDEN = (
    (r"\(\?(?:[=!<]|P[=<])", "look-around or a named group"),
    (r"\(\?[a-z]*i", "a flag for case: the text is lower case already"),
    (r"\\[0-9]", "a backreference"),
    (r"\\[^bds.?!+*()\[\]/|^:]", "an escape that the engines read differently"),
    (r"&&|\[\[", "a set operation that Java alone knows"),
    (r"[^\x20-\x7e]", "a character that is not ASCII"),
    (r"[A-Z]", "an upper case letter: the text is lower case"),
    (r"\{(?:[0-9]+,)?[0-9]{3,}\}", "a repetition of 100 or more"),
)


@dataclass(frozen=True)
class Marker:
    """One service behaviour that words show.

    Attributes
    ----------
    id, group, definition, source : str
        Name, group (one of ``MARKER_GROUPS``), one sentence, and who described it.
    sign : int
        The expected sign of its association with value: a hypothesis, not a finding.
    include, exclude : tuple of str
        Regular expressions on normalised text. A hit is an include pattern found after the
        spans of the exclude patterns are blanked.
    positive, negative : tuple of str
        Turns in which it must and must not be found, five of each or more.
    speaker : {"agent", "customer"}
        Whose turns it is looked for in.
    role : {"behaviour", "control", "outcome"}
        What agents do; what preceded it; what follows from it. Attribution honours it.
    channels : tuple of str
        Where it has a meaning; every attended channel by default.
    voice : bool
        Whether it can be found in speech, which has no punctuation.
    voice_include : tuple of str
        Instead of ``include`` in speech, where given.
    empathic : bool
        Counts as empathy in the answer to an upset customer.
    upset : bool
        A customer who shows it is upset: the next answer is an occasion for empathy.
    position : bool
        Counted for the first, middle and last third of the conversation as well.
    experimental : bool
        Found right less often than four times in five on real text, or not yet judged.
    """

    id: str
    group: str
    definition: str
    source: str
    sign: int
    include: tuple[str, ...]
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    speaker: str = "agent"
    role: str = "behaviour"
    channels: tuple[str, ...] = ATTENDED
    voice: bool = True
    voice_include: tuple[str, ...] = ()
    empathic: bool = False
    upset: bool = False
    position: bool = False
    experimental: bool = False

    @cached_property
    def pattern(self) -> str:
        """One regular expression for all include patterns."""
        return joined(self.include)

    @cached_property
    def voice_pattern(self) -> str:
        """The same, for speech."""
        return joined(self.voice_include or self.include)

    @cached_property
    def exclusion(self) -> str | None:
        """One regular expression for all exclude patterns; None where there are none."""
        return joined(self.exclude) if self.exclude else None

    def spans_in(self, texts: Sequence[str], *, voice: bool = False) -> list[Spans]:
        """Return where the marker stands in each of some normalised texts, by RE2.

        Spans that the exclude patterns cover are blanked with as many characters, so that
        positions are those of the text.
        """
        if self.exclusion is not None:
            covered = spans_of(self.exclusion, texts)
            texts = [_blanked(*pair) for pair in zip(texts, covered, strict=True)]
        return spans_of(self.voice_pattern if voice else self.pattern, texts)

    def spans(self, text: str, *, voice: bool = False) -> Spans:
        """Return where the marker stands in one normalised text; for many see ``spans_in``."""
        return self.spans_in([text], voice=voice)[0]

    def found_in(self, turns: Sequence[str], *, voice: bool = False) -> list[bool]:
        """Say in which turns, as they were written, the marker stands."""
        texts = [normalise(turn, voice=voice) for turn in turns]
        return [bool(spans) for spans in self.spans_in(texts, voice=voice)]

    def found(self, turn: str, *, voice: bool = False) -> bool:
        """Say whether the marker stands in a turn as it was written; for many see ``found_in``."""
        return self.found_in([turn], voice=voice)[0]


@dataclass(frozen=True)
class Pack:
    """The markers of one language.

    Attributes
    ----------
    language : str
        ISO 639 code; contacts in another language are unknown to the pack, not zero.
    version : int
        Raised with every change of meaning.
    markers : mapping of str to Marker
        By id, in the order of the pack.
    """

    language: str
    version: int
    markers: Mapping[str, Marker] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Marker:
        return self.markers[name]

    def of(self, **wanted: Any) -> tuple[Marker, ...]:
        """Return the markers whose fields have these values, such as ``speaker="agent"``."""
        return tuple(
            marker
            for marker in self.markers.values()
            if all(getattr(marker, name) == value for name, value in wanted.items())
        )

    @cached_property
    def digest(self) -> str:
        """A short hash of everything that decides hits; it stands in every output."""
        content = [
            [getattr(marker, item.name) for item in fields(Marker)]
            for marker in self.markers.values()
        ]
        text = json.dumps([self.language, self.version, content])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _blanked(text: str, spans: Spans) -> str:
    for start, end in spans:
        text = f"{text[:start]}{BLANK * (end - start)}{text[end:]}"
    return text


def joined(patterns: Iterable[str]) -> str:
    """Join patterns into one alternation, each between word boundaries.

    Examples
    --------
    >>> joined(["[?]", "^[!]"])
    '(?:[?]|^[!])'
    """
    return "(?:" + "|".join(_bounded(pattern) for pattern in patterns) + ")"


@cache
def _bounded(pattern: str) -> str:
    start = "" if pattern[0] in "^[" or pattern.startswith("(?:^") else r"\b"
    end = "" if pattern[-1] == "]" else r"\b"
    whole = f"(?:{pattern})" if _alternates(pattern) else pattern
    return f"{start}{whole}{end}"


def _alternates(pattern: str) -> bool:
    """Say whether a pattern has an alternation outside all groups."""
    depth = 0
    for sign in _CLASS.sub("", pattern):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth == 0:
            return True
    return False


def read_pack(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> Pack:
    """Make a pack of parsed TOML documents; a later entry of the same id overrides.

    Parameters
    ----------
    documents : iterable of (str, mapping)
        Where each comes from, and what it says: ``language``, ``version``, ``parts`` (named
        pieces of patterns) and ``marker`` (entries). An entry that overrides may name only
        the fields that differ.

    Raises
    ------
    SettingsError
        When a field is unknown or missing, a pattern is outside the dialect, or an example
        is not decided as it should be. The message names the marker and the culprit.
    """
    language, version = "", 0
    parts: dict[str, str] = {}
    entries: dict[str, tuple[str, dict[str, Any]]] = {}
    for where, document in documents:
        unknown = set(document) - {"language", "version", "parts", "marker"}
        if unknown:
            raise SettingsError(
                f"{where}: {listing(sorted(unknown))} is no part of a marker pack; "
                "expected language, version, parts, marker."
            )
        language = document.get("language", language)
        version = document.get("version", version)
        parts |= document.get("parts", {})
        for entry in document.get("marker", []):
            name = str(entry.get("id", ""))
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise SettingsError(
                    f"{where}: a marker has the id {name!r}; expected lower case letters, "
                    "digits and underscores. Give it an id."
                )
            entries[name] = (where, entries.get(name, ("", {}))[1] | entry)
    markers = {name: _marker(where, entry, parts) for name, (where, entry) in entries.items()}
    return Pack(language, version, MappingProxyType(markers))


def _marker(where: str, entry: dict[str, Any], parts: Mapping[str, str]) -> Marker:
    name = entry["id"]
    known = {item.name for item in fields(Marker)}
    required = ("group", "definition", "source", "sign", "include", "positive", "negative")
    unknown, missing = sorted(set(entry) - known), [key for key in required if key not in entry]
    if unknown or missing:
        said = f"an unknown field {listing(unknown)}" if unknown else f"no {listing(missing)}"
        raise SettingsError(
            f"{where}: marker {name!r} has {said}; expected {listing(required, 7)}."
        )
    for key, allowed in (("group", MARKER_GROUPS), ("role", ROLES), ("sign", (-1, 0, 1))):
        if key in entry and entry[key] not in allowed:
            raise SettingsError(
                f"{where}: marker {name!r}: {key} is {entry[key]!r}; expected {listing(allowed)}."
            )
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()
    }
    for key in ("include", "exclude", "voice_include"):
        patterns = values.get(key, ())
        values[key] = tuple(_expanded(where, name, pattern, parts) for pattern in patterns)
    marker = Marker(**values)
    _check_together(where, marker)
    _check_examples(where, marker)
    return marker


def _expanded(where: str, name: str, pattern: str, parts: Mapping[str, str]) -> str:
    """Put the parts into a pattern, and hold it to the shared dialect."""
    whole = re.sub(r"<([a-z_]+)>", lambda m: parts.get(m[1], m[0]), pattern)
    left = re.search(r"<[a-z_]+>", whole)
    trouble = f"{left[0]}, which is no part of the pack" if left else None
    bare = _CLASS.sub("x", whole)
    for text, rules in ((whole, _FORBIDDEN), (bare, _FORBIDDEN_OUTSIDE)):
        for forbidden, words in rules:
            if trouble is None and re.search(forbidden, text):
                trouble = words
    if len(whole) > PATTERN_CHARS:
        trouble = f"{len(whole):,} characters; expected {PATTERN_CHARS:,} at most"
    if trouble is None and (mistake := trouble_of(whole)) is not None:
        trouble = f"a mistake ({mistake})"
    if trouble is None and matches_nothing(whole):
        trouble = "nothing to find: it matches an empty text"
    if trouble is not None:
        raise SettingsError(
            f"{where}: marker {name!r}: the pattern {_shown(pattern)} has {trouble}. "
            "Write it in the dialect that RE2 and Java share."
        )
    return whole


def _shown(pattern: str) -> str:
    return listing([pattern])


def _check_together(where: str, marker: Marker) -> None:
    """Refuse patterns that RE2 takes one by one and not all at once."""
    every = joined((*marker.include, *marker.voice_include))
    for pattern in (every, marker.exclusion):
        if pattern is not None and (mistake := trouble_of(pattern)) is not None:
            raise SettingsError(
                f"{where}: marker {marker.id!r}: its patterns together are more than RE2 takes "
                f"({mistake}). Leave out repetitions, or make two markers of it."
            )


def _check_examples(where: str, marker: Marker) -> None:
    for key, expected in (("positive", True), ("negative", False)):
        examples = getattr(marker, key)
        if len(examples) < EXAMPLES_EACH:
            raise SettingsError(
                f"{where}: marker {marker.id!r} has {len(examples)} {key} examples; "
                f"expected {EXAMPLES_EACH} or more."
            )
        for example, found in zip(examples, marker.found_in(examples), strict=True):
            if found is not expected:
                verb = "misses its" if expected else "is found in its"
                raise SettingsError(
                    f"{where}: marker {marker.id!r} {verb} {key} example {listing([example])}. "
                    "Change the pattern or the example."
                )
