"""Documents of a company as the pipelines write them: complete, purchases only, hostile."""

from __future__ import annotations

import itertools
import math
from typing import Any

from clv.report.facts import ReportInputs

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "{{7*7}}{% raw %}",
    "\u202egnitset\u202c \u2066‮",
    "x" * 10_000,
    "'\"><svg onload=alert(1)>]]>--></script>",
    "=cmd|' /C calc'!A0 ** http://evil.example/a.js **",
)


def complete() -> ReportInputs:
    """20,000 customers with support, markers, effects and a previous report."""
    return ReportInputs(
        validation=_validation(),
        training=_training(),
        backtest=_backtest(),
        contributions=_contributions(),
        portfolio=_portfolio(),
        attribution=_attribution(),
        manifest=_manifest(),
        monitoring=_monitoring(),
        previous=None,
        glossary=_glossary(),
        organisation="Nordlicht Outdoor",
    )


def purchases_only() -> ReportInputs:
    """A company that gave nothing but orders."""
    contributions = _contributions()
    kept = ("purchase_history", "customer")
    contributions["groups"] = [g for g in contributions["groups"] if g["group"] in kept]
    validation = _validation()
    validation["tables"] = {"orders": validation["tables"]["orders"]}
    validation["gx"] = {"orders": validation["gx"]["orders"]}
    validation["absent"] = ["interactions", "messages", "surveys", "customers", "agent_days"]
    portfolio = _portfolio()
    portfolio["segments"] = []
    portfolio["prospects"] = 0
    training = _training() | {"value_is_margin": False, "blend_weight": 1.0}
    return ReportInputs(
        validation=validation,
        training=training,
        backtest=_backtest(),
        contributions=contributions,
        portfolio=portfolio,
        manifest=_manifest(),
    )


def hostile(first: int = 0) -> ReportInputs:
    """The complete company with an attack in every text of every document, in turn."""
    whole = complete()
    turn = itertools.count(first)

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: poison(item, name) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [poison(item, key) for item in value]
        free = isinstance(value, str) and key not in _STRUCTURE
        return HOSTILE[next(turn) % len(HOSTILE)] if free else value

    documents = {
        name: poison(getattr(whole, name))
        for name in (
            "validation", "training", "backtest", "contributions", "portfolio", "attribution",
            "manifest", "monitoring", "glossary",
        )
    }  # fmt: skip
    return ReportInputs(**documents, organisation=HOSTILE[0] + HOSTILE[4])


# Keys whose text decides what is shown; everything else is free text.
_STRUCTURE = (
    "behaviour",
    "headline",
    "evidence",
    "recommend",
    "group",
    "currency",
    "chosen",
    "outcome",
    "unit",
    "better",
    "status",
    "data_until",
    "which",
    "team",
    "one",
    "other",
)


def _validation() -> dict[str, Any]:
    def table(rows: int, bad: int, first: str, last: str, rules: list[Any]) -> dict[str, Any]:
        return {
            "rows": rows, "accepted": rows - bad, "quarantined": bad, "share": bad / rows,
            "rules": rules, "first": first, "last": last,
        }  # fmt: skip

    def gx(rows: int, expectations: int) -> dict[str, Any]:
        return {
            "rows_checked": rows, "sampled": False, "success": True,
            "expectations": expectations, "agrees": True,
        }  # fmt: skip

    late = {"rule": "orders.ordered_at:future", "count": 31, "message": "dated after the load"}
    empty = {"rule": "orders.amount:missing", "count": 112, "message": "no amount"}
    ended = {"rule": "interactions.ended_at:order", "count": 58, "message": "ended before it began"}
    return {
        "tables": {
            "orders": table(148_213, 143, "2022-07-01", "2025-06-30", [empty, late]),
            "customers": table(21_450, 0, "2022-07-01", "2025-06-30", []),
            "interactions": table(60_412, 58, "2022-07-02", "2025-06-30", [ended]),
            "messages": table(402_930, 0, "2022-07-02", "2025-06-30", []),
            "surveys": table(9_120, 4, "2022-07-05", "2025-06-29", []),
        },
        "gx": {"orders": gx(148_213, 14), "interactions": gx(60_412, 22)},
        "absent": ["agent_days"],
        "notes": [
            {"code": "naive_time", "where": "orders.ordered_at", "count": 148_213,
             "message": "times without a zone were read as UTC"},
        ],
    }  # fmt: skip


