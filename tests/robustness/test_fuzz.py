"""Whatever the files hold: no traceback, the right exit code, and every row accounted for."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from clv.pipelines.data import validate
from clv.pipelines.running.run import Run
from clv.pipelines.running.settings_file import load_settings
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console

from clv.errors import ClvError
from clv.events.histories import make_histories
from clv.models.lifetime_value import LifetimeModel
from clv.scoring import ScoringOptions, score
from tests.robustness.conftest import INPUTS

pytestmark = pytest.mark.slow
SHARDS = 4  # each has its own seed
DATA, MODEL = 3, 4
NASTY = (
    *("", " ", "NaN", "null", "None", "inf", "-inf", "1e309", "1e-320", "9" * 400, "-0", "0x1f"),
    *("1,234.5", "12,5", "1_000", "١٢", "½", "1e400000000", "--5", "+7", "true", "£5", "5%"),
    *("2025-02-30", "0000-00-00", "9999-12-31", "1677-09-21", "2262-04-12", "10000-01-01"),
    *("2025-01-01T25:00:00", "2025-06-30T23:59:60Z", "2025-03-30 02:30", "1750000000", "-1"),
    *("\x00", "a\x00b", "\u202e", "\ud7ff", "😀" * 50, "\r", "\n", "\r\n", '"', '""', "'", ";"),
    *("=cmd|' /C calc'!A0", "'; drop table orders; --", "%s%n", "{}", "../../etc/passwd"),
    *("x" * 70_000, "a,b", "a\tb", "EUR", "usd", "🇪🇺", "ß", "i̇", "\ufeff"),
)


def company():
    """Return small tables as text, with nothing wrong in them."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-06-01", "2025-06-30", freq="6h")
    orders = pd.DataFrame(
        {
            "order_id": [f"o{k}" for k in range(60)],
            "customer_id": [f"c{k % 13}" for k in range(60)],
            "ordered_at": days[rng.choice(len(days), 60, replace=False)].astype(str),
            "amount": np.round(rng.gamma(2.0, 20.0, 60), 2).astype(str),
        }
    )
    contacts = pd.DataFrame(
        {
            "interaction_id": [f"i{k}" for k in range(20)],
            "customer_id": [f"c{k % 13}" for k in range(20)],
            "started_at": days[rng.choice(len(days), 20, replace=False)].astype(str),
            "channel": ["phone", "chat"] * 10,
            "handle_seconds": rng.integers(10, 900, 20).astype(str),
        }
    )
    customers = pd.DataFrame(
        {"customer_id": [f"c{k}" for k in range(13)], "segment": ["a", "b"] * 6 + ["a"]}
    )
    return {"orders": orders, "interactions": contacts, "customers": customers}


WHOLE = company()


@st.composite
def tables(draw):
    """Return a name and its table with cells, rows and columns changed."""
    name = draw(st.sampled_from(list(WHOLE)))
    frame = WHOLE[name].copy()
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["cell"] * 6 + ["drop", "rename", "double", "repeat", "cut"]))
        if not len(frame.columns):
            break
        column = draw(st.integers(0, len(frame.columns) - 1))
        row = draw(st.integers(0, max(len(frame) - 1, 0)))
        if kind == "cell" and len(frame):
            value = draw(st.sampled_from(NASTY) | st.text(max_size=20) | st.just(None))
            frame.iloc[row, column] = value
        elif kind == "drop":
            frame = frame.drop(columns=frame.columns[column])
        elif kind == "rename":
            new = draw(st.sampled_from(["x", "", "Customer_ID", *frame.columns, *NASTY]))
            frame = frame.set_axis(
                [new if k == column else n for k, n in enumerate(frame.columns)], axis=1
            )
        elif kind == "double":
            frame = pd.concat([frame, frame.iloc[:, [column]]], axis=1)
        elif kind == "repeat":
            frame = pd.concat([frame, frame.iloc[[row] * 3]]) if len(frame) else frame
        elif kind == "cut":
            frame = frame.head(row)
    return name, frame


@st.composite
def edits(draw):
    """Return changes to bytes: where, how many go, and what comes."""
    return [
        (
            draw(st.floats(0, 1)),
            draw(st.sampled_from([0, 0, 1, 1, 3, 40, 10**6])),
            draw(st.binary(max_size=8) | st.sampled_from(NASTY).map(lambda text: text.encode())),
        )
        for _ in range(draw(st.integers(1, 4)))
    ]


