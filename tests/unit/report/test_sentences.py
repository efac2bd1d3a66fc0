from __future__ import annotations

import re
import string
from dataclasses import replace
from pathlib import Path

import pytest

from clv.errors import UsageError
from clv.registry.gate import promotion_gate
from clv.report import advice, sentences
from clv.report.facts import collect
from clv.report.formats import LANGUAGES
from clv.report.sections.answer import Caution, Verdict
from clv.report.sections.changes import Why
from clv.report.sections.forecast import Pair

TEMPLATES = Path(sentences.__file__).parent

EN, DE = (sentences.load(language, "EUR") for language in ("en", "de"))


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_languages_hold_the_same_sentences_with_the_same_figures():
    for section, entries in EN.catalogue.items():
        assert set(entries) == set(DE.catalogue[section]), section
        for key, template in entries.items():
            assert placeholders(template) == placeholders(DE.catalogue[section][key]), key
            assert template.count("**") % 2 == 0
    assert set(EN.catalogue) == set(DE.catalogue)
    assert LANGUAGES == ("en", "de")


def test_every_sentence_is_used():
    sources = "".join(
        path.read_text("utf-8")
        for pattern in ("*.py", "sections/*.py", "templates/*")
        for path in TEMPLATES.glob(pattern)
    )
    by_id = {
        "behaviour", "in_sentence", "group", "column", "evidence", "model", "drift_status",
        "version", "missing", "strip", "stage", "nav", "cautions", "changes", "recommendations",
        "part", "outcome", "watch_status", "people", "step", "grade", "gate",
    }  # fmt: skip
    unused = [
        f"{section}.{key}"
        for section, entries in EN.catalogue.items()
        for key in entries
        if section not in by_id
        and not key.startswith("slider_")
        and not re.search(rf"\b{key}\b", sources)
    ]
    assert unused == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_causal_words_stand_beside_evidence_only(language):
    texts = sentences.load(language, "EUR").catalogue
    causal = re.compile(r"\b(effects?|worth|because|causes?|Wirkung|bewirkt|weil)\b", re.IGNORECASE)
    for section in ("associations", "headline", "strip", "journey", "group"):
        for key, template in texts[section].items():
            assert not causal.search(template), f"{section}.{key}"
    assert not causal.search(texts["evidence"]["predictive_long"])


def test_the_answer_in_one_sentence(facts):
    assert sentences.headline(facts, EN) == (
        "Over the next 180 days, your 20,000 customers are expected to bring "
        "**€3.42 million** in margin."
    )
    assert sentences.subline(facts, EN) == (
        "The 90% interval runs from €3.21 million to €3.66 million. That is €171 per customer. "
        "Of the total, €4,090 (0.1%) come from 1,450 people yet to buy. "
        "Customers still to be won in that time are not included."
    )
    assert "**3,42\xa0Mio.\xa0€** Marge" in sentences.headline(facts, DE)


def test_revenue_is_never_called_margin(builder):
    facts = collect(builder.purchases_only())
    for texts in (EN, DE):
        words = sentences.headline(facts, texts)
        assert "margin" not in words
        assert "Marge" not in words


def test_without_an_interval_it_says_so(facts):
    bare = replace(facts.answer.total, low=None, high=None)
    without = replace(facts, answer=replace(facts.answer, total=bare))
    assert "without an interval" in sentences.subline(without, EN)
    none = replace(facts, answer=replace(facts.answer, total=None))
    assert "not been predicted" in sentences.headline(none, EN)


def test_changes_and_targets_in_the_unit_of_the_behaviour(facts):
    said = {b.behaviour: sentences.change(b, EN) for b in facts.answer.behaviours}
    assert said["empathy"] == "+10 points"
    assert said["handle_seconds"] == "+1:00\xa0min per contact"
    handle, empathy, *_ = facts.answer.recommendations
    assert advice.recommendation(handle, EN) == (
        "Raise handle time from 6:12\xa0min to 7:08\xa0min"
    )
    assert advice.recommendation(replace(empathy, move="keep"), EN) == (
        "Keep empathy where it is, at 42%"
    )
    assert advice.gain(replace(empathy.gain, value=6.8, low=2.4, high=11.2), EN) == (
        "+€6.80 net per customer (+€2.40 to +€11.20)"
    )


@pytest.mark.parametrize("move", ["raise", "lower", "keep", "unclear", "experiment", "refused"])
@pytest.mark.parametrize("texts", [EN, DE], ids=LANGUAGES)
def test_every_move_has_its_sentences(facts, texts, move):
    targets = [one for one in facts.answer.recommendations if one.current is not None]
    for target, lever in zip(targets, facts.levers.levers, strict=True):
        moved = replace(target, move=move)
        said = [advice.recommendation(moved, texts), *advice.advice(moved, texts)]
        assert len(said) > 1
        assert "{" not in " ".join(said)
        assert "{" not in sentences.lever(replace(lever, move=move), texts)


