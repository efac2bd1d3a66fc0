"""The pack: its examples, the traps written before it, and errors that name the culprit."""

import tomllib
from pathlib import Path

import pytest

from clv.errors import SettingsError
from clv.markers.base import read_pack
from clv.markers.packs import load_pack

TRAPS = Path(__file__).parents[2] / "reference" / "markers_traps.toml"
PACK = load_pack()


def entry(**changes):
    base = {
        "id": "courtesy",
        "group": "tone",
        "definition": "Is courteous.",
        "source": "test",
        "sign": 1,
        "include": ["very kind"],
        "positive": [f"That is very kind {n}." for n in range(5)],
        "negative": [f"That is unkind {n}." for n in range(5)],
    }
    return base | changes


@pytest.mark.parametrize("marker", PACK.markers.values(), ids=list(PACK.markers))
def test_examples(marker):
    assert len(marker.positive) >= 5
    assert len(marker.negative) >= 5
    for texts, expected in ((marker.positive, True), (marker.negative, False)):
        found = marker.found_in(texts)
        assert [t for t, there in zip(texts, found, strict=True) if there is not expected] == []


def test_traps():
    traps = tomllib.loads(TRAPS.read_text())["trap"]
    right = [PACK[trap["marker"]].found(trap["text"]) is trap["expected"] for trap in traps]
    assert len(traps) >= 80
    assert sum(right) / len(right) >= 0.85


@pytest.mark.parametrize(
    ("pattern", "trouble"),
    [
        ("sorry(?= about)", "look-around"),
        (r"(so) \\1", "backreference"),
        ("sorry$", "end of a text"),
        ("Sorry", "upper case"),
        ("sorr.", "any character"),
        ("(?i)sorry", "flag"),
        ("(sorry", "a mistake"),
        ("(?:sorry)?", "empty text"),
        ("<nobody> sorry", "no part of the pack"),
        ("désolé", "not ASCII"),
        ("so{100}", "100 or more"),
        ("so{99}{99}", "a mistake .*repetition"),
        ("(?:(?:so{99}){99}){99}", "a mistake .*repetition"),
        ("(" * 5000 + "so" + ")" * 5000, "10,002 characters"),
    ],
)
def test_a_bad_pattern_is_named(pattern, trouble):
    with pytest.raises(SettingsError, match=trouble) as error:
        read_pack([("own.toml", {"marker": [entry(include=[pattern])]})])
    assert "own.toml: marker 'courtesy'" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*c", "(?:a*)*d", "(?:[a-z]+ ?)+[!]"])
def test_a_pattern_that_others_try_for_ever_is_searched_once(pattern):
    """Python's own expressions would not come to their end on the first of these texts."""
    texts = ["a" * 50_000, *(f"no {n}" for n in range(5))]
    pack = read_pack([("own.toml", {"marker": [entry(include=[pattern, "very kind"])]})])
    found = pack["courtesy"].found_in([*texts, "aab aac aad aa!"])
    assert found == [False] * len(texts) + [True]


def test_patterns_that_are_too_much_together_are_named():
    patterns = [f"(?:{letter}{{90}} ?){{11}}" for letter in "abcdefghijklmnopqrstuvwxyz"] * 40
    include = [f"{pattern}{n}" for n, pattern in enumerate(patterns)]
    with pytest.raises(SettingsError, match=r"own\.toml: marker 'courtesy': its patterns together"):
        read_pack([("own.toml", {"marker": [entry(include=[*include, "very kind"])]})])


def test_a_failing_example_is_named():
    positive = [*entry()["positive"], "This is rude."]
    with pytest.raises(SettingsError, match="misses its positive example 'This is rude"):
        read_pack([("own.toml", {"marker": [entry(positive=positive)]})])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"group": "purchases"}, "group is 'purchases'"),
        ({"positive": ["very kind"]}, "1 positive examples"),
        ({"id": "Not An Id"}, "the id 'Not An Id'"),
    ],
)
def test_a_wrong_entry_is_named(changes, said):
    with pytest.raises(SettingsError, match=said):
        read_pack([("own.toml", {"marker": [entry(**changes)]})])


def test_a_company_overrides_and_adds(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        '[[marker]]\nid = "apology"\nexperimental = true\n\n[[marker]]\n'
        + "\n".join(f"{k} = {v!r}" for k, v in entry().items())
    )
    pack = load_pack(own)
    assert pack["apology"].experimental
    assert pack["apology"].include == PACK["apology"].include
    assert list(pack.markers)[-1] == "courtesy"
    assert pack.digest != PACK.digest
    own.write_text("[[marker]")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_pack(own)


def test_there_is_no_pack_for_every_language():
    with pytest.raises(SettingsError, match="no pack for the language 'xx'"):
        load_pack(language="xx")
