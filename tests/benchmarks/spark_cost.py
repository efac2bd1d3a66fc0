"""Events of many sizes on Spark and DuckDB: seconds by step, for the cost model of docs/spark.md.

Not a test, and not part of ``make bench``, which has no Java. Of the events half are orders, the
rest contacts and messages. Run with Spark's environment, on an idle machine::

    .venv-spark/bin/python tests/benchmarks/spark_cost.py --events 1e6 3e6 10e6 30e6
    .venv-spark/bin/python tests/benchmarks/spark_cost.py --engine duckdb --events 1e6 3e6 10e6
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

sys.path.insert(0, str(Path(__file__).parent))
from bench_features import CUTOFF, generate

if TYPE_CHECKING:
    from clv.engines.base import Engine

LOADED = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
MESSAGES_PER_CONTACT = 7 / 3  # with it 0.5 + 0.15 + 0.35 of the events make a whole
AGENT = (
    "I am so sorry to hear that, I understand how frustrating this must be.",
    "Thank you for waiting. I have refunded order {n} in full today.",
    "As per our policy we cannot change delivery {n} after dispatch.",
    "Is there anything else I can help you with, customer {n}?",
)
CUSTOMER = (
    "I am really angry, order {n} is late again!",
    "Thanks, that was quick and helpful.",
    "Where is my parcel {n}? I have asked twice.",
)


def messages(folder: Path, contacts: int) -> None:
    """Write seeded messages of the contacts beside the other tables."""

    def said(texts: tuple[str, ...], salt: int) -> str:
        listed = ", ".join(f"'{text}'" for text in texts)
        pick = f"[{listed}][cast(1 + hash(i * 64 + {salt}) % {len(texts)} as int)]"
        return f"replace({pick}, '{{n}}', cast(hash(i) % 1000 as varchar))"

    with duckdb.connect() as con:
        con.execute(f"""
            copy (
                select 'i' || (i % {contacts}) as interaction_id, i // {contacts} as position,
                    case when (i // {contacts}) % 2 = 0 then 'customer' else 'agent' end as speaker,
                    case when (i // {contacts}) % 2 = 0 then {said(CUSTOMER, 31)}
                        else {said(AGENT, 32)} end as text
                from range({round(contacts * MESSAGES_PER_CONTACT)}) t(i)
            ) to '{folder}/messages.parquet' (format parquet)""")


def made(folder: Path, events: int) -> None:
    """Write a company of so many events."""
    orders = events // 2
    generate(folder, orders)
    messages(folder, orders * 3 // 10)


def steps(engine: Engine, folder: Path) -> dict[str, float]:
    """Check, read markers, prepare and build features; return the seconds of each."""
    from clv.contract.check import examine
    from clv.contract.tables import DataOptions
    from clv.events.histories import make_histories
    from clv.features.table import build_feature_table
    from clv.markers.contacts import make_markers
    from clv.markers.packs import load_pack
    from clv.sources.reading import read_sources
    from clv.sources.spec import SourceSpec

    marks = [time.perf_counter()]
    raw = read_sources(engine, SourceSpec(folder=str(folder)))
    with tempfile.TemporaryDirectory() as place:
        tables = examine(raw, DataOptions(), quarantine=Path(place), loaded_at=LOADED).tables
    marks.append(time.perf_counter())
    markers = make_markers(tables, load_pack())
    marks.append(time.perf_counter())
    histories = make_histories(tables, markers=markers)
    marks.append(time.perf_counter())
    table = build_feature_table(histories, CUTOFF)
    rows = sum(len(chunk) for chunk in table.chunks())
    marks.append(time.perf_counter())
    names = ("rules", "markers", "histories", "features")
    spent = {name: round(b - a, 1) for name, a, b in zip(names, marks, marks[1:], strict=False)}
    return {**spent, "total": round(marks[-1] - marks[0], 1), "customers": rows}


def main() -> None:
    """Measure every size asked for, each in an engine of its own."""
    from clv.engines.connect import connect

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="spark", choices=["spark", "duckdb"])
    parser.add_argument("--events", type=float, nargs="+", default=[1e6, 3e6, 10e6, 30e6])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="6GB")
    options = parser.parse_args()
    for events in map(int, options.events):
        with tempfile.TemporaryDirectory(prefix="clv-spark-") as place:
            folder = Path(place) / "company"
            folder.mkdir()
            made(folder, events)
            began = time.perf_counter()
            with connect(
                options.engine,
                threads=options.threads,
                memory_limit=options.memory_limit,
                temp_directory=place,
            ) as engine:
                start = round(time.perf_counter() - began, 1)
                line = {"engine": options.engine, "events": events, "start": start}
                print(json.dumps(line | steps(engine, folder)), flush=True)


if __name__ == "__main__":
    main()