def _training() -> dict[str, Any]:
    return {
        "as_of": "2024-12-31", "horizon_days": 180, "currency": "EUR", "value_is_margin": True,
        "cutoffs": ["2024-03-31", "2024-04-30", "2024-06-30"], "customers": 18_804,
        "rows": 54_310, "features": 143,
        "btyd": {
            "model": "mbg_nbd", "verdict": "converged",
            "parameters": {"r": 0.61, "alpha": 41.2, "a": 0.52, "b": 1.9},
            "log_likelihood": -81234.5, "spend_verdict": "converged",
        },
        "blend_weight": 0.28, "calibration": 1.031, "model_name": "clv", "model_version": 3,
        "feature_fingerprint": "9b1f3c55aa01e2d4", "data_fingerprint": "51c0ffee77aa9910",
        "seed": 7, "discount_rate_annual": 0.10, "interval_level": 0.9, "notes": [],
    }  # fmt: skip


def _metric(mean: float, spread: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - spread, "high": mean + spread}


def _backtest() -> dict[str, Any]:
    def scores(gini: float, rank: float, mae: float, mape: float, bias: float) -> dict[str, Any]:
        return {
            "gini": _metric(gini, 0.012), "spearman": _metric(rank, 0.011),
            "mae": _metric(mae, 1.6), "decile_mape": _metric(mape, 0.02),
            "total_bias": _metric(bias, 0.022), "brier": _metric(0.149, 0.004),
            "calibration_error": _metric(0.014, 0.004),
        }  # fmt: skip

    predicted = [2.1, 9.8, 24.0, 47.5, 78.9, 116.0, 162.3, 224.9, 330.4, 718.2]
    actual = [3.0, 8.8, 25.9, 44.1, 81.2, 112.4, 168.8, 219.5, 338.9, 701.1]
    return {
        "horizon_days": 180, "level": 0.9,
        "folds": [
            {"as_of": day, "train_rows": rows, "test_customers": n}
            for day, rows, n in (
                ("2024-01-01", 30_114, 15_020), ("2024-06-29", 41_230, 16_702),
                ("2024-12-31", 54_310, 18_804),
            )
        ],
        "chosen": "blend",
        "models": {
            "blend": scores(0.642, 0.611, 88.1, 0.061, -0.018),
            "lightgbm": scores(0.633, 0.604, 89.4, 0.084, 0.031),
            "btyd": scores(0.611, 0.588, 93.2, 0.102, -0.067),
            "last_period": scores(0.512, 0.497, 118.7, 0.331, 0.112),
            "mean": scores(0.0, 0.0, 171.4, 1.2, 0.02),
            "zero": {"mae": _metric(169.0, 1.9), "total_bias": _metric(-1.0, 0.0)},
        },
        "coverage": {"nominal": 0.9, "customers": 0.893},
        "deciles": [
            {"decile": i + 1, "predicted": p, "actual": a, "customers": 1_880}
            for i, (p, a) in enumerate(zip(predicted, actual, strict=True))
        ],
        "calibration": [
            {"predicted": 0.05 + 0.1 * i, "observed": 0.05 + 0.1 * i + 0.012 * math.sin(i),
             "customers": 1_500 + 40 * i}
            for i in range(10)
        ],
        "tracking": [
            {"as_of": f"2024-{month:02d}-01", "predicted": 410_000.0 * month,
             "actual": 410_000.0 * month * (1 + 0.02 * math.sin(month))}
            for month in range(1, 13)
        ],
        "steps": [
            {"name": name, "used": used, "reason": "helped" if used else "within_noise"}
            for name, used in (("blend", True), ("season", False), ("churn", True))
        ],
        "segments": [
            {"column": "people", "value": v, "customers": n, "predicted": p, "actual": a}
            for v, n, p, a in (
                ("repeat", 40_100, 214.2, 220.9), ("first-time", 16_300, 61.0, 57.7),
                ("yet to buy", 4_200, 2.8, 3.1),
            )
        ],
        "notes": [],
    }  # fmt: skip


