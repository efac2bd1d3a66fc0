"""Canned text: what an agent says is a template, or a near copy of what was said before.

Slots are masked, which leaves a skeleton; near copies of skeletons make a family (MinHash over
two-word shingles, Broder 1997, checked with rapidfuzz's ``token_sort_ratio``). A skeleton joins
the family of the earliest one that it resembles, in the order of first use, so that later text
never changes what was known of earlier text. Cost is linear: in each band a skeleton is compared
with the first of its bucket alone, however many there are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from rapidfuzz import fuzz, process

from clv.markers.base import joined
from clv.markers.normalise import VOICE, normalise
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir
    from numpy.typing import NDArray

    from clv.engines.base import Engine
    from clv.markers.base import Pack

SIMILARITY = 85.0
"""From this token_sort_ratio on, two skeletons are near copies."""

BANDS, ROWS = 32, 3
SEED = 20_240_229
MIN_WORDS = 4
"""Shorter turns are formulas of courtesy, not templates."""

TEMPLATE_USES = 3
"""From the third use in ``MEMORY_DAYS`` on, a skeleton is a template."""

MEMORY_DAYS = 28

MEMORY_TURNS = 200
"""An agent's repetition is counted over so many of the agent's own turns, not over days: stock
lines are as stale to the few customers of a quiet desk as to the many of a busy one."""

ORDINARY_TURNS = 100
"""A sentence said once in so many of an agent's turns is ordinary speech, not a stock line: the
warm meet more occasions with words, and there are only so many words for it."""

SPOKEN_WORDS = 5
"""Words after a find in speech that are looked at for repetition."""

_SLOTS = (
    (r"(?:https?:|www[.])[^ ]*", "u"),
    (r"[^ ]*@[^ ]*", "@"),
    (r"[^ ]*[0-9][^ ]*", "#"),
    (r"\b(?:hi|hello|hey|dear) [a-z']+", "hi _"),
)


def skeleton(text: ir.StringValue, name: ir.StringValue) -> ir.StringValue:
    """Mask links, addresses, numbers and the customer's name in normalised text."""
    for pattern, slot in _SLOTS:
        text = text.re_replace(pattern, slot)
    padded = ibis.literal(" ").concat(text, " ")
    unnamed = padded.replace(ibis.literal(" ").concat(name, " "), " _ ")
    return ibis.coalesce(unnamed.strip(), text)


