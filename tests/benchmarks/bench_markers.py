"""Markers: messages a second per core, against stdlib ``re``; memory; hostile text.

Run by ``make bench``, or alone: ``python tests/benchmarks/bench_markers.py [messages [more]]``.
With a second, larger number it also says how the cost of the language pack grows with messages.
Times are of the processor, on one thread, so that a busy machine does not change them much.
"""

import re
import resource
import sys
import time

import numpy as np
import pandas as pd

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.markers.contacts import make_markers
from clv.markers.language import prefilters, turns_of, with_flags, with_prefilters
from clv.markers.normalise import BLANK, normalise
from clv.markers.packs import load_pack

WORDS_TEXT = """
order parcel address invoice delivery payment account number email phone shop courier
refund return size colour week morning page label the a my your it that is was has and to
for with on in please can you we have not yet got still need want check sent today
"""
WORDS = WORDS_TEXT.split()
ORDINARY = [0.55, 0.45]  # plain sentences, sentences of the pack's examples
NEAR = "i understand your order sorry but thank the we will look within by you should have read "


def messages(count, pack, seed=0):
    """Return sentences of about 13 words, some of them with a marker in it."""
    rng = np.random.default_rng(seed)
    examples = [text for m in pack.markers.values() for text in (*m.positive, *m.negative)]
    plain = [" ".join(rng.choice(WORDS, 13)) for _ in range(20_000)]
    mixed = [f"{' '.join(rng.choice(WORDS, 5))}. {rng.choice(examples)}" for _ in range(20_000)]
    pools = np.array([*plain, *mixed], dtype=object)
    weights = np.repeat(ORDINARY, 20_000) / 20_000
    return rng.choice(pools, count, p=weights)


def tables(engine, text):
    """Hold the texts as chats of four turns."""
    chats = len(text) // 4
    names = np.array([f"i{n}" for n in range(chats)], dtype=object)
    said = pd.DataFrame(
        {
            "interaction_id": np.repeat(names, 4),
            "position": np.tile(np.arange(4), chats),
            "speaker": np.tile(["customer", "agent"], 2 * chats),
            "text": text[: 4 * chats],
        }
    )
    contacts = pd.DataFrame(
        {
            "interaction_id": names,
            "customer_id": [f"c{n // 3}" for n in range(chats)],
            "agent_id": [f"a{n % 50}" for n in range(chats)],
            "channel": "chat",
            "started_at": pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(chats), unit="s"),
        }
    )
    return Tables.from_frames(engine, {"interactions": contacts, "messages": said})


def timed(action):
    """Return the seconds of processor time that an action takes."""
    began = time.process_time()
    action()
    return time.process_time() - began


def language(made, pack):
    """Find the language pack's markers and let go of the result."""
    engine = made.engine
    said = engine.cache(with_prefilters(turns_of(made, pack), pack))
    found = engine.cache(with_flags(said, pack).drop("text", *prefilters(pack)))
    engine.release(said)
    engine.release(found)


def by_re(text, pack):
    """Find the same by the standard library, message by message."""
    sides = [pack.of(speaker="customer"), pack.of(speaker="agent")]
    for place, message in enumerate(text):
        plain = normalise(message)
        for marker in sides[place % 2]:
            if marker.exclusion is not None:
                plain = re.sub(marker.exclusion, BLANK, plain, flags=re.ASCII)
            re.search(marker.pattern, plain, flags=re.ASCII)


def say(line):
    """Write one line of the result."""
    sys.stdout.write(f"{line}\n")


def main(count=1_000_000, many=0):
    """Print all rates."""
    pack = load_pack()
    text = messages(count, pack)
    words = np.mean([len(message.split()) for message in text[:2_000]])
    with connect(threads=1) as engine:
        made = tables(engine, text)
        seconds = timed(lambda: language(made, pack))
        fixed = timed(lambda: language(tables(engine, text[:400]), pack))
        few = text[:4_000]
        slow = timed(lambda: by_re(few, pack))
        rate, rate_re = count / seconds, len(few) / slow
        say(f"{words:.1f} words a message")
        say(f"language pack, DuckDB      {rate:12,.0f} messages/s per core")
        say(f"of which fixed, each run   {fixed:12.2f} s of {seconds:.1f} s")
        say(f"language pack, stdlib re   {rate_re:12,.0f} messages/s per core")
        say(f"ratio                      {rate / rate_re:12.1f}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        say(f"peak memory, {count:,} messages {peak:8.2f} GB (test data included)")
        part = tables(engine, text[: count // 5])
        seconds = timed(lambda: make_markers(part, pack).close())
        say(f"everything                 {count // 5 / seconds:12,.0f} messages/s per core")
        ordinary = tables(engine, text[:40_000])
        size = sum(len(message) for message in text[:40_000])
        per_byte = timed(lambda: language(ordinary, pack)) / size
        # Just below the length at which turns are cut, so that every character is read.
        for name, bad in (("one letter", "a" * 20_000), ("near-misses", NEAR * 300)):
            hostile = tables(engine, np.array([bad[:20_000]] * 400, dtype=object))
            cost = timed(lambda made=hostile: language(made, pack)) / 8_000_000
            say(f"hostile, {name:18} {cost / per_byte:11.2f} x ordinary text per byte")
        if many:
            more = tables(engine, messages(many, pack))
            growth = timed(lambda: language(more, pack)) * rate / many
            say(f"{many:,} messages {growth:15.2f} x the cost of each at {count:,}")


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:]))
