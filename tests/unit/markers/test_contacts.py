"""Markers of contacts: occasions, sides, places, languages, cutoffs."""

import datetime as dt
import importlib.util
import re
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.errors import SchemaError
from clv.markers import timing
from clv.markers.base import Pack
from clv.markers.contacts import make_markers
from clv.markers.language import searches, turns_of, with_flags, with_prefilters
from clv.markers.normalise import normalise, normalised
from clv.markers.packs import load_pack
from clv.windows import Window

_spec = importlib.util.spec_from_file_location(
    "conversations", Path(__file__).parent / "conversations.py"
)
conversations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(conversations)

FULL = load_pack()
NEEDED = ("sympathy", "apology", "full_apology", "emotion_ack", "clarify_question", "gratitude")
NEEDED += ("greeting", "followup_promise", "customer_anger")
PACK = Pack("en", 1, {name: FULL[name] for name in NEEDED})
UPSET = "This is unacceptable, I am furious."


@pytest.fixture(scope="module")
def engine():
    with connect(threads=1) as opened:
        yield opened


def counted(engine, said, window=None, **columns):
    prepared = make_markers(conversations.tables(engine, said, **columns), PACK)
    frame = engine.to_pandas(prepared.contacts(window)).set_index("interaction_id")
    return frame.sort_index(), prepared


def test_empathy_counts_in_answers_to_the_upset_alone(engine):
    said = {
        "met": [("customer", UPSET), ("agent", "I understand how frustrating that is.")],
        "missed": [("customer", UPSET), ("agent", "The form is on page two.")],
        "no_call": [("customer", "Which size fits?"), ("agent", "I'm so sorry to hear that.")],
        "late": [
            ("customer", UPSET),
            ("agent", "One moment."),
            ("customer", "Fine."),
            ("agent", "I'm so sorry about this."),
        ],
        "in_two_turns": [
            ("customer", UPSET),
            ("agent", "I see."),
            ("agent", "I'm so sorry about this."),
        ],
        "bot_first": [
            ("customer", UPSET),
            ("bot", "I'm so sorry to hear that."),
            ("agent", "The form is on page two."),
        ],
    }
    frame, _ = counted(engine, said)
    shares = frame[["empathy_hits", "empathy_occasions"]].astype(int).agg(tuple, axis=1).to_dict()
    assert shares == {
        "met": (1, 1),
        "missed": (0, 1),
        "no_call": (0, 0),
        "late": (0, 1),
        "in_two_turns": (1, 1),
        "bot_first": (0, 1),
    }


def test_answers_say_what_they_were_called_for_by(engine):
    said = {
        "two": [
            ("customer", UPSET),
            ("customer", "It is horrible, awful, terrible."),
            ("agent", "I'm so sorry about this."),
            ("agent", "One moment."),
            ("customer", "Wonderful, thank you, that is great!"),
            ("agent", "The form is on page two."),
        ],
        "unasked": [("agent", "I'm so sorry about this."), ("customer", "Ok.")],
    }
    frame, prepared = counted(engine, said)
    found = engine.to_pandas(prepared.answers(None)).sort_values(["interaction_id", "heard"])
    assert found["interaction_id"].tolist() == ["two", "two"]
    assert found["heard"].tolist() == [2, 3]
    assert found["answer"].tolist() == [1, 2]
    assert found["called"].tolist() == [True, False]
    assert found["mood"].tolist() == [0, 4]
    assert found["empathy_hits"].tolist() == [1, 0]
    assert found["empathy_unique_hits"].tolist() == [1, 0]
    assert frame.loc["two", ["empathy_hits", "empathy_occasions"]].tolist() == [1, 1]
    assert engine.to_pandas(prepared.answers(Window(dt.date(2025, 3, 2)))).empty


def test_presence_counts_once_a_turn_and_bots_never(engine):
    said = {
        "a": [
            ("bot", "I'm sorry about that."),
            ("agent", "Sorry about that, so sorry about that, we apologise."),
            ("agent", "Done."),
        ]
    }
    frame, _ = counted(engine, said)
    assert frame.loc["a", ["apology_hits", "apology_occasions"]].tolist() == [1, 2]


