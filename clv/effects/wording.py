"""Words and phrases: which are said widely enough to be compared, and in which contacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from clv.markers.sentences import SPOKEN_SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from clv.effects.design.exposure import Codes

NESTED_SHARE = 0.9
MOST_CONTACTS = 0.95
"""What is said in more of the contacts has nothing to be compared with."""

_FUNCTION_TEXT = """
a an and are as at be been but by can did do does for from had has have he her him his i if in
is it its me my no not of on or our she so than that the their them then there they this to up us
was we were what when which who will with you your i'm i'll i've it's that's we'll we've you'll
"""
FUNCTION_WORDS = frozenset(_FUNCTION_TEXT.split())
"""A phrase of these alone says nothing."""

_CALENDAR_TEXT = """
january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
"""
CALENDAR = frozenset(_CALENDAR_TEXT.split())
"""A phrase with one of these says when, and seasons go with value of their own."""


@dataclass(frozen=True)
class PhraseOptions:
    """Which phrases are compared, and when one is shown.

    Attributes
    ----------
    false_discoveries : float
        The share of shown phrases that chance alone may have brought.
    max_words : int
        Of a phrase.
    min_contacts, min_customers, min_agents : int
        A phrase said less widely is neither tested nor stored: it could name a person.
    min_example_customers : int
        A sentence said to fewer customers is not stored as an example.
    prior_contacts : float
        Contacts that the prior is worth.
    max_customers : int
        Of more, a sample of that many is read.
    max_phrases : int
        Phrases shown for each direction, the surest first.
    folds, seed : int
        Of the cross-fitting.
    """

    false_discoveries: float = 0.1
    max_words: int = 4
    min_contacts: int = 50
    min_customers: int = 30
    min_agents: int = 10
    min_example_customers: int = 10
    prior_contacts: float = 500.0
    max_customers: int = 40_000
    max_phrases: int = 20
    folds: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Spoken:
    """Agents' sentences as codes.

    Attributes
    ----------
    contact : int64 array, shape (S,)
        Of each sentence: 0..C-1.
    customer, agent : int64 arrays, shape (C,)
        Of each contact; an agent of -1 is unknown.
    sentences : sequence of str, length S
        Words between single spaces.
    """

    contact: Codes
    customer: Codes
    agent: Codes
    sentences: Sequence[str]


@dataclass(frozen=True)
class Counts:
    """In which contacts each of W phrases was said.

    Attributes
    ----------
    phrases : tuple of str
        The phrases.
    said : sparse array, shape (C, W)
        1 where the phrase was said in the contact.
    customers, agents : int64 arrays, shape (W,)
        To how many, by how many.
    """

    phrases: tuple[str, ...]
    said: sparse.csr_array
    customers: Codes
    agents: Codes

    def only(self, kept: Codes) -> Counts:
        """Return some of the phrases."""
        names = tuple(self.phrases[place] for place in kept)
        return Counts(names, self.said[:, kept], self.customers[kept], self.agents[kept])


def counted(spoken: Spoken, options: PhraseOptions) -> Counts:
    """Find the phrases that are said widely enough, and the contacts in which they are said.

    Of a phrase that hardly ever stands outside a longer one only the longer is kept.
    """
    lists = pc.split_pattern(pa.array(spoken.sentences, pa.string()), " ")
    sentence = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    encoded: Any = pc.list_flatten(lists).dictionary_encode()
    word = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    place = np.arange(len(word))
    code, shown = word, names
    found: list[Counts] = []
    for size in range(1, options.max_words + 1):
        contact = spoken.contact[sentence[place]]
        level, kept = _wide(contact, code, shown, spoken, options)
        found.append(level)
        alive = kept[code]
        place, code = place[alive], code[alive]
        following = place + size
        inside = following < len(word)
        place, code, following = place[inside], code[inside], following[inside]
        inside = sentence[following] == sentence[place]
        place, code, following = place[inside], code[inside], following[inside]
        pairs = code * len(names) + word[following]
        unique, code = np.unique(pairs, return_inverse=True)
        shown = shown[unique // len(names)] + " " + names[unique % len(names)]
    return _longest(_together(found))


def _wide(
    contact: Codes, code: Codes, shown: np.ndarray, spoken: Spoken, options: PhraseOptions
) -> tuple[Counts, np.ndarray]:
    """Return the phrases of one length, and which codes are wide enough to be grown."""
    size = len(shown)
    pairs = np.unique(contact * max(size, 1) + code) if size else np.zeros(0, dtype=np.int64)
    row, column = pairs // max(size, 1), pairs % max(size, 1)
    contacts = np.bincount(column, minlength=size)
    customers = _distinct(spoken.customer[row], column, size)
    known = spoken.agent[row] >= 0
    agents = _distinct(spoken.agent[row][known], column[known], size)
    kept = (
        (contacts >= options.min_contacts)
        & (customers >= options.min_customers)
        & (agents >= options.min_agents)
    )
    telling = np.array([_says_something(phrase) for phrase in shown], dtype=bool)
    telling &= kept & (contacts <= MOST_CONTACTS * len(spoken.customer))
    chosen = np.flatnonzero(telling)
    new = np.full(size, -1, dtype=np.int64)
    new[chosen] = np.arange(len(chosen))
    mine = new[column] >= 0 if size else np.zeros(0, dtype=bool)
    ones = np.ones(int(mine.sum()))
    said = sparse.csr_array(
        (ones, (row[mine], new[column[mine]])), shape=(len(spoken.customer), len(chosen))
    )
    level = Counts(tuple(shown[chosen]), said, customers[chosen], agents[chosen])
    return level, kept


def _distinct(who: Codes, column: Codes, size: int) -> Codes:
    """Count distinct members by column."""
    span = int(who.max(initial=0)) + 1
    return np.bincount(np.unique(column * span + who) // span, minlength=size)


def _says_something(phrase: str) -> bool:
    """Say whether any word is neither a function word nor masked, and none names a day."""
    words = phrase.split(" ")
    if not CALENDAR.isdisjoint(words):
        return False
    return any(w not in FUNCTION_WORDS and w not in SPOKEN_SLOTS for w in words)


def _together(levels: Sequence[Counts]) -> Counts:
    return Counts(
        tuple(phrase for level in levels for phrase in level.phrases),
        sparse.csr_array(sparse.hstack([level.said for level in levels])),
        np.concatenate([level.customers for level in levels]),
        np.concatenate([level.agents for level in levels]),
    )


def _longest(counts: Counts) -> Counts:
    """Leave out phrases that nearly always stand in one and the same longer phrase."""
    contacts = np.asarray(counts.said.sum(axis=0)).ravel()
    size = dict(zip(counts.phrases, contacts.tolist(), strict=True))
    covered = set()
    for phrase, number in size.items():
        words = phrase.split(" ")
        for part in (" ".join(words[1:]), " ".join(words[:-1])):
            if part in size and number >= NESTED_SHARE * size[part]:
                covered.add(part)
    kept = [place for place, phrase in enumerate(counts.phrases) if phrase not in covered]
    return counts.only(np.array(kept, dtype=np.int64))