def _contributions() -> dict[str, Any]:
    rows = [
        ("purchase_history", "Purchase history", 61.0, 0.61, 190.4, -92.0),
        ("customer", "Customer", 9.8, 0.10, 24.1, -17.7),
        ("resolution", "Resolution", 9.1, 0.09, 14.9, -27.8),
        ("efficiency", "Efficiency", 7.2, 0.07, 15.1, -15.6),
        ("empathy", "Empathy", 6.4, 0.06, 16.8, -12.9),
        ("waits", "Waits", 4.0, 0.04, 5.2, -13.3),
        ("tone", "Tone", 2.8, 0.03, 6.1, -6.5),
    ]
    return {
        "currency": "EUR", "customers": 20_000, "typical_clv": 142.7,
        "groups": [
            {"group": g, "label": label, "mean_abs": size, "share": share, "mean_top": top,
             "mean_bottom": bottom, "customers": 20_000}
            for g, label, size, share, top, bottom in rows
        ],
        "features": [
            {"feature": "days_since_last_purchase", "group": "purchase_history", "mean_abs": 31.2},
            {"feature": "fcr_rate_365d", "group": "resolution", "mean_abs": 5.3},
            {"feature": "empathy_rate", "group": "empathy", "mean_abs": 4.4},
        ],
        "stability": {
            "times": 5, "same_first": 0.83,
            "shares": {
                group: {"low": round(0.9 * share, 3), "high": round(1.2 * share, 3)}
                for group, _, _, share, _, _ in rows
            },
            "correlation": {row[0]: 0.97 if row[3] > 0.5 else 0.71 for row in rows},
        },
        "audit": {
            "rows": 100, "correlation": 0.986,
            "interactions": [
                {"one": "purchase_history", "other": "resolution", "mean": 0.3, "mean_abs": 2.9},
                {"one": "empathy", "other": "efficiency", "mean": -0.02, "mean_abs": 0.41},
            ],
        },
    }  # fmt: skip


def _portfolio() -> dict[str, Any]:
    shares = [0.001, 0.006, 0.014, 0.028, 0.046, 0.068, 0.095, 0.131, 0.193, 0.418]
    total = 3_418_220.0
    bins = [3900, 3400, 2700, 2200, 1800, 1400, 1100, 900, 700, 500, 400, 300, 250, 200, 150, 100]
    return {
        "as_of": "2025-06-30", "horizon_days": 180, "currency": "EUR", "customers": 20_000,
        "prospects": 1_450, "prospects_clv": 4_090.0, "unvalued": 0, "total_clv": total,
        "total_low": 3_214_800.0, "total_high": 3_655_100.0, "mean_clv": 170.91, "median_clv": 88.4,
        "deciles": [
            {"decile": i + 1, "customers": 2_000, "clv": total * s, "share": s}
            for i, s in enumerate(shares)
        ],
        "p_churn_mean": 0.413, "at_risk_customers": 1_204, "at_risk_value": 402_300.0,
        "first_time_customers": 3_120, "p_repeat_mean": 0.37,
        "segments": [
            {"column": "channel", "value": v, "customers": n, "clv": c * n}
            for v, n, c in (
                ("Web shop", 9_120, 161.2), ("App", 5_480, 214.7), ("Store", 3_900, 149.3),
                ("Marketplace", 1_500, 125.9),
            )
        ] + [
            {"column": "country", "value": v, "customers": n, "clv": c * n}
            for v, n, c in (
                ("Germany", 11_300, 176.9), ("Austria", 4_100, 171.0), ("Benelux", 3_200, 168.1),
                ("Denmark", 1_400, 129.0),
            )
        ],
        "histogram": [
            {
                "low": 40.0 * i if i else None,
                "high": 40.0 * (i + 1) if i < len(bins) - 1 else None,
                "customers": n,
            }
            for i, n in enumerate(bins)
        ],
    }  # fmt: skip


def _check(name: str, verdict: str, statistic: float, message: str) -> dict[str, Any]:
    return {"name": name, "passed": verdict == "passed", "statistic": statistic, "message": message}