def test_places_of_a_conversation(engine):
    said = {
        "six": [("agent", "Hello there!")] + [("agent", "Right.")] * 4 + [("agent", "Thank you!")],
        "one": [("agent", "Thank you!")],
    }
    frame, _ = counted(engine, said)
    places = [f"agent_turns_{place}" for place in ("start", "middle", "end")]
    assert frame.loc["six", places].tolist() == [2, 2, 2]
    assert frame.loc["one", places].tolist() == [1, 0, 1]
    assert frame.loc["six", ["greeting_hits_start", "greeting_hits_end"]].tolist() == [1, 0]
    assert frame.loc["six", ["gratitude_hits_start", "gratitude_hits_end"]].tolist() == [0, 1]


def test_another_language_is_unknown_and_counted(engine):
    said = {"en": [("agent", "I'm so sorry.")], "de": [("agent", "I'm so sorry.")]}
    frame, prepared = counted(engine, said, language=["en-GB", "de"])
    assert frame.loc["en", "apology_hits"] == 1
    assert np.isnan(frame.loc["de", "apology_hits"])
    assert np.isnan(frame.loc["de", "empathy_occasions"])
    assert [(note.code, note.count) for note in prepared.notes] == [("other_language", 1)]


def test_what_needs_punctuation_is_unknown_in_speech(engine):
    said = {"call": [("agent", "which model is it um do you have")]}
    frame, _ = counted(engine, said, channel=["voice"])
    assert frame.loc["call", "clarify_question_occasions"] == 0
    assert frame.loc["call", "apology_occasions"] == 1


def test_a_message_sent_later_is_not_known(engine):
    said = {
        "a": [("customer", UPSET), ("agent", "I'm so sorry to hear that."), ("agent", "Thanks!")]
    }
    made = conversations.tables(engine, said)
    midnight = made["messages"].mutate(
        sent_at=made["messages"].sent_at + (made["messages"].position == 2).cast("int64") * 86_400
    )
    prepared = make_markers(made.replaced(messages=engine.cache(midnight)), PACK)
    day = conversations.START.date()
    then = engine.to_pandas(prepared.contacts(Window(day))).iloc[0]
    later = engine.to_pandas(prepared.contacts(Window(day + dt.timedelta(days=1)))).iloc[0]
    before = engine.to_pandas(prepared.contacts(Window(day - dt.timedelta(days=1))))
    assert (then.sympathy_hits, then.gratitude_hits, then.agent_turns) == (1, 0, 1)
    assert (later.sympathy_hits, later.gratitude_hits, later.agent_turns) == (1, 1, 2)
    assert before.empty
    short = make_markers(conversations.tables(engine, {"a": said["a"][:2]}), PACK)
    alone = engine.to_pandas(short.contacts(Window(day))).iloc[0]
    pd.testing.assert_series_equal(then, alone)


def test_names_echo_and_times(engine):
    said = {
        "a": [
            ("customer", "My washing machine leaks, the gasket is broken."),
            ("agent", "Hello Priya, a new gasket for the washing machine is on its way."),
        ],
        "b": [("customer", "Hello."), ("agent", "You will get the invoice.")],
    }
    made = conversations.tables(engine, said)
    people = pd.DataFrame({"customer_id": ["c0", "c1"], "first_name": ["Priya", "Will"]})
    customers = Tables.from_frames(engine, {"customers": people})["customers"]
    prepared = make_markers(made.replaced(customers=customers), PACK)
    frame = engine.to_pandas(prepared.contacts(None)).set_index("interaction_id")
    assert frame.loc["a", ["name_use_hits", "name_use_occasions"]].tolist() == [1, 1]
    assert frame.loc["b", ["name_use_hits", "name_use_occasions"]].tolist() == [0, 0]
    # washing, machine, gasket and broken are content; three of them are taken up
    assert frame.loc["a", ["echo_hits", "echo_occasions"]].tolist() == [3, 4]
    assert frame.loc["a", ["longest_silence_s", "response_s", "responses"]].tolist() == [60, 60, 1]


