"""pymc-marketing's BG/NBD and Gamma-Gamma by MAP: histories in, value of a horizon out.

Run by accuracy.py with a Python of its own, since pymc-marketing needs Python 3.12 and other
pins than ours: ``uv venv --python 3.12 peer; uv pip install --python peer/bin/python
pymc-marketing==1.3.0``, then ``CLV_PYMC=peer/bin/python make bench-accuracy``. Default
priors, as a user gets them. Only this file imports it.
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd


def main() -> None:
    """Read histories in days, fit each cutoff in weeks, write one value per customer."""
    try:
        from pymc_marketing import clv
    except ImportError:
        sys.exit("this Python has no pymc-marketing; see the first lines of pymc_peer.py")
    given, told, horizon, rate = sys.argv[1:]
    rows = pd.read_csv(given, dtype={"customer_id": str, "as_of": str})
    parts = [
        part[["customer_id", "as_of"]].assign(peer=values(clv, part, float(horizon), float(rate)))
        for _, part in rows.groupby("as_of")
    ]
    pd.concat(parts).to_csv(told, index=False)


def values(clv: Any, rows: pd.DataFrame, horizon_days: float, rate: float) -> Any:
    """Fit the customers of one cutoff and return their values of shape (rows,)."""
    data = pd.DataFrame(
        {
            "customer_id": range(len(rows)),
            "frequency": rows["frequency"].to_numpy(),
            "recency": rows["recency_days"].to_numpy() / 7,
            "T": rows["age_days"].to_numpy() / 7,
            "monetary_value": rows["monetary_value"].fillna(0.0).clip(lower=0.0).to_numpy(),
        }
    )
    purchases = clv.BetaGeoModel()
    purchases.fit(data, method="map", progressbar=False)
    spend = clv.GammaGammaModel()
    again = data[(data["frequency"] > 0) & (data["monetary_value"] > 0)]
    spend.fit(again.reset_index(drop=True), method="map", progressbar=False)
    count = purchases.expected_purchases(data, future_t=horizon_days / 7)
    mean = spend.expected_customer_spend(data)
    # half-way through the horizon: pymc-marketing discounts whole months only
    return _flat(count) * _flat(mean) * (1 + rate) ** (-horizon_days / 2 / 365)


def _flat(found: Any) -> Any:
    """Return the mean over draws (one, by MAP) as an array by customer."""
    return found.mean(("chain", "draw")).to_numpy()


if __name__ == "__main__":
    main()
