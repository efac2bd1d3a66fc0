"""The charts of the trust section: how good the model is, facts in, chart or None out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from clv.report.axes import MONEY, SHARE, data, say_all, sized, steps, x_axis, y_axis
from clv.report.charts import ACCENT, INK, MUTED, SECOND, SOFT, Chart, chart

if TYPE_CHECKING:
    from clv.report.facts import ReportFacts
    from clv.report.sections.forecast import Pair
    from clv.report.sentences import Texts


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
        x, low = (x_axis(field, texts.say("trust.gini"), ".1f") for field in ("gini", "low"))
        colour = alt.condition("datum.chosen", alt.value(ACCENT), alt.value(MUTED))
        rules = data(rows).mark_rule(strokeWidth=3)
        dots = data(rows).mark_point(filled=True, size=70, opacity=1)
        rules = rules.encode(x=low, x2="high", y=y, color=colour)
        dots = dots.encode(x=x, y=y, color=colour)
        return sized(rules + dots, max(110, width - 140), 34 * len(rows))

    title, lead = say_all(texts, "trust", "skill", "skill_lead")
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
        x = steps("x", texts.say("journey.decile"))
        bars = data(rows).mark_bar(color=SOFT).encode(x=x, y=y_axis("actual", form=MONEY))
        size = 0.8 * width / len(rows)
        ticks = data(rows).mark_tick(color=ACCENT, thickness=3, size=size)
        return sized(bars + ticks.encode(x=x, y="predicted:Q"), width)

    title, lead = say_all(texts, "trust", "deciles", "deciles_lead")
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
        x = x_axis("x", texts.say("trust.predicted"), SHARE, ends=(0, 1))
        y = y_axis("y", texts.say("trust.observed"), SHARE, ends=(0, 1))
        line = data([{"x": 0, "y": 0}, {"x": 1, "y": 1}]).mark_line(color=MUTED, strokeDash=[3, 3])
        size = alt.Size("n:Q", legend=None, scale=alt.Scale(range=[40, 140]))
        dots = data(rows).mark_point(filled=True, color=ACCENT, opacity=1)
        return sized(line.encode(x=x, y=y) + dots.encode(x=x, y=y, size=size), width, 260)

    title, lead = say_all(texts, "trust", "calibration", "calibration_lead")
    return chart("calibration", title, lead, draw, texts, *_pairs(
        found, texts, "", texts.say("trust.observed"), "share"
    ))  # fmt: skip


def tracking(facts: ReportFacts, texts: Texts) -> Chart | None:
    """Draw cumulative money, forecast and real."""
    found = facts.trust.tracking
    if len(found) < 2:
        return None
    names = say_all(texts, "trust", "predicted", "actual")
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
        y = y_axis("y", form="$.2~s")
        colour = alt.Color("series:N", sort=list(names), title=None, scale=alt.Scale(
            domain=list(names), range=[ACCENT, SECOND]), legend=alt.Legend(
                orient="top", labelColor=INK, labelFontSize=12, symbolStrokeWidth=3))  # fmt: skip
        dash = alt.StrokeDash("series:N", sort=list(names), title=None, scale=alt.Scale(
            domain=list(names), range=[[1, 0], [5, 3]]))  # fmt: skip
        lines = data(rows).mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=50))
        return sized(lines.encode(x=x, y=y, color=colour, strokeDash=dash), width, 230)

    title, lead = say_all(texts, "trust", "tracking", "tracking_lead")
    return chart("tracking", title, lead, draw, texts, *_pairs(
        found, texts, texts.say("trust.date"), texts.say("trust.actual"), "currency"
    ))  # fmt: skip


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
