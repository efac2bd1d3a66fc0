"""Markers of contacts: what was found in turns, counted for each contact as known at a cutoff.

Text is read once, into flags and counts for each turn; the text itself is let go. Most contacts
were over before any cutoff of interest, and their counts are held ready; a conversation that a
cutoff divides is counted again from the turns sent by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from clv.errors import SchemaError
from clv.markers import canned, dialogue, language, sentiment, timing
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from clv.contract.tables import Tables
    from clv.markers.base import Pack
    from clv.windows import Window

COMPUTED = {
    "name_use": ("empathy", 1, "Uses the customer's first name, as the record has it."),
    "echo": ("empathy", 1, "Share of the customer's content words that the answer takes up."),
    "canned": ("efficiency", -1, "Share of agent turns that are a template or a near copy of one."),
    "repeated_apology": ("empathy", -1, "Apologises in more than one turn of a contact."),
    "promise_kept": ("resolution", 1, "A promise to come back was kept, and in time."),
}
"""Computed markers: group, expected sign and definition, by id."""

PLACES = ("start", "middle", "end")


@dataclass(frozen=True)
class ContactMarkers:
    """Markers of every contact, free of any cutoff.

    Attributes
    ----------
    tables : Tables
        Where they came from.
    pack : Pack
        What was looked for.
    turns : ibis Table
        One row per turn of attended contacts, without its text: flags of markers, ``words``,
        ``sentiment_m``, ``sent_s`` and what ``dialogue`` and ``timing`` add.
    whole : ibis Table
        One row per contact with messages, all of them counted; see ``contacts``.
    promises : ibis Table or None
        When either side was next in contact; None where nobody says which side
        began a contact.
    notes : tuple of Note
        What could not be read: other languages, turns that were cut.
    """

    tables: Tables
    pack: Pack
    turns: ir.Table
    whole: ir.Table
    promises: ir.Table | None
    notes: tuple[Note, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``contacts``."""
        return frozenset(self.contacts(None).columns)

    def contacts(self, window: Window | None) -> ir.Table:
        """Return counts per contact of what was known at the window's cutoff.

        Parameters
        ----------
        window : Window or None
            None: everything, whenever it was sent.

        Returns
        -------
        ibis Table, keyed by ``interaction_id``
            ``<marker>_hits`` and ``<marker>_occasions`` of agents' behaviours (turns that
            show it, and turns that could), ``empathy_hits`` and ``empathy_occasions``
            (answers to an upset customer), ``empathy_unique_m`` (hits less repetition, in
            thousandths), ``<marker>_hits_start`` (``_middle``, ``_end``) where the place
            matters, ``<marker>_turns`` and ``opening_<marker>`` of customers' markers,
            ``opening_sentiment``, ``last_sentiment``, ``lowest_sentiment`` (−1 to 1), and
            what ``timing.durations`` adds. Null where the language is another.
        """
        if window is None:
            return self._with_promises(self.whole.drop("first_s", "last_s"), None)
        over = window.seen(self.whole.last_s)
        begun = self.whole.filter(~over & window.seen(self.whole.first_s))
        seen = self.turns.filter(window.seen(self.turns.sent_s))
        divided = counted(seen.semi_join(begun, "interaction_id"), self.pack)
        done = self.whole.filter(over)
        rows = ibis.union(done, divided.select(*done.columns)).drop("first_s", "last_s")
        return self._with_promises(rows, window)

    def answers(self, window: Window | None) -> ir.Table:
        """Return answers to customers as known at the window's cutoff, for ``by_opportunity``.

        Parameters
        ----------
        window : Window or None
            None: everything, whenever it was sent.

        Returns
        -------
        ibis Table
            One row per answer in the pack's language, keyed by ``interaction_id`` and ``heard``
            (the customer's turns before it): what says how much empathy it called for
            (``called``, ``answer``, ``mood``; see ``dialogue.answers_by_call``),
            ``empathy_hits`` (0 or 1), ``empathy_unique_hits`` (less repetition, 0 to 1), and
            ``empathy_occasions`` and ``empathy_unique_occasions`` (1).
        """
        turns = self.turns if window is None else self.turns.filter(window.seen(self.turns.sent_s))
        rows = dialogue.answers_by_call(dialogue.placed(turns.filter(turns.spoken)))
        return rows.select(
            "interaction_id",
            "heard",
            "called",
            "answer",
            "mood",
            empathy_hits=rows.met.cast("int64"),
            empathy_occasions=ibis.literal(1, "int64"),
            empathy_unique_hits=rows.unique_m / 1000.0,
            empathy_unique_occasions=ibis.literal(1, "int64"),
        )

    def _with_promises(self, rows: ir.Table, window: Window | None) -> ir.Table:
        if self.promises is None:
            return rows.drop("promised_s")
        joined = rows.left_join(self.promises, "interaction_id").drop("interaction_id_right")
        due_s = ibis.coalesce(joined.promised_s, joined.usual_s)
        kept = (joined.company_s <= due_s) & (joined.company_s <= joined.customer_s)
        given = joined.followup_promise_hits > 0
        if window is not None:
            given &= window.seen(ibis.least(joined.company_s, joined.customer_s, due_s))
        given = given.fill_null(ibis.literal(value=False))
        return joined.mutate(
            promise_kept_hits=(given & kept).cast("int64"),
            promise_kept_occasions=given.cast("int64"),
        ).drop("promised_s", "company_s", "customer_s", "usual_s")

    def close(self) -> None:
        """Let the engine forget the rows."""
        for rows in (self.turns, self.whole, self.promises):
            if rows is not None:
                self.tables.engine.release(rows)