def _effect(
    behaviour: str, change: float, unit: str, values: dict[str, tuple[float, float, float] | None],
    headline: str, per_contact: float,
) -> dict[str, Any]:  # fmt: skip
    refused = {
        "why": "routing is not close to random: balance p = .001",
        "mend": "log the routing rule, or randomise a share of contacts",
    }
    levels = []
    for evidence, interval in values.items():
        estimate, low, high = interval or (None, None, None)
        levels.append({
            "evidence": evidence, "estimate": estimate, "low": low, "high": high,
            "checks": [
                _check("overlap", "passed", 0.97, "97 % of contacts have a comparable one"),
                _check("balance", "passed" if interval else "failed", 0.41, "permutation test"),
            ],
            "refused": None if interval else refused,
        })  # fmt: skip
    return {
        "behaviour": behaviour, "change": change, "unit": unit, "headline": headline,
        "levels": levels, "per": "customer and year", "per_contact": per_contact,
        "n": 10_412, "agents": 150,
    }  # fmt: skip


def _target(
    behaviour: str, current: float, supported: list[float], best: tuple[float, float, float],
    shape: tuple[float, float, float], minutes: float,
) -> dict[str, Any]:  # fmt: skip
    """Return a target whose curve is a parabola in the scale, at 0.75 a minute."""
    slope, bend, width = shape
    price = 0.75
    scales = [round(0.6 + 0.05 * i, 2) for i in range(19)]
    curve = []
    for k in scales:
        net, half = slope * (k - 1) - bend * (k - 1) ** 2, width * abs(k - 1)
        curve.append({"scale": k, "net": net, "low": net - half, "high": net + half})
    at = best[0] / current - 1
    return {
        "behaviour": behaviour, "current": current, "supported": supported, "best": best[0],
        "best_low": best[1], "best_high": best[2], "suggested": best[0], "recommend": "raise",
        "gain_per_customer": slope * at - bend * at**2, "curve": curve,
        "grade": "proven", "evidence": "quasi-experimental", "measure_again_on": "2026-01-26",
        "step": _step(current, best[0]),
        "net_of_cost": minutes > 0, "coefficients": [2.0], "covariance": [[0.1]], "h0": 360.0,
        "contacts_per_customer": 2.3, "contacts_a_year": 46_000.0, "cost_per_minute": price,
        "terms": [[(row["net"] + price * minutes * (row["scale"] - 1)) / 2] for row in curve],
    }  # fmt: skip


def _step(current: float, to: float) -> dict[str, Any]:
    """Return one step of at most a tenth towards a proven setting."""
    moved = min(to, 1.1 * current)
    amounts = {
        name: {
            "per_contact": amount,
            "per_customer_year": 2.3 * amount,
            "per_year": 60_000 * amount,
        }
        for name, amount in (("expected_gain", 1.1), ("expected_loss", 0.05), ("worst_case", -0.2))
    }
    return {
        "from": current, "to": moved, "probability": 0.93, "probability_low": 0.91,
        "probability_high": 0.94, **amounts,
    }  # fmt: skip


