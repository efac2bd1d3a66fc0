"""Sentiment of customers' turns: VADER's lexicon and rules over arrays of words.

Hutto & Gilbert (2014), "VADER: a parsimonious rule-based model for sentiment analysis of
social media text". The lexicon is that of the package; the rules are restated on flat arrays,
since the package reads 30,000 turns a second and this reads several times as many. Capitals
and emoji are gone from normalised text, and so are their rules.
"""

from __future__ import annotations

import string
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from numpy.typing import NDArray

    from clv.engines.base import Engine

NEGATIVE = -300
"""At or below this many thousandths a customer's turn counts as negative."""

ALPHA = 15.0
NEGATION = -0.74
BOOST = 0.293
REACH = ((1, 1.0), (2, 0.95), (3, 0.9))
"""How far a booster reaches back, in words, and what is left of it there."""

_NEGATING_TEXT = """
aint arent cannot cant couldnt darent didnt doesnt dont hadnt hasnt havent isnt mightnt
mustnt neither neednt never none nope nor not nothing nowhere oughtnt shant shouldnt wasnt
werent without wont wouldnt rarely seldom despite uhuh
"""
_NEGATING = frozenset(_NEGATING_TEXT.split())
_MORE_TEXT = """
absolutely amazingly awfully completely considerable considerably decidedly deeply
enormous enormously entirely especially exceptional exceptionally extreme extremely
fabulously fully fucking frickin greatly highly hugely incredible incredibly intensely
major majorly more most particularly purely quite really remarkably so substantially
thoroughly total totally tremendous tremendously uber unbelievably unusually utter utterly
very
"""
_MORE = frozenset(_MORE_TEXT.split())
_LESS_TEXT = """
almost barely hardly kinda kindof less little marginal marginally occasional occasionally
partly scarce scarcely slight slightly somewhat sorta sortof
"""
_LESS = frozenset(_LESS_TEXT.split())


@cache
def lexicon() -> dict[str, float]:
    """Return the valence of every ASCII token of VADER's lexicon, −4 to 4."""
    text = (resources.files("vaderSentiment") / "vader_lexicon.txt").read_text(encoding="utf-8")
    rows = (line.split("\t")[:2] for line in text.splitlines() if line.strip())
    return {word: float(valence) for word, valence in rows if word.isascii()}


def _bare(word: str) -> str:
    """Strip punctuation from a word; a smiley stays as it is."""
    bare = word.strip(string.punctuation)
    return bare if len(bare) > 2 or word not in lexicon() else word


def compound(texts: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Return VADER's compound score of each normalised text, from −1 to 1.

    Parameters
    ----------
    texts : pyarrow array of string, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)

    Examples
    --------
    >>> compound(pa.array(["this is great", "this is not great", "the box"])).round(2).tolist()
    [0.62, -0.51, 0.0]
    """
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    lists = pc.split_pattern(texts, " ")
    turn = pc.list_parent_indices(lists).to_numpy()
    encoded: Any = pc.list_flatten(lists).dictionary_encode()
    bare = np.array([_bare(word) for word in encoded.dictionary.to_pylist()], dtype=object)
    distinct, merged = np.unique(bare.astype(str), return_inverse=True)
    word = merged[encoded.indices.to_numpy(zero_copy_only=False)]
    vocabulary = distinct.tolist()
    valence, boost, negates = _properties(vocabulary)
    full = np.array([bool(w) for w in vocabulary], dtype=bool)
    kept = full[word] if len(vocabulary) else np.zeros(0, dtype=bool)
    turn, word = turn[kept], word[kept]
    codes = {name: _code(vocabulary, name) for name in ("no", "but", "least", "at", "very")}
    scores = _word_scores(turn, word, valence, boost, negates, codes)
    scores *= _around_but(turn, word == codes["but"])
    total: NDArray[np.float64] = np.bincount(turn, weights=scores, minlength=len(texts)).astype(
        np.float64
    )
    total = total + np.sign(total) * _emphasis(texts)
    return np.clip(total / np.sqrt(total**2 + ALPHA), -1, 1)


def _properties(
    vocabulary: list[str],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return valence, boost and negation of each distinct word."""
    known = lexicon()
    valence = np.array([known.get(word, 0.0) for word in vocabulary])
    boost = np.array([BOOST * ((word in _MORE) - (word in _LESS)) for word in vocabulary])
    negates = np.array(
        [word.replace("'", "") in _NEGATING or "n't" in word for word in vocabulary], dtype=bool
    )
    return valence * (boost == 0), boost, negates


