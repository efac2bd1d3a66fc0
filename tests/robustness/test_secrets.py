"""Whatever form a secret has in the settings: it is neither printed, nor written."""

import io
import itertools
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout

import pandas as pd
import pytest
import yaml
from clv.pipelines import cli
from clv.pipelines.running import edge
from clv.pipelines.running.secrets import Secrets

from clv.registry import Registry

# Every piece of a password is told by its own word, since a misread address shows pieces.
PASSWORDS = {
    "plain": "zqAlpha7",
    "at": "zqAlpha7@zqBravo7",
    "slash": "zqAlpha7/zqBravo7",
    "hash": "zqAlpha7#zqBravo7",
    "question": "zqAlpha7?zqBravo7=zqChar7",
    "colon": "zqAlpha7:zqBravo7",
    "quoted": "zqAlpha7%40zqBravo7%2FzqChar7",
    "spaces": "zqAlpha7 zqBravo7",
    "quotes": "zqAlpha7'zqBravo7\"zqChar7",
    "all": "zq@Alpha7/zqBra#vo7:zqCha?r7",
}
PIECES = ("zqalpha7", "zqbravo7", "zqchar7", "alpha7", "bravo7")
SCHEMES = ("postgresql+psycopg", "mysql", "nosuchdb", "https")


def sinks(value):
    return {"scoring": {"sinks": value}}


def forms():
    """Yield a name and settings that hold a secret somewhere."""
    for (kind, word), scheme in itertools.product(PASSWORDS.items(), SCHEMES[:3]):
        url = f"{scheme}://clv:{word}@127.0.0.1:9/x"
        yield f"sink {kind} {scheme}", sinks([{"kind": "sql", "url": url}])
    url = f"postgresql+psycopg://clv:{PASSWORDS['all']}@127.0.0.1:9/x"
    yield "sinks as a text", sinks(url)
    yield "sinks as one mapping", sinks({"kind": "sql", "url": url})
    yield "sinks as texts", sinks([url])
    yield "a sink of an unknown kind", sinks([{"kind": url}])
    yield "a sink with an unknown option", sinks([{"kind": "sql", "url": url, "x": url}])
    yield "a sink whose option is a name", sinks([{"kind": "sql", url: "x"}])
    yield "a sink with a token", sinks([{"kind": "hubspot", "token": PASSWORDS["plain"]}])
    yield "a sink with a list", sinks([{"kind": "sql", "url": [url]}])
    yield "scoring as a text", {"scoring": url}
    for name in ("password", "token", "sslpassword"):
        query = f"postgresql+psycopg://127.0.0.1:9/x?{name}={PASSWORDS['plain']}"
        yield f"a sink with ?{name}", sinks([{"kind": "sql", "url": query}])
        yield f"a database with ?{name}", {"sources": {"database": query}}
        yield f"a registry with ?{name}", {"registry": {"tracking_uri": query}}
    for kind, word in PASSWORDS.items():
        url = f"postgresql+psycopg://clv:{word}@127.0.0.1:9/x"
        yield f"a database {kind}", {"sources": {"database": url}}
        yield f"a registry {kind}", {"registry": {"tracking_uri": url}}
    url = f"https://{PASSWORDS['plain']}@127.0.0.1:9/x"
    yield "a registry with a token", {"registry": {"tracking_uri": url}}
    yield "a registry as a text", {"registry": url}
    yield "a registry in a list", {"registry": {"tracking_uri": [url]}}
    yield "a registry of another key", {"registry": {url: "x"}}
    yield "an artefact root", {"registry": {"artifact_root": f"s3:{PASSWORDS['plain']}@x"}}
    yield "sources as a text", {"sources": url}
    yield "a table as a text", {"sources": {"orders": url}}
    yield "a path", {"sources": {"orders": {"path": url}}}
    yield "a folder", {"sources": {"folder": {"password": PASSWORDS["plain"]}}}
    yield "a DSN", {"sources": {"database": f"host=127.0.0.1 password={PASSWORDS['plain']}"}}
    for place, settings in (("registry", "tracking_uri"), ("sources", "database")):
        yield f"{place} without a scheme", {place: {settings: "clv:zqAlpha7@127.0.0.1:9/x"}}
    yield "a bad port", {"sources": {"database": f"mysql://clv:{PASSWORDS['all']}@db:port/x"}}


ALL = dict(forms())
EVERY = 13
"""So many forms are one in the ordinary suite; `make torture` runs the others."""


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """Return a folder with orders that can be read."""
    folder = tmp_path_factory.mktemp("company")
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    orders = pd.DataFrame(
        {"order_id": range(60), "customer_id": "c", "ordered_at": days, "amount": 1.0}
    )
    orders.to_csv(folder / "orders.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return an SQLite file with MLflow's tables; making one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    Registry.local(folder)
    return folder / "mlflow.db"


def run(*words):
    """Run the command line in this process; return its exit code and all that it printed."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["clv", *map(str, words)])
        patch.setattr(edge.sys, "stderr", err)
        code = edge.run(cli.app)
    return code, out.getvalue() + err.getvalue()


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (k % EVERY > 0)) for k, n in enumerate(ALL)]
)
def test_a_secret_is_not_printed_and_not_written(name, company, store, tmp_path):
    (tmp_path / "out").mkdir()
    shutil.copy(store, tmp_path / "out" / "mlflow.db")
    settings = {"workspace": str(tmp_path / "out"), **ALL[name]}
    if "sources" not in settings:
        settings["sources"] = {"folder": str(company)}
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(settings))
    for command in ("check", "score"):
        # What --debug prints holds all that is printed without it.
        code, printed = run(command, "--config", config, "--debug")
        shown = [piece for piece in PIECES if piece in printed.lower()]
        assert not shown, (command, printed)
        assert code != 1, (command, printed)
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            text = path.read_bytes().lower()
            assert not [piece for piece in PIECES if piece.encode() in text], path


def test_a_secret_of_the_environment_is_not_printed(company, tmp_path, monkeypatch):
    """Also where it is no JSON, and where a library's own variable holds it."""
    url = f"postgresql+psycopg://clv:{PASSWORDS['all']}@127.0.0.1:9/x"
    values = {
        "CLV__SCORING__SINKS": [
            '[{"kind": "sql", "url": "' + url,
            json.dumps([{"kind": url}]),
            url,
        ],
        "CLV__REGISTRY": [url, json.dumps(url)],
        "CLV__REGISTRY__TRACKING_URI": [url],
        "CLV__SOURCES": [url, f'{{"database": "{url}'],
        "MLFLOW_TRACKING_URI": [url],
    }
    for name, texts in values.items():
        for text in texts:
            with monkeypatch.context() as patch:
                patch.setenv(name, text)
                patch.setenv("CLV__WORKSPACE", str(tmp_path / "out"))
                code, printed = run("check", "--debug")
                assert not [p for p in PIECES if p in printed.lower()], (name, printed)
                assert code not in (0, 1), (name, text, printed)


def test_pieces_of_a_secret_are_hidden_wherever_an_error_cut_it():
    secrets = Secrets()
    secrets.learn({"sources": {"database": f"mysql://u:{PASSWORDS['all']}@h/x"}})
    shown = secrets.hide("port 'Alpha7' of ZQBRA is no number; tried vo7:zqCha?r7")
    assert "lpha" not in shown
    assert "BRA" not in shown
