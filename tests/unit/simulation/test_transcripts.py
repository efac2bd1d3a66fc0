"""Transcripts say what agents did, in words that vary."""

import re

import numpy as np
import pytest

from clv.simulation import SimulationOptions, simulate
from clv.simulation.words.manners import as_speech
from clv.simulation.words.transcripts import plan, scene
from clv.simulation.words.wording import LANGUAGES, load_wording, warm_sentences
from clv.simulation.world import build_world


def test_a_warm_sentence_is_said_for_every_occasion_that_was_met():
    world = build_world(SimulationOptions(customers=1_000, agents=24))
    rng = np.random.default_rng(0)
    show = scene(world, rng)
    script = plan(show, rng)
    said = {"warm": np.zeros(show.human.size), "asked": np.zeros(show.human.size)}
    for rows, intent in zip(script.rows, script.names, strict=True):
        if intent.startswith("agent.warm."):
            said["warm"][rows] += 1
        if intent in ("customer.upset", "customer.repeat", "customer.effort"):
            said["asked"][rows] += 1
    np.testing.assert_array_equal(said["warm"], np.where(show.human, world.served.met, 0))
    np.testing.assert_array_equal(said["asked"], np.where(show.human, world.served.occasions, 0))


@pytest.fixture(scope="module")
def company():
    return simulate(SimulationOptions(customers=2_000, agents=24, german_share=0.1))


def test_wording_varies(company):
    messages = company.frames()["messages"]
    agent = messages.loc[messages["speaker"] == "agent", "text"]
    assert agent.nunique() > 0.8 * len(agent)
    assert agent.value_counts().iloc[0] < 0.01 * len(agent)
    assert len(set(warm_sentences())) > 150


def test_slots_are_filled_and_choices_spelled_out(company):
    text = company.frames()["messages"]["text"]
    assert not text.str.contains(r"[\[\]{}|]").any()
    assert (text.str.strip() != "").all()


def test_voice_is_unpunctuated_lower_case(company):
    frames = company.frames()
    voice = frames["interactions"].query("channel == 'voice'")["interaction_id"]
    text = frames["messages"].loc[frames["messages"]["interaction_id"].isin(voice), "text"]
    assert (text == text.str.lower()).all()
    assert not text.str.contains(r"[.,!?;:]").any()


def test_e_mails_quote_and_sign(company):
    frames = company.frames()
    email = frames["interactions"].query("channel == 'email'")["interaction_id"]
    text = frames["messages"].loc[frames["messages"]["interaction_id"].isin(email), "text"]
    assert text.str.contains("wrote:\n>").mean() > 0.2
    assert text.str.contains("confidential").any()
    assert not text.str.contains("¶").any()


def test_german_customers_get_german(company):
    frames = company.frames()
    german = frames["interactions"].query("language == 'de'")["interaction_id"]
    share = len(german) / len(frames["interactions"])
    assert 0.05 < share < 0.15
    text = frames["messages"].loc[frames["messages"]["interaction_id"].isin(german), "text"]
    assert not text.str.contains(r"\b(?:the|your|thanks)\b", case=False).any()


def test_speakers_fit_the_channel(company):
    frames = company.frames()
    both = frames["messages"].merge(frames["interactions"], on="interaction_id")
    assert set(both.loc[both["agent_id"].isna(), "speaker"]) == {"customer", "bot"}
    assert set(both.loc[both["agent_id"].notna(), "speaker"]) == {"customer", "agent"}
    assert "self_service" not in set(both["channel"])


def test_stock_lines_are_pasted_by_those_who_paste():
    company = simulate(SimulationOptions(customers=600, agents=24, canned_share=0.5))
    frames = company.frames()
    latent = company.latent["agents"].set_index("agent_id")["canned"]
    both = frames["messages"].merge(
        frames["interactions"].query("channel == 'chat' and language == 'en'"), on="interaction_id"
    )
    lines = "|".join(re.escape(line) for line in load_wording("en").pools["agent.stock"].sentences)
    pasted = both["text"].str.contains(lines).groupby(both["agent_id"]).any()
    assert (pasted == latent[pasted.index]).mean() > 0.9
    assert not pasted[~latent[pasted.index]].any()


def test_languages_have_the_same_intents():
    intents = [set(load_wording(language).pools) for language in LANGUAGES]
    assert intents[0] == intents[1]


def test_speech_keeps_the_words():
    assert as_speech("Hello, Ada: HH-12!", None, 0.0) == "hello ada hh 12"


def test_warm_turns_are_agents_turns_one_for_every_occasion_met(company):
    messages = company.frames()["messages"]
    assert "warm" not in messages
    warm = company.warm_turns.merge(messages, on=["interaction_id", "position"], validate="1:1")
    assert (warm["speaker"] == "agent").all()
    latent = company.latent["contacts"]
    met = (latent["empathy"] * latent["occasions"]).sum()
    assert len(warm) == round(met)
