"""Ways to treat customers who buy nothing: Tweedie, a hurdle, a two-part lognormal (ZILN).

All three see the same features, folds and offset, and are held to the same total; each is
shown alone, and blended with BTYD half and half. The product ships Tweedie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from clv.evaluation.metrics import VALUE_METRICS
from clv.models.training.folds import learn
from clv.models.training.forecasts import PastForecasts
from clv.models.training.sampling import sampled
from clv.models.trees.boosting import grow
from clv.windows import gapped

if TYPE_CHECKING:
    from clv.models.options import ModelOptions
    from clv.models.training.panel import Panel
    from clv.models.value import ValueModel

HEADER = "| company | trees | Gini | Spearman | MAE | decile MAPE | total |"
KINDS = {"tweedie": "Tweedie", "hurdle": "hurdle: logistic × gamma", "ziln": "ZILN-like"}


def compare(company: str, panel: Panel, options: ModelOptions, folds: int = 3) -> list[str]:
    """Return the rows of the table for one company."""
    past = PastForecasts(panel, options)
    tests = [(w, earlier) for w in panel.windows if (earlier := gapped(panel.windows, w))]
    parts = []
    for window, earlier in tests[-folds:]:
        forecasts = past.known(earlier)
        train, test = sampled(panel.of(earlier), options), panel.at(window)
        frame = forecasts.frame.assign(value=forecasts.frame["value"] / forecasts.frame["season"])
        own, ahead = (frame.loc[part.index, "value"].to_numpy() for part in (train, test))
        season = forecasts.frame.loc[train.index, "season"].to_numpy()
        ratio = season * forecasts.seasonal.ratio(train["as_of"])
        value, _ = learn(panel, forecasts, train, options)
        found = _two_parts(train, test, value, own, ahead, ratio, options)
        found["tweedie"] = value.predict(value.encoding.matrix(test), ahead)
        scaled = {kind: found[kind] * ahead.sum() / found[kind].sum() for kind in KINDS}
        parts.append(test[["value"]].assign(btyd=ahead, **scaled))
    rows = pd.concat(parts)
    lines = []
    for kind, label in KINDS.items():
        for suffix, share in (("", 1.0), (", blended", 0.5)):
            predicted = (share * rows[kind] + (1 - share) * rows["btyd"]).to_numpy()
            cells = [
                f"{m(rows['value'].to_numpy(), predicted):.3f}" for m in VALUE_METRICS.values()
            ]
            first = company if kind == "tweedie" and not suffix else ""
            lines.append(f"| {first} | {label}{suffix} | {' | '.join(cells)} |")
    return lines


def _two_parts(
    train: pd.DataFrame,
    test: pd.DataFrame,
    value: ValueModel,
    own: np.ndarray,
    ahead: np.ndarray,
    ratio: np.ndarray,
    options: ModelOptions,
) -> dict[str, np.ndarray]:
    """Return P(buys) times what buyers spend, by gamma and by lognormal trees."""
    encoding = value.encoding
    matrix, matrix_test = encoding.matrix(train), encoding.matrix(test)
    label = np.maximum(train["value"].to_numpy(float), 0.0)
    bought = label > 0
    share = float(logit(bought.mean()))
    start = np.full(label.size, share)
    chance = grow(
        matrix, bought.astype(float), encoding, options.growth, objective="binary", offset=start
    )
    buys = expit(share + chance.raw(matrix_test))
    offset, offset_test = value.offset(own) * ratio, value.offset(ahead)
    unit = float(label.mean())
    spends = grow(
        matrix[bought],
        label[bought] / unit,
        encoding,
        options.growth,
        objective="gamma",
        offset=np.log(offset[bought] / unit),
        constrained=True,
    )
    log_ratio = np.log(label[bought] / offset[bought])
    centre = float(log_ratio.mean())
    logs = grow(
        matrix[bought], log_ratio - centre, encoding, options.growth, objective="regression"
    )
    rest = log_ratio - centre - logs.raw(matrix[bought])
    return {
        "hurdle": buys * offset_test * np.exp(spends.raw(matrix_test)),
        "ziln": buys * offset_test * np.exp(centre + logs.raw(matrix_test) + rest.var() / 2),
    }
