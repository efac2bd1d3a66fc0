"""Markers found in messages by the engine: one pass, the same on every engine.

Text is read three times and then gone: normalised, searched with one large alternation for
each group of markers (most turns stop there), and searched for each marker of the groups
found. What remains is one flag for each marker and turn.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import ibis

from clv.markers.base import joined
from clv.markers.dialogue import first_name
from clv.markers.nodes import Searches, trouble_of
from clv.markers.normalise import BLANK, VOICE, normalised, was_cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from clv.contract.tables import Tables
    from clv.engines.base import Engine
    from clv.markers.base import Marker, Pack

PREFILTER_CHARS = 3_500
"""Markers share one first search up to patterns of this length: larger automata outgrow RE2's
cache, and a search that outgrows it is ten times slower."""


def turns_of(tables: Tables, pack: Pack) -> ir.Table:
    """Return the turns of attended contacts in normalised text, with who, where and when.

    Columns: ``interaction_id``, ``position``, ``speaker``, ``customer_id``, ``agent_id``,
    ``channel``, ``first_name`` (null where it cannot be looked for), ``started_s``,
    ``sent_s`` (the contact's start where the message has no time), ``timed`` (whether it
    has), ``spoken`` (in the pack's language), ``text_cut`` and ``text`` (empty where
    another language is spoken).
    """
    contacts, messages = tables["interactions"], tables["messages"]
    language = ibis.literal(tables.terms.language)
    if "language" in contacts.columns:
        language = ibis.coalesce(contacts.language, language)
    about = contacts.select(
        contact_id=contacts.interaction_id,
        customer_id=contacts.customer_id,
        agent_id=contacts.agent_id if "agent_id" in contacts.columns else ibis.null("string"),
        channel=contacts.channel,
        started_s=contacts.started_at,
        spoken=_speaks(language, pack.language),
    )
    rows = messages.inner_join(about, messages.interaction_id == about.contact_id)
    rows = _with_names(rows, tables)
    sent_s = rows.sent_at if "sent_at" in rows.columns else ibis.null("int64")
    text = rows.spoken.ifelse(rows.text.fill_null(""), "")
    return rows.select(
        "interaction_id",
        "position",
        "speaker",
        "customer_id",
        "agent_id",
        "channel",
        "first_name",
        "started_s",
        "spoken",
        sent_s=ibis.coalesce(sent_s, rows.started_s),
        timed=sent_s.notnull(),
        text_cut=was_cut(text),
        text=normalised(text, rows.channel == VOICE),
    )


def _with_names(rows: ir.Table, tables: Tables) -> ir.Table:
    """Add the first name of the customer's own record, in the form of the text."""
    if not tables.has("customers", "first_name"):
        return rows.mutate(first_name=ibis.null("string"))
    customers = tables["customers"]
    plain = normalised(customers.first_name.fill_null(""), ibis.literal(value=False))
    known = customers.select(named_id=customers.customer_id, first_name=first_name(plain))
    return rows.left_join(known, rows.customer_id == known.named_id).drop("named_id")


def _speaks(language: ir.StringValue, wanted: str) -> ir.BooleanValue:
    low = language.lower()
    return (low == wanted) | low.startswith(f"{wanted}-") | low.startswith(f"{wanted}_")


def prefilters(pack: Pack) -> dict[str, tuple[tuple[Marker, ...], str]]:
    """Return, by column, groups of markers of one speaker, and one pattern for each group."""
    groups: dict[str, tuple[tuple[Marker, ...], str]] = {}
    for speaker in ("agent", "customer"):
        mine: tuple[Marker, ...] = ()
        for marker in pack.of(speaker=speaker):
            if mine and not _one_search(_either((*mine, marker))):
                groups[f"any_{speaker}_{len(groups)}"] = (mine, _either(mine))
                mine = ()
            mine = (*mine, marker)
        if mine:
            groups[f"any_{speaker}_{len(groups)}"] = (mine, _either(mine))
    return groups


def _one_search(pattern: str) -> bool:
    """Say whether a pattern is one that RE2 takes, and is quick with."""
    return len(pattern) <= PREFILTER_CHARS and trouble_of(pattern) is None


def _either(markers: Sequence[Marker]) -> str:
    """Return one pattern that finds whatever any of the markers finds, spoken or written."""
    patterns = (pattern for m in markers for pattern in (*m.include, *m.voice_include))
    return joined(dict.fromkeys(patterns))


def searches(pack: Pack) -> Searches:
    """Return what ``with_prefilters`` looks for, in a form that travels to nodes."""
    groups = prefilters(pack).items()
    return Searches({name: (markers[0].speaker, pattern) for name, (markers, pattern) in groups})


def searched(engine: Engine, turns: ir.Table, pack: Pack) -> ir.Table:
    """Hold turns beside one column per group of markers; see ``with_prefilters``."""
    search = searches(pack)
    on_nodes = engine.mapped(turns, lambda: search, search.schema)
    return engine.cache(with_prefilters(turns, pack)) if on_nodes is None else on_nodes


def with_prefilters(turns: ir.Table, pack: Pack) -> ir.Table:
    """Add one column per group of markers: whether the turn may show any of them."""
    columns = {
        name: (turns.speaker == markers[0].speaker).ifelse(
            turns.text.re_search(pattern), ibis.literal(value=False)
        )
        for name, (markers, pattern) in prefilters(pack).items()
    }
    return turns.mutate(**columns)


def with_flags(turns: ir.Table, pack: Pack) -> ir.Table:
    """Add one column per marker: found in the turn, or null where it cannot be said.

    It cannot be said of another speaker, channel or language, nor in speech of a marker that
    is declared not for voice.
    """
    columns = {}
    for name, (markers, _) in prefilters(pack).items():
        for marker in markers:
            sure = len(markers) == 1 and not marker.voice_include
            found = turns[name].ifelse(
                presence(turns, marker, sure=sure), ibis.literal(value=False)
            )
            columns[marker.id] = applies(turns, marker).ifelse(found, ibis.null("boolean"))
    return turns.mutate(**columns)


def applies(turns: ir.Table, marker: Marker) -> ir.BooleanValue:
    """Say in which turns a marker can be found or missed."""
    # DuckDB makes a join of each ``in`` with more than a few values, here one for each marker.
    channels = [turns.channel == c for c in marker.channels if marker.voice or c != VOICE]
    return (turns.speaker == marker.speaker) & turns.spoken & reduce(or_, channels)


def presence(turns: ir.Table, marker: Marker, *, sure: bool = False) -> ir.BooleanValue:
    """Say in which turns a marker stands, once the spans of its exclude patterns are blanked.

    ``sure``: the turns are those in which an include pattern was found already.
    """

    def found(text: ir.StringValue) -> ir.BooleanValue:
        plain = text.re_search(marker.pattern)
        if not marker.voice_include:
            return plain
        speech = text.re_search(marker.voice_pattern)
        return (turns.channel == VOICE).ifelse(speech, plain)

    if marker.exclusion is None:
        return ibis.literal(value=True) if sure else found(turns.text)
    # Replacing costs more than searching: only a turn that has both pays for it.
    blanked = turns.text.re_replace(marker.exclusion, BLANK)
    excluded = turns.text.re_search(marker.exclusion)
    if sure:
        return excluded.ifelse(found(blanked), ibis.literal(value=True))
    return ibis.cases(
        (~found(turns.text), ibis.literal(value=False)),
        (excluded, found(blanked)),
        else_=ibis.literal(value=True),
    )
