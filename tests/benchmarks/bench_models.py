"""A million customers: purchase and spend models, and 36 months of value, beside lifetimes.

Run by ``make bench``; not a test. Every contender runs in a process of its own on the same frame
of orders (customer, date, amount), through the names that its users type, and says what each
step took, with its peak memory. ``--customers`` sets the size, ``--sample`` on how many of them
lifetimes values 36 months: its cost is linear in customers.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SPAN_DAYS = 730
END = "2024-12-31"
"""The last of those days, which begin on 2023-01-01."""
HORIZON_DAYS = 36 * 30
"""lifetimes counts a month as 30 days."""
RATE_MONTHLY = 0.01
STEPS = ("summary", "bg_nbd", "gamma_gamma")


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


def transactions(customer: np.ndarray, day: np.ndarray, amount: np.ndarray) -> pd.DataFrame:
    """Return the orders as both libraries are given them."""
    import pandas as pd

    dates = pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D")
    return pd.DataFrame({"id": customer, "date": dates, "amount": amount})


def run_clv(customers: int, _sample: int) -> dict[str, float]:
    """Time what a user types: the summary, BG/NBD, Gamma-Gamma, 36 months of discounted value."""
    frame = transactions(*orders(customers))
    took = {"orders": float(len(frame))}
    start = time.perf_counter()
    import clv

    rfm, purchases, spend = clv.rfm, clv.btyd.BetaGeo(), clv.btyd.GammaGamma()
    took["import"] = time.perf_counter() - start
    start = time.perf_counter()
    rows = rfm(frame, "id", "date", "amount", observation_period_end=END)
    took["summary"] = time.perf_counter() - start
    start = time.perf_counter()
    purchases.fit(rows)
    took["bg_nbd"] = time.perf_counter() - start
    start = time.perf_counter()
    spend.fit(rows)
    took["gamma_gamma"] = time.perf_counter() - start
    annual = (1 + RATE_MONTHLY) ** (365 / 30) - 1
    start = time.perf_counter()
    bought = purchases.predict(rows, HORIZON_DAYS, discount_rate_annual=annual)
    value = bought * spend.predict(rows)
    took["value"] = time.perf_counter() - start
    return took | {"valued": float(len(rows)), "mean_value": float(value.mean())}


def run_lifetimes(customers: int, sample: int) -> dict[str, float]:
    """Time lifetimes on the same orders; its value of 36 months on a sample."""
    frame = transactions(*orders(customers))
    took = {"orders": float(len(frame))}
    start = time.perf_counter()
    from lifetimes import BetaGeoFitter, GammaGammaFitter
    from lifetimes.utils import summary_data_from_transaction_data

    took["import"] = time.perf_counter() - start
    start = time.perf_counter()
    rfm = summary_data_from_transaction_data(
        frame, "id", "date", "amount", observation_period_end=END
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
    for step in ("import", *STEPS):
        print(f"{step:28}{ours[step]:12.2f}{theirs[step]:12.2f}")
    fits = [sum(each[step] for step in STEPS) for each in (ours, theirs)]
    print(f"{'together, without import':28}{fits[0]:12.2f}{fits[1]:12.2f}")
    print(f"{'lifetimes / clv':28}{fits[1] / fits[0]:24.1f}")
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
