"""The pack against conversations whose authors never saw it, nor it them.

Only counts are looked at, here as when the pack was written.
"""

import pandas as pd
import pytest

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.markers.contacts import make_markers
from clv.markers.normalise import normalise
from clv.markers.packs import load_pack
from clv.simulation import SimulationOptions, simulate
from clv.simulation.words.wording import warm_sentences

PACK = load_pack()


@pytest.fixture(scope="module")
def found_by_warmth():
    """Return whether any sign of empathy was found, for warm agent turns and for others."""
    company = simulate(SimulationOptions(customers=600, agents=20, seed=3))
    with connect(threads=1) as engine:
        prepared = make_markers(Tables.from_frames(engine, company.tables), PACK)
        turns = prepared.turns.filter(prepared.turns.speaker == "agent")
        frame = engine.to_pandas(turns.select("interaction_id", "position", "is_empathic"))
    warm = pd.MultiIndex.from_frame(company.warm_turns[["interaction_id", "position"]])
    is_warm = pd.MultiIndex.from_frame(frame[["interaction_id", "position"]]).isin(warm)
    return frame.loc[is_warm, "is_empathic"], frame.loc[~is_warm, "is_empathic"]


def test_no_warm_sentence_is_an_example_of_the_pack():
    written = {normalise(sentence).strip(".!? ") for sentence in warm_sentences()}
    examples = {
        normalise(text).strip(".!? ")
        for marker in PACK.markers.values()
        for text in (*marker.positive, *marker.negative)
    }
    assert len(written) > 20
    assert written.isdisjoint(examples)


def test_much_warmth_matches_no_pattern(found_by_warmth):
    warm, _ = found_by_warmth
    assert len(warm) > 200
    assert 1 - warm.mean() >= 0.3


def test_warm_turns_are_found_and_others_seldom(found_by_warmth):
    warm, other = found_by_warmth
    assert warm.mean() >= 0.5
    assert other.mean() <= 0.05
