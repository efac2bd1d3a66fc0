"""The charts of the report, one function each: facts in, chart or None out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from clv.report.charts import ACCENT, CARD, FULL, INK, MUTED, SECOND, SOFT, Chart, chart
from clv.report.sentences import kind

if TYPE_CHECKING:
    from clv.report.facts import ReportFacts
    from clv.report.sections.customers import BadExperience, Friction
    from clv.report.sections.levers import Lever
    from clv.report.sections.trust import Pair
    from clv.report.sentences import Texts

MONEY, SHARE, COUNT = "$,.0f", ".0%", ",.0f"


def draw_all(facts: ReportFacts, texts: Texts) -> dict[str, Chart]:
    """Draw every chart that the facts allow, by key."""
    drawn = [lever(item, texts, f"lever-{i}") for i, item in enumerate(facts.levers.levers)]
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
    x = _x("at", texts.say(axis), COUNT if minutes else SHARE, zero=False, ends=_ends(rows, "at"))
    marks = [{"at": item.current * scale, "label": texts.say("levers.today")}]
    if item.best is not None and item.move in ("raise", "lower"):
        marks.append({"at": item.best.value * scale, "label": texts.say("levers.best")})

    def draw(width: int) -> alt.TopLevelMixin:
        y = _y("net", texts.say("levers.axis_net"), MONEY, zero=False)
        band = _data(inside).mark_area(color=SOFT).encode(x=x, y=_y("low"), y2="high")
        zero = _data([{"net": 0.0}]).mark_rule(color=MUTED).encode(y="net:Q")
        outer = _data(rows).mark_line(color=MUTED, strokeDash=[2, 4], strokeWidth=1.5)
        inner = _data(inside).mark_line(color=ACCENT, strokeWidth=2.5)
        lines = outer.encode(x=x, y=y) + inner.encode(x=x, y=y)
        rules = _data(marks).mark_rule(color=INK, strokeDash=[3, 3]).encode(x="at:Q")
        labels = _data(marks).mark_text(align="left", dx=6, dy=8, baseline="top", fontWeight=600)
        labelled = labels.encode(x="at:Q", y=alt.value(0), text="label:N")
        return _sized(band + zero + lines + rules + labelled, width, 230)

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
        x = _steps("x", texts.say("journey.decile"))
        colour = alt.condition("datum.top", alt.value(ACCENT), alt.value(SOFT))
        bars = _data(rows).mark_bar().encode(x=x, y=_y("y", form=SHARE), color=colour)
        shown = rows if width > 300 else rows[-1:]
        text = _data(shown).mark_text(dy=-8).encode(x=x, y="y:Q", text="label:N")
        return _sized(bars + text, width)

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
        x = _x("low", texts.say("journey.value"), MONEY, ends=ends)
        bars = _data(rows).mark_bar(color=ACCENT, stroke=CARD, strokeWidth=1)
        y = _y("y", texts.say("journey.customers"), COUNT)
        return _sized(bars.encode(x=x, x2="high", y=y, y2=alt.datum(0)), width)

    def name(low: float | None, high: float | None) -> str:
        if low is None or high is None:
            return f"< {write.money(high or 0)}" if low is None else f"≥ {write.money(low)}"
        return f"{write.money(low)} – {write.money(high)}"

    title, lead = texts.say("journey.histogram"), "journey.histogram_lead"
    head = _say(texts, "journey", "value", "customers")
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
            bars = _data(rows).mark_bar(color=ACCENT, height=14).encode(x=x, y=y)
            text = _data(rows).mark_text(align="left", dx=6).encode(x=x, y=y, text="label:N")
            return _sized(bars + text, width - 70, 36 * len(rows))

        title = texts.say("journey.segments", column=texts.name("column", column))
        lead = texts.say("journey.segments_lead", kind=kind(facts, texts), mean=average)
        head = (texts.name("column", column), *_say(texts, "journey", "customers", "mean"))
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
        x = _steps("x", texts.say("journey.bad_axis"))
        y = _y("y", form=MONEY)
        bars = _data(rows).mark_bar(color=SECOND, size=36).encode(x=x, y=y)
        rules = _data(rows).mark_rule(color=INK).encode(x=x, y=_y("low"), y2="high")
        return _sized(bars + rules, width)

    title, lead = _say(texts, "journey", "bad", "bad_lead")
    between = texts.say("behaviours.interval")
    first, value, churn, n = _say(texts, "journey", "bad_axis", "value", "bad_churn", "customers")

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
        cells = _data(rows).mark_rect(color=SECOND, stroke=CARD, strokeWidth=3)
        text = _data(rows).mark_text(fontWeight=600).encode(x=x, y=y, text="label:N")
        layers = cells.encode(x=x, y=y, opacity=shade) + text
        return _sized(layers, width - 50, 36 * len(issues))

    def row(f: Friction) -> tuple[str, ...]:
        wait = "–" if f.wait_seconds is None else write.seconds(f.wait_seconds)
        shares = ("–" if s is None else write.share(s) for s in (f.repeat_share, f.bad_share))
        transfers = "–" if f.transfers is None else write.number(f.transfers, 2)
        place = f.issue, texts.name("stage", f.stage)
        return *place, write.number(f.contacts), wait, *shares, transfers

    names = ("issue", "stage", "contacts", "wait", "repeat", "bad_share", "transfer")
    title, lead = _say(texts, "journey", "friction", "friction_lead")
    head = _say(texts, "journey", *names)
    return chart("friction", title, lead, draw, texts, head, [row(f) for f in found])


def trends(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw each team's weekly index as a small multiple."""
    found = [team for team in facts.teams.teams if len(team.trend) > 1][:6]
    if not found:
        return None
    write = texts.formats
    rows = [
        {"team": team.team, "order": i, "week": w.week, "money": w.money}
        for i, team in enumerate(found)
        for w in team.trend
    ]

    def draw(width: int) -> alt.TopLevelMixin:
        columns = len(found) if width > 500 else 1
        each = width if columns == 1 else (width - 30 * (columns - 1)) // columns
        x = alt.X("week:N", sort=None, axis=None)
        y = _y("money", form="+$.1f", zero=False)
        zero = alt.Chart().mark_rule(color=MUTED).encode(y=alt.datum(0))
        line = alt.Chart().mark_line(color=ACCENT, strokeWidth=2).encode(x=x, y=y)
        header = alt.Header(title=None, labelColor=INK, labelFontSize=13, labelFontWeight=600,
                            labelAnchor="start", labelLimit=each)  # fmt: skip
        facet = alt.Facet("team:N", sort=None, header=header)
        layers = alt.layer(zero, line, data=alt.Data(values=rows))
        return layers.properties(width=each, height=120).facet(facet, columns=columns)

    title, lead = _say(texts, "teams", "trend", "trend_lead")
    head = (*_say(texts, "teams", "team", "week", "index"), texts.say("journey.contacts"))
    table = [
        (t.team, write.date(w.week), write.money(w.money, signed=True), write.number(w.n))
        for t in found
        for w in t.trend
    ]
    return chart("trends", title, lead, draw, texts, head, table, FULL)


