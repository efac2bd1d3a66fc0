"""The charts of the report, one function each: facts in, chart or None out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from clv.report.axes import (
    COUNT,
    MONEY,
    SHARE,
    apart,
    data,
    ends_of,
    say_all,
    sized,
    steps,
    x_axis,
    y_axis,
)
from clv.report.charts import ACCENT, CARD, INK, MUTED, SECOND, SOFT, Chart, chart
from clv.report.proofs import calibration, skill, tested_deciles, tracking
from clv.report.sentences import kind

if TYPE_CHECKING:
    from clv.report.facts import ReportFacts
    from clv.report.sections.answer import Lasting
    from clv.report.sections.customers import BadExperience, Friction
    from clv.report.sections.levers import Lever
    from clv.report.sentences import Texts

TRENDS_SHOWN, TRENDS_BESIDE = 12, 6


def draw_all(facts: ReportFacts, texts: Texts) -> dict[str, Chart]:
    """Draw every chart that the facts allow, by key."""
    drawn = [lever(item, texts, f"lever-{i}") for i, item in enumerate(facts.levers.levers)]
    drawn += [lasting(item, texts, f"lasting-{i}") for i, item in enumerate(facts.answer.lasting)]
    makers = (
        deciles, histogram, bad_experiences, friction, trends, skill, tested_deciles,
        calibration, tracking,
    )  # fmt: skip
    found = [*drawn, *(maker(facts, texts) for maker in makers), *segments(facts, texts)]
    return {item.key: item for item in found if item is not None}


def lever(item: Lever, texts: Texts, key: str) -> Chart:
    """Draw a net-value curve with its band; outside the support it is dashed and without one."""
    write, minutes = texts.formats, item.unit == "seconds"
    scale = 1 / 60 if minutes else 1.0
    name = texts.name("behaviour", item.behaviour)
    rows = [
        {"at": p.at * scale, "net": p.net, "low": p.low, "high": p.high, "in": p.supported}
        for p in item.curve
    ]
    inside = [row for row in rows if row["in"]]
    axis = "levers.axis_handle_seconds" if minutes else "levers.axis_share"
    x = x_axis(
        "at", texts.say(axis), COUNT if minutes else SHARE, zero=False, ends=ends_of(rows, "at")
    )
    marks = [{"at": item.current * scale, "label": texts.say("levers.today")}]
    if item.best is not None and item.move in ("raise", "lower"):
        marks.append({"at": item.best.value * scale, "label": texts.say("levers.best")})

    def draw(width: int) -> alt.TopLevelMixin:
        y = y_axis("net", texts.say("levers.axis_net"), MONEY, zero=False)
        band = data(inside).mark_area(color=SOFT).encode(x=x, y=y_axis("low"), y2="high")
        zero = data([{"net": 0.0}]).mark_rule(color=MUTED).encode(y="net:Q")
        outer = data(rows).mark_line(color=MUTED, strokeDash=[2, 4], strokeWidth=1.5)
        inner = data(inside).mark_line(color=ACCENT, strokeWidth=2.5)
        lines = outer.encode(x=x, y=y) + inner.encode(x=x, y=y)
        rules = data(marks).mark_rule(color=INK, strokeDash=[3, 3]).encode(x="at:Q")
        labels = data(marks).mark_text(align="left", dx=6, dy=8, baseline="top", fontWeight=600)
        labelled = labels.encode(x="at:Q", y=alt.value(0), text="label:N")
        return sized(band + zero + lines + rules + labelled, width, 230)

    def at(value: float) -> str:
        return write.value(value, item.unit)

    return chart(
        key,
        texts.say("levers.title_other", behaviour=name),
        texts.say(
            "levers.desc", behaviour=texts.behaviour(item.behaviour), current=at(item.current),
            low=at(item.supported_low), high=at(item.supported_high),
        ),
        draw,
        texts,
        tuple(texts.say(f"levers.{key}") for key in ("at", "net", "low", "high", "in_range")),
        [
            (
                at(p.at), *(write.money(v, signed=True) for v in (p.net, p.low, p.high)),
                texts.say("levers.yes" if p.supported else "levers.no"),
            )
            for p in item.curve
        ],
    )  # fmt: skip


def lasting(item: Lasting, texts: Texts, key: str) -> Chart:
    """Draw what a better contact brings in each month after it, with its interval."""
    write = texts.formats
    rows = [
        {"month": place + 1, "net": m.value, "low": m.low, "high": m.high}
        for place, m in enumerate(item.months)
    ]

    def draw(width: int) -> alt.TopLevelMixin:
        x = steps("month", texts.say("lasting.month"))
        y = y_axis("net", texts.say("lasting.axis"), "$,.2f", zero=False)
        bars = data(rows).mark_rule(color=SOFT, strokeWidth=9).encode(x=x, y="low:Q", y2="high")
        zero = data([{"net": 0.0}]).mark_rule(color=MUTED).encode(y="net:Q")
        dots = data(rows).mark_circle(color=ACCENT, size=70, opacity=1).encode(x=x, y=y)
        return sized(bars + zero + dots, width, 200)

    name = texts.behaviour(item.behaviour)
    described = texts.say(
        "lasting.lead", behaviour=name, change=write.points(item.change, signed=False)
    )
    head = tuple(texts.say(f"lasting.{part}") for part in ("month", "axis", "interval"))
    table = [
        (write.number(place + 1), write.figure(m, signed=True), write.interval(m, signed=True))
        for place, m in enumerate(item.months)
    ]
    return chart(
        key, texts.say("lasting.title", behaviour=name), described, draw, texts, head, table
    )


def deciles(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw the share of value by tenth."""
    found, write = facts.journey.deciles, texts.formats
    if not found:
        return None
    rows = [
        {"x": d.decile, "y": d.share, "label": write.share(d.share), "top": d is found[-1]}
        for d in found
    ]

    def draw(width: int) -> alt.TopLevelMixin:
        x = steps("x", texts.say("journey.decile"))
        colour = alt.condition("datum.top", alt.value(ACCENT), alt.value(SOFT))
        bars = data(rows).mark_bar().encode(x=x, y=y_axis("y", form=SHARE), color=colour)
        shown = rows if width > 300 else rows[-1:]
        text = data(shown).mark_text(dy=-8).encode(x=x, y="y:Q", text="label:N")
        return sized(bars + text, width)

    return chart(
        "deciles", texts.say("journey.deciles_plain"), texts.say("journey.deciles_lead"), draw,
        texts, tuple(texts.say(f"journey.{k}") for k in ("decile", "customers", "mean", "share")),
        [
            (
                str(d.decile), write.number(d.customers), write.money(d.clv / max(1, d.customers)),
                write.share(d.share),
            )
            for d in found
        ],
    )  # fmt: skip