def _attribution() -> dict[str, Any]:
    return {
        "currency": "EUR", "as_of": "2024-12-31", "horizon_days": 180, "customers": 20_000,
        "model_version": 3, "contributions": _contributions()["groups"],
        "effects": [
            _effect("empathy", 0.1, "share of agent turns with an opportunity", {
                "predictive": (2.1, 1.7, 2.5), "adjusted": (4.6, 3.1, 6.1),
                "quasi-experimental": (7.9, 3.4, 12.4)}, "quasi-experimental", 4.8),
            _effect("handle_seconds", 60, "seconds", {
                "predictive": (-3.9, -4.4, -3.4), "adjusted": (-2.2, -3.0, -1.4),
                "quasi-experimental": (1.6, -0.9, 4.1)}, "quasi-experimental", 0.9),
            _effect("fcr", 0.1, "share of contacts", {
                "predictive": (3.2, 2.6, 3.8), "adjusted": (5.9, 4.2, 7.6),
                "quasi-experimental": (9.4, 5.1, 13.7)}, "quasi-experimental", 5.6),
            _effect("wait_seconds", 60, "seconds", {
                "predictive": (-0.8, -1.0, -0.6), "adjusted": (-1.3, -2.1, -0.5),
                "quasi-experimental": None}, "adjusted", -0.7),
            _effect("goodwill", 0.1, "share of contacts", {
                "adjusted": (1.1, -0.6, 2.8), "experimental": (2.4, 0.7, 4.1)},
                "experimental", 1.3),
        ],
        "effect_curves": [
            {"behaviour": name, "evidence": "quasi-experimental", "per": "contact with an occasion",
             "until_days": [30, 60, 90, 120, 150, 180],
             "estimate": [top / m for m in range(1, 7)],
             "low": [top / m - 0.6 for m in range(1, 7)],
             "high": [top / m + 0.6 for m in range(1, 7)]}
            for name, top in (("empathy", 1.8), ("handle_seconds", 0.4), ("fcr", 2.0))
        ],
        "targets": [
            _target("handle_seconds", 372, [290, 520], (428, 396, 461), (38.0, 126.0, 15.0), 14.2),
            _target("empathy", 0.42, [0.31, 0.58], (0.52, 0.46, 0.58), (33.2, 8.0, 18.9), 0.0),
            {**_target("fcr", 0.7, [0.62, 0.79], (0.74, 0.66, 0.79), (6.0, 2.0, 22.0), 0.0),
             "suggested": None, "grade": "open", "recommend": "experiment",
             "experiment": {
                 "name": "fcr_up", "unit": "agent", "arms": ["control", "treated"], "from": 0.7,
                 "to": 0.79, "weeks": 13, "units_per_arm": 5200, "agents_per_arm": 75,
                 "detectable": 9.4, "agent_minutes": 2250.0, "cost": 1690.0, "value": 21400.0,
                 "net_value": 19710.0, "probability_moves": 0.41,
                 "command": "clv experiment design --unit agent --per-arm 5200 --weeks 13"}},
        ],
        "refused": [
            {"what": "target of goodwill", "behaviour": "goodwill",
             "why": "agents hardly differ in it", "mend": "bring contacts in which it differs"},
        ],
        "agents": [
            {"agent_id": f"a{i}", "team": ("North", "South", "Night")[i % 3], "n": 150 + 5 * i,
             "index": 1.9 - 0.2 * i, "low": 0.7 - 0.2 * i, "high": 3.1 - 0.2 * i,
             "residual": 0.1, "spread": 0.4,
             "coaching_gaps": [
                 {"behaviour": "empathy", "current": -0.02, "better": 0.03,
                  "worth_per_contact": 0.9 - 0.02 * i, "low": 0.2, "high": 1.6 - 0.04 * i},
                 {"behaviour": "fcr", "current": -0.01, "better": 0.04,
                  "worth_per_contact": 0.6 + 0.03 * i, "low": -0.1, "high": 1.3 + 0.06 * i}]}
            for i in range(18)
        ],
        "agents_limits": "language, accent and channel are not taken out",
        "teams": [
            {"team": name, "agents": agents, "n": n, "index": index, "low": index - 0.5,
             "high": index + 0.5}
            for name, agents, n, index in (
                ("North", 58, 24_120, 1.1), ("South", 51, 21_330, 0.2), ("Night", 41, 14_904, -0.9)
            )
        ],
        "segments": [
            {"name": "Families", "customers": 3_410, "clv": 151.2, "effects": []},
        ],
        "journey": _journey(),
        "rollouts": _rollouts(),
        "frontier": _frontier(),
        "part_targets": [
            {"by": by, "name": name, "contacts": contacts, "targets": [
                _target("handle_seconds", 400, [310, 520], (440, 410, 470), (30.0, 100.0, 12.0),
                        6.1)]}
            for by, name, contacts in (("queue", "tech", 9_120), ("issue_type", "billing", 4_020))
        ],
        "outcomes": [
            _outcome("churn", "probability", "less", 0.41, -0.012),
            _outcome("next_contacts", "contacts", "less", 1.9, 0.02),
            _outcome("csat", "points of 1 to 5", "more", 3.8, 0.09),
            _outcome("refunds", "EUR", "less", 6.2, 0.4),
        ],
        "scorecard": [
            {"item": "Took ownership", "evaluated": 1_804, "mean": 0.71, "estimate": 4.2,
             "low": 1.6, "high": 6.8, "settled": True},
            {"item": "Said the company's name", "evaluated": 1_804, "mean": 0.93,
             "estimate": 0.1, "low": -2.2, "high": 2.4, "settled": False},
            {"item": "Upsold", "evaluated": 1_322, "mean": 0.22, "estimate": -3.9,
             "low": -6.9, "high": -0.9, "settled": True},
        ],
        "phrases": [
            {"phrase": "I have checked the order myself", "value": 3.1, "low": 1.2, "high": 5.0,
             "contacts": 1_204},
            {"phrase": "within 24 hours", "value": 2.2, "low": 0.8, "high": 3.6, "contacts": 2_977},
            {"phrase": "as per our policy", "value": -2.7, "low": -4.4, "high": -1.0,
             "contacts": 811},
        ],
        "unavailable": [
            {"what": "wait_seconds, quasi-experimental", "why": "routing is not close to random"},
            {"what": "waits at level 2", "why": "load moves waits, so agents do not identify them"},
        ],
    }  # fmt: skip


