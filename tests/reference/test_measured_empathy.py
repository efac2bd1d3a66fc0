"""What markers measure of empathy in conversations, and the effect that it can bear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clv.contract.tables import DataOptions, Tables
from clv.effects.design.encode import Studied, encode
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.estimators.examiner import instrumented
from clv.effects.estimators.study import EffectOptions, build_study
from clv.engines.connect import connect
from clv.events.histories import make_histories
from clv.features.contacts import build_contact_table
from clv.labels.follow_up import build_follow_up
from clv.markers.aggregate import by_opportunity
from clv.markers.contacts import make_markers
from clv.markers.packs import load_pack
from clv.simulation import SimulationOptions, simulate
from clv.windows import Window


@dataclass(frozen=True)
class Measured:
    studied: Studied
    true_empathy: np.ndarray  # per contact; NaN without an occasion
    effect: float  # of +0.1 true empathy, per contact with an occasion
    warmth: float  # correlation of agents' measured share and true warmth


def measured(seed, customers):
    """Simulate a company and read its conversations; nothing is told of what was meant."""
    company = simulate(SimulationOptions(customers=customers, years=2, seed=seed, horizon_days=180))
    window = Window(company.options.as_of, company.options.horizon_days)
    days = window.horizon_days
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, company.frames(), DataOptions(currency="USD"))
        markers = make_markers(tables, load_pack())
        ready = make_histories(tables, markers=markers)
        contacts = build_contact_table(ready, days, until=window.horizon_end)
        follow_up = build_follow_up(ready, days, until=window.horizon_end, months=False)
    found = encode(contacts, follow_up, behaviours=[one.name for one in CORE_BEHAVIOURS])
    latent = company.latent
    true = latent["contacts"].set_index("interaction_id")["empathy"]
    share = contacts.groupby("agent_id")["empathy"].mean()
    warmth = latent["agents"].set_index("agent_id")["true_empathy"].reindex(share.index)
    return Measured(
        found,
        true.reindex(found.contacts["interaction_id"]).to_numpy(np.float64),
        company.truth().per_contact.effect("empathy").value,
        float(np.corrcoef(share, warmth)[0, 1]),
    )


def borne(study, case):
    """Return what the measured share would show if nothing but true empathy moved value.

    What patterns miss makes a tenth of the measured share more than a tenth of what was done,
    stock lines make it less; with the true effect put on each contact, the same instruments
    say how much.
    """
    exposure, true = study.exposure, case.true_empathy
    usual = pd.Series(true).groupby(exposure.stratum).transform("mean").to_numpy()
    value = np.nan_to_num(true - usual) * case.effect / 0.1
    fit = instrumented(study.instrument, study.residuals, value, exposure.agent, exposure.customer)
    return float(study.weights("empathy") @ fit.coefficients)


def test_empathy_is_heard_where_it_was_meant_and_hardly_elsewhere():
    company = simulate(SimulationOptions(customers=400, agents=40, seed=5, canned_share=0.0))
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, company.frames(), DataOptions(currency="USD"))
        turns = make_markers(tables, load_pack()).turns
        said = turns.filter((turns.speaker == "agent") & turns.spoken)
        frame = engine.to_pandas(said.select("interaction_id", "position", "is_empathic"))
    warm = company.warm_turns.assign(warm=True)
    frame = frame.merge(warm, on=["interaction_id", "position"], how="left")
    heard = frame["is_empathic"].astype(float).groupby(frame["warm"].notna()).mean()
    # At least 3 in 10 stay unheard: the sentences were written without sight of the pack.
    assert 0.4 < heard[True] <= 0.7
    assert heard[False] < 0.05


def warmth_at_fifty_contacts(seed, draws=5):
    """Return how fifty contacts' rate, weighed by opportunity, correlates with true warmth."""
    company = simulate(SimulationOptions(customers=2_500, agents=40, seed=seed))
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, company.frames(), DataOptions(currency="USD"))
        answers = engine.to_pandas(make_markers(tables, load_pack()).answers(None))
    contacts = company.tables["interactions"].sort_values(["started_at", "interaction_id"])
    before = contacts.groupby(["customer_id", "issue_type"])["started_at"].shift()
    contacts["again"] = (contacts["started_at"] - before).dt.days <= 7
    written = contacts["interaction_id"].isin(company.tables["messages"]["interaction_id"])
    contacts = contacts[written & contacts["agent_id"].notna()]
    true = company.latent["agents"].set_index("agent_id")["true_empathy"]
    found = []
    for draw in range(draws):
        some = contacts.sample(frac=1, random_state=draw).groupby("agent_id").head(50)
        some = some[["interaction_id", "agent_id", "channel", "priority", "again"]]
        rates = by_opportunity(
            answers.merge(some, on="interaction_id"),
            "empathy_unique",
            ["agent_id"],
            mix=["channel", "priority", "again"],
        ).set_index("agent_id")["standardised"]
        found.append(np.corrcoef(rates, true.reindex(rates.index))[0, 1])
    return float(np.mean(found))


@pytest.mark.slow
def test_fifty_contacts_rank_agents_by_their_true_warmth():
    # What was done in fifty contacts correlates with the disposition at .91; with every occasion
    # known, and heard in the 63 of 100 turns that patterns find, at .82. Seeds spread by .06.
    found = [warmth_at_fifty_contacts(seed) for seed in (11, 12, 13, 14)]
    assert np.mean(found) >= 0.76
    assert min(found) >= 0.62


@pytest.mark.slow
def test_the_effect_of_measured_empathy_is_what_the_measure_can_bear():
    rows = []
    for seed in range(4):
        case = measured(seed, 8_000)
        study = build_study(case.studied.exposure, CORE_BEHAVIOURS, EffectOptions())
        fit, weights = study.instrumented(), study.weights("empathy")
        error = np.sqrt(weights @ fit.covariance @ weights)
        rows.append([weights @ fit.coefficients - borne(study, case), error, case.warmth])
    miss, error, warmth = np.array(rows).T
    reach = stats.t.ppf(0.975, study.degrees)
    assert abs(miss.mean()) <= 3 * np.sqrt((error**2).mean() / len(rows))
    assert (np.abs(miss) <= reach * error).mean() >= 0.75
    assert warmth.mean() > 0.4