def signature_bands(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Return MinHash bands of each text's two-word shingles.

    Parameters
    ----------
    texts : sequence of str, length n

    Returns
    -------
    ndarray of uint64, shape (BANDS, n)
        Equal numbers in a row: the texts share the minima of ``ROWS`` hash functions.
    """
    split = [text.split(" ") for text in texts]
    lengths = np.array([len(words) for words in split], dtype=np.int64)
    flat = np.array([word for words in split for word in words], dtype=object)
    codes, distinct = pd.factorize(flat)
    hashed = pd.util.hash_array(np.asarray(distinct, dtype=object))[codes]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    following = np.zeros_like(hashed)
    following[:-1] = hashed[1:]
    last = starts + lengths - 1
    following[last] = 0  # the last word stands alone
    shingles = hashed * np.uint64(0x9E3779B97F4A7C15) + following
    # A lone last word would make all texts with one ending alike: it counts only by itself.
    shingles[last] = np.where(lengths > 1, shingles[np.maximum(last - 1, 0)], shingles[last])
    rng = np.random.default_rng(SEED)
    factors = rng.integers(1, 2**63, size=(BANDS, ROWS), dtype=np.uint64) * 2 + 1
    bands = np.empty((BANDS, len(lengths)), dtype=np.uint64)
    for band in range(BANDS):
        key = np.zeros(len(lengths), dtype=np.uint64)
        for factor in factors[band]:
            mixed = (shingles * factor) >> np.uint64(32)
            key = key * np.uint64(0x100000001B3) + np.minimum.reduceat(mixed, starts)
        bands[band] = key
    return bands


def families(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return for each text the index of the first text of its family.

    Parameters
    ----------
    texts : sequence of str, length n
        Distinct skeletons in the order of their first use.

    Examples
    --------
    >>> families(["we have sent the parcel to #", "good morning to you all",
    ...           "we have now sent the parcel to #"]).tolist()
    [0, 1, 0]
    """
    own = np.arange(len(texts), dtype=np.int64)
    if len(texts) < 2:
        return own
    pairs = set()
    for keys in signature_bands(texts):
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        leader = first[inverse]
        later = np.flatnonzero(leader < own)
        pairs.update((later * len(texts) + leader[later]).tolist())
    if not pairs:
        return own
    coded = np.array(sorted(pairs), dtype=np.int64)
    row, leader = coded // len(texts), coded % len(texts)
    held = np.asarray(texts, dtype=object)
    alike = process.cpdist(
        held[row], held[leader], scorer=fuzz.token_sort_ratio, score_cutoff=SIMILARITY, workers=-1
    )
    near = np.asarray(alike) >= SIMILARITY
    row, leader = row[near], leader[near]
    row, where = np.unique(row, return_index=True)  # pairs are sorted: the earliest leader
    family = own.copy()
    for member, first_of in zip(row.tolist(), leader[where].tolist(), strict=True):
        family[member] = family[first_of]
    return family


def family_table(engine: Engine, uses: ir.Table) -> ir.Table:
    """Return ``skeleton`` and ``family`` of all distinct skeletons, held by the engine.

    Parameters
    ----------
    engine : Engine
        What holds the rows.
    uses : ibis Table
        ``skeleton`` and ``sent_s``, one row per use.
    """
    firsts = uses.group_by("skeleton").aggregate(first_s=uses.sent_s.min())
    frame = engine.to_pandas(firsts.order_by("first_s", "skeleton"))
    texts = frame["skeleton"].tolist()
    columns = {"skeleton": pa.array(texts, pa.string()), "family": families(texts)}
    return engine.frame(pa.table(columns))


def recent_uses(uses: ir.Table, by: Sequence[str]) -> ir.IntegerValue:
    """Count the uses of a family up to and with each row, in the last ``MEMORY_DAYS``."""
    memory = ibis.range_window(
        group_by=[uses[name] for name in by],
        order_by=uses.sent_s,
        preceding=MEMORY_DAYS * DAY_SECONDS,
        following=0,
    )
    return uses.count().over(memory)


def repeated_uses(sentences: ir.Table) -> ir.IntegerValue:
    """Count an agent's uses of a family up to and with each row, in ``MEMORY_TURNS`` turns."""
    memory = ibis.range_window(
        group_by=[sentences.agent_id, sentences.family],
        order_by=sentences.turn_number,
        preceding=MEMORY_TURNS - 1,
        following=0,
    )
    return sentences.count().over(memory)


def canned_turns(engine: Engine, uses: ir.Table, allowed: Sequence[str] = ()) -> ir.Table:
    """Say which agent turns are templates.

    Parameters
    ----------
    engine : Engine
        What holds the rows.
    uses : ibis Table
        Agent turns: ``interaction_id``, ``position``, ``sent_s``, ``skeleton``.
    allowed : sequence of str
        Scripts that the company asks for: neither canned nor not.

    Returns
    -------
    ibis Table
        ``interaction_id``, ``position`` and ``is_canned`` (null where allowed).
    """
    long = uses.filter(
        uses.skeleton.length() - uses.skeleton.replace(" ", "").length() >= MIN_WORDS - 1
    )
    known = family_table(engine, long)
    rows = long.inner_join(known, "skeleton")
    rows = rows.mutate(uses=recent_uses(rows, ["family"]))
    canned = rows.uses >= TEMPLATE_USES
    if allowed:
        script = rows.skeleton.isin([masked(text) for text in allowed])
        canned = script.ifelse(ibis.null("boolean"), canned)
    held = engine.cache(rows.select("interaction_id", "position", is_canned=canned))
    engine.release(known)
    return held


def unique_credit(engine: Engine, sentences: ir.Table, allowed: Sequence[str] = ()) -> ir.Table:
    """Return what each turn's empathy counts for, once repetition is taken off.

    The n-th use of a sentence's family in an agent's last m turns counts
    (m / (n · ``ORDINARY_TURNS``))³, at most 1, where m is ``MEMORY_TURNS``, at first the turns so
    far, at least ``ORDINARY_TURNS``. Once in a hundred turns counts in full; stock lines in every
    conversation soon add up to next to nothing. A turn counts for its least used empathic
    sentence.

    Parameters
    ----------
    engine : Engine
        What holds the rows.
    sentences : ibis Table
        Empathic sentences of agents: ``interaction_id``, ``position``, ``agent_id``,
        ``sent_s``, ``turn_number`` (of the agent), ``skeleton``.
    allowed : sequence of str
        Scripts that the company asks for: they count for nothing.

    Returns
    -------
    ibis Table
        ``interaction_id``, ``position``, ``unique_m`` (thousandths).
    """
    if allowed:
        sentences = sentences.filter(sentences.skeleton.notin([masked(text) for text in allowed]))
    known = family_table(engine, sentences)
    rows = sentences.inner_join(known, "skeleton")
    rows = rows.mutate(uses=repeated_uses(rows))
    memory = (rows.turn_number + 1).clip(ORDINARY_TURNS, MEMORY_TURNS)
    # A quotient of doubles: Spark's row numbers are 32 bits wide, and their cube is not.
    fresh = memory / (rows.uses * ORDINARY_TURNS)
    credit = (1000.0 * fresh * fresh * fresh).floor().cast("int64")
    rows = rows.mutate(credit_m=ibis.least(credit, 1000).cast("int64"))
    best = rows.group_by("interaction_id", "position").aggregate(unique_m=rows.credit_m.max())
    held = engine.cache(best)
    engine.release(known)
    return held


def empathic_sentences(turns: ir.Table, pack: Pack) -> ir.Table:
    """Return the sentences of empathic agent turns that carry the empathy, as skeletons.

    Takes turns with ``text``, ``first_name``, ``channel`` and ``is_empathic``.
    """
    order = [turns.sent_s, turns.interaction_id, turns.position]
    own = ibis.window(group_by=turns.agent_id, order_by=order)
    numbered = turns.mutate(turn_number=ibis.row_number().over(own))
    mine = numbered.filter(numbered.is_empathic)
    split = mine.select(
        "interaction_id",
        "position",
        "agent_id",
        "sent_s",
        "turn_number",
        "first_name",
        "channel",
        sentence=mine.text.re_split("[.!?;:]+").unnest(),
    )
    patterns = [p for m in pack.of(empathic=True) for p in (*m.include, *m.voice_include)]
    plain = joined(pattern for pattern in patterns if not pattern.endswith("]"))
    found = split.filter(split.sentence.re_search(plain))
    # Speech has no sentences: what carries the empathy is the words found and a few more, or a
    # stock line would be another sentence with every sentence that follows it.
    heard = found.sentence.re_extract(rf"{plain}(?: [^ ]+){{0,{SPOKEN_WORDS}}}", 0)
    sentence = (found.channel == VOICE).ifelse(heard, found.sentence.strip())
    return found.select(
        "interaction_id",
        "position",
        "agent_id",
        "sent_s",
        "turn_number",
        skeleton=skeleton(sentence, found.first_name),
    )


def masked(script: str) -> str:
    """Return the skeleton of an allowed script, by the standard library."""
    text = normalise(script)
    for pattern, slot in _SLOTS:
        text = re.sub(pattern, slot, text, flags=re.ASCII)
    return text.strip(".!?;: ")