def _outcome(name: str, unit: str, better: str, mean: float, moved: float) -> dict[str, Any]:
    spread = abs(moved) * 0.6
    effects = [
        _effect("empathy", 0.1, "share of agent turns with an opportunity", {
            "adjusted": (moved / 2, moved / 4, moved),
            "quasi-experimental": (moved, moved - spread, moved + spread)},
            "quasi-experimental", moved / 2),
        _effect("handle_seconds", 60, "seconds", {
            "adjusted": (-moved / 3, -moved, moved / 3)}, "adjusted", -moved / 6),
    ]  # fmt: skip
    return {
        "outcome": name, "unit": unit, "better": better, "mean": mean, "contacts": 9_120,
        "effects": effects,
    }  # fmt: skip


def _frontier() -> dict[str, Any]:
    cells = []
    for scale in (0.8, 0.9, 1.0, 1.1, 1.2):
        for empathy in (0.36, 0.42, 0.48, 0.54):
            if abs(scale - 1) > 0.15 and empathy in (0.36, 0.54):
                continue
            net = 90 * (empathy - 0.42) + 12 * (scale - 1) - 40 * (scale - 1) ** 2
            half = 60 * abs(empathy - 0.42) + 10 * abs(scale - 1)
            cells.append({"scale": scale, "empathy": empathy, "net": net, "low": net - half,
                          "high": net + half})  # fmt: skip
    best = max(cells, key=lambda cell: cell["net"])
    return {"cells": cells, "best": best, "suggested": best, "today": [1.0, 0.42],
            "handle_seconds": 372.0}  # fmt: skip


def _journey() -> dict[str, Any]:
    stages = ("before a purchase", "week after an order", "month after an order", "later")
    issues = ("delivery", "payment", "product", "return")
    ordinals = ("first", "second", "third or later")
    bad = [("value", -6.1, 2.9), ("value", -11.8, 5.9), ("value", -13.6, 11.1)]
    bad += [("churned", 0.021, 0.01), ("churned", 0.043, 0.02), ("churned", 0.054, 0.04)]
    return {
        "bad_experiences": [
            {"which": ordinals[i % 3], "outcome": outcome, "evidence": "adjusted",
             "customers": (4_310, 1_402, 511)[i % 3], "estimate": estimate,
             "low": estimate - half, "high": estimate + half}
            for i, (outcome, estimate, half) in enumerate(bad)
        ],
        "friction": [
            {"stage": stage, "issue": issue, "contacts": 400 + 310 * i * (j + 1),
             "customers": 300 + 200 * i, "wait_seconds": 40.0 + 55 * j + 25 * i,
             "transfers": 0.05 + 0.02 * j, "repeats": 0.08 + 0.05 * i + 0.02 * j,
             "bad": 0.03 + 0.02 * i, "share": 0.06}
            for i, stage in enumerate(stages) for j, issue in enumerate(issues)
        ],
        "referrals": {"referrers": 1_180, "referred": 1_702, "own": 241_200.0,
                      "brought": 163_600.0, "credited": 120.0, "total": 404_800.0, "share": 0.5},
        "trends": [
            {"team": team, "week": f"2025-{4 + w // 4:02d}-{1 + 7 * (w % 4):02d}",
             "contacts": 372, "empathy": 0.4,
             "money_per_contact": level + 0.3 * math.sin(w / 2 + level)}
            for team, level in (("North", 1.1), ("South", 0.2), ("Night", -0.9))
            for w in range(12)
        ],
        "trainings": [
            {"behaviour": "empathy", "agents": 24, "change": 0.06, "low": 0.03, "high": 0.09},
        ],
    }  # fmt: skip


