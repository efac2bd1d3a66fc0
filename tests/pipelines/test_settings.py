"""The settings file: strict keys, environment over file, flags over both."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from clv.pipelines.running.settings import Settings
from clv.pipelines.running.settings_file import load_settings

from clv import LifetimeValue
from clv.contract.matching import LEAST_MATCH
from clv.contract.tables import DataOptions
from clv.contract.validation import LIMIT_SHARE
from clv.effects import AttributionOptions
from clv.effects.decisions.options import DecisionOptions, TargetOptions
from clv.effects.estimators.study import EffectOptions
from clv.errors import SettingsError
from clv.monitoring import Limits
from clv.registry import GateLimits
from clv.scoring import ScoringOptions
from clv.scoring.guards import Guards

CONFIG = Path(__file__).parents[2] / "pipelines" / "config"


@pytest.fixture
def settings_file(tmp_path):
    def write(text):
        path = tmp_path / "settings.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


BOMB = "sources:\n  orders: &a0 [x, x]\n" + "".join(
    f"  t{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
"""Nine to the power of eleven values in half a kilobyte."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {horizn_days: 3}", "training.horizn_days is not a setting. Did you mean"),
        ("trainin: {}", "trainin is not a setting. Did you mean 'training'?"),
        ("training: {horizon_days: soon}", "training.horizon_days is 'soon': input should be"),
        ("registry: {name: my model}", "registry.name is"),
        ("terms: {margin_rate: 2}", "terms.margin_rate is 2: input should be less than"),
        ("scoring: {reasons: some}", "scoring.reasons is 'some': string should match"),
        ("a: [", "line 1: is not YAML"),
        ("sources: &s {folder: *s}", "its aliases name more than"),
        (BOMB, "its aliases name more than"),
        ("- 1", "holds a list; expected sections and keys"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(settings_file, text, message):
    path = settings_file(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '!!python/object/apply:os.system ["touch ran"]',
            "line 1: is not YAML: could not determine",
        ),
        ("workspace: !!python/name:os.system", "line 1: is not YAML: could not determine"),
        ("workspace: !include /etc/passwd", "line 1: is not YAML: could not determine"),
        ("seed: !!timestamp soon", "is not YAML"),
        ("seed: !!bool soon", "is not YAML"),
        ("seed: !!int soon", "is not YAML"),
        ("seed: !!float soon", "is not YAML"),
        ("seed: !!binary x", "is not YAML"),
        ("seed: !!omap {a: b}", "is not YAML"),
        ("? [1, 2]\n: 3", "found unhashable key"),
        ("1: 2", "a number stands where a section's name is expected"),
        ("true: {seed: 1}", "true or false stands where"),
        ("null: 1", "empty stands where"),
        ("2025-01-01: 1", "something else stands where"),
    ],
)
def test_tags_and_keys_that_settings_have_none_of_run_nothing(
    settings_file, text, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=message) as error:
        load_settings(settings_file(text))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load_settings(tmp_path / "nowhere.yaml")


def test_environment_wins_over_file_and_flag_over_both(settings_file, monkeypatch):
    path = settings_file("seed: 1\ntraining: {horizon_days: 10, cutoffs: 2}")
    assert load_settings(path).training.horizon_days == 10
    monkeypatch.setenv("CLV__TRAINING__HORIZON_DAYS", "20")
    assert load_settings(path).training.horizon_days == 20
    flagged = load_settings(path, training__horizon_days=30)
    assert (flagged.training.horizon_days, flagged.training.cutoffs, flagged.seed) == (30, 2, 1)


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().seed = 3


def keys(document, prefix=""):
    for name, value in document.items():
        if isinstance(value, dict) and prefix + name not in ("sources",):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_the_example_names_every_setting_and_its_default():
    document = yaml.safe_load((CONFIG / "example.yaml").read_text(encoding="utf-8"))
    defaults = Settings().model_dump(mode="json")
    assert set(keys(document)) == set(keys(defaults))
    given = load_settings(CONFIG / "example.yaml").model_dump(mode="json")
    assert {**given, "sources": {}} == defaults


def library():
    """Return where each section's defaults live in the library, by the names of its fields.

    The settings are read before a command knows what it needs, and stay light: they repeat the
    numbers instead of importing the models and estimators that own them.
    """
    scoring = {**defaults_of(ScoringOptions), "quarantine_limit_share": ScoringOptions.limit_share}
    effects, targets = EffectOptions(), TargetOptions()
    return {
        "terms": defaults_of(DataOptions),
        "quality": {"quarantine_limit_share": LIMIT_SHARE, "least_match": LEAST_MATCH},
        "training": {**LifetimeValue().get_params()},
        "gate": defaults_of(GateLimits),
        "scoring": scoring,
        "guards": defaults_of(Guards),
        "attribution": {
            **defaults_of(AttributionOptions),
            "level": effects.level,
            "customers": effects.max_customers,
            "minimum_gain_share": targets.min_gain_share,
        },
        "decisions": defaults_of(DecisionOptions),
        "monitoring": defaults_of(Limits),
    }


ELSEWHERE = {
    # null: what the column of the orders says; no rates, as a mapping and as what it is read into
    "terms": {"currency", "rates"},
    "attribution": {"behaviours", "experiments"},  # names and files, which a run turns into objects
    "monitoring": {"fail"},  # an exit code
}
APPLICATION = {"engine", "registry", "markers", "report", "push"}
"""Where things lie, which CRMs, and how a page reads: the library is handed these."""


def defaults_of(options):
    return {f.name: getattr(options, f.name) for f in fields(options) if hasattr(options, f.name)}


def test_every_default_is_the_option_class_s():
    settings, owned = Settings(), library()
    sections = {
        name
        for name in type(settings).model_fields
        if hasattr(getattr(settings, name), "model_dump")
    }
    assert sections == {*owned, *APPLICATION}
    for section, theirs in owned.items():
        ours = getattr(settings, section).model_dump()
        asked = {
            name: value for name, value in ours.items() if name not in ELSEWHERE.get(section, ())
        }
        assert asked == {name: theirs[name] for name in asked}, section


def test_the_gate_and_monitoring_ask_the_same_of_a_model():
    limits, gate = defaults_of(Limits), defaults_of(GateLimits)
    shared = limits.keys() & gate.keys()
    assert len(shared) == 5
    assert {name: limits[name] for name in shared} == {name: gate[name] for name in shared}


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_settings_load(path):
    assert load_settings(path).workspace
