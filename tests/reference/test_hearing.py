"""What the English pack hears of turns that nobody who wrote it had seen."""

import csv
from pathlib import Path

import pytest

from clv.markers.packs import load_pack

HEARING = Path(__file__).parent / "hearing"
LANGUAGES = ("de", "en", "es", "fr", "pt")
WARM = ("emotion_ack", "sympathy", "apology", "validation", "perspective", "effort_ack", "reassure")
UPSET = ("customer_anger", "customer_upset", "customer_churn_threat", "customer_loss")


def turns(folder, language, speaker=None):
    with (HEARING / folder / f"{language}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if speaker in (None, row["speaker"])]


def heard(markers, rows):
    """Return the share heard of the turns with, and without, what is listened for."""
    pack, texts = load_pack(), [row["text"] for row in rows]
    found = [pack[marker].found_in(texts) for marker in markers]
    hits = [any(several) for several in zip(*found, strict=True)]
    shares = []
    for label in ("1", "0"):
        of_label = [hit for hit, row in zip(hits, rows, strict=True) if row["label"] == label]
        shares.append(sum(of_label) / len(of_label))
    return shares


def test_empathy_is_heard():
    recall, false_positives = heard(WARM, turns("test", "en", "agent"))
    assert recall >= 0.80
    assert false_positives <= 0.05


def test_who_is_upset_is_heard_as_measured():
    """Patterns alone miss a third, irony above all, and take bad news for anger."""
    recall, false_positives = heard(UPSET, turns("test", "en", "customer"))
    assert recall >= 0.58
    assert false_positives <= 0.16


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("folder", ["test", "labels"])
def test_samples_are_whole_and_balanced(folder, language):
    rows = turns(folder, language)
    assert all(all(cell.strip() for cell in row.values()) for row in rows)
    for speaker in ("agent", "customer"):
        labels = [row["label"] for row in rows if row["speaker"] == speaker]
        assert set(labels) == {"0", "1"}
        assert 0.45 < labels.count("1") / len(labels) < 0.55


def test_no_sentence_to_learn_from_is_one_to_measure_by():
    def words(row):
        return frozenset(row["text"].casefold().split())

    for language in LANGUAGES:
        learned = [words(row) for row in turns("labels", language)]
        for row in turns("test", language):
            mine = words(row)
            most = max(len(mine & theirs) / len(mine | theirs) for theirs in learned)
            assert most < 0.75, row["text"]