def _manifest() -> dict[str, Any]:
    return {
        "run": "2025-06-30_clv-v3", "dry_run": False, "as_of": "2025-06-30", "model_name": "clv",
        "model_version": "3", "feature_fingerprint": "9b1f3c55aa01e2d4",
        "data_fingerprint": "51c0ffee77aa9910", "customers": 20_000, "scored": 20_000,
        "quarantined": 0, "drift": {"rows": 20_000, "columns": [], "drifted": []},
        "packages": {"clv": "0.1.0", "python": "3.11.7", "lightgbm": "4.6.0", "duckdb": "2.0.0"},
        "notes": [],
    }  # fmt: skip


def _monitoring() -> dict[str, Any]:
    columns = [
        {"name": name, "psi": psi, "unknown": 0.0, "unknown_before": 0.0, "unseen": 0.0,
         "verdict": verdict}
        for name, psi, verdict in (
            ("spend_90d", 0.03, "stable"), ("wait_seconds_mean_90d", 0.27, "other population")
        )
    ]  # fmt: skip
    checks = [
        {"name": "data", "status": "ok", "sentence": "Orders reach to yesterday.", "next": ""},
        {"name": "inputs", "status": "watch", "sentence": "1 input has moved since training.",
         "next": "Look at wait_seconds_mean_90d, and train again if it stays."},
        {"name": "outcomes", "status": "unknown", "sentence": "No horizon has passed yet.",
         "next": ""},
    ]  # fmt: skip
    return {
        "data_until": "2024-12-31",
        "checks": checks,
        "drift": {"rows": 20_000, "columns": columns, "drifted": ["wait_seconds_mean_90d"]},
    }


def _glossary() -> list[dict[str, str]]:
    return [
        {"name": "spend_90d", "group": "purchase_history", "unit": "currency",
         "doc": "Net spend in the last 90 days."},
        {"name": "fcr_rate_365d", "group": "resolution", "unit": "share",
         "doc": "Share of settled contacts solved at the first attempt."},
        {"name": "empathy_rate", "group": "empathy", "unit": "share",
         "doc": "Share of agent turns with empathy after an upset customer turn."},
    ]  # fmt: skip


def _rollouts() -> list[dict[str, Any]]:
    def interval(estimate: float, half: float) -> dict[str, float]:
        return {"estimate": estimate, "low": estimate - half, "high": estimate + half}

    base = {"evidence": "quasi-experimental (roll-out)", "unit": "team", "units": 12}
    base |= {"units_reached": 9, "contacts": 6_100, "contacts_reached": 2_900, "refused": None}
    paid = base | {
        "what": "empathy training",
        "per_contact": interval(6.1, 3.2),
        "behaviours": [
            {"behaviour": "empathy", **interval(0.12, 0.02)},
            {"behaviour": "handle_seconds", **interval(11.0, 9.0)},
        ],
        "payment": {
            "verdict": "paid",
            "net_per_contact": interval(6.0, 3.2),
            "per_agent_year": interval(900.0, 700.0),
            "cost_per_agent": 150.0,
            "payback_days": 52.1,
        },
    }
    why = "Units that were reached had moved apart from the others before."
    refused = {"why": why, "mend": "let chance decide which are reached first"}
    nothing = {"per_contact": None, "behaviours": [], "payment": None, "refused": refused}
    return [paid, base | {"what": "assist tool", "unit": "agent"} | nothing]
