"""Pictures of how good a forecast was: calibration, tracking, gains, lift, deciles in money.

Each is a function from a frame of facts to a picture; results make the facts.
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from clv.plots.axes import (
    COUNT,
    HEIGHT,
    SHARE,
    WIDTH,
    across,
    amounts,
    checked,
    data,
    names,
    series,
    up,
)
from clv.plots.picture import ACCENT, INK, MUTED, SECOND, SOFT, Picture, drawn


def calibration(facts: pd.DataFrame) -> Picture:
    """Draw what share of customers did what was forecast, against the forecast.

    Parameters
    ----------
    facts : DataFrame
        ``predicted``, ``observed``, ``low``, ``high`` (shares) and ``customers``, a row a bin.
    """
    rows = checked(facts, "calibration", ["predicted", "observed", "low", "high", "customers"])
    x = across("predicted", "forecast share that buys nothing", SHARE, ends=(0, 1))
    y = up("observed", "share that bought nothing", SHARE, ends=(0, 1))
    diagonal = pd.DataFrame({"predicted": [0, 1], "observed": [0, 1]})
    line = data(diagonal).mark_line(color=MUTED, strokeDash=[4, 4]).encode(x=x, y=y)
    spread = data(rows).mark_rule(color=INK, strokeWidth=1.5)
    bars = spread.encode(x=x, y=up("low", None, SHARE, ends=(0, 1)), y2="high")
    dots = data(rows).mark_point(filled=True, color=ACCENT, opacity=1, size=70)
    chart = (line + bars + dots.encode(x=x, y=y)).properties(width=HEIGHT, height=HEIGHT)
    text = "Customers by forecast; the dashed line is a perfect forecast, bars are 95 % intervals"
    return drawn(chart, rows, "Calibration of churn", text)


def tracking(facts: pd.DataFrame, what: str = "value") -> Picture:
    """Draw what was forecast and what came, over time.

    Parameters
    ----------
    facts : DataFrame
        ``day`` (ISO dates or days counted), ``predicted`` and ``actual``; a row a time.
    what : str
        Of what, with its unit: ``value (EUR)``, ``cumulative repeat purchases``.
    """
    rows = checked(facts, "tracking", ["day", "predicted", "actual"])
    lines = ("forecast", "actual")
    long = pd.concat(
        [
            pd.DataFrame({"day": rows["day"], "amount": rows[column], "series": name})
            for column, name in zip(("predicted", "actual"), lines, strict=True)
        ]
    )
    counted = pd.api.types.is_numeric_dtype(rows["day"])
    points = len(rows) <= 30
    if counted:
        x = across("day", "days")
    elif points:
        x = alt.X("day:O", title=None, sort=None, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    else:
        x = alt.X("day:T", title=None)
    y = up("amount", what, amounts(rows["predicted"], rows["actual"]), zero=True)
    colour, dash = series(lines)
    marker = alt.OverlayMarkDef(size=60) if points else False
    chart = data(long).mark_line(strokeWidth=2.5, point=marker)
    chart = chart.encode(x=x, y=y, color=colour, strokeDash=dash)
    text = f"{what[:1].upper()}{what[1:]}: what was forecast beside what came"
    return drawn(chart.properties(width=WIDTH, height=HEIGHT), long, "Tracking", text)


def gains(facts: pd.DataFrame) -> Picture:
    """Draw which share of all value the customers hold whom a forecast puts first.

    Parameters
    ----------
    facts : DataFrame
        ``customers`` and ``value``, cumulative shares, and ``series``: whose order it is.
    """
    rows = checked(facts, "gains", ["customers", "value", "series"])
    orders = list(dict.fromkeys(rows["series"]))[:3]
    colour, dash = series(orders)
    x = across("customers", "share of customers, best first", SHARE, ends=(0, 1))
    top = max(1.0, float(rows["value"].max()))
    y = up("value", "share of their value", SHARE, ends=(0, top))
    chance = data(pd.DataFrame({"customers": [0, 1], "value": [0, 1]}))
    even = chance.mark_line(color=MUTED, strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=y)
    lines = data(rows[rows["series"].isin(orders)]).mark_line(strokeWidth=2.5)
    chart = even + lines.encode(x=x, y=y, color=colour, strokeDash=dash)
    text = "Share of realised value held by the customers whom each order puts first"
    return drawn(chart.properties(width=WIDTH, height=HEIGHT), rows, "Gains", text)


def lift(facts: pd.DataFrame) -> Picture:
    """Draw how many times the mean each tenth of customers brought, by their forecast.

    Parameters
    ----------
    facts : DataFrame
        ``decile`` (10 is the best) and ``lift``: realised mean over everybody's mean.
    """
    rows = checked(facts, "lift", ["decile", "lift"]).sort_values("decile", ascending=False)
    rows = rows.assign(label=[f"{value:.1f}×" for value in rows["lift"]])
    x = alt.X("decile:O", sort=None, title="tenth by forecast, best first", axis=_flat())
    y = up("lift", "times the mean", COUNT, zero=True)
    bars = data(rows).mark_bar(color=ACCENT).encode(x=x, y=y)
    words = data(rows).mark_text(dy=-9).encode(x=x, y=y, text="label:N")
    one = data(pd.DataFrame({"lift": [1.0]})).mark_rule(color=INK, strokeDash=[4, 4]).encode(y=y)
    chart = (bars + one + words).properties(width=WIDTH, height=HEIGHT)
    text = "Realised value of each tenth over everybody's mean; the dashed line is the mean"
    return drawn(chart, rows.drop(columns="label"), "Lift", text)


def deciles(facts: pd.DataFrame, currency: str = "") -> Picture:
    """Draw what each tenth of customers brought, beside what was forecast of it.

    Parameters
    ----------
    facts : DataFrame
        ``decile`` (10 is the best) and ``predicted``, mean per customer; ``actual`` where it
        has come.
    currency : str
        Of both.
    """
    rows = checked(facts, "deciles", ["decile", "predicted"]).sort_values("decile")
    known = [name for name in ("predicted", "actual") if name in rows.columns]
    form = amounts(*(rows[name] for name in known))
    unit = f" ({currency})" if currency else ""
    x = alt.X("decile:O", sort=None, title="tenth by forecast, 10 is the best", axis=_flat())
    y = up(known[-1], f"mean value per customer{unit}", form, zero=True)
    if "actual" not in rows.columns:
        chart = data(rows).mark_bar(color=ACCENT).encode(x=x, y=y)
        text = "Mean forecast value of each tenth of customers"
        return drawn(chart.properties(width=WIDTH, height=HEIGHT), rows, "Value by tenth", text)
    long = rows.assign(forecast="forecast", came="actual")
    keys = alt.Scale(domain=["actual", "forecast"], range=[SOFT, ACCENT])
    bars = data(long).mark_bar().encode(x=x, y=y, color=alt.Color("came:N", title=None, scale=keys))
    size = 0.8 * WIDTH / len(rows)
    ticks = (
        data(long)
        .mark_tick(thickness=3, size=size, opacity=1)
        .encode(x=x, y="predicted:Q", color=alt.Color("forecast:N", title=None, scale=keys))
    )
    text = "Bars are what customers brought, ticks what was forecast of them"
    chart = (bars + ticks).properties(width=WIDTH, height=HEIGHT)
    return drawn(chart, rows, "Deciles in money", text)


def skill(facts: pd.DataFrame) -> Picture:
    """Draw a metric of several models with its interval.

    Parameters
    ----------
    facts : DataFrame
        ``model``, ``mean``, ``low``, ``high``, and ``metric``, the same in every row.
    """
    rows = checked(facts, "skill", ["model", "mean", "low", "high", "metric"])
    metric = str(rows["metric"].iloc[0])
    y = names("model")
    bars = data(rows).mark_rule(color=SECOND, strokeWidth=3)
    dots = data(rows).mark_point(filled=True, size=90, opacity=1, color=ACCENT)
    x = across("low", metric, ".2~f", padding=14)
    chart = bars.encode(x=x, x2="high", y=y) + dots.encode(x=across("mean", metric, ".2~f"), y=y)
    text = f"{metric} of each model with its 95 % interval"
    sized = chart.properties(width=WIDTH, height=36 * len(rows))
    return drawn(sized, rows, "Skill", text)


def _flat() -> alt.Axis:
    return alt.Axis(labelAngle=0)
