"""Pictures of customers: what their histories are worth, and one customer's value in parts."""

from __future__ import annotations

from itertools import pairwise

import altair as alt
import numpy as np
import pandas as pd

from clv.plots.axes import COUNT, HEIGHT, SHARE, WIDTH, across, amounts, checked, data, names, up
from clv.plots.picture import ACCENT, CARD, INK, MUTED, SECOND, SHADES, SOFT, Picture, drawn

SHOWN_PARTS = 9
MINUS = "\u2212"


def frequency_recency(facts: pd.DataFrame) -> Picture:
    """Draw how many purchases are expected of a customer, by how often and how lately.

    Parameters
    ----------
    facts : DataFrame
        ``frequency`` (repeat purchases), ``recency_days`` (first to last purchase) and
        ``expected_purchases``, a row a cell of a regular grid.
    """
    rows = checked(facts, "frequency_recency", ["frequency", "recency_days", "expected_purchases"])
    text = "Purchases expected in the horizon, by repeat purchases and days from first to last one"
    return _map(rows, "expected_purchases", "purchases", "Expected purchases", text)


def p_alive(facts: pd.DataFrame) -> Picture:
    """Draw how likely a customer is still one, by how often and how lately they bought.

    Parameters
    ----------
    facts : DataFrame
        ``frequency``, ``recency_days`` and ``p_alive``, a row a cell of a regular grid.
    """
    rows = checked(facts, "p_alive", ["frequency", "recency_days", "p_alive"])
    text = "P(alive), by repeat purchases and days from first to last one"
    return _map(rows, "p_alive", "P(alive)", "Still a customer", text)


def _map(rows: pd.DataFrame, name: str, short: str, title: str, text: str) -> Picture:
    cells = rows.dropna(subset=[name])
    half_up, half_across = _step(cells["frequency"]) / 2, _step(cells["recency_days"]) / 2
    values = cells[name].to_numpy(float)
    top = 1.0 if name == "p_alive" else max(float(values.max()), 1e-12)
    edges = np.linspace(0, top, len(SHADES) + 1)
    words = [_between(low, high, as_share=name == "p_alive") for low, high in pairwise(edges)]
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(words) - 1)
    cells = cells.assign(
        left=cells["recency_days"] - half_across,
        right=cells["recency_days"] + half_across,
        low=cells["frequency"] - half_up,
        high=cells["frequency"] + half_up,
        shade=[words[k] for k in place],
    )
    ends_x = (float(cells["left"].min()), float(cells["right"].max()))
    ends_y = (float(cells["low"].min()), float(cells["high"].max()))
    x = across("left", "days from first to last purchase", COUNT, ends=ends_x)
    y = up("low", "repeat purchases", COUNT, ends=ends_y, grid=False)
    legend = alt.Legend(orient="right", symbolType="square", symbolSize=240, symbolStrokeWidth=0)
    scale = alt.Scale(domain=words, range=list(SHADES))
    colour = alt.Color("shade:N", title=short, sort=words[::-1], scale=scale, legend=legend)
    chart = data(cells).mark_rect().encode(x=x, x2="right", y=y, y2="high", color=colour)
    return drawn(chart.properties(width=WIDTH - 60, height=HEIGHT), rows, title, text)


def _step(values: pd.Series) -> float:
    steps = np.diff(np.unique(values.to_numpy(float)))
    return float(steps.min()) if steps.size else 1.0


def _between(low: float, high: float, *, as_share: bool) -> str:
    return f"{low:.0%} – {high:.0%}" if as_share else f"{low:.2g} – {high:.2g}"


def customer_curve(facts: pd.DataFrame, title: str = "One customer") -> Picture:
    """Draw what a customer bought, whether they were alive, and what is expected of them.

    Parameters
    ----------
    facts : DataFrame
        ``day`` since the first purchase; ``purchases``, cumulative, known up to the cutoff;
        ``expected``, cumulative from the cutoff on; ``p_alive`` on each day; and ``bought``,
        whether there was a purchase.
    title : str
        Whose.
    """
    columns = ["day", "purchases", "expected", "p_alive", "bought"]
    rows = checked(facts, "customer_curve", columns)
    ends = (float(rows["day"].min()), float(rows["day"].max()))
    x = across("day", None, COUNT, ends=ends)
    y = up("purchases", "purchases", COUNT, zero=True)
    past = data(rows.dropna(subset=["purchases"])).mark_line(
        interpolate="step-after", color=ACCENT, strokeWidth=2.5
    )
    ahead = data(rows.dropna(subset=["expected"])).mark_line(
        color=SECOND, strokeWidth=2.5, strokeDash=[6, 3]
    )
    cutoff = rows.loc[rows["purchases"].notna(), "day"].max()
    today = pd.DataFrame({"day": [cutoff], "label": ["today"]})
    rule = data(today).mark_rule(color=INK, strokeDash=[3, 3]).encode(x=x)
    word = (
        data(today)
        .mark_text(align="left", dx=6, baseline="top")
        .encode(x=x, y=alt.value(2), text="label:N")
    )
    upper = past.encode(x=x, y=y) + ahead.encode(x=x, y=up("expected", None, zero=True))
    upper = (upper + rule + word).properties(width=WIDTH, height=210)
    beneath = across("day", "days since the first purchase", COUNT, ends=ends)
    share = up("p_alive", "P(alive)", SHARE, ends=(0, 1))
    area = data(rows).mark_area(color=SOFT, line={"color": ACCENT, "strokeWidth": 1.5})
    ticks = data(rows[rows["bought"].astype(bool)]).mark_tick(color=INK, thickness=1.5, size=10)
    lower = area.encode(x=beneath, y=share) + ticks.encode(x=beneath, y=alt.value(95))
    lower = (lower + rule.encode(x=beneath)).properties(width=WIDTH, height=100)
    chart = alt.vconcat(upper, lower, spacing=16)
    text = "Above: purchases so far, and expected (dashed). Below: P(alive); ticks are purchases"
    return drawn(chart, rows, title, text)


