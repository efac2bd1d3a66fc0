"""The documents and metrics that a training leaves behind, as the registry logs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.models.contributions import summarise

if TYPE_CHECKING:
    import pandas as pd

    from clv.evaluation.backtest import Backtest
    from clv.models.lifetime_value import LifetimeModel, ModelInfo

TOP_FEATURES = 40


def contributions_document(model: LifetimeModel, features: pd.DataFrame) -> dict[str, Any]:
    """Return contributions.json: what the model's value rests on, by group and feature.

    Parameters
    ----------
    model : LifetimeModel
        A fitted model.
    features : DataFrame
        Of the portfolio that is described, usually the last training cutoff's.
    """
    predictions = model.predict(features)
    by_feature = model.feature_contributions(features).abs().mean()
    groups = {column.name: column.group for column in model.value.encoding.inputs}
    largest = by_feature.sort_values(ascending=False, kind="stable").head(TOP_FEATURES)
    return {
        "as_of": str(features["as_of"].iloc[0]),
        "currency": model.info.currency,
        "horizon_days": model.info.horizon_days,
        "customers": len(features),
        "typical_clv": float(predictions["typical_clv"].mean()),
        "groups": summarise(model.contributions(features), predictions),
        "features": [
            {"feature": str(name), "group": groups[str(name)], "mean_abs": float(size)}
            for name, size in largest.items()
        ],
    }


def training_document(info: ModelInfo, backtest: Backtest, data_fingerprint: str) -> dict[str, Any]:
    """Return training.json: what was fitted, on what, and with which verdicts."""
    btyd = info.btyd
    purchase = btyd["fits"][btyd["chosen"]]
    spend = btyd["fits"].get("gamma_gamma", {})
    return {
        "as_of": info.training_cutoff,
        "horizon_days": info.horizon_days,
        "currency": info.currency,
        "value_is_margin": info.value_is_margin,
        "discount_rate_annual": info.discount_rate_annual,
        "interval_level": info.level,
        "cutoffs": list(info.cutoffs),
        "customers": info.customers,
        "rows": info.rows,
        "features": len(info.features),
        "btyd": {
            "model": btyd["chosen"],
            "verdict": purchase["verdict"],
            "parameters": purchase["parameters"],
            "log_likelihood": purchase["log_likelihood"],
            "spend_verdict": spend.get("verdict"),
            "time_unit_days": btyd["time_unit_days"],
        },
        "chosen": backtest.chosen,
        "blend_weight": info.blend_weight,
        "calibration": info.calibration,
        "feature_fingerprint": info.fingerprint,
        "data_fingerprint": data_fingerprint,
        "seed": info.seed,
        "notes": [note.as_dict() for note in info.notes],
    }


def headline_metrics(info: ModelInfo, backtest: Backtest) -> dict[str, float]:
    """Return the dozen figures of a training that a person reads first, by plain names.

    Parameters
    ----------
    info : ModelInfo
    backtest : Backtest
    """
    best, alone = backtest.models[backtest.chosen], backtest.models["btyd"]
    told = {
        "normalised_gini": best["gini"].mean,
        "normalised_gini_purchases_alone": alone["gini"].mean,
        "total_bias": best["total_bias"].mean,
        "total_bias_purchases_alone": alone["total_bias"].mean,
        "mean_absolute_error": best["mae"].mean,
        "decile_error": best["decile_mape"].mean,
        "spearman": best["spearman"].mean,
        "churn_auc": best["auc"].mean,
        "churn_calibration_error": best["calibration_error"].mean,
        "interval_coverage": backtest.coverage,
        "customers": float(info.customers),
        "features": float(len(info.features)),
    }
    return {name: value for name, value in told.items() if value == value}


def logged_metrics(info: ModelInfo, backtest: Backtest) -> dict[str, float]:
    """Return every figure of a training under the name that the registry logs it by.

    ``btyd/<model>/<parameter>`` and ``btyd/<model>/log_likelihood`` in the unit of time the
    settings ask for, ``backtest/<model>/<metric>`` with its interval's ends as ``_low`` and
    ``_high``, ``coverage/<level>``, and ``backtest/prospects/<figure>`` of people who had
    not bought.
    """
    metrics: dict[str, float] = {}
    for name, fit in info.btyd["fits"].items():
        for parameter, value in fit["parameters"].items():
            metrics[f"btyd/{name}/{parameter}"] = value
        metrics[f"btyd/{name}/log_likelihood"] = fit["log_likelihood"]
    metrics |= backtest_metrics(backtest)
    metrics["blend/weight"] = info.blend_weight
    metrics["blend/calibration"] = info.calibration
    return {name: value for name, value in metrics.items() if value == value}


def backtest_metrics(backtest: Backtest) -> dict[str, float]:
    """Return the figures of a backtest under the names that the promotion gate reads."""
    metrics: dict[str, float] = {}
    for model, estimates in backtest.models.items():
        for metric, estimate in estimates.items():
            stem = f"backtest/{model}/{metric}"
            metrics |= {
                stem: estimate.mean,
                f"{stem}_low": estimate.low,
                f"{stem}_high": estimate.high,
            }
    metrics[f"coverage/{backtest.level:g}"] = backtest.coverage
    theirs = backtest.prospects.items()
    metrics |= {f"backtest/prospects/{k}": float(v) for k, v in theirs if v is not None}
    return {name: value for name, value in metrics.items() if value == value}