def skill(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw how well each method ranks customers, with intervals."""
    found = [s for s in facts.trust.models if "gini" in s.metrics]
    if not found:
        return None
    rows = [
        {"name": texts.name("model", s.model), "gini": s.metrics["gini"].value, "chosen": s.chosen,
         "low": s.metrics["gini"].low, "high": s.metrics["gini"].high}
        for s in found
    ]  # fmt: skip

    def draw(width: int) -> alt.TopLevelMixin:
        y = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=170))
        x, low = (_x(field, texts.say("trust.gini"), ".1f") for field in ("gini", "low"))
        colour = alt.condition("datum.chosen", alt.value(ACCENT), alt.value(MUTED))
        rules = _data(rows).mark_rule(strokeWidth=3)
        dots = _data(rows).mark_point(filled=True, size=70, opacity=1)
        rules = rules.encode(x=low, x2="high", y=y, color=colour)
        dots = dots.encode(x=x, y=y, color=colour)
        return _sized(rules + dots, max(110, width - 140), 34 * len(rows))

    title, lead = _say(texts, "trust", "skill", "skill_lead")
    head = (texts.say("trust.model"), texts.say("trust.gini"), texts.say("behaviours.interval"))
    write = texts.formats
    table = [
        (texts.name("model", s.model), write.figure(s.metrics["gini"]),
         write.interval(s.metrics["gini"]) or "–")
        for s in found
    ]  # fmt: skip
    return chart("skill", title, lead, draw, texts, head, table)


def tested_deciles(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw actual value by predicted tenth, with the prediction as a tick."""
    found = facts.trust.deciles
    if not found:
        return None
    rows = [{"x": p.label, "predicted": p.predicted, "actual": p.actual} for p in found]

    def draw(width: int) -> alt.TopLevelMixin:
        x = _steps("x", texts.say("journey.decile"))
        bars = _data(rows).mark_bar(color=SOFT).encode(x=x, y=_y("actual", form=MONEY))
        size = 0.8 * width / len(rows)
        ticks = _data(rows).mark_tick(color=ACCENT, thickness=3, size=size)
        return _sized(bars + ticks.encode(x=x, y="predicted:Q"), width)

    title, lead = _say(texts, "trust", "deciles", "deciles_lead")
    return chart("tested-deciles", title, lead, draw, texts, *_pairs(
        found, texts, texts.say("journey.decile"), texts.say("trust.actual"), "currency"
    ))  # fmt: skip


def calibration(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw observed against predicted churn, with the diagonal."""
    found = facts.trust.calibration
    if not found:
        return None
    rows = [{"x": p.predicted, "y": p.actual, "n": p.n} for p in found]

    def draw(width: int) -> alt.TopLevelMixin:
        x = _x("x", texts.say("trust.predicted"), SHARE, ends=(0, 1))
        y = _y("y", texts.say("trust.observed"), SHARE, ends=(0, 1))
        line = _data([{"x": 0, "y": 0}, {"x": 1, "y": 1}]).mark_line(color=MUTED, strokeDash=[3, 3])
        size = alt.Size("n:Q", legend=None, scale=alt.Scale(range=[40, 140]))
        dots = _data(rows).mark_point(filled=True, color=ACCENT, opacity=1)
        return _sized(line.encode(x=x, y=y) + dots.encode(x=x, y=y, size=size), width, 260)

    title, lead = _say(texts, "trust", "calibration", "calibration_lead")
    return chart("calibration", title, lead, draw, texts, *_pairs(
        found, texts, "", texts.say("trust.observed"), "share"
    ))  # fmt: skip


def tracking(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw cumulative money, forecast and real."""
    found = facts.trust.tracking
    if len(found) < 2:
        return None
    names = _say(texts, "trust", "predicted", "actual")
    rows = [
        {"x": p.label, "y": value, "series": name}
        for p in found
        for name, value in zip(names, (p.predicted, p.actual), strict=True)
    ]

    def draw(width: int) -> alt.TopLevelMixin:
        every = max(1, len(found) // (5 if width > 300 else 3))
        shown = [p.label for p in found][::every]
        axis = alt.Axis(values=shown, labelAngle=0, labelExpr="slice(datum.label, 0, 7)")
        x = alt.X("x:N", sort=None, title=None, axis=axis)
        y = _y("y", form="$.2~s")
        colour = alt.Color("series:N", sort=list(names), title=None, scale=alt.Scale(
            domain=list(names), range=[ACCENT, SECOND]), legend=alt.Legend(
                orient="top", labelColor=INK, labelFontSize=12, symbolStrokeWidth=3))  # fmt: skip
        dash = alt.StrokeDash("series:N", sort=list(names), title=None, scale=alt.Scale(
            domain=list(names), range=[[1, 0], [5, 3]]))  # fmt: skip
        lines = _data(rows).mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=50))
        return _sized(lines.encode(x=x, y=y, color=colour, strokeDash=dash), width, 230)

    title, lead = _say(texts, "trust", "tracking", "tracking_lead")
    return chart("tracking", title, lead, draw, texts, *_pairs(
        found, texts, texts.say("trust.date"), texts.say("trust.actual"), "currency"
    ))  # fmt: skip


def apart(names: list[str]) -> list[str]:
    """Tell equal names apart by a number: shortened names may have become equal.

    Examples
    --------
    >>> apart(["a…", "b", "a…"])
    ['a…', 'b', 'a… (2)']
    """
    counted: dict[str, int] = {}
    found = []
    for name in names:
        counted[name] = counted.get(name, 0) + 1
        found.append(name if counted[name] == 1 else f"{name} ({counted[name]})")
    return found


def _pairs(
    found: tuple[Pair, ...], texts: Texts, label: str, actual: str, unit: str
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the table behind a chart of predicted against observed."""
    write = texts.formats
    first = (label,) if label else ()
    head = (*first, texts.say("trust.predicted"), actual, texts.say("journey.customers"))
    rows = [
        (
            *((write.date(p.label),) if label else ()),
            write.value(p.predicted, unit), write.value(p.actual, unit),
            write.number(p.n) if p.n else "–",
        )
        for p in found
    ]  # fmt: skip
    return head, rows


def _say(texts: Texts, section: str, *keys: str) -> tuple[str, ...]:
    return tuple(texts.say(f"{section}.{key}") for key in keys)


def _data(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=rows))


def _sized(drawn: alt.LayerChart | alt.Chart, width: int, height: int = 220) -> alt.TopLevelMixin:
    return drawn.properties(width=width, height=height)


def _ends(rows: list[dict[str, Any]], key: str) -> tuple[float, float]:
    return min(row[key] for row in rows), max(row[key] for row in rows)


def _x(
    field: str, title: str | None = None, form: str = COUNT, *, zero: bool = True,
    ends: tuple[float, float] | None = None,
) -> alt.X:  # fmt: skip
    scale = alt.Scale(domain=list(ends), nice=False) if ends else alt.Scale(zero=zero)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format=form))


def _y(
    field: str, title: str | None = None, form: str = COUNT, *, zero: bool = True,
    ends: tuple[float, float] | None = None,
) -> alt.Y:  # fmt: skip
    scale = alt.Scale(domain=list(ends), nice=False) if ends else alt.Scale(zero=zero)
    return alt.Y(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format=form))


def _steps(field: str, title: str) -> alt.X:
    return alt.X(f"{field}:O", title=title, sort=None, axis=alt.Axis(labelAngle=0))
