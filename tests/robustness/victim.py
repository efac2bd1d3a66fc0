"""A process that loads everything once and forks a child per run, to be killed at any moment.

``python victim.py score|train|cli FOLDER``; then one line per run on standard input:
``OUT ARGUMENT SECONDS``. The child is killed after so many seconds (``-`` lets it end, ``&``
lets it run beside the next ones; ``int:2`` and ``term:2`` ask it to end instead, ``limit:4096``
lets no file grow beyond so many bytes), and one line answers how it and those beside it ended:
``killed``, ``done SECONDS`` or ``failed CODE`` each. The argument of ``cli`` is what follows
``clv``, as JSON that is quoted as in an address.
"""

import atexit
import datetime as dt
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from urllib.parse import unquote

import clv.pipelines.running.run  # noqa: F401 (environment switches first)
from clv.pipelines import cli

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.events.histories import make_histories
from clv.models.lifetime_value import LifetimeModel
from clv.models.options import ModelOptions
from clv.models.training.panel import build_panel
from clv.models.trees.boosting import Growth
from clv.notes import silent
from clv.registry import ChampionMovedError, GateCheck, GateResult, Registry, golden, tracking
from clv.scoring import ScoringOptions, score
from clv.sinks import make_sink
from clv.windows import rolling_cutoffs

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
YES = GateResult((GateCheck("loads", True, 1.0, 1.0, None, "loads"),))


def score_once(data, out, day, on_progress=silent):
    """Score the company of a folder as of a day; a third word is a database to write to."""
    model = LifetimeModel.load(data / "model")
    sinks = [make_sink({"kind": "sql", "url": url}) for url in day.split(",")[1:]]
    with connect(threads=1) as engine:
        return score(
            make_histories(Tables.from_frames(engine, frames(data))),
            model,
            as_of=dt.date.fromisoformat(day.split(",")[0]),
            options=ScoringOptions(
                model_name="clv",
                model_version=1,
                out=Path(out),
                chunk_customers=50,
                wait_seconds=300,
                sinks=sinks,
            ),
            on_progress=on_progress,
        )


def train_once(data, store, seed):
    """Fit, register, verify and promote, as `clv train --promote` does."""
    with connect(threads=1) as engine:
        model = fitted(Tables.from_frames(engine, frames(data)), int(seed))
    # In this process: a fresh one takes seconds, and what it looks at is the same files.
    golden.check = lambda directory, rows, expected, where: golden.compare(
        tracking.predict_pyfunc(directory, rows), expected, where
    )
    registry = Registry.local(Path(store)) if "://" not in store else Registry(store, str(data))
    version = registry.log_training(model, parameters={}, metrics={}, artifacts={}, tags={})
    while True:
        champion = registry.alias("champion")
        try:
            registry.promote(version, YES, champion=champion, who="ana", when=NOW, why="better")
        except ChampionMovedError:
            continue
        break


def run_command(_data, place, argument):
    """Run ``clv`` as its own process would, with temporary files below a place of its own."""
    tempfile.tempdir = str(Path(place) / "tmp")
    sys.argv = ["clv", *json.loads(unquote(argument))]
    sys.stdout = sys.stderr = (Path(place) / "said.txt").open("a")
    try:
        cli.main()
    finally:
        atexit._run_exitfuncs()


def fitted(tables, seed=0):
    first, last = tables.span()
    windows = rolling_cutoffs(first, last, 90, every_days=90, history_days=180)[-2:]
    options = ModelOptions(
        folds=1, growth=Growth(trees=4, seed=seed), purchase_model="bg_nbd", seed=seed
    )
    return LifetimeModel.fit(build_panel(make_histories(tables), windows), options)


def frames(data):
    import pandas as pd

    return {"orders": pd.read_parquet(data / "orders.parquet")}


JOBS = {"score": score_once, "train": train_once, "cli": run_command}
ASKED = {"int": signal.SIGINT, "term": signal.SIGTERM}


WARM = {
    "score": ("mlflow.pyfunc", "mlflow.models", "lightgbm", "lifetimes", "scipy.special"),
    "cli": (
        *("great_expectations", "ibis.backends.duckdb", "altair", "vl_convert", "phonenumbers"),
        *("alembic.command", "sqlglot", "tzlocal", "clv.registry.tracking", "clv.report.render"),
        *("clv.contract.expectations", "clv.effects.attribution", "clv.monitoring.job"),
        *("clv.sources.adapters.convert", "clv.simulation", "clv.erasure.job"),
        *("clv.pipelines.running.settings_file", "clv.engines.duckdb", "sqlalchemy.dialects.mssql"),
        *("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
    ),
}
"""What commands load when they need it: once here, and not by each of thousands of children."""


def main(job, folder):
    for module in (*WARM["score"], *(WARM["cli"] if job == "cli" else ())):
        importlib.import_module(module)
    answer("ready")
    beside = []
    for line in sys.stdin:
        place, argument, seconds = line.split()
        began = time.perf_counter()
        how, _, seconds = seconds.rpartition(":")
        limit = int(seconds) if how == "limit" else None
        seconds = "-" if how == "limit" else seconds
        child = forked(job, folder, place, argument, limit)
        if seconds == "&":
            beside.append(child)
            continue
        ended = None if seconds == "-" else ended_by(child, began + float(seconds))
        if ended is None:
            if seconds != "-":
                os.kill(child, ASKED.get(how, signal.SIGKILL))
            ended = os.waitpid(child, 0)[1]
        statuses = [ended, *(os.waitpid(other, 0)[1] for other in beside)]
        beside.clear()
        took = time.perf_counter() - began
        answer(";".join(words(status, took) for status in statuses))


def forked(job, folder, place, argument, limit):
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            JOBS[job](Path(folder), place, argument)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            # A forked child must not return, whatever happened.
            if code and job != "cli":
                traceback.print_exc()
                sys.stderr.flush()
            os._exit(code)
    return child


def answer(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def words(status, took):
    if os.WIFSIGNALED(status):
        return "killed"
    return f"failed {os.waitstatus_to_exitcode(status)}" if status else f"done {took}"


def ended_by(child, deadline):
    """Wait for a child until a moment; return its status, or None where it still runs."""
    while time.perf_counter() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
