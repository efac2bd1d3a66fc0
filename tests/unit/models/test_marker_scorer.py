"""The scorer learns a company's own labels, says so honestly, and never sees a fold's answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clv.errors import ModelError, UsageError
from clv.models.marker_scorer import MarkerScorer, ScorerOptions

NAMES = ("sympathy", "apology", "refusal", "clarify_question", "reassure")


def labelled(seed=0, rows=1_200, signal=True):
    """Draw turns of conversations; the label depends on three markers, and on chance."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame(rng.random((rows, len(NAMES))) < 0.3, columns=list(NAMES))
    steps = 1.6 * found["sympathy"] + 1.2 * found["reassure"] - 1.6 * found["refusal"] - 0.3
    chance = 1 / (1 + np.exp(-(steps if signal else 0 * steps)))
    label = (rng.random(rows) < chance).astype(float).to_numpy()
    return found, label, [f"i{n // 4}" for n in range(rows)]


@pytest.mark.parametrize("learner", ["logistic", "boosted"])
def test_it_beats_the_rules_where_markers_say_something_together(learner, tmp_path):
    options = ScorerOptions(learner=learner)
    scorer = MarkerScorer.fit(*labelled(), pack_digest="1f", options=options)
    report = scorer.report
    assert report.auc > max(report.rule_auc, report.any_auc) + 0.03
    assert report.low > 0
    assert report.brier < report.base_brier
    assert report.calibration_error < 0.06
    # What it reports holds on conversations drawn anew.
    found, label, _ = labelled(seed=9, rows=4_000)
    new = scorer.predict(found, pack_digest="1f")
    ranks = pd.Series(new).rank().to_numpy()
    ones = label.sum()
    auc = (ranks[label == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(label) - ones))
    assert auc == pytest.approx(report.auc, abs=0.04)
    assert new.mean() == pytest.approx(label.mean(), abs=0.03)
    scorer.save(tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
    again = MarkerScorer.load(tmp_path)
    assert again.predict(found, pack_digest="1f").tolist() == new.tolist()
    assert again.report == report


def test_without_signal_it_claims_no_lift():
    report = MarkerScorer.fit(*labelled(signal=False), pack_digest="1f").report
    assert report.low < 0
    assert abs(report.auc - 0.5) < 0.06


def test_conversations_are_never_split():
    # Every conversation repeats its own row and label: rows split at random would leak them.
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(rng.random((120, 30)), columns=[f"m{n}" for n in range(30)])
    label = np.tile([0.0, 1.0], 60)
    many = pd.concat([rows] * 6, ignore_index=True)
    chats = [f"i{n}" for n in range(120)] * 6
    options = ScorerOptions(learner="boosted")
    report = MarkerScorer.fit(
        many, np.tile(label, 6), chats, pack_digest="1f", options=options
    ).report
    assert report.conversations == 120
    assert report.auc < 0.65


def test_what_cannot_be_learned_is_refused(tmp_path):
    found, label, chats = labelled()
    with pytest.raises(UsageError, match="keep to the rules"):
        MarkerScorer.fit(found.head(100), label[:100], chats[:100], pack_digest="1f")
    with pytest.raises(UsageError, match="something else than 0 and 1"):
        MarkerScorer.fit(found, label * 2, chats, pack_digest="1f")
    scorer = MarkerScorer.fit(found, label, chats, pack_digest="1f")
    with pytest.raises(ModelError, match="missing column 'apology'"):
        scorer.predict(found.drop(columns="apology"), pack_digest="1f")
    with pytest.raises(ModelError, match="Train it again"):
        scorer.predict(found, pack_digest="2e")
    with pytest.raises(ModelError, match="cannot be read"):
        MarkerScorer.load(tmp_path)