def edited(content, changes):
    for where, gone, come in changes:
        at = int(where * len(content))
        content = content[:at] + come + content[at + gone :]
    return content


class Bench:
    """A folder for one input after the other, and a model to score with."""

    def __init__(self, folder, model):
        self.folder, self.model = folder, model
        self.runs = 0

    def put(self, name, content, suffix):
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        for old in data.iterdir():
            old.unlink()
        others = [other for other in WHOLE if other != name]
        # orders always; all three every third time, since every table takes its time
        for other in others if self.runs % 3 == 0 else others[:1]:
            WHOLE[other].to_csv(data / f"{other}.csv", index=False)
        (data / f"{name}{suffix}").write_bytes(content)

    def check(self, rows=None):
        """Validate, and score every tenth input; anything but one of our errors is raised."""
        self.runs += 1
        console = Console(file=io.StringIO())
        run = Run(
            load_settings(
                None,
                workspace=self.folder / "out",
                sources__folder=str(self.folder / "data"),
                engine__threads=1,
                quality__quarantine_limit_share=1.0,
            ),
            "validate",
            console,
        )
        report = self.folder / "out" / "validation.json"
        report.unlink(missing_ok=True)
        try:
            try:
                validate.run(run)
            finally:
                self.account(report, rows)
            if self.runs % 10 == 0:
                self.score(run)
        except ClvError as error:
            self.read(error)
        finally:
            run.close()

    def read(self, error):
        assert error.exit_code in (DATA, MODEL), error
        assert "\n" not in str(error)
        assert len(str(error)) < 2000

    def account(self, report, rows):
        if report.exists():
            found = json.loads(report.read_text())["tables"]
            for table in found.values():
                assert table["rows"] == table["accepted"] + table["quarantined"]
            for name, count in (rows or {}).items():
                assert name not in found or found[name]["rows"] == count

    def score(self, run):
        tables = run.company.tables
        result = score(
            make_histories(tables),
            self.model,
            as_of=tables.span()[1],
            options=ScoringOptions(
                model_name="clv", model_version=1, out=self.folder / "scores", limit_share=1.0
            ),
        )
        assert result.customers == result.scored + result.quarantined


@pytest.fixture(scope="module")
def bench(data, tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("fuzz"), LifetimeModel.load(data / "model"))


@pytest.fixture(autouse=True)
def _sampled_second_opinion(monkeypatch, bench):
    """Ask great-expectations about every fifth input: it takes as long as all the rest."""
    from clv.contract import expectations

    asked = expectations.compare

    def sometimes(*args, **kwargs):
        return (
            asked(*args, **kwargs)
            if bench.runs % 5 == 0
            else expectations.SuiteResult(0, True, True, {})
        )

    monkeypatch.setattr(expectations, "compare", sometimes)


def fuzzed(share):
    return settings(
        max_examples=max(int(INPUTS * share / SHARDS), 1),
        deadline=None,
        database=None,
        phases=[Phase.generate],  # a smaller example would take a thousand more runs
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("shard", range(SHARDS))
def test_tables(shard, bench):
    @seed(shard)
    @fuzzed(0.5)
    @given(tables())
    def run(changed):
        name, frame = changed
        bench.put(name, frame.to_csv(index=False).encode("utf-8", "replace"), ".csv")
        bench.check()

    run()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_bytes_of_csv(shard, bench):
    @seed(shard)
    @fuzzed(0.3)
    @given(st.sampled_from(list(WHOLE)), edits())
    def run(name, changes):
        content = WHOLE[name].to_csv(index=False).encode()
        bench.put(name, edited(content, changes), ".csv")
        bench.check()

    run()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_bytes_and_values_of_parquet(shard, bench):
    @seed(shard)
    @fuzzed(0.2)
    @given(tables(), edits(), st.booleans())
    def run(changed, changes, whole):
        name, frame = changed
        frame = frame.loc[:, ~frame.columns.duplicated()].reset_index(drop=True)
        content = io.BytesIO()
        frame.astype("string").to_parquet(content, index=False)
        written = content.getvalue()
        bench.put(name, written if whole else edited(written, changes), ".parquet")
        bench.check({name: len(frame)} if whole and len(frame.columns) else None)

    run()
