"""What support said and how: features of markers, as known at the cutoff.

Each marker of the pack gives its rate over the last 365 days, so that a company's own markers
become features by being in the pack. No sign is given to the value model: what a marker goes
with is for attribution to say. A customer without contacts, or without an occasion, is unknown.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from clv.engines.physical import in_units, ratio, thousandths
from clv.features.base import Feature, declared
from clv.markers.contacts import COMPUTED
from clv.markers.packs import load_pack

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

    from clv.events.histories import Histories
    from clv.markers.base import Pack
    from clv.windows import Window

TABLE = "behaviours"
YEAR = 365
EMPATHY_DAYS = (90, YEAR, None)
ENDS = ("start", "end")


def behaviours_known(histories: Histories, window: Window) -> ir.Table:
    """Return markers of the contacts that had begun, counted over what was said by then."""
    contacts, markers = histories.contacts, histories.markers
    assert contacts is not None
    assert markers is not None
    begun = contacts.filter(window.seen(contacts.at_s)).select(
        "interaction_id", "customer_id", "at_s"
    )
    rows = begun.inner_join(markers.contacts(window), "interaction_id")
    days = sorted(span for span in EMPATHY_DAYS if span is not None)
    flags = {f"in_{span}d": window.within(rows.at_s, span) for span in days}
    return rows.mutate(**flags).drop("interaction_id", "at_s")


def marker_features(histories: Histories) -> dict[str, Feature]:
    """Return the features of a pack's markers; none where no messages were read."""
    if histories.markers is None:
        return {}
    return _features_of(_entries(histories.markers.pack))


def is_own_marker(name: str) -> bool:
    """Say whether a feature is of a marker that only a company's own pack can have.

    Examples
    --------
    >>> is_own_marker("warranty_offer_rate_365d"), is_own_marker("empathy_rate_365d")
    (True, False)
    """
    known = {*declared(), *_features_of(_entries(load_pack()))}
    return name.endswith(f"_{YEAR}d") and name not in known


Entry = tuple[str, str, str, str, bool]


def _entries(pack: Pack) -> tuple[Entry, ...]:
    """Return id, group, definition, speaker and whether the place matters, of each marker."""
    said = [(m.id, m.group, m.definition, m.speaker, m.position) for m in pack.markers.values()]
    computed = [(name, group, doc, "agent", False) for name, (group, _, doc) in COMPUTED.items()]
    return (*said, *computed)


@lru_cache(maxsize=4)
def _features_of(entries: tuple[Entry, ...]) -> dict[str, Feature]:
    features = [*_empathy(), *_sentiments(), *_pace()]
    for name, group, doc, speaker, position in entries:
        if speaker == "customer":
            features.append(_shown(name, doc))
            continue
        features.append(_rate(f"{name}_rate", group, doc, f"{name}_hits", f"{name}_occasions"))
        for place in ENDS if position else ():
            words = f"{doc.rstrip('.')} (at the {place} of the conversation)."
            hits, turns = f"{name}_hits_{place}", f"agent_turns_{place}"
            features.append(_rate(f"{name}_{place}_rate", group, words, hits, turns))
    return {feature.name: feature for feature in features}


def _feature(
    name: str,
    group: str,
    doc: str,
    expression: Callable[[ir.Table], ir.Value],
    *,
    needs: tuple[str, ...],
    unit: str = "share",
    days: int | None = YEAR,
) -> Feature:
    span, words = (f"{days}d", f"in the last {days} days") if days else ("ever", "ever")
    return Feature(
        name=f"{name}_{span}",
        table=TABLE,
        group=group,
        needs=(TABLE, *(f"{TABLE}.{column}" for column in needs)),
        unit=unit,
        doc=f"{doc.rstrip('.')}, {words}.",
        expression=expression,
        days=days,
    )


def _here(rows: ir.Table, days: int | None) -> ir.BooleanValue | None:
    return None if days is None else rows[f"in_{days}d"]


