"""What a user or a file can do ends with a code of its own; a defect ends with 1."""

import copy
import io
import json
import subprocess
import sys

import pytest
from clv.pipelines.data import validate
from clv.pipelines.explaining import report
from clv.pipelines.running.documents import READ, Documents
from clv.pipelines.running.run import Run
from clv.pipelines.running.settings_file import load_settings
from rich.console import Console

ATTRIBUTION = {
    "currency": "EUR", "as_of": "2025-06-30", "horizon_days": 90, "customers": 100,
    "model_version": 1, "agents": [], "notes": [], "unavailable": [], "outcomes": [],
    "contributions": [], "targets": [], "segments": [], "teams": [], "phrases": [],
    "effects": [{
        "behaviour": "empathy", "change": 0.1, "unit": "share", "headline": "adjusted",
        "per": "customer and year", "per_contact": 4.8, "n": 100, "agents": 15,
        "levels": [{"evidence": "adjusted", "estimate": 7.9, "low": 3.4, "high": 12.4,
                    "checks": [], "refused": None}],
    }],
}  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    """Return a function that leaves a document as a run does, and the workspace."""

    def save(name, document, text=None):
        settings = load_settings(None, workspace=tmp_path / "out")
        Run(settings, "attribute", Console(file=io.StringIO())).save(name, document)
        if text is not None:
            (tmp_path / "out" / name).write_text(text)

    return save


def fails(*args, **kwargs):
    raise KeyError("a line of clv's own")


def test_a_defect_ends_with_1_and_a_changed_document_with_3(clv, saved, monkeypatch):
    monkeypatch.setattr(report, "collect", fails, raising=False)
    monkeypatch.setattr("clv.report.facts.collect", fails)
    saved("attribution.json", ATTRIBUTION)
    monkeypatch.setattr("clv.pipelines.running.documents.READ._read", [])
    ended = clv("report")
    assert ended.code == 1
    assert "unexpected KeyError" in ended.err
    saved("attribution.json", ATTRIBUTION, text=json.dumps(ATTRIBUTION))
    ended = clv("report")
    assert ended.code == 3
    assert "attribution.json: is not as clv wrote it" in ended.err
    assert READ.changed()


def test_a_defect_without_documents_ends_with_1(clv, monkeypatch, tmp_path):
    monkeypatch.setattr("clv.pipelines.running.documents.READ._read", [])
    monkeypatch.setattr(validate, "run", fails)
    assert clv("validate", "--data", tmp_path).code == 1


NASTY = (
    10**400,
    -(10**400),
    "x" * 100_000,
    None,
    [],
    {},
    [[[]]],
    True,
    1e308,
    '="var(--x)"',
    "\x00",
)


def places(value, path=()):
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, name)
            yield from places(item, (*path, name))


def put(path, value):
    changed = copy.deepcopy(ATTRIBUTION)
    target = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed


def pairs():
    return [(path, value) for path in places(ATTRIBUTION) for value in NASTY]


def mutated(part):
    return [
        pytest.param(path, value, id=f"{'.'.join(map(str, path))}-{NASTY.index(value)}")
        for path, value in part
    ]


@pytest.mark.parametrize(("path", "value"), mutated(pairs()[::29]))
def test_a_mutated_document_never_ends_with_1(path, value, clv, saved, monkeypatch):
    monkeypatch.setattr("clv.pipelines.running.documents.READ._read", [])
    sys.set_int_max_str_digits(0)
    try:
        saved("attribution.json", ATTRIBUTION, text=json.dumps(put(path, value)))
    finally:
        sys.set_int_max_str_digits(4300)
    ended = clv("report")
    assert ended.code in (0, 3), ended.err
    assert "Traceback" not in ended.err


@pytest.mark.slow
@pytest.mark.parametrize(("path", "value"), mutated(p for k, p in enumerate(pairs()) if k % 29))
def test_every_mutated_document_never_ends_with_1(path, value, clv, saved, monkeypatch):
    test_a_mutated_document_never_ends_with_1(path, value, clv, saved, monkeypatch)


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", "9" * 5000, "[" * 100_000, '{"a": ' + "9" * 400 + "}"]
)
def test_what_is_no_document_is_refused(text, tmp_path):
    from clv.errors import DataError

    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match="is not a document"):
        Documents().read(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CLV__SCORING__SINKS", "[{"),
        ("CLV__TRAINING", "{'horizon_days': 90}"),
        ("CLV__SOURCES", "["),
        ("CLV__TERMS__PROTECTED", "9" * 5000),
        ("CLV__SEED", "9" * 5000),
        ("CLV__REGISTRY__TRACKING_URI", "http://localhost:port"),
        ("CLV__REGISTRY__TRACKING_URI", "http://[::1"),
        ("CLV__REGISTRY__TRACKING_URI", "postgresql://u@db:port/x"),
        ("CLV__SOURCES__DATABASE", "postgresql://u@db:port/x"),
        ("CLV__SOURCES__DATABASE", "mysql://u@db:99999999/x"),
    ],
)
def test_the_environment_never_ends_a_command_with_1(variable, text, clv, monkeypatch):
    monkeypatch.setattr("clv.pipelines.running.documents.READ._read", [])
    monkeypatch.setenv(variable, text)
    ended = clv("check")
    assert ended.code in (2, 3, 6), (ended.err, ended.out)
    assert ended.err.count("\n") == 1


def test_a_terminal_without_unicode_is_written_to(tmp_path):
    code = (
        "import sys\n"
        "from rich.console import Console\n"
        "import clv.pipelines.running.run as run\n"
        "from clv.pipelines import cli\n"
        "run.Console = lambda **words: Console(force_terminal=True, **words)\n"
        f"sys.argv = ['clv', 'simulate', {str(tmp_path / 'company')!r}, '--customers', '30']\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={"PATH": "/usr/bin", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u2713" in done.stdout