def _code(vocabulary: list[str], word: str) -> int:
    return vocabulary.index(word) if word in vocabulary else -2


def _back(values: NDArray[Any], turn: NDArray[np.int64], steps: int) -> NDArray[Any]:
    """Return what stood ``steps`` words earlier in the same turn; zero where nothing did."""
    moved = np.zeros_like(values)
    if len(values) > steps:
        same = turn[steps:] == turn[:-steps]
        moved[steps:] = np.where(same, values[:-steps], moved[steps:])
    return moved


def _word_scores(
    turn: NDArray[np.int64],
    word: NDArray[np.int64],
    valence: NDArray[np.float64],
    boost: NDArray[np.float64],
    negates: NDArray[np.bool_],
    codes: dict[str, int],
) -> NDArray[np.float64]:
    """Return the valence of each word in its place: boosted, negated, after no or least."""
    own = valence[word] if len(word) else np.zeros(0)
    charged = own != 0
    is_no = word == codes["no"]
    following = np.zeros(len(word), dtype=bool)
    following[:-1] = charged[1:] & (turn[1:] == turn[:-1])
    scores = np.where(is_no & following, 0.0, own)
    after_no = _back(is_no, turn, 1) | _back(is_no, turn, 2)
    scores = np.where(charged & after_no, own * NEGATION, scores)
    for steps, share in REACH:
        before = _back(word + 1, turn, steps) - 1
        there = (before >= 0) & scores.astype(bool)
        at = np.maximum(before, 0)
        neutral = there & (valence[at] == 0)
        scores = np.where(neutral, scores + np.sign(scores) * boost[at] * share, scores)
        scores = np.where(neutral & negates[at], scores * NEGATION, scores)
    least, before = _back(word == codes["least"], turn, 1), _back(word + 1, turn, 2) - 1
    plain = least & ~np.isin(before, [codes["at"], codes["very"]])
    return np.where(plain, scores * NEGATION, scores)


def _around_but(turn: NDArray[np.int64], is_but: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return half before the first "but" of a turn, one and a half after it, else one."""
    weight = np.ones(len(turn))
    if not is_but.any():
        return weight
    places = np.flatnonzero(is_but)
    turns, first = np.unique(turn[places], return_index=True)
    at = np.searchsorted(turns, turn)
    at[at == len(turns)] = 0
    has = turns[at] == turn
    place = places[first][at]
    index = np.arange(len(turn))
    return np.where(has & (index < place), 0.5, np.where(has & (index > place), 1.5, weight))


def _emphasis(texts: pa.Array) -> NDArray[np.float64]:
    """Return what exclamation and repeated question marks add."""
    marks = pc.count_substring(texts, "!").to_numpy(zero_copy_only=False)
    asked = pc.count_substring(texts, "?").to_numpy(zero_copy_only=False)
    doubt = np.where(asked > 1, np.where(asked <= 3, asked * 0.18, 0.96), 0.0)
    return np.asarray(np.minimum(marks, 4) * 0.292 + doubt, dtype=np.float64)


def sentiments(engine: Engine, turns: ir.Table) -> ir.Table:
    """Score each distinct text of customers once.

    Returns
    -------
    ibis Table
        ``said`` (the text) and ``sentiment_m`` (thousandths, −1000 to 1000), held by the
        engine; the caller releases it.
    """
    said = turns.filter((turns.speaker == "customer") & turns.spoken)
    distinct = said.select(said=said.text).distinct()
    parts = []
    for batch in engine.batches(distinct):
        texts = batch.column("said")
        thousandths = np.rint(compound(texts) * 1000).astype(np.int64)
        parts.append(engine.frame(pa.table({"said": texts, "sentiment_m": thousandths})))
    if not parts:
        empty = pa.table(
            {"said": pa.array([], pa.string()), "sentiment_m": pa.array([], pa.int64())}
        )
        return engine.frame(empty)
    if len(parts) == 1:
        return parts[0]
    whole = engine.cache(ibis.union(*parts))
    for part in parts:
        engine.release(part)
    return whole