def test_sums_that_are_off_say_in_which_direction(facts):
    assert sentences.test_of_totals(facts.trust, EN) == (
        "The total was forecast **1.8%** too low over 12 test dates together; date by date: "
        "from −1.9% to +2%."
    )
    assert sentences.test_of_errors(facts.trust, EN) == (
        "**€88.10** on average. The best of the others, “Gradient boosting alone”: €89.40."
    )


def test_each_of_a_few_test_dates_is_named_and_one_alone_says_so(facts):
    pairs = tuple(Pair(day, 100.0 * r, 100.0, 9) for day, r in (("a", 0.96), ("b", 1.19)))
    few = replace(facts.trust, tracking=pairs)
    assert "2 test dates together; date by date: −4%, +19%." in sentences.test_of_totals(few, EN)
    alone = replace(facts.trust, tracking=pairs[:1])
    assert "on the one test there was (−4% to +0.4%" in sentences.test_of_totals(alone, EN)


@pytest.mark.parametrize("texts", [EN, DE], ids=LANGUAGES)
def test_page_one_says_whether_the_forecast_passed_its_test(facts, texts):
    said = {
        verdict: sentences.verdict(
            replace(facts, answer=replace(facts.answer, verdict=verdict)), texts
        )
        for verdict in (None, Verdict(True, ()), Verdict(False, ("total_bias", "coverage")))
    }
    assert said[None] == ""
    if texts is EN:
        assert said[Verdict(True, ())] == "This forecast passed its test on past dates."
        assert (
            "failed its test: its total was too far off; its intervals"
            in said[Verdict(False, ("total_bias", "coverage"))]
        )


def test_every_check_of_the_gate_has_its_words():
    checks = promotion_gate({}, {}, loads=False).checks
    for texts in (EN, DE):
        assert {check.name for check in checks} == set(texts.catalogue["gate"])


def test_a_turned_sign_is_said(facts):
    said = {d.behaviour: sentences.disagreement(d, EN) for d in facts.trust.disagreements}
    assert "mistake" in said["handle_seconds"]
    assert "mistake" not in said["empathy"]


def test_where_the_change_comes_from():
    assert sentences.why(Why(100_000.0, 120_000.0, -20_000.0), EN) == (
        "The total moved by **+€100,000**: +€120,000 from the number of customers, "
        "−€20,000 from value per customer."
    )


def test_cautions_fill_in_names_and_shares():
    said = sentences.caution(Caution("unsettled", {"behaviours": "fcr name_use"}), EN)
    assert said.startswith("First-contact resolution, name use: the interval includes zero")
    assert "−20%" in sentences.caution(Caution("bias", {"share": -0.2}), EN)


def test_an_unknown_id_is_shown_as_words():
    assert EN.name("behaviour", "name_use") == "name use"
    assert EN.behaviour("name_use") == "name use"


def test_an_unknown_language_is_refused():
    with pytest.raises(UsageError, match="no texts in language 'fr'; expected one of 'en', 'de'"):
        sentences.load("fr", "EUR")


def test_page_one_says_what_comes_from_people_yet_to_buy(facts):
    said = sentences.subline(facts, EN)
    assert "Of the total, €4,090 (0.1%) come from 1,450 people yet to buy." in said
    nobody = replace(facts, answer=replace(facts.answer, prospects=None))
    assert "yet to buy" not in sentences.subline(nobody, EN)
    unknown = replace(facts, answer=replace(facts.answer, prospects=None, unvalued=93))
    assert "93 people known beside have not bought and are in no total" in sentences.subline(
        unknown, EN
    )


def test_customers_tested_on_several_dates_are_counted_once(facts):
    assert sentences.tested(facts.trust, EN) == (
        "The forecast was tested on 3 earlier dates, on money that it had not seen, "
        "of up to 18,804 customers each time."
    )


def test_a_test_on_customers_held_out_is_no_test_on_earlier_dates(builder):
    inputs = builder.complete()
    fold = {"as_of": "2024-12-31", "kind": "customers", "train_rows": 900, "test_customers": 400}
    said = sentences.tested(
        collect(replace(inputs, backtest={**inputs.backtest, "folds": [fold]})).trust, EN
    )
    assert "earlier date." in said
    assert "as of 31 December 2024, on 400 customers" in said.replace("\xa0", " ")
    assert "1 earlier dates" not in said