def histogram(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw how customers are spread over value; an open end is drawn as wide as the others."""
    found, write = facts.journey.histogram, texts.formats
    widths = [b.high - b.low for b in found if b.low is not None and b.high is not None]
    if not widths:
        return None
    step = max(widths)
    rows = [
        {
            "low": (b.high or 0.0) - step if b.low is None else b.low,
            "high": (b.low or 0.0) + step if b.high is None else b.high,
            "y": b.customers,
        }
        for b in found
    ]

    def draw(width: int) -> alt.TopLevelMixin:
        ends = (rows[0]["low"], rows[-1]["high"])
        x = x_axis("low", texts.say("journey.value"), MONEY, ends=ends)
        bars = data(rows).mark_bar(color=ACCENT, stroke=CARD, strokeWidth=1)
        y = y_axis("y", texts.say("journey.customers"), COUNT)
        return sized(bars.encode(x=x, x2="high", y=y, y2=alt.datum(0)), width)

    def name(low: float | None, high: float | None) -> str:
        if low is None or high is None:
            return f"< {write.money(high or 0)}" if low is None else f"≥ {write.money(low)}"
        return f"{write.money(low)} – {write.money(high)}"

    title, lead = texts.say("journey.histogram"), "journey.histogram_lead"
    head = say_all(texts, "journey", "value", "customers")
    table = [(name(b.low, b.high), write.number(b.customers)) for b in found]
    described = texts.say(lead, kind=kind(facts, texts))
    return chart("histogram", title, described, draw, texts, head, table)


def segments(facts: ReportFacts, texts: Texts) -> list[Chart]:
    """Draw mean value by segment, a chart per column."""
    write, mean = texts.formats, facts.answer.mean
    average = "–" if mean is None else write.figure(mean)
    columns = dict.fromkeys(s.column for s in facts.journey.segments)
    drawn = []
    for place, column in enumerate(columns):
        found = [s for s in facts.journey.segments if s.column == column]
        rows = [
            {"order": i, "name": name, "clv": s.clv, "label": write.money(s.clv)}
            for i, (s, name) in enumerate(zip(found, apart([s.value for s in found]), strict=True))
        ]

        def draw(width: int, rows: list[dict[str, Any]] = rows) -> alt.TopLevelMixin:
            y = alt.Y("name:N", sort=alt.SortField("order"), title=None)
            x = alt.X("clv:Q", axis=None, scale=alt.Scale(zero=True, nice=False))
            bars = data(rows).mark_bar(color=ACCENT, height=14).encode(x=x, y=y)
            text = data(rows).mark_text(align="left", dx=6).encode(x=x, y=y, text="label:N")
            return sized(bars + text, width - 70, 36 * len(rows))

        title = texts.say("journey.segments", column=texts.name("column", column))
        lead = texts.say("journey.segments_lead", kind=kind(facts, texts), mean=average)
        head = (texts.name("column", column), *say_all(texts, "journey", "customers", "mean"))
        table = [(s.value, write.number(s.customers), write.money(s.clv)) for s in found]
        drawn.append(chart(f"segment-{place}", title, lead, draw, texts, head, table))
    return drawn


def bad_experiences(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw what a first, second and third bad experience goes with."""
    found, write = facts.journey.bad_experiences, texts.formats
    if not found:
        return None
    rows = [
        {"x": b.number, "y": b.value.value, "low": b.value.low, "high": b.value.high,
         "label": write.figure(b.value, signed=True)}
        for b in found
    ]  # fmt: skip

    def draw(width: int) -> alt.TopLevelMixin:
        x = steps("x", texts.say("journey.bad_axis"))
        y = y_axis("y", form=MONEY)
        bars = data(rows).mark_bar(color=SECOND, size=36).encode(x=x, y=y)
        rules = data(rows).mark_rule(color=INK).encode(x=x, y=y_axis("low"), y2="high")
        return sized(bars + rules, width)

    title, lead = say_all(texts, "journey", "bad", "bad_lead")
    between = texts.say("behaviours.interval")
    first, value, churn, n = say_all(
        texts, "journey", "bad_axis", "value", "bad_churn", "customers"
    )

    def row(b: BadExperience) -> tuple[str, ...]:
        moved, range_ = "–", "–"
        if b.churn is not None:
            moved = texts.say("change.points", points=write.points(b.churn.value))
            ends = (b.churn.low, b.churn.high)
            range_ = " – ".join(write.points(end) for end in ends if end is not None) or "–"
        amount = write.figure(b.value, signed=True), write.interval(b.value, signed=True) or "–"
        return str(b.number), *amount, moved, range_, write.number(b.value.n or 0)

    head = (first, value, between, churn, between, n)
    return chart("bad-experiences", title, lead, draw, texts, head, [row(b) for b in found])


def friction(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw the share of repeat contacts by stage and issue."""
    found, write = facts.journey.friction, texts.formats
    if not found:
        return None
    stages = [texts.name("stage", s) for s in texts.catalogue["stage"]]
    rows = [
        {"stage": texts.name("stage", f.stage), "issue": f.issue, "repeat": f.repeat_share or 0.0,
         "label": "–" if f.repeat_share is None else write.share(f.repeat_share)}
        for f in found
    ]  # fmt: skip
    issues = list(dict.fromkeys(f.issue for f in found))

    def draw(width: int) -> alt.TopLevelMixin:
        axis = alt.Axis(labelAngle=0, labelExpr="split(datum.label, ' ')")
        x = alt.X("stage:N", sort=stages, title=None, axis=axis)
        y = alt.Y("issue:N", sort=issues, title=None, axis=alt.Axis(labelLimit=90))
        shade = alt.Opacity("repeat:Q", legend=None, scale=alt.Scale(range=[0.06, 0.55]))
        cells = data(rows).mark_rect(color=SECOND, stroke=CARD, strokeWidth=3)
        text = data(rows).mark_text(fontWeight=600).encode(x=x, y=y, text="label:N")
        layers = cells.encode(x=x, y=y, opacity=shade) + text
        return sized(layers, width - 50, 36 * len(issues))

    def row(f: Friction) -> tuple[str, ...]:
        wait = "–" if f.wait_seconds is None else write.seconds(f.wait_seconds)
        shares = ("–" if s is None else write.share(s) for s in (f.repeat_share, f.bad_share))
        transfers = "–" if f.transfers is None else write.number(f.transfers, 2)
        place = f.issue, texts.name("stage", f.stage)
        return *place, write.number(f.contacts), wait, *shares, transfers

    names = ("issue", "stage", "contacts", "wait", "repeat", "bad_share", "transfer")
    title, lead = say_all(texts, "journey", "friction", "friction_lead")
    head = say_all(texts, "journey", *names)
    return chart("friction", title, lead, draw, texts, head, [row(f) for f in found])


def trends(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw each team's weekly index as a small multiple."""
    found = [team for team in facts.teams.teams if len(team.trend) > 1][:TRENDS_SHOWN]
    if not found:
        return None
    write = texts.formats
    rows = [
        {"team": team.team, "order": i, "week": w.week, "money": w.money}
        for i, team in enumerate(found)
        for w in team.trend
    ]

    def draw(width: int) -> alt.TopLevelMixin:
        columns = min(len(found), TRENDS_BESIDE) if width > 500 else 1
        each = width if columns == 1 else (width - 30 * (columns - 1)) // columns
        x = alt.X("week:N", sort=None, axis=None)
        y = y_axis("money", form="+$.1f", zero=False)
        zero = alt.Chart().mark_rule(color=MUTED).encode(y=alt.datum(0))
        line = alt.Chart().mark_line(color=ACCENT, strokeWidth=2).encode(x=x, y=y)
        header = alt.Header(title=None, labelColor=INK, labelFontSize=13, labelFontWeight=600,
                            labelAnchor="start", labelLimit=each)  # fmt: skip
        facet = alt.Facet("team:N", sort=None, header=header)
        layers = alt.layer(zero, line, data=alt.Data(values=rows))
        return layers.properties(width=each, height=120).facet(facet, columns=columns)

    title, lead = say_all(texts, "teams", "trend", "trend_lead")
    head = (*say_all(texts, "teams", "team", "week", "index"), texts.say("journey.contacts"))
    table = [
        (t.team, write.date(w.week), write.money(w.money, signed=True), write.number(w.n))
        for t in found
        for w in t.trend
    ]
    return chart("trends", title, lead, draw, texts, head, table)