def waterfall(facts: pd.DataFrame, currency: str = "", title: str = "One customer") -> Picture:
    """Draw how one customer's value comes about: from a typical one's, part by part.

    Parameters
    ----------
    facts : DataFrame
        ``part`` and ``amount``: the first row is the typical value, the last is the customer's,
        and the amounts before the last sum to it. ``value``, what the feature was, is shown
        where given.
    currency : str
        Of the amounts.
    title : str
        Whose.
    """
    rows = folded(checked(facts, "waterfall", ["part", "amount"]))
    amount = rows["amount"].to_numpy(float)
    ends = np.cumsum(amount[:-1])
    start = np.concatenate([[0.0], ends[:-1], [0.0]])
    stop = np.concatenate([ends, [amount[-1]]])
    kind = ["whole", *np.where(amount[1:-1] >= 0, "raises", "lowers"), "whole"]
    shown = rows.assign(
        order=range(len(rows)),
        start=start,
        stop=stop,
        kind=kind,
        label=[
            (f"{value:,.2f}" if whole == "whole" else f"{value:+,.2f}").replace("-", MINUS)
            for value, whole in zip(amount, kind, strict=True)
        ],
        end=np.maximum(start, stop),
    )
    if "value" in rows.columns:
        said = rows["value"].fillna("").astype(str)
        shown["part"] = rows["part"] + said.map(lambda text: f" = {text}" if text else "")
    unit = f" ({currency})" if currency else ""
    y = names("part", "order")
    form = amounts(shown["start"], shown["stop"])
    x = across("start", f"value{unit}", form, padding=30)
    keys = alt.Scale(domain=["whole", "raises", "lowers"], range=[MUTED, ACCENT, SECOND])
    colour = alt.Color("kind:N", scale=keys, legend=None)
    bars = data(shown).mark_bar(height=16).encode(x=x, x2="stop", y=y, color=colour)
    words = (
        data(shown)
        .mark_text(align="left", dx=6)
        .encode(x=across("end", None, form), y=y, text="label:N")
    )
    chart = (bars + words).properties(width=WIDTH - 120, height=28 * len(shown))
    text = "From a typical customer's value to this one's; these are associations"
    return drawn(chart, rows, title, text)


def folded(facts: pd.DataFrame, most: int = SHOWN_PARTS) -> pd.DataFrame:
    """Return a waterfall with its smallest parts in one, so that amounts still sum.

    Parameters
    ----------
    facts : DataFrame
        As `waterfall` takes them.
    most : int
        Parts that are named.

    Examples
    --------
    >>> import pandas as pd
    >>> parts, amounts = ["typical", "a", "b", "c", "clv"], [10.0, 5.0, -0.5, 0.25, 14.75]
    >>> folded(pd.DataFrame({"part": parts, "amount": amounts}), most=1).amount.tolist()
    [10.0, 5.0, -0.25, 14.75]
    """
    inner = facts.iloc[1:-1]
    order = inner["amount"].abs().sort_values(ascending=False, kind="stable").index
    named, rest = inner.loc[order[:most]], inner.loc[order[most:]]
    pieces = [facts.iloc[:1], named]
    if len(rest):
        other = {"part": f"{len(rest)} other features", "amount": float(rest["amount"].sum())}
        pieces.append(pd.DataFrame([other]).reindex(columns=facts.columns))
    kept = [piece.dropna(axis=1, how="all") for piece in (*pieces, facts.iloc[-1:])]
    return pd.concat(kept, ignore_index=True).reindex(columns=facts.columns)


def values(facts: pd.DataFrame, currency: str = "") -> Picture:
    """Draw how customers are spread over value.

    Parameters
    ----------
    facts : DataFrame
        ``low``, ``high`` and ``customers``, a row a bin.
    currency : str
        Of the bins' ends.
    """
    rows = checked(facts, "values", ["low", "high", "customers"])
    unit = f" ({currency})" if currency else ""
    ends = (float(rows["low"].min()), float(rows["high"].max()))
    x = across("low", f"value{unit}", amounts(rows["high"]), ends=ends)
    bars = data(rows).mark_bar(color=ACCENT, stroke=CARD, strokeWidth=1)
    y = up("customers", "customers", COUNT, zero=True)
    chart = bars.encode(x=x, x2="high", y=y, y2=alt.datum(0))
    text = "Customers by their expected value; the last bin holds everybody above"
    return drawn(chart.properties(width=WIDTH, height=HEIGHT), rows, "Values", text)
