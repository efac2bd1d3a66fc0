"""A feature table of four columns, and a model whose predictions a test can bend."""

import datetime as dt
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd

from clv.features.base import Feature, fingerprint

AS_OF = dt.date(2025, 6, 30)


def declared(name, group, unit, kind="number"):
    """Return a feature's declaration; no test computes one."""
    return Feature(
        name=name,
        table="orders",
        group=group,
        needs=(),
        unit=unit,
        doc=name,
        expression=lambda rows, days: rows[name],
        kind=kind,
    )


FEATURES_USED = {
    feature.name: feature
    for feature in (
        declared("frequency", "purchase_history", "count"),
        declared("recency_days", "purchase_history", "days"),
        declared("age_days", "purchase_history", "days"),
        declared("monetary_value", "purchase_history", "currency"),
        declared("segment", "customer", "category", "category"),
    )
}


def customers(n, seed=0):
    """Return the feature rows of the first n of a thousand customers."""
    rng = np.random.default_rng(seed)
    frequency = rng.integers(0, 6, 1000).astype(float)
    frequency[::7] = np.nan
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{k:05d}" for k in range(1000)],
            "as_of": AS_OF.isoformat(),
            "frequency": frequency,
            "recency_days": frequency * 10,
            "age_days": frequency * 20 + 5,
            "monetary_value": np.round(rng.gamma(2, 20, 1000), 2),
            "segment": np.where(np.arange(1000) % 3 == 0, "a", "b"),
        }
    )
    return frame.head(n)


@dataclass
class Bent:
    """Predicts a plain function of a row, then whatever ``bend`` makes of it."""

    bend: dict = field(default_factory=dict)
    info: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            features=tuple(FEATURES_USED),
            categories={"segment": ("a", "b")},
            fingerprint=fingerprint(FEATURES_USED),
            decile_cuts=tuple(float(k) * 20 for k in range(1, 10)),
            horizon_days=180,
            training_cutoff="2025-01-01",
            currency="EUR",
            value_is_margin=True,
        )
    )

    def predict(self, features):
        frequency = features["frequency"].to_numpy(float)
        value = np.nan_to_num(frequency) * features["monetary_value"].to_numpy() / 3 + 1e-7
        n = len(features)
        p_churn = np.where(np.isnan(frequency), np.nan, 1 / (1 + np.nan_to_num(frequency)))
        reasons = np.where(value > 0, "empathy", None)
        frame = pd.DataFrame(
            {
                "customer_id": features["customer_id"].to_numpy(object),
                "as_of": features["as_of"].to_numpy(object),
                "horizon_days": np.full(n, 180),
                "currency": "EUR",
                "clv": value,
                "clv_low": value * 0.5,
                "clv_high": value * 2,
                "purchases_only_clv": value,
                "typical_clv": value - 1,
                "service_contribution": np.full(n, 1 / 3),
                "p_churn": p_churn,
                "p_alive": np.full(n, np.nan),
                "expected_purchases": np.nan_to_num(frequency),
                "expected_spend": value / 2,
                "p_repeat": np.where(frequency == 0, 0.25, np.nan),
                "value_decile": np.searchsorted(self.info.decile_cuts, value, side="right") + 1,
                "reason_1": reasons,
                "reason_2": None,
                "reason_3": None,
                "reason_1_amount": value,
                "reason_2_amount": np.nan,
                "reason_3_amount": np.nan,
                "cold_start": np.isnan(frequency),
                "feature_fingerprint": self.info.fingerprint,
            }
        )
        for customer, changes in self.bend.items():
            for column, wrong in changes.items():
                frame[column] = (
                    frame[column].astype(object).where(frame["customer_id"] != customer, wrong)
                )
        return frame.infer_objects()

    def texts(self):
        return {"model.json": repr((self.bend, self.info))}

    def unseen_categories(self, features):
        return {"segment": int((~features["segment"].isin(["a", "b"])).sum())}

    def total_interval(self, total, customers, as_of):
        return 0.9 * total, 1.1 * total