def test_promises_are_kept_by_the_company(engine):
    promise = [("agent", "I'll call you back tomorrow.")]
    said = {"kept": promise, "call": [("agent", "Hello.")], "broken": promise}
    made = conversations.tables(engine, said, initiated_by=["customer", "company", "customer"])
    contacts = made["interactions"].mutate(customer_id=ibis.literal("c"))
    prepared = make_markers(made.replaced(interactions=engine.cache(contacts)), PACK)

    def kept(window):
        frame = engine.to_pandas(prepared.contacts(window)).set_index("interaction_id")
        return frame[["promise_kept_hits", "promise_kept_occasions"]].agg(tuple, axis=1).to_dict()

    assert kept(None) == {"kept": (1, 1), "call": (0, 0), "broken": (0, 1)}
    day = conversations.START.date()
    assert kept(Window(day)) == {"kept": (0, 0)}
    assert kept(Window(day + dt.timedelta(days=2)))["broken"] == (0, 0)


def test_a_promise_is_due_when_its_words_say(engine):
    said = {
        "within 24 hours": 86_400,
        "in the next two hours": 7_200,
        "in 3 to 5 business days": 7 * 86_400,
        "within a week": 7 * 86_400,
        "today": 14 * 3600,
        "by tomorrow": 38 * 3600,
        "by wednesday": 62 * 3600,
        "on monday": 7 * 86_400 + 14 * 3600,
        "by the end of the week": 6 * 86_400 + 14 * 3600,
        "soon": None,
    }
    start_s = int(conversations.START.timestamp())  # a Monday, ten in the morning
    rows = engine.frame(pd.DataFrame({"text": list(said)}))
    due = timing.promised_by(rows.text, ibis.literal(start_s, "int64")) - start_s
    found = engine.to_pandas(rows.select("text", due=due)).set_index("text")["due"]
    assert {k: None if pd.isna(v) else int(v) for k, v in found.items()} == said


def test_the_time_that_was_promised_decides_whether_it_was_kept(engine):
    said = {
        "slow": [("agent", "I'll call you back within 2 hours.")],
        "call": [("agent", "Hello.")],
        "long": [("agent", "We will get back to you within 10 days.")],
        "silence": [("customer", "Hello?")],
    }
    sides = ["customer", "company", "customer", "company"]
    made = conversations.tables(engine, said, initiated_by=sides)
    contacts = made["interactions"]
    late = contacts.started_at + (contacts.interaction_id == "silence").cast("int64") * 8 * 86_400
    held = engine.cache(contacts.mutate(customer_id=ibis.literal("c"), started_at=late))
    frame = engine.to_pandas(
        make_markers(made.replaced(interactions=held), PACK).contacts(None)
    ).set_index("interaction_id")
    kept = frame[["promise_kept_hits", "promise_kept_occasions"]].agg(tuple, axis=1).to_dict()
    assert (kept["slow"], kept["long"]) == ((0, 1), (1, 1))


def test_order_and_threads_change_nothing(engine):
    rng = np.random.default_rng(3)
    stock = [UPSET, "Thanks!", "I'm so sorry to hear that.", "We sent order 4411 on Monday."]
    said = {
        f"i{n}": [(("customer", "agent")[k % 2], stock[rng.integers(4)]) for k in range(5)]
        for n in range(40)
    }
    frame, prepared = counted(engine, said)
    rows = engine.to_pandas(prepared.answers(None))
    made = conversations.tables(engine, said)
    with connect(threads=2) as other:
        shuffled = {
            name: engine.to_pandas(made[name]).sample(frac=1, random_state=1)
            for name in ("interactions", "messages")
        }
        held = {name: other.frame(rows) for name, rows in shuffled.items()}
        again = make_markers(Tables(other, held), PACK)
        moved = other.to_pandas(again.contacts(None)).set_index("interaction_id").sort_index()
        asked = other.to_pandas(again.answers(None))
    pd.testing.assert_frame_equal(frame, moved)
    key = ["interaction_id", "heard"]
    left, right = (found.sort_values(key, ignore_index=True) for found in (rows, asked))
    pd.testing.assert_frame_equal(left, right)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=30))
