"""Time a scoring run with three reasons for everybody, beside LightGBM's and shap's own.

    python tests/benchmarks/bench_scoring.py [CUSTOMERS] [MORE_CUSTOMERS]

One model is fitted on a synthetic company of 5,000; its customers' feature rows are drawn
again and again up to CUSTOMERS (1,000,000 by default) and held by the engine as a feature
table. Each measurement runs in a process of its own, so that its peak memory is its own.
MORE_CUSTOMERS (such as 5,000,000) asks whether memory grows with customers.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CUSTOMERS = 1_000_000
COMPANY = 5_000
SAMPLE = 5_000
PART = 100_000
SECONDS, GIGABYTES, TIMES_CONTRIB, GROWTH = 120.0, 2.0, 1.5, 1.1
THREADS = os.cpu_count() or 1


def prepare(folder):
    """Fit a model with the features of service and words, and keep one feature table."""
    from clv.contract.tables import Tables
    from clv.engines.connect import connect
    from clv.events.histories import make_histories
    from clv.features.table import build_feature_table
    from clv.markers.contacts import make_markers
    from clv.markers.packs import load_pack
    from clv.models.lifetime_value import LifetimeModel
    from clv.models.options import ModelOptions
    from clv.models.training.panel import build_panel
    from clv.simulation import SimulationOptions, simulate
    from clv.windows import rolling_cutoffs

    drawn = simulate(SimulationOptions(customers=COMPANY, years=2, agents=60, seed=1))
    with connect(threads=THREADS) as engine:
        tables = Tables.from_frames(engine, drawn.frames())
        histories = make_histories(tables, markers=make_markers(tables, load_pack(None)))
        first, last = tables.span()
        windows = rolling_cutoffs(first, last, 180, every_days=60, history_days=180)[-3:]
        panel = build_panel(histories, windows)
        options = ModelOptions(folds=1, purchase_model="bg_nbd")
        LifetimeModel.fit(panel, options).save(folder / "model")
        table = build_feature_table(histories, last)
        table.to_pandas().to_parquet(folder / "features.parquet", index=False)
        (folder / "day").write_text(last.isoformat())


def repeat(folder, customers):
    """Write the feature rows of so many customers, a file for each part of the table."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(folder / "features.parquet").combine_chunks()
    rng = np.random.default_rng(0)
    place = rows.schema.get_field_index("customer_id")
    for start in range(0, customers, PART):
        count = min(PART, customers - start)
        part = rows.take(rng.integers(0, rows.num_rows, count))
        ids = pa.array([f"c{k:09d}" for k in range(start, start + count)])
        ids = ids.cast(part.schema.field(place).type)
        path = folder / f"features{start:09d}.parquet"
        if not path.exists():
            pq.write_table(part.set_column(place, part.schema.field(place), ids), path)


