"""Pictures of effects: estimates with their evidence, curves over a target, effects over time."""

from __future__ import annotations

import altair as alt
import pandas as pd

from clv.plots.axes import COUNT, HEIGHT, SHARE, WIDTH, across, amounts, checked, data, names, up
from clv.plots.picture import ACCENT, INK, MUTED, SECOND, SOFT, Picture, drawn

EVIDENCE = ("predictive", "adjusted", "quasi-experimental", "experimental")
"""From the weakest to the strongest, each with a mark of its own."""
_MARKS = ("circle", "square", "diamond", "triangle-up")


def forest(facts: pd.DataFrame, unit: str = "", title: str = "Effects") -> Picture:
    """Draw estimates with their intervals, a row each, the evidence as the mark.

    Parameters
    ----------
    facts : DataFrame
        ``name``, ``estimate``, ``low``, ``high``, and ``evidence``: what stands behind it.
    unit : str
        Of the estimates.
    title : str
        Of the picture.
    """
    rows = checked(facts, "forest", ["name", "estimate", "low", "high", "evidence"])
    known = rows[rows["estimate"].notna()]
    checked(known, "forest", ["estimate"])
    kinds = [kind for kind in EVIDENCE if kind in set(known["evidence"])]
    kinds += [kind for kind in dict.fromkeys(known["evidence"]) if kind not in kinds]
    form = amounts(known["low"], known["high"])
    y = names("name")
    apart = alt.YOffset("evidence:N", sort=kinds)
    colours = [MUTED, SECOND, ACCENT, INK][: len(kinds)] if len(kinds) <= 4 else None
    scale = alt.Scale(domain=kinds, range=colours) if colours else alt.Scale(domain=kinds)
    colour = alt.Color("evidence:N", title=None, sort=kinds, scale=scale)
    shape = alt.Shape(
        "evidence:N", title=None, sort=kinds, scale=alt.Scale(domain=kinds, range=_shapes(kinds))
    )
    zero = data(pd.DataFrame({"x": [0.0]})).mark_rule(color=INK, strokeDash=[4, 4])
    bars = (
        data(known)
        .mark_rule(strokeWidth=2.5)
        .encode(
            x=across("low", unit or None, form, padding=14),
            x2="high",
            y=y,
            yOffset=apart,
            color=colour,
        )
    )
    dots = (
        data(known)
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            x=across("estimate", unit or None, form, padding=14),
            y=y,
            yOffset=apart,
            color=colour,
            shape=shape,
        )
    )
    height = 16 * len(kinds) + 16
    chart = zero.encode(x="x:Q") + bars + dots
    text = "Estimates with their 95 % intervals; the dashed line is no effect"
    return drawn(
        chart.properties(width=WIDTH - 60, height=height * known["name"].nunique()),
        rows,
        title,
        text,
    )


def _shapes(kinds: list[str]) -> list[str]:
    return [_MARKS[place % len(_MARKS)] for place, _ in enumerate(kinds)]


def effect_curve(facts: pd.DataFrame, unit: str = "", title: str = "Effect over time") -> Picture:
    """Draw an effect over time since it began, with its band; before 0 it should be none.

    Parameters
    ----------
    facts : DataFrame
        ``time`` (in months, or whatever ``time_unit`` of the first row says), ``estimate``,
        ``low``, ``high``.
    unit : str
        Of the estimates.
    title : str
        Of the picture.
    """
    rows = checked(facts, "effect_curve", ["time", "estimate", "low", "high"]).sort_values("time")
    since = str(rows["time_unit"].iloc[0]) if "time_unit" in rows.columns else "months"
    form = amounts(rows["low"], rows["high"])
    ends = (float(rows["time"].min()), float(rows["time"].max()))
    x = across("time", f"{since} since the contact", COUNT, ends=ends)
    y = up("estimate", unit or None, form)
    band = data(rows).mark_area(color=SOFT).encode(x=x, y=up("low", unit or None, form), y2="high")
    line = data(rows).mark_line(color=ACCENT, strokeWidth=2.5, point={"size": 50, "color": ACCENT})
    zero = data(pd.DataFrame({"estimate": [0.0]})).mark_rule(color=INK, strokeDash=[4, 4])
    chart = band + zero.encode(y=y) + line.encode(x=x, y=y)
    text = "The estimate with its 95 % band; the dashed line is no effect"
    return drawn(chart.properties(width=WIDTH, height=HEIGHT), rows, title, text)