def test_the_engine_normalises_any_text_as_the_standard_library_does(engine, texts):
    rows = engine.frame(pd.DataFrame({"place": range(len(texts)), "text": texts}))
    for voice in (False, True):
        plain = normalised(rows.text, ibis.literal(voice))
        found = engine.to_pandas(rows.select("place", plain=plain).order_by("place"))
        assert found["plain"].tolist() == [normalise(text, voice=voice) for text in texts]


PIECES = (
    *(">", "\n", "\n>", '"', "\u201c", ", ", "-", "\t", " ", "  ", "\u00e9", "\u20ac", "n\u0303"),
    *("um", "you know", "the Box", "it's", "www.a.b/c", "https://a.b", "From: Ann\n", "\n-- \n"),
    *("On Monday, 3 May, Ann wrote:", "Sent from my phone", "This message may contain"),
    *("--Original", "________", "DISCLAIMER ", "Confidentiality "),
)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), min_size=40))
def test_the_engine_normalises_letters_and_quotations_as_the_standard_library_does(engine, texts):
    rows = engine.frame(pd.DataFrame({"place": range(len(texts)), "text": texts}))
    for voice in (False, True):
        plain = normalised(rows.text, ibis.literal(voice))
        found = engine.to_pandas(rows.select("place", plain=plain).order_by("place"))
        assert found["plain"].tolist() == [normalise(text, voice=voice) for text in texts]


def test_no_marker_costs_a_join(engine):
    said = conversations.tables(engine, {"a": [("agent", "I'm so sorry.")]})
    turns = engine.cache(with_prefilters(turns_of(said, FULL), FULL))
    assert " IN (" not in engine.backend.compile(with_flags(turns, FULL))


def stands(marker, text):
    """Return where a marker stands, by the standard library's own expressions."""
    if marker.exclusion is not None:
        text = re.sub(marker.exclusion, lambda m: "~" * len(m[0]), text, flags=re.ASCII)
    return tuple(m.span() for m in re.finditer(marker.pattern, text, flags=re.ASCII))


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=60), min_size=40, max_size=60))
def test_the_engine_agrees_with_the_standard_library_on_any_text(texts):
    sentences = [marker.positive[0] for marker in FULL.markers.values()]
    mixed = [text + sentences[n % len(sentences)] + text for n, text in enumerate(texts)]
    messages = pd.DataFrame(
        {
            "interaction_id": "a",
            "position": range(2 * len(mixed)),
            "speaker": ["agent", "customer"] * len(mixed),
            "text": [text for text in mixed for _ in range(2)],
        }
    )
    contact = pd.DataFrame(
        {
            "interaction_id": ["a"],
            "customer_id": ["c"],
            "channel": ["chat"],
            "started_at": [conversations.START],
        }
    )
    with connect(threads=1) as engine:
        made = Tables.from_frames(engine, {"interactions": contact, "messages": messages})
        turns = turns_of(made, FULL)
        found = engine.to_pandas(with_flags(with_prefilters(turns, FULL), FULL))
    found = found.sort_values("position")
    assert found["text"].tolist() == [normalise(text) for text in messages["text"]]
    for marker in FULL.markers.values():
        mine = found[found["speaker"] == marker.speaker]
        texts = mine["text"].tolist()
        assert mine[marker.id].tolist() == [bool(stands(marker, text)) for text in texts]
        assert marker.spans_in(texts) == [stands(marker, text) for text in texts]
    on_nodes = searches(FULL)(pa.Table.from_pandas(found[["speaker", "text"]]))
    for name in on_nodes.column_names:
        assert on_nodes[name].to_pylist() == found[name].tolist()


def test_messages_are_needed(engine):
    with pytest.raises(SchemaError, match="messages: the table was not given"):
        make_markers(
            Tables(engine, {"interactions": engine.frame(pd.DataFrame({"interaction_id": ["a"]}))}),
            FULL,
        )
