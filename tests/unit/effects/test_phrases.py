"""Phrases that go with value: planted ones are found, and hardly any where there are none."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from clv.contract.tables import Tables
from clv.effects.phrases import benjamini_hochberg, find_phrases, phrases_of
from clv.effects.wording import PhraseOptions, Spoken, counted
from clv.engines.connect import connect
from clv.markers.packs import load_pack
from clv.windows import Window

WIDE = PhraseOptions(min_contacts=50, min_customers=30, min_agents=10)
TOPICS = np.array([f"{a}{b} {a}x{b}" for a in "bcdfghklmn" for b in "prstvw"], dtype=object)


def drawn(seed, planted=0.0, habits=0.0, customers=3_000, agents=60):
    """Draw contacts in which agents have pet topics; a planted phrase goes with value."""
    rng = np.random.default_rng(seed)
    customer = np.repeat(np.arange(customers), 1 + rng.poisson(1.0, customers))
    agent = rng.integers(agents, size=len(customer))
    taste = rng.dirichlet(np.full(len(TOPICS), 0.5), agents)
    said, contact = [], []
    for number, who in enumerate(agent):
        for topic in rng.choice(TOPICS, 3, p=taste[who]):
            said.append(str(topic))
            contact.append(number)
    warm = rng.random(len(customer)) < rng.beta(2, 6, agents)[agent]
    for number in np.flatnonzero(warm):
        said.append("leave it with me")
        contact.append(int(number))
    worth = planted * warm + habits * rng.normal(size=agents)[agent]
    # Values of customers are mostly small with a long tail, and centred on their expectation.
    rest = rng.exponential(size=customers) * 20 - 20
    rest = rest[customer] + worth - worth.mean()  # windows of a customer's contacts overlap
    order = np.argsort(contact, kind="stable")
    spoken = Spoken(
        np.array(contact, dtype=np.int64)[order], customer, agent, [said[n] for n in order]
    )
    return spoken, rest - rest.mean()


def test_a_planted_phrase_is_found_with_its_value():
    spoken, rest = drawn(1, planted=6.0)
    found = find_phrases(spoken, rest, WIDE)
    best = found.rows[0]
    assert best.phrase == "leave it with me"
    assert best.low <= 6 <= best.high
    assert best.low > 0
    assert best.example == "leave it with me"
    assert len(found.rows) <= 3
    assert found.tested > 50


@pytest.mark.parametrize("habits", [0.0, 4.0])
def test_where_words_do_not_matter_hardly_any_is_found(habits):
    # With habits, agents themselves go with value and have pet topics: still chance.
    false = [len(find_phrases(*drawn(seed, habits=habits), WIDE).rows) for seed in range(6)]
    assert np.mean(np.array(false) > 0) <= 1 / 3


def test_rare_phrases_are_neither_tested_nor_stored():
    spoken, rest = drawn(2, planted=6.0)
    few = np.flatnonzero(spoken.agent < 3)[:200]
    sentences = [*spoken.sentences, *["my number is secret words"] * len(few)]
    spoken = dataclasses.replace(
        spoken, contact=np.concatenate([spoken.contact, few]), sentences=sentences
    )
    assert not any("secret" in phrase for phrase in counted(spoken, WIDE).phrases)
    assert "secret" not in json.dumps(find_phrases(spoken, rest, WIDE).as_dict())


def test_counts_are_those_of_a_plain_count():
    spoken, _ = drawn(3, customers=400, agents=20)
    counts = counted(spoken, WIDE)
    said = {phrase: counts.said[:, [n]].sum() for n, phrase in enumerate(counts.phrases)}
    for phrase in said:
        inside = {
            contact
            for contact, text in zip(spoken.contact.tolist(), spoken.sentences, strict=True)
            if f" {phrase} " in f" {text} "
        }
        assert said[phrase] == len(inside), phrase
    # "leave it with" stands nowhere but in the longer phrase.
    assert "leave it with me" in said
    assert "leave it with" not in said
    assert "it" not in said


def test_pieces_of_one_long_sentence_are_one_phrase():
    spoken, rest = drawn(1, planted=6.0)
    long = "please just leave it with me and rest"
    said = [text.replace("leave it with me", long) for text in spoken.sentences]
    found = find_phrases(dataclasses.replace(spoken, sentences=said), rest, WIDE).rows
    assert sum(set(row.phrase.split()) <= set(long.split()) for row in found) == 1


def test_what_names_a_day_is_no_phrase():
    spoken, _ = drawn(1, planted=6.0)
    said = [text.replace("leave it with me", "booked on august #") for text in spoken.sentences]
    spoken = dataclasses.replace(spoken, sentences=said)
    phrases = counted(spoken, WIDE).phrases
    assert "booked on" in phrases
    assert not any("august" in phrase for phrase in phrases)


def test_order_changes_nothing():
    spoken, rest = drawn(4, planted=6.0)
    order = np.random.default_rng(0).permutation(len(spoken.sentences))
    moved = dataclasses.replace(
        spoken, contact=spoken.contact[order], sentences=[spoken.sentences[n] for n in order]
    )
    one, other = find_phrases(spoken, rest, WIDE), find_phrases(moved, rest, WIDE)
    assert one.as_dict() == other.as_dict()


def test_false_discoveries_are_those_of_benjamini_and_hochberg():
    from scipy.stats import false_discovery_control

    p_values = np.random.default_rng(0).random(200) ** 3
    assert benjamini_hochberg(p_values) == pytest.approx(false_discovery_control(p_values))


def test_no_name_number_or_later_message_reaches_the_phrases(monkeypatch):
    # all that was compared is to be seen, pieces of one sentence too
    monkeypatch.setattr("clv.effects.phrases.SAME_SHARE", 1.1)
    options = PhraseOptions(
        false_discoveries=1.0,  # everything that was tested is shown
        min_contacts=5,
        min_customers=5,
        min_agents=1,
        min_example_customers=2,
    )
    day = dt.date(2025, 3, 3)
    began = pd.Timestamp(day) + pd.Timedelta(hours=10)
    contacts = pd.DataFrame(
        {
            "interaction_id": [f"i{n}" for n in range(120)],
            "customer_id": [f"c{n}" for n in range(120)],
            "agent_id": [f"a{n % 4}" for n in range(120)],
            "channel": "chat",
            "started_at": began,
        }
    )
    lines = [("agent", "I have called Zoë on 030 1234567 about order 4711."), ("agent", "Too late")]
    messages = pd.DataFrame(
        [
            {
                "interaction_id": f"i{n}",
                "position": place,
                "speaker": speaker,
                "text": text,
                "sent_at": began + pd.Timedelta(days=place),
            }
            for n in range(120)
            for place, (speaker, text) in enumerate(lines if n % 3 else [("agent", "Yes.")])
        ]
    )
    people = pd.DataFrame({"customer_id": contacts["customer_id"], "first_name": "Zoë"})
    with connect(threads=1) as engine:
        frames = {"interactions": contacts, "messages": messages, "customers": people}
        tables = Tables.from_frames(engine, frames)
        studied = _studied(contacts)
        found = phrases_of(tables, load_pack(), Window(day), studied, options)
        again = phrases_of(tables, load_pack(), Window(day), studied, options)
    text = json.dumps(found.as_dict())
    assert found == again
    assert found.tested == len(found.rows) > 3
    assert "called [name] on [number]" in text
    assert "zoe" not in text
    assert "1234567" not in text
    assert "late" not in text


def _studied(contacts):
    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Exposure

    size = len(contacts)
    rng = np.random.default_rng(0)
    exposure = Exposure(
        customer=np.arange(size),
        agent=np.arange(size) % 4,
        pool=np.zeros(size, dtype=np.int64),
        stratum=np.zeros(size, dtype=np.int64),
        controls=np.zeros((size, 0)),
        control_names=(),
        behaviours={},
        at_days=np.zeros(size),
        outcome=rng.exponential(size=size),
    )
    return Studied(exposure, contacts, contacts["customer_id"].to_numpy(), ())
