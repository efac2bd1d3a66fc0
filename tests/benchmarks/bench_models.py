"""A million customers: purchase and spend models, and 36 months of value, beside lifetimes.

Run by ``make bench``; not a test. Every contender runs in a process of its own on the same
orders (customer, day, amount, as arrays) and says what each step took, with its peak memory.
``--customers`` sets the size, ``--sample`` on how many of them lifetimes values 36 months: its
cost is linear in customers.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

SPAN_DAYS = 730
HORIZON_DAYS = 36 * 30
"""lifetimes counts a month as 30 days."""
RATE_MONTHLY = 0.01


def orders(customers: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return customer codes, days and amounts of BG/NBD customers, by customer, then day."""
    rng = np.random.default_rng(seed)
    born = rng.integers(0, SPAN_DAYS, customers)
    rate = rng.gamma(0.8, 1 / 60, customers)
    leave = rng.beta(0.8, 2.5, customers)
    mean = 4 * 16 / rng.gamma(4.0, 1.0, customers)
    who, day = [np.arange(customers)], [born.astype(float)]
    alive, now = np.arange(customers), born.astype(float)
    while alive.size:
        now = now + rng.exponential(1 / rate[alive])
        keep = now < SPAN_DAYS
        alive, now = alive[keep], now[keep]
        who.append(alive)
        day.append(now)
        stays = rng.random(alive.size) >= leave[alive]
        alive, now = alive[stays], now[stays]
    customer, at = np.concatenate(who), np.floor(np.concatenate(day)).astype(np.int64)
    order = np.lexsort((at, customer))
    customer, at = customer[order], at[order]
    amount = np.round(mean[customer] * rng.gamma(4.0, 0.25, customer.size), 2)
    return customer, at, amount


def summarise(
    customer: np.ndarray, day: np.ndarray, amount: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return frequency, recency, age and mean repeat spend, by the engine that clv runs on."""
    import duckdb
    import pyarrow as pa

    con = duckdb.connect(config={"threads": 2})
    rows = pa.table({"customer": customer, "day": day, "cents": np.round(amount * 100).astype(int)})
    found = con.execute(
        """
        with days as (select customer, day, sum(cents) as cents from rows group by all)
        select count(*) - 1, max(day) - min(day), $end - min(day),
            (sum(cents) - arg_min(cents, day)) / 100.0 / nullif(count(*) - 1, 0)
        from days group by customer order by customer
        """,
        {"end": SPAN_DAYS},
    ).fetchnumpy()
    assert len(rows) == customer.size
    x, t_x, t, z = (np.ma.filled(column.astype(float), 0.0) for column in found.values())
    return x, t_x, t, z


def run_clv(customers: int, _sample: int) -> dict[str, float]:
    """Time clv: DuckDB's summary, BG/NBD, Gamma-Gamma, 36 months of discounted value."""
    import pandas as pd

    from clv.models.btyd.fit import fit_purchases
    from clv.models.btyd.gamma_gamma import fit_spend
    from clv.models.purchases import Purchases

    rows = orders(customers)
    took = {"orders": float(rows[0].size)}
    start = time.perf_counter()
    x, t_x, t, z = summarise(*rows)
    took["summary"] = time.perf_counter() - start
    start = time.perf_counter()
    purchase = fit_purchases("bg_nbd", x, t_x, t)
    took["bg_nbd"] = time.perf_counter() - start
    start = time.perf_counter()
    spend = fit_spend(x, z)
    took["gamma_gamma"] = time.perf_counter() - start
    model = Purchases(purchase, purchase, spend, 0.0, 0.0, 0.0)
    frame = pd.DataFrame({"frequency": x, "recency_days": t_x, "age_days": t, "monetary_value": z})
    annual = (1 + RATE_MONTHLY) ** (365 / 30) - 1
    start = time.perf_counter()
    value = model.forecast(frame, HORIZON_DAYS, annual)["value"]
    took["value"] = time.perf_counter() - start
    return took | {"valued": float(customers), "mean_value": float(value.mean())}


def run_lifetimes(customers: int, sample: int) -> dict[str, float]:
    """Time lifetimes on the same orders; its value of 36 months on a sample."""
    import pandas as pd
    from lifetimes import BetaGeoFitter, GammaGammaFitter
    from lifetimes.utils import summary_data_from_transaction_data

    customer, day, amount = orders(customers)
    took = {"orders": float(customer.size)}
    dates = pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D")
    frame = pd.DataFrame({"id": customer, "date": dates, "amount": amount})
    end = pd.Timestamp("2023-01-01") + pd.Timedelta(days=SPAN_DAYS)
    start = time.perf_counter()
    rfm = summary_data_from_transaction_data(
        frame, "id", "date", "amount", observation_period_end=end
    )
    took["summary"] = time.perf_counter() - start
    start = time.perf_counter()
    model = BetaGeoFitter()
    model.fit(rfm["frequency"], rfm["recency"], rfm["T"])
    took["bg_nbd"] = time.perf_counter() - start
    again = rfm[(rfm["frequency"] > 0) & (rfm["monetary_value"] > 0)]
    start = time.perf_counter()
    spend = GammaGammaFitter()
    spend.fit(again["frequency"], again["monetary_value"])
    took["gamma_gamma"] = time.perf_counter() - start
    part = rfm.iloc[:sample]
    columns = (part[name] for name in ("frequency", "recency", "T", "monetary_value"))
    start = time.perf_counter()
    value = spend.customer_lifetime_value(
        model, *columns, time=36, discount_rate=RATE_MONTHLY, freq="D"
    )
    took["value"] = time.perf_counter() - start
    return took | {"valued": float(len(part)), "mean_value": float(value.mean())}


CONTENDERS = {"clv": run_clv, "lifetimes": run_lifetimes}


def main() -> None:
    """Time every contender in its own process and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=100_000)
    parser.add_argument("--only", choices=CONTENDERS)
    options = parser.parse_args()
    if options.only:
        took = CONTENDERS[options.only](options.customers, options.sample)
        took["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(took))
        return
    found = {name: _apart(name, options) for name in CONTENDERS}
    ours, theirs = found["clv"], found["lifetimes"]
    print(f"{options.customers:,} customers, {ours['orders']:,.0f} orders, seconds")
    print(f"{'':28}{'clv':>12}{'lifetimes':>12}")
    for step in ("summary", "bg_nbd", "gamma_gamma"):
        print(f"{step:28}{ours[step]:12.2f}{theirs[step]:12.2f}")
    fits = [sum(each[s] for s in ("summary", "bg_nbd", "gamma_gamma")) for each in (ours, theirs)]
    print(f"{'together':28}{fits[0]:12.2f}{fits[1]:12.2f}")
    ns = [1e9 * each["value"] / each["valued"] for each in (ours, theirs)]
    print(f"{'36 months, ns per customer':28}{ns[0]:12,.0f}{ns[1]:12,.0f}")
    print(f"{'lifetimes / clv':28}{ns[1] / ns[0]:24.1f}")
    print(f"{'peak memory, MB':28}{ours['memory_mb']:12.0f}{theirs['memory_mb']:12.0f}")
    print(f"lifetimes valued {theirs['valued']:,.0f} customers; clv all of them")


def _apart(name: str, options: argparse.Namespace) -> dict[str, float]:
    sizes = ["--customers", str(options.customers), "--sample", str(options.sample)]
    command = [sys.executable, __file__, "--only", name, *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    main()
