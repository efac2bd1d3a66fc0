"""An e-mail planted in every input is in no output; files are private; nobody is called."""

import json
import socket
import stat

import pyarrow.parquet as pq
import pytest
import yaml

pytestmark = pytest.mark.slow
CANARY = "canary.bird@example.com"
PASSWORD = "hunter2"


def planted(company):
    """Put the canary into free columns, into words, and where numbers and times belong."""
    frames = {}
    for name, frame in company.items():
        frame = frame.copy()
        frame["email"] = CANARY
        frame["note"] = f"please call {CANARY}"
        frames[name] = frame
    messages = frames["messages"]
    messages["text"] = messages["text"].astype(str) + f" You can reach me at {CANARY}."
    for name, column in (("orders", "amount"), ("interactions", "started_at")):
        values = frames[name][column].astype(str).to_numpy(object)
        values[:2] = CANARY
        frames[name][column] = values
    return frames


def texts(path):
    """Return what a file says: Parquet decoded, everything else as bytes."""
    if path.suffix == ".parquet":
        frame = pq.read_table(path).to_pandas()
        return frame.to_csv().encode()
    return path.read_bytes()


@pytest.fixture
def _no_network(monkeypatch):
    before = socket.socket.connect

    def connect(self, address):
        local = self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost")
        assert local, f"a library called {address}"
        return before(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.mark.usefixtures("_no_network")
def test_a_planted_email_is_in_no_output(company, folder, clv, tmp_path, monkeypatch):
    data = folder(csv=("orders", "interactions"), **planted(company))
    settings = {"training": {"horizon_days": 60, "cutoffs": 3, "folds": 1, "trees": 8}}
    config = tmp_path / "settings.yaml"
    config.write_text(yaml.safe_dump(settings))
    words = ("--config", config, "--data", data)
    out = tmp_path / "out"
    sink = {"kind": "sql", "url": f"postgresql+psycopg://u:{PASSWORD}@127.0.0.1:9/x"}
    monkeypatch.setenv("CLV__SCORING__SINKS", json.dumps([sink]))
    seen = [clv("validate", *words), clv("train", *words)]
    assert [each.code for each in seen] == [0, 0], seen[-1].err
    model = ("--model", "models:/clv@challenger")
    refused = clv("score", *words, *model)
    assert refused.code == 7, refused.err
    assert not (out / "scores" / "_CURRENT").exists()
    monkeypatch.delenv("CLV__SCORING__SINKS")
    for command in (("score", *words, *model), ("attribute", *words), ("report", *words)):
        seen.append(clv(*command))
        assert seen[-1].code == 0, seen[-1].err
    printed = "".join(each.out + each.err for each in [*seen, refused])
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    kept = [path for path in files if "quarantine" in path.parts]
    assert any(CANARY.encode() in texts(path) for path in kept)
    secrets = (CANARY, "canary.bird", PASSWORD)
    public = [path for path in files if path not in kept]
    leaks = {path for path in public for secret in secrets if secret.encode() in texts(path)}
    assert leaks == set()
    assert not [secret for secret in secrets if secret in printed]
    # Models hold nobody; all else is the user's alone.
    open_to_others = {
        path
        for path in files
        if not path.is_relative_to(out / "artifacts") and stat.S_IMODE(path.stat().st_mode) & 0o077
    }
    assert open_to_others == set()
