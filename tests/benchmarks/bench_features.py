"""Features of millions of orders: our builder against SQL by hand, pandas and lifetimes.

Run by ``make bench``; not a test. Every contender runs in a process of its own, on the same
Parquet files, for the same cutoff, and says how long it took, how much processor time that
was, and how much memory at its peak. Before that the values are compared on a small company.
``--orders`` sets the size, ``--memory-limit`` the engine's, ``--only`` picks contenders, and
``--linearity`` times one of them at a tenth, a fifth, a half and all of the orders instead.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from clv.contract.tables import Tables
    from clv.engines.duckdb import DuckDBEngine

CUTOFF = dt.date(2025, 6, 30)
SAMPLE_ORDERS = 100_000
SUBSET = [
    "frequency",
    "recency_days",
    "age_days",
    "monetary_value",
    "days_since_last_purchase",
    "orders_30d",
    "orders_90d",
    "orders_365d",
    "orders_ever",
    "spend_30d",
    "spend_90d",
    "spend_365d",
    "spend_ever",
    "order_value_90d",
    "order_value_365d",
    "order_value_ever",
    "largest_order_365d",
    "largest_order_ever",
    "first_order",
    "last_order",
    "purchase_gap_mean",
    "purchase_gap_max",
    "purchase_gap_spread",
    "weekend_share",
]
"""What pandas is asked for: a sixth of the features, none of them hard in pandas."""


def generate(folder: Path, orders: int) -> None:
    """Write a seeded company as Parquet: contacts are 0.3, customers 0.1 of the orders."""
    import duckdb

    con = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder / "spill")})
    con.execute("set preserve_insertion_order = false")
    customers = orders // 10

    def u(salt: int) -> str:
        return f"((hash(i * 64 + {salt}) % 1000003) / 1000003.0)"

    number = f"cast(cast(floor({customers} * pow({u(1)}, 1.6)) as bigint) as varchar)"
    who = f"'c' || lpad({number}, 8, '0')"
    when = f"timestamp '2022-01-01' + to_seconds(cast(floor(1314 * 86400 * {u(2)}) as bigint))"
    amount = f"round(exp(2 + 1.5 * ({u(3)} + {u(4)})), 2)"
    bought = f"""select i, 'o' || i as order_id, {who} as customer_id, {when} as ordered_at,
            {amount} as amount, 'k' || (hash(i * 64 + 5) % 12) as category
        from range({orders * 96 // 100}) t(i)"""
    con.execute(f"""
        copy (
            select order_id, customer_id, ordered_at, amount, round(amount * 0.31, 3) as margin,
                cast(null as varchar) as refund_of, category
            from ({bought})
            union all
            select 'r' || i, customer_id, ordered_at + interval 5 days, -amount,
                round(-amount * 0.31, 3), order_id, null
            from ({bought}) where i % 24 = 0
        ) to '{folder}/orders.parquet' (format parquet)""")
    channels = "['voice', 'chat', 'email', 'social', 'sms', 'bot', 'self_service']"
    issues = "['billing', 'delivery', 'returns', 'login', 'other']"
    con.execute(f"""
        copy (
            select 'i' || i as interaction_id, {who} as customer_id,
                {channels}[cast(1 + hash(i * 64 + 6) % 7 as int)] as channel,
                {issues}[cast(1 + hash(i * 64 + 7) % 5 as int)] as issue_type,
                case when {u(8)} < 0.9 then 'customer' else 'company' end as initiated_by,
                case when {u(9)} < 0.9 then 'normal' else 'urgent' end as priority,
                {when} as started_at,
                {when} + to_seconds(cast(100 + 900 * {u(10)} as bigint)) as ended_at,
                round(300 * {u(11)}, 1) as wait_seconds,
                case when {u(12)} < 0.4 then round(9000 * {u(13)}, 0) end as first_response_seconds,
                round(100 + 900 * {u(10)}, 1) as handle_seconds,
                round(90 * {u(14)}, 1) as hold_seconds, round(60 * {u(15)}, 1) as wrap_seconds,
                cast(floor(3 * {u(16)} * {u(17)}) as bigint) as transfers,
                case when {u(18)} < 0.8
                    then {when} + to_seconds(cast(200000 * {u(19)} as bigint)) end as resolved_at,
                case when {u(20)} < 0.1 then {when} + interval 3 days end as reopened_at,
                case when {u(21)} < 0.7 then 240.0 end as sla_seconds
            from range({orders * 3 // 10}) t(i)
        ) to '{folder}/interactions.parquet' (format parquet)""")
    con.close()


def run_clv(folder: Path, options: argparse.Namespace, names: tuple[str, ...]) -> int:
    """Build every feature that these tables give."""
    from clv.engines.connect import connect
    from clv.events.histories import make_histories
    from clv.features.table import build_feature_table

    with connect(
        memory_limit=options.memory_limit, threads=options.threads, temp_directory=folder
    ) as engine:
        with make_histories(tables(engine, folder, names)) as histories:
            table = build_feature_table(histories, CUTOFF)
        return sum(len(chunk) for chunk in table.chunks(200_000))


def run_cutoffs(folder: Path, options: argparse.Namespace) -> int:
    """Build every feature at six cutoffs, as a training does, from histories made once."""
    from clv.engines.connect import connect
    from clv.events.histories import make_histories
    from clv.features.table import build_feature_table

    rows = 0
    with connect(
        memory_limit=options.memory_limit, threads=options.threads, temp_directory=folder
    ) as engine:
        held = tables(engine, folder, ("orders", "interactions"))
        histories = make_histories(held)
        for back in range(6):
            cutoff = CUTOFF - dt.timedelta(days=30 * back)
            table = build_feature_table(histories, cutoff)
            rows += sum(len(chunk) for chunk in table.chunks(200_000))
            table.close()
    return rows


def run_clv_subset(folder: Path, options: argparse.Namespace) -> int:
    """Build the features that pandas is asked for, from orders without refunds."""
    from clv.engines.connect import connect
    from clv.events.histories import make_histories
    from clv.features import table as builder

    every = builder.declared
    builder.declared = lambda: {name: every()[name] for name in SUBSET}
    with connect(threads=options.threads) as engine:
        held = tables(engine, folder, ("orders",))
        orders = held["orders"]
        sales = orders.filter(orders.amount >= 0).drop("refund_of", "margin", "category")
        with make_histories(held.replaced(orders=sales)) as histories:
            table = builder.build_feature_table(histories, CUTOFF)
        return sum(len(chunk) for chunk in table.chunks(200_000))


def tables(engine: DuckDBEngine, folder: Path, names: tuple[str, ...]) -> Tables:
    from clv.contract.tables import Tables, physical

    frames = {
        name: physical(name, engine.read_parquet([str(folder / f"{name}.parquet")]))
        for name in names
    }
    return Tables(engine, frames)


def run_pandas(folder: Path, options: argparse.Namespace) -> int:
    return len(pandas_features(folder))


def pandas_features(folder: Path) -> pd.DataFrame:
    """Compute ``SUBSET`` as one would in pandas, from orders without refunds."""
    import numpy as np
    import pandas as pd

    end = pd.Timestamp(CUTOFF) + pd.Timedelta(days=1)
    rows = pd.read_parquet(
        folder / "orders.parquet", columns=["order_id", "customer_id", "ordered_at", "amount"]
    )
    rows = rows[(rows.amount >= 0) & (rows.ordered_at < end)]
    rows = rows.sort_values(["customer_id", "ordered_at", "order_id"])
    rows["day"] = (rows.ordered_at - pd.Timestamp(0)) // pd.Timedelta(days=1)
    rows["ago"] = (pd.Timestamp(CUTOFF) - pd.Timestamp(0)).days - rows.day
    rows["weekend"] = rows.ordered_at.dt.day_of_week >= 5
    gap = rows.groupby("customer_id", sort=False).day.diff()
    rows["gap"] = gap.where(gap > 0)
    by = rows.groupby("customer_id")
    found = pd.DataFrame(
        {
            "recency_days": by.ago.max() - by.ago.min(),
            "age_days": by.ago.max(),
            "days_since_last_purchase": by.ago.min(),
            "first_order": by.amount.first(),
            "last_order": by.amount.last(),
            "purchase_gap_mean": by.gap.mean(),
            "purchase_gap_max": by.gap.max(),
            "purchase_gap_spread": by.gap.std(ddof=0),
            "weekend_share": by.weekend.mean(),
            "largest_order_ever": by.amount.max(),
        }
    )
    daily = rows.groupby(["customer_id", "day"]).amount.sum().groupby("customer_id")
    found["frequency"] = daily.size() - 1
    found["monetary_value"] = (daily.sum() - daily.first()) / found.frequency.replace(0, np.nan)
    for name, days in (("30d", 30), ("90d", 90), ("365d", 365), ("ever", 10**6)):
        here = rows[rows.ago < days].groupby("customer_id").amount
        found[f"orders_{name}"] = here.size()
        found[f"spend_{name}"] = here.sum()
        found[f"order_value_{name}"] = here.mean()
    found["largest_order_365d"] = rows[rows.ago < 365].groupby("customer_id").amount.max()
    fills = {n: 0.0 for n in found if n.startswith(("orders_", "spend_"))}
    spread = found.purchase_gap_spread.where(by.gap.count() >= 2)
    return found.assign(purchase_gap_spread=spread).fillna(fills)[list(SUBSET)]


def run_lifetimes(folder: Path, options: argparse.Namespace) -> int:
    """Compute frequency, recency, age and monetary value alone."""
    import pandas as pd
    from lifetimes.utils import summary_data_from_transaction_data

    rows = pd.read_parquet(
        folder / "orders.parquet", columns=["customer_id", "ordered_at", "amount"]
    )
    return len(
        summary_data_from_transaction_data(
            rows[rows.amount >= 0],
            "customer_id",
            "ordered_at",
            "amount",
            observation_period_end=CUTOFF.isoformat(),
        )
    )


def run_sql(folder: Path, options: argparse.Namespace) -> int:
    import duckdb
    from features_sql import script

    settings = {"temp_directory": str(folder / "spill")}
    if options.memory_limit:
        settings["memory_limit"] = options.memory_limit
    con = duckdb.connect(config=settings)
    if options.threads:
        con.execute(f"set threads = {options.threads}")
    con.execute("set preserve_insertion_order = false")
    for statement in script(str(folder), CUTOFF):
        con.execute(statement)
    con.execute("drop table orders; drop table contacts")
    reader = con.sql("select * from features order by customer_id").to_arrow_reader(200_000)
    return sum(len(batch.to_pandas()) for batch in reader)


CONTENDERS = {
    "clv": lambda folder, options: run_clv(folder, options, ("orders", "interactions")),
    "clv, 6 cutoffs": run_cutoffs,
    "sql": run_sql,
    "clv, 24 features": run_clv_subset,
    "pandas, 24 features": run_pandas,
    "lifetimes, 4 features": run_lifetimes,
}


def measured(name: str, folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Run one contender in this process."""
    start, cpu = time.perf_counter(), time.process_time()
    rows = CONTENDERS[name](folder, options)
    return {
        "contender": name,
        "customers": rows,
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def disagreements(folder: Path) -> dict[str, list[str]]:
    """Return the columns in which a contender differs from the builder, on a small company."""
    import duckdb
    from features_sql import script

    from clv.engines.connect import connect
    from clv.events.histories import make_histories
    from clv.features.table import build_feature_table

    def differing(ours: pd.DataFrame, theirs: pd.DataFrame, tolerance: float) -> list[str]:
        ours = ours.set_index("customer_id").reindex(theirs.index)
        return [
            name
            for name in theirs
            if not (
                ours[name].equals(theirs[name])
                or (
                    ours[name].dtype == float
                    and (
                        ((ours[name] - theirs[name]).abs() <= tolerance * theirs[name].abs())
                        | (ours[name].isna() & theirs[name].isna())
                    ).all()
                )
            )
        ]

    con = duckdb.connect()
    for statement in script(str(folder), CUTOFF):
        con.execute(statement)
    by_sql = con.sql("select * from features").to_df().set_index("customer_id")
    with connect() as engine:
        held = tables(engine, folder, ("orders", "interactions"))
        ours = build_feature_table(make_histories(held), CUTOFF).to_pandas()
        orders = held["orders"]
        sales = held.replaced(orders=orders.filter(orders.amount >= 0))
        plain = build_feature_table(make_histories(sales), CUTOFF).to_pandas()
    return {
        "sql": differing(ours, by_sql, 0.0),
        "pandas": differing(plain, pandas_features(folder), 1e-7),
    }


def folder_of(options: argparse.Namespace, orders: int) -> Path:
    """Return the folder of a company of that size, generated where it is not there yet."""
    folder = (options.folder or Path(tempfile.gettempdir())) / f"clv-bench-{orders}"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        generate(folder, orders)
        (folder / "done").touch()
    return folder


def timed(name: str, orders: int) -> dict[str, float]:
    """Run one contender in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:]]
    command += ["--contender", name, "--orders", str(orders)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def linearity(name: str, orders: int) -> None:
    """Print what a million orders cost, of a tenth, a fifth, a half and all of them."""
    print(f"{name}, by the number of orders")
    print("      orders  seconds   CPU s  peak GB  s/million  CPU/million")
    for part in (10, 5, 2, 1):
        size = orders // part
        line, millions = timed(name, size), size / 1e6
        print(
            f"{size:>12,}{line['seconds']:>9}{line['cpu_seconds']:>8}{line['peak_gb']:>9}"
            f"{line['seconds'] / millions:>11.2f}{line['cpu_seconds'] / millions:>13.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS))
    parser.add_argument("--memory-limit", default="3GB", help="of the engines")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--folder", type=Path, help="where the companies are kept")
    parser.add_argument("--linearity", action="store_true", help="of the first of --only")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = folder_of(options, options.orders)
    if options.contender:
        print(json.dumps(measured(options.contender, folder, options)))
        return
    if options.linearity:
        linearity(options.only[0], options.orders)
        return
    found = disagreements(folder_of(options, SAMPLE_ORDERS))
    for name, columns in found.items():
        print(f"{name} differs on {SAMPLE_ORDERS:,} orders in: {', '.join(columns) or 'nothing'}")
    print(f"{options.orders:,} orders, {options.orders * 3 // 10:,} contacts, as of {CUTOFF}")
    print(f"{'':24}{'customers':>10}{'seconds':>9}{'CPU s':>8}{'peak GB':>9}")
    for name in options.only:
        line = timed(name, options.orders)
        print(
            f"{name:24}{line['customers']:>10,}{line['seconds']:>9}{line['cpu_seconds']:>8}"
            f"{line['peak_gb']:>9}",
            flush=True,
        )


if __name__ == "__main__":
    main()