def target_curve(
    facts: pd.DataFrame,
    current: float,
    suggested: float | None = None,
    unit: str = "share",
    currency: str = "",
    title: str = "Where to set the target",
) -> Picture:
    """Draw what a target brings net of its cost, with its simultaneous band.

    Parameters
    ----------
    facts : DataFrame
        ``at`` (the target), ``net``, ``low`` and ``high`` per customer.
    current, suggested : float
        Where the behaviour is, and where it should go, if anywhere.
    unit : str
        Of the behaviour: ``seconds`` (drawn in minutes), ``share of …``, or another.
    currency : str
        Of the gains.
    title : str
        Of the picture.
    """
    rows = checked(facts, "target_curve", ["at", "net", "low", "high"]).sort_values("at")
    minutes = unit == "seconds"
    scale = 1 / 60 if minutes else 1.0
    shown = rows.assign(at=rows["at"] * scale)
    form = amounts(rows["low"], rows["high"])
    ends = (float(shown["at"].min()), float(shown["at"].max()))
    share = unit.startswith("share")
    x = across("at", "minutes" if minutes else unit, SHARE if share else ",.1f", ends=ends)
    money = f"gain per customer ({currency})" if currency else "gain per customer"
    y = up("net", money, form)
    band = data(shown).mark_area(color=SOFT).encode(x=x, y=up("low", money, form), y2="high")
    line = data(shown).mark_line(color=ACCENT, strokeWidth=2.5).encode(x=x, y=y)
    zero = data(pd.DataFrame({"net": [0.0]})).mark_rule(color=MUTED).encode(y=y)
    places = [{"at": current * scale, "label": "today"}]
    if suggested is not None:
        places.append({"at": suggested * scale, "label": "suggested"})
    marks = pd.DataFrame(places)
    rules = data(marks).mark_rule(color=INK, strokeDash=[3, 3]).encode(x=x)
    words = data(marks).mark_text(align="left", dx=6, dy=4, baseline="top", fontWeight=600)
    labelled = words.encode(x=x, y=alt.value(0), text="label:N")
    chart = band + zero + line + rules + labelled
    text = "Net gain along the values that agents already reach; the band holds for all at once"
    return drawn(chart.properties(width=WIDTH, height=HEIGHT), rows, title, text)


def contributions(facts: pd.DataFrame, currency: str = "") -> Picture:
    """Draw how much of customers' value goes with each group of features.

    Parameters
    ----------
    facts : DataFrame
        ``label``, ``mean_abs`` (per customer), and ``mean_bottom`` and ``mean_top``: the means
        over the tenth of customers whom the group lowers, and lifts, most.
    currency : str
        Of all three.
    """
    rows = checked(facts, "contributions", ["label", "mean_abs", "mean_bottom", "mean_top"])
    rows = rows.sort_values("mean_abs", ascending=False)
    form = amounts(rows["mean_bottom"], rows["mean_top"])
    unit = f" ({currency})" if currency else ""
    y = names("label")
    x = across("mean_bottom", f"value against a typical customer{unit}", form)
    low = data(rows).mark_bar(color=SECOND, height=14).encode(x=x, x2=alt.datum(0), y=y)
    high = (
        data(rows)
        .mark_bar(color=ACCENT, height=14)
        .encode(x=across("mean_top", None, form), x2=alt.datum(0), y=y)
    )
    zero = data(pd.DataFrame({"x": [0.0]})).mark_rule(color=INK).encode(x="x:Q")
    chart = (low + high + zero).properties(width=WIDTH - 60, height=28 * len(rows))
    text = "Means of the tenth of customers that each group lowers, and lifts, most; no effects"
    return drawn(chart, rows, "What value goes with", text)