def make_markers(
    tables: Tables, pack: Pack, *, allowed_scripts: Sequence[str] = ()
) -> ContactMarkers:
    """Read all messages once.

    Parameters
    ----------
    tables : Tables
        Accepted tables, interactions and messages among them.
    pack : Pack
        What to look for.
    allowed_scripts : sequence of str
        Sentences that the company asks its agents to say: neither canned nor empathy.

    Raises
    ------
    SchemaError
        Without interactions or messages.
    """
    for name in ("interactions", "messages"):
        if name not in tables:
            raise SchemaError(
                f"{name}: the table was not given, and markers are read from messages of "
                f"interactions. Add a file {name}.parquet, or map one under sources.{name}."
            )
    engine = tables.engine
    said = language.searched(engine, language.turns_of(tables, pack), pack)
    turns = _turns(tables, pack, said, allowed_scripts)
    notes = _notes(tables, said, pack)
    engine.release(said)
    whole = engine.cache(counted(turns, pack))
    promises = None
    if tables.has("interactions", "initiated_by"):
        promises = engine.cache(timing.promises(tables["interactions"]))
    return ContactMarkers(tables, pack, turns, whole, promises, notes)


def _turns(tables: Tables, pack: Pack, said: ir.Table, allowed: Sequence[str]) -> ir.Table:
    """Turn texts into flags and counts, and hold them without the text."""
    engine = tables.engine
    felt = sentiment.sentiments(engine, said)
    rows = language.with_flags(said, pack)
    rows = rows.mutate(
        words=dialogue.word_count(rows.text),
        names=dialogue.uses_name(rows),
        content=dialogue.content(rows.text),
        skeleton=canned.skeleton(rows.text, rows.first_name),
        promised_s=_promised(rows),
    )
    rows = rows.left_join(felt, (rows.text == felt.said) & (rows.speaker == "customer")).drop(
        "said"
    )
    rows = rows.mutate(
        is_empathic=dialogue.empathic(rows, pack), is_upset=dialogue.upset(rows, pack)
    )
    read = engine.cache(rows.drop(*language.prefilters(pack)))
    uses = read.filter((read.speaker == "agent") & read.spoken)
    templates = canned.canned_turns(engine, uses, allowed)
    credit = canned.unique_credit(engine, canned.empathic_sentences(uses, pack), allowed)
    rows = dialogue.with_echo(read.drop("text", "skeleton", "first_name", "text_cut"))
    for more in (templates, credit):
        rows = rows.left_join(more, ["interaction_id", "position"]).drop(
            "interaction_id_right", "position_right"
        )
    # The share of templates is over turns long enough to be one; where none of an empathic
    # turn's sentences carries it alone, the turn counts for itself.
    turns = engine.cache(timing.with_gaps(rows))
    for table in (felt, read, templates, credit):
        engine.release(table)
    return turns


def _promised(rows: ir.Table) -> ir.Value:
    """Return by when a turn that promises to come back says that it will; null without."""
    if "followup_promise" not in rows.columns:
        return ibis.null("int64")
    due_s = timing.promised_by(rows.text, rows.sent_s)
    return rows.followup_promise.ifelse(due_s, ibis.null("int64"))