def parts(folder, customers):
    """Return the files of the first so many customers."""
    return sorted(folder.glob("features0*.parquet"))[: -(-customers // PART)]


def measured(job, *words):
    """Run one job of this file in a process of its own; return its seconds and peak GB."""
    command = [sys.executable, "-W", "ignore", __file__, job, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def score(folder, customers, wanted="all"):
    """Score a feature table with three reasons for everybody: chunks, checks, CSV, manifest."""
    import datetime as dt

    from clv.engines.connect import connect
    from clv.features.base import declared
    from clv.features.table import FeatureTable
    from clv.models.lifetime_value import LifetimeModel
    from clv.scoring import ScoringOptions, score_table
    from clv.scoring import job as scoring_job

    scoring_job.fingerprint = lambda known: model.info.fingerprint  # rows come from a file here
    model = LifetimeModel.load(folder / "model", num_threads=THREADS)
    any_feature = next(iter(declared().values()))
    features = dict.fromkeys(model.info.features, any_feature)
    day = dt.date.fromisoformat((folder / "day").read_text())
    began = time.perf_counter(), time.process_time()
    with connect(threads=THREADS, memory_limit="512MB") as engine:
        held = tuple(engine.read_parquet([str(path)]) for path in parts(folder, customers))
        table = FeatureTable(engine, held, day, features, ())
        order = ScoringOptions("clv", 1, folder / f"out{customers}{wanted}", reasons=wanted)
        result = score_table(table, model, order)
    assert result.scored == customers
    return time.perf_counter() - began[0], time.process_time() - began[1]


def reasons(folder, customers):
    """A run with reasons, the CPU that contributions and reasons take of it, and one without."""
    from clv.models import lifetime_value

    spent = []

    def timed(step):
        def call(*args):
            began = time.process_time()
            found = step(*args)
            spent.append(time.process_time() - began)
            return found

        return call

    for name in ("_split", "_reasons"):
        setattr(lifetime_value, name, timed(getattr(lifetime_value, name)))
    found = score(folder, customers)
    return *found, sum(spent), *score(folder, customers, "none")


def contrib(folder, customers):
    """LightGBM's own pred_contrib, and plain predict, of the same rows in chunks."""
    import numpy as np
    import pyarrow.parquet as pq

    from clv.models.lifetime_value import LifetimeModel

    model = LifetimeModel.load(folder / "model", num_threads=THREADS)
    encoding, trees = model.value.encoding, model.value.trees
    seconds = {"contrib": 0.0, "predict": 0.0}
    cpu = 0.0
    for path in parts(folder, customers):
        matrix = encoding.matrix(pq.read_table(path).to_pandas())
        began = time.perf_counter()
        trees.raw(matrix)
        seconds["predict"] += time.perf_counter() - began
        began, began_cpu = time.perf_counter(), time.process_time()
        values = trees.contributions(matrix)
        seconds["contrib"] += time.perf_counter() - began
        cpu += time.process_time() - began_cpu
        assert np.isfinite(values).all()
    return seconds["contrib"], cpu, seconds["predict"]


def shap(folder):
    """shap.TreeExplainer on a sample, and how far clv's looked-up values are from it."""
    import lightgbm
    import numpy as np
    import pandas as pd
    from shap import TreeExplainer

    from clv.models.lifetime_value import LifetimeModel
    from clv.models.trees.tree_shap import GroupContributions, read_trees

    model = LifetimeModel.load(folder / "model")
    frame = pd.read_parquet(folder / "features.parquet").head(SAMPLE)
    matrix, text = model.value.encoding.matrix(frame), model.value.trees.text
    explainer = TreeExplainer(lightgbm.Booster(model_str=text))
    began = time.perf_counter()
    theirs = np.asarray(explainer.shap_values(matrix))
    took = time.perf_counter() - began
    lookup = GroupContributions(read_trees(text), range(matrix.shape[1]), matrix.shape[1])
    began = time.perf_counter()
    ours = lookup(matrix)[:, :-1]
    return took, time.perf_counter() - began, float(np.abs(ours - theirs).max()), len(matrix)


def main(customers, more):
    with tempfile.TemporaryDirectory(prefix="clv-bench-") as name:
        folder = Path(name)
        prepare(folder)
        found = {}
        for count in filter(None, (customers, more)):
            repeat(folder, count)
            found[count] = measured("score", folder, count)
        own = measured("contrib", folder, customers)
        peer = measured("shap", folder)
        few = min(PART, customers)
        part = measured("reasons", folder, few)
        wall, cpu = found[customers]["answer"]
        gigabytes = found[customers]["gigabytes"]
        print(
            f"score {customers:,} with three reasons each: {wall:.1f} s, {cpu:.1f} CPU s, "
            f"{gigabytes:.2f} GB (goals at a million: {SECONDS:.0f} s, {GIGABYTES:.0f} GB)"
        )
        alone, alone_cpu, predict = own["answer"]
        print(
            f"Booster pred_contrib alone: {alone:.1f} s, {alone_cpu:.1f} CPU s; the whole run "
            f"takes {cpu / alone_cpu:.2f} x its CPU (goal {TIMES_CONTRIB}); "
            f"plain predict {predict:.1f} s"
        )
        theirs, ours, gap, rows = peer["answer"]
        print(
            f"shap.TreeExplainer on {rows:,}: {theirs:.2f} s; looked up: {ours:.3f} s; "
            f"largest difference {gap:.1e}"
        )
        wall, cpu, of_them, wall_none, cpu_none = part["answer"]
        print(
            f"score {few:,}: {wall:.1f} s, {cpu:.1f} CPU s, of which contributions and reasons "
            f"{of_them:.1f}; with reasons: none {wall_none:.1f} s, {cpu_none:.1f} CPU s"
        )
        if more:
            growth = found[more]["gigabytes"] / found[customers]["gigabytes"]
            print(f"memory at {more:,}: {growth:.2f} x (goal {GROWTH})")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("score", "reasons", "contrib", "shap"):
        import resource

        answer = globals()[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps({"answer": answer, "gigabytes": peak}))
    else:
        numbers = [int(word) for word in sys.argv[1:]]
        main(*(numbers + [CUSTOMERS, 0][len(numbers) :]))