def _share(
    rows: ir.Table, hits: str, occasions: str, days: int | None, scale: float = 1.0
) -> ir.Value:
    here = _here(rows, days)
    whole = rows[occasions].sum(where=here)
    return ratio(rows[hits].sum(where=here), whole) / scale


def _mean(rows: ir.Table, column: str, days: int | None = YEAR) -> ir.Value:
    here, value = _here(rows, days), thousandths(rows[column])
    return in_units(value.sum(where=here), value.count(where=here))


def _rate(
    name: str, group: str, doc: str, hits: str, occasions: str, days: int | None = YEAR
) -> Feature:
    value = partial(_share, hits=hits, occasions=occasions, days=days)
    return _feature(name, group, doc, value, needs=(hits, occasions), days=days)


def _empathy() -> list[Feature]:
    doc = "Empathy in answers to the customer when upset"
    needs = ("empathy_hits", "empathy_occasions")
    rates = [_rate("empathy_rate", "empathy", doc, *needs, days=days) for days in EMPATHY_DAYS]
    unique = _feature(
        "empathy_unique_rate",
        "empathy",
        "Empathy in answers to the customer when upset, repetition taken off",
        partial(
            _share,
            hits="empathy_unique_m",
            occasions="empathy_occasions",
            days=YEAR,
            scale=1000.0,
        ),
        needs=("empathy_unique_m", "empathy_occasions"),
    )
    return [*rates, unique]


def _shown(name: str, doc: str) -> Feature:
    def value(rows: ir.Table) -> ir.Value:
        here = _here(rows, YEAR)
        shown = (rows[f"{name}_turns"] > 0).cast("int64")
        return ratio(shown.sum(where=here), shown.count(where=here))

    words = f"Share of contacts in which the customer {doc[0].lower()}{doc[1:]}"
    return _feature(f"{name}_share", "customer", words, value, needs=(f"{name}_turns",))


def _sentiments() -> list[Feature]:
    names = {"opening": "first", "last": "last", "lowest": "most negative"}
    features = [
        _feature(
            f"{name}_sentiment",
            "customer",
            f"Mean sentiment of the customer's {words} turn of a contact, from -1 to 1",
            partial(_mean, column=f"{name}_sentiment"),
            needs=(f"{name}_sentiment",),
            unit="score",
        )
        for name, words in names.items()
    ]
    shift = _feature(
        "sentiment_shift",
        "customer",
        "Mean change of the customer's sentiment over a contact",
        _shift,
        needs=("opening_sentiment", "last_sentiment"),
        unit="score",
    )
    return [*features, shift]


def _shift(rows: ir.Table) -> ir.Value:
    here = _here(rows, YEAR)
    moved = thousandths(rows.last_sentiment) - thousandths(rows.opening_sentiment)
    return in_units(moved.sum(where=here), moved.count(where=here))


def _talk(rows: ir.Table) -> ir.Value:
    here = _here(rows, YEAR)
    mine, theirs = rows.agent_words.sum(where=here), rows.customer_words.sum(where=here)
    return ratio(mine, mine + theirs)


def _pace() -> list[Feature]:
    efficiency = partial(_feature, group="efficiency")
    share = partial(_share, days=YEAR)
    return [
        efficiency(
            "agent_talk_share",
            doc="Agents' share of the words",
            expression=_talk,
            needs=("agent_words", "customer_words"),
        ),
        efficiency(
            "agent_words_per_turn",
            doc="Agents' words per turn",
            expression=partial(share, hits="agent_words", occasions="agent_turns"),
            needs=("agent_words", "agent_turns"),
            unit="ratio",
        ),
        efficiency(
            "response_gap",
            doc="Mean seconds from a customer's turn to the agent's answer",
            expression=partial(share, hits="response_s", occasions="responses"),
            needs=("response_s", "responses"),
            unit="seconds",
        ),
        efficiency(
            "longest_silence",
            doc="Mean over contacts of the longest wait for an answer within the conversation",
            expression=partial(_mean, column="longest_silence_s"),
            needs=("longest_silence_s",),
            unit="seconds",
        ),
    ]
