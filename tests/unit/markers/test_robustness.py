"""What must not move a rate: stock lines, the copy of a voice, other words for slots."""

import csv
import hashlib
import importlib.util
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clv.engines.connect import connect
from clv.markers.aggregate import by_opportunity
from clv.markers.canned import families
from clv.markers.contacts import make_markers
from clv.markers.explain import explain, redact
from clv.markers.normalise import normalise
from clv.markers.packs import load_pack
from clv.markers.sentiment import compound

_spec = importlib.util.spec_from_file_location(
    "conversations", Path(__file__).parent / "conversations.py"
)
conversations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(conversations)

PACK = load_pack()
REFERENCE = Path(__file__).parents[2] / "reference" / "markers_precision.csv"
SPRAY = (
    "We truly apologise for any inconvenience.",
    "I completely understand your frustration.",
    "Rest assured, we are on it.",
    "We're so sorry to hear that.",
    "That must be really frustrating for you.",
)
THINGS_TEXT = """
kettle lamp sofa desk heater jacket printer router blender bike tent carpet
"""
THINGS = THINGS_TEXT.split()
FACTS_TEXT = """
leaks hums smells flickers wobbles tore jammed stalled cracked faded rusted split
"""
FACTS = FACTS_TEXT.split()


def year(warm, spray=False, place="end"):
    """Return an agent's hundred chats with upset customers, some answered with empathy."""
    rng = np.random.default_rng(5)
    said = {}
    for number in range(144):
        thing, fact = THINGS[number % 12], FACTS[number // 12]
        answer = f"The {thing} goes back to the workshop, box {number}."
        if rng.random() < warm:
            answer = f"I'm so sorry your new {thing} {fact} in the {FACTS[number % 12]} week."
        if spray:
            before = {"start": 5, "middle": 2, "end": 0}[place]
            lines = [*SPRAY[:before], answer, *SPRAY[before:]]
            answer = " ".join(lines)
        said[f"i{number}"] = [("customer", "This is unacceptable!"), ("agent", answer)]
    return said


def rates(engine, said):
    prepared = make_markers(conversations.tables(engine, said), PACK)
    frame = engine.to_pandas(prepared.contacts(None))
    occasions = frame["empathy_occasions"].sum()
    raw = frame["empathy_hits"].sum() / occasions
    return raw, frame["empathy_unique_m"].sum() / 1000 / occasions


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_spraying_stock_lines_leaves_the_unique_rate(place):
    with connect(threads=1) as engine:
        raw, unique = rates(engine, year(0.6))
        raw_sprayed, sprayed = rates(engine, year(0.6, spray=True, place=place))
    assert raw_sprayed > 1.3 * raw
    assert sprayed == pytest.approx(unique, rel=0.10)


def test_spraying_stock_lines_to_the_calm_too_leaves_an_agents_weighed_rate():
    said = {}
    for name, warm in (("a", 0.6), ("b", 0.3), ("c", 0.8), ("d", 0.5)):
        for number, turns in year(warm).items():
            said[f"{name}{number}"] = turns
        for number in range(144):
            told = f"The {THINGS[number % 12]} comes in size {number}."
            said[f"{name}calm{number}"] = [("customer", "Which size fits?"), ("agent", told)]
    stock = dict(said)
    for name, (asked, (agent, told)) in said.items():
        if name.startswith("a"):
            stock[name] = [asked, (agent, " ".join([told, *SPRAY]))]
    agents = [name[0] for name in said]
    rate = {}
    with connect(threads=1) as engine:
        for case, talk in (("plain", said), ("sprayed", stock)):
            made = conversations.tables(engine, talk, agent_id=agents)
            rows = engine.to_pandas(make_markers(made, PACK).answers(None))
            rows["agent_id"] = rows["interaction_id"].str[0]
            found = by_opportunity(rows, "empathy_unique", ["agent_id"])
            rate[case] = found.set_index("agent_id")["rate"]
    assert rate["sprayed"]["a"] == pytest.approx(rate["plain"]["a"], rel=0.10)


def test_words_that_come_back_once_in_a_hundred_turns_count_in_full():
    said = {
        f"i{n}": [("customer", "This is unacceptable!"), ("agent", "Noted.")] for n in range(300)
    }
    for number in (0, 199, 299):
        said[f"i{number}"][1] = ("agent", "I'm so sorry your kettle leaks.")
    with connect(threads=1) as engine:
        _, unique = rates(engine, said)
    assert unique * 300 == pytest.approx(3)


def test_families_join_near_copies_and_never_change_with_later_text():
    base = [
        f"we have sent the {thing} to the workshop and will write when it is back"
        for thing in ("first", "next")
    ]
    texts = [base[0], "good morning how may i help you today", base[1], "the invoice is attached"]
    found = families(texts)
    assert found.tolist() == [0, 1, 0, 3]
    later = families([*texts, "good morning how may i help you", base[0] + " again"])
    assert later[:4].tolist() == found.tolist()
    assert later[4:].tolist() == [1, 0]


def test_a_voice_copy_keeps_every_rate_or_the_marker_is_not_for_voice():
    rng = np.random.default_rng(0)
    for marker in PACK.markers.values():
        if not marker.voice:
            continue
        texts = [*marker.positive, *marker.negative]
        typed = sum(marker.found_in(texts))
        copies = []
        for text in texts:
            words = "".join(c for c in text.lower().replace("-", " ") if c not in ".,!?;:").split()
            words.insert(int(rng.integers(1, len(words))), "um")
            copies.append(" ".join(words))
        spoken = sum(marker.found_in(copies, voice=True))
        assert abs(spoken - typed) <= 0.15 * typed + 0.5, marker.id


def test_a_voice_copy_of_real_text_keeps_every_rate(realdata):
    folder = realdata / "support_text"
    typed = pd.read_parquet(folder / "ibm_twitter_care.parquet")["text"].tolist()
    typed += pd.read_parquet(folder / "abcd_flat_dev_train10p.parquet")["input"].tolist()
    typed = [text for text in typed if "http" not in text][::2]
    rng = np.random.default_rng(0)
    spoken = []
    for text in typed:
        plain = "".join(" " if c in '.,!?;:()"*-\n…' else c for c in text.lower()).split()
        for _ in range(1 + len(plain) // 8):
            filler = ("um", "uh", "you know")[int(rng.integers(3))]
            plain.insert(int(rng.integers(len(plain) + 1)), filler)
        spoken.append(normalise(" ".join(plain), voice=True))
    typed = [normalise(text) for text in typed]
    kept = 0
    for marker in PACK.of(voice=True):
        once = sum(map(bool, marker.spans_in(typed)))
        again = sum(map(bool, marker.spans_in(spoken, voice=True)))
        assert abs(again - once) <= max(0.15 * once, 4), (marker.id, once, again)
        kept += once >= 27
    assert kept > 20


def test_sentiment_is_that_of_vader():
    vader = pytest.importorskip("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer()
    texts = [
        normalise(text)
        for marker in PACK.markers.values()
        for text in (*marker.positive, *marker.negative)
    ]
    mine = compound(pa.array(texts))
    theirs = np.array([vader.polarity_scores(text)["compound"] for text in texts])
    assert np.corrcoef(mine, theirs)[0, 1] > 0.98
    assert np.mean((mine <= -0.3) == (theirs <= -0.3)) > 0.98


def test_explain_shows_spans_in_redacted_text():
    said = {"a": [("customer", "Call Zoë on 030 1234567!"), ("agent", "Sorry about that, Zoë.")]}
    with connect(threads=1) as engine:
        made = conversations.tables(engine, said)
        people = pd.DataFrame({"customer_id": ["c0"], "first_name": ["Zoë"]})
        made = made.replaced(customers=engine.frame(people))
        shown = explain(made, PACK, "a")
    assert "zoe" not in json.dumps(shown.turns)
    assert "1234567" not in json.dumps(shown.turns)
    texts = {place: text for place, _, text in shown.turns}
    spans = {hit.marker: texts[hit.position][hit.start : hit.end] for hit in shown.hits}
    assert spans == {"apology": "sorry about"}


@pytest.mark.parametrize(
    "personal",
    [
        "ann.lee@example.co.uk",
        "4111 1111 1111 1111",
        "de89 3704 0044 0532 0130 00",
        "+49 30 1234567",
    ],
)
def test_redaction_keeps_length_and_no_digit(personal):
    text = f"it is {personal} thanks"
    shown = redact(text)
    assert len(shown) == len(text)
    assert shown.startswith("it is █")
    assert not any(c.isdigit() or c == "@" for c in shown)


def test_precision_of_shipped_markers():
    with REFERENCE.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    judged = Counter(row["marker"] for row in rows)
    right = Counter(row["marker"] for row in rows if row["right"] == "1")
    for marker in PACK.markers.values():
        precise = judged[marker.id] and right[marker.id] / judged[marker.id] >= 0.8
        assert marker.experimental is not bool(precise), marker.id


def test_judged_hits_are_still_hits(realdata):
    folder = realdata / "support_text"
    texts = {
        "ibm_twitter_care": pd.read_parquet(folder / "ibm_twitter_care.parquet")["text"].tolist(),
        "abcd_flat": [
            text.removeprefix("Context: ")
            for text in pd.read_parquet(folder / "abcd_flat_dev_train10p.parquet")["input"]
        ],
        "abcd_sample": [
            text
            for chat in json.loads((folder / "abcd_sample_3_conversations.json").read_text())
            for who, text in chat["original"]
        ],
    }
    with REFERENCE.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            text = texts[row["dataset"]][int(row["row"])]
            assert hashlib.sha256(text.encode()).hexdigest()[:16] == row["text_sha256"]
            assert PACK[row["marker"]].found(text), row