def _notes(tables: Tables, said: ir.Table, pack: Pack) -> tuple[Note, ...]:
    """Count the contacts in other languages, and the turns that were cut."""
    counts = tables.engine.to_pandas(
        said.aggregate(
            foreign=said.interaction_id.nunique(where=~said.spoken), cut=said.text_cut.sum()
        )
    ).fillna(0)
    found = {name: int(counts[name].iloc[0]) for name in ("foreign", "cut")}
    notes = (
        Note(
            "other_language",
            "messages",
            found["foreign"],
            f"contacts in another language than {pack.language!r}: their markers are unknown",
        ),
        Note("text_cut", "messages", found["cut"], "turns read up to 20,000 characters"),
    )
    return tuple(note for note in notes if note.count)


def counted(turns: ir.Table, pack: Pack) -> ir.Table:
    """Count markers by contact over the turns given."""
    rows = dialogue.placed(turns)
    answers = dialogue.empathy_in_answers(rows)
    totals = rows.group_by("interaction_id").aggregate(
        first_s=rows.sent_s.min(),
        last_s=rows.sent_s.max(),
        **timing.durations(rows),
        **_behaviours(rows, pack),
        **_computed(rows),
        promised_s=rows.promised_s.max(),
        **_customer_side(rows, pack),
        **{
            f"agent_turns_{place}": rows[f"at_{place}"]
            .sum(where=rows.speaker == "agent")
            .fill_null(0)
            .cast("int64")
            for place in PLACES
        },
        spoken=rows.spoken.max(),
    )
    joined = totals.left_join(answers, "interaction_id").drop("interaction_id_right")
    joined = joined.mutate(
        repeated_apology_hits=(joined.apology_hits >= 2).cast("int64"),
        repeated_apology_occasions=(joined.apology_hits >= 1).cast("int64"),
        **{
            name: joined[name].fill_null(0)
            for name in ("empathy_hits", "empathy_occasions", "empathy_unique_m")
        },
    )
    # What another language says is unknown, not zero.
    known = {
        name: joined.spoken.ifelse(joined[name], ibis.null("int64"))
        for name in joined.columns
        if "_hits" in name or "_occasions" in name or name.endswith(("_turns", "_unique_m"))
    }
    return joined.mutate(**known).drop("spoken")


def _behaviours(rows: ir.Table, pack: Pack) -> dict[str, ir.Value]:
    columns: dict[str, ir.Value] = {}
    for marker in pack.of(speaker="agent", role="behaviour"):
        flag = rows[marker.id]
        columns[f"{marker.id}_hits"] = flag.sum().fill_null(0).cast("int64")
        columns[f"{marker.id}_occasions"] = flag.count()
        for place in PLACES if marker.position else ():
            columns[f"{marker.id}_hits_{place}"] = (
                (flag & rows[f"at_{place}"]).sum().fill_null(0).cast("int64")
            )
    return columns


def _computed(rows: ir.Table) -> dict[str, ir.Value]:
    return {
        "name_use_hits": rows.names.max().cast("int64").fill_null(0),
        "name_use_occasions": rows.names.notnull().max().cast("int64"),
        "echo_hits": rows.echoed.sum().fill_null(0).cast("int64"),
        "echo_occasions": rows.echo_words.sum().fill_null(0).cast("int64"),
        "canned_hits": rows.is_canned.sum().fill_null(0).cast("int64"),
        "canned_occasions": rows.is_canned.count(),
    }


def _customer_side(rows: ir.Table, pack: Pack) -> dict[str, ir.Value]:
    felt = rows.sentiment_m
    scored = felt.notnull()
    columns: dict[str, ir.Value] = {
        "opening_sentiment": felt.argmin(rows.position, where=scored) / 1000.0,
        "last_sentiment": felt.argmax(rows.position, where=scored) / 1000.0,
        "lowest_sentiment": felt.min() / 1000.0,
    }
    for marker in pack.of(speaker="customer"):
        flag = rows[marker.id]
        columns[f"{marker.id}_turns"] = flag.sum().fill_null(0).cast("int64")
        if marker.role == "control":
            first = flag.argmin(rows.position, where=flag.notnull())
            columns[f"opening_{marker.id}"] = first.cast("int64")
    return columns
