"""Markers that need both sides of a conversation: occasions, echo, names, thirds.

Empathy is counted where there was an occasion for it: in the answer to a customer who was
negative, angry, came again, had trouble or threatened to leave. Spraying warm words over every
conversation cannot raise that share beyond those answers, and apologies that follow failures do
not lower it.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import ibis

from clv.markers.sentiment import NEGATIVE

if TYPE_CHECKING:
    from collections.abc import Iterable

    import ibis.expr.types as ir

    from clv.markers.base import Pack

ECHO_WORDS = 20
"""At most so many words of a customer's turn count as an occasion to take them up."""

MIN_ECHO_LETTERS = 6
"""Shorter words are mostly function words: they say little about what was taken up."""

MOODS = (-600, -300, -50, 50)
"""Bounds of a customer's sentiment in thousandths: VADER's of neutral, and two below them."""

LATE_ANSWER = 4
"""From this answer of a contact on, answers are alike: what went wrong was said before."""

_ORDINARY_NAMES_TEXT = """
will may mark grace art bill chase hope joy faith rose sue pat rich rob frank drew dean
miles june april august summer autumn dawn eve gene guy jack jean josh king lane max mac
melody mercy nick norm olive page paige pearl penny ray reed ruby sky stew ted tony van
victor violet wade ward way young christian daisy amber charity chance chip clay cliff
dale dawn earnest general genie ginger glen hazel heath heather holly iris ivy jade
jasmine lily major my so no in an on an do he me we al ed ty bo
"""
ORDINARY_NAMES = frozenset(_ORDINARY_NAMES_TEXT.split())
"""First names that are words as well: whether they were used is unknown, not guessed."""


def any_of(flags: Iterable[ir.BooleanValue]) -> ir.BooleanValue:
    """Return whether any flag is true, a null counting as false."""
    false = ibis.literal(value=False)
    return reduce(or_, (flag.fill_null(false) for flag in flags), false)


def words(text: ir.StringValue) -> ir.StringValue:
    """Return the words alone, each with a space before and after."""
    plain = text.re_replace("[^a-z0-9']+", " ")
    return ibis.literal(" ").concat(plain, " ")


def word_count(text: ir.StringValue) -> ir.IntegerValue:
    """Count words: runs between single spaces."""
    return (text == "").ifelse(0, text.length() - text.replace(" ", "").length() + 1)


def first_name(name: ir.StringValue) -> ir.StringValue:
    """Return a first name that can be looked for in text; null where it cannot."""
    usable = name.re_search("^[a-z']{2,}$") & name.notin(sorted(ORDINARY_NAMES))
    return usable.ifelse(name, ibis.null("string"))


def uses_name(turns: ir.Table) -> ir.BooleanValue:
    """Say which agent turns use the customer's first name; null where there is none to use."""
    asked = (turns.speaker == "agent") & turns.spoken & turns.first_name.notnull()
    name = ibis.literal(" ").concat(turns.first_name, " ")
    return asked.ifelse(words(turns.text).contains(name), ibis.null("boolean"))


def content(text: ir.StringValue) -> ir.ArrayValue:
    """Return the distinct words of a turn that carry content; null where there is none."""
    kept = text.re_replace(rf"[^a-z' ]+|\b[a-z']{{1,{MIN_ECHO_LETTERS - 1}}}\b", "")
    kept = kept.re_replace(" +", " ").strip().nullif("")
    return kept.split(" ").unique()


def with_echo(turns: ir.Table) -> ir.Table:
    """Add how many content words the customer's turn before had, and how many were taken up.

    Takes turns with ``content``, which is let go.
    """
    here = ibis.window(group_by=turns.interaction_id, order_by=turns.position)
    turns = turns.mutate(
        heard_words=turns.content.lag().over(here), heard_from=turns.speaker.lag().over(here)
    )
    answer = (turns.speaker == "agent") & (turns.heard_from == "customer") & turns.spoken
    number = ibis.null("int64")
    offered = ibis.least(turns.heard_words.length(), ECHO_WORDS).cast("int64")
    shared = turns.heard_words.intersect(turns.content).length().fill_null(0)
    echoed = ibis.least(shared, ECHO_WORDS).cast("int64")
    return turns.mutate(
        echo_words=answer.ifelse(offered, number),
        echoed=(answer & offered.notnull()).ifelse(echoed, number),
    ).drop("heard_words", "heard_from", "content")


def upset(turns: ir.Table, pack: Pack) -> ir.BooleanValue:
    """Say which customer turns call for empathy."""
    signs = [turns[marker.id] for marker in pack.of(upset=True)]
    negative = turns.sentiment_m <= NEGATIVE
    return (turns.speaker == "customer") & any_of([negative, *signs])


def empathic(turns: ir.Table, pack: Pack) -> ir.BooleanValue:
    """Say which agent turns show empathy of any kind."""
    return any_of([turns[marker.id] for marker in pack.of(empathic=True, speaker="agent")])


def placed(turns: ir.Table) -> ir.Table:
    """Add each agent turn's third of the conversation, and what had been said before it.

    ``at_start`` and ``at_end`` are the first and last third of the agent's turns, rounded up
    (a single turn is both). ``heard`` counts the customer's turns so far: agent turns with
    the same number are one answer. ``upset_so_far`` counts the upset ones among them.
    """
    mine = turns.speaker == "agent"
    running = ibis.window(
        group_by=turns.interaction_id, order_by=turns.position, preceding=None, following=0
    )
    whole = ibis.window(group_by=turns.interaction_id)
    turns = turns.mutate(
        number=mine.cast("int64").sum().over(running),
        numbers=mine.cast("int64").sum().over(whole),
        heard=(turns.speaker == "customer").cast("int64").sum().over(running),
        upset_so_far=turns.is_upset.cast("int64").sum().over(running),
    )
    third = (turns.numbers + 2) // 3
    at_start, at_end = turns.number <= third, turns.number > turns.numbers - third
    return turns.mutate(at_start=at_start, at_end=at_end, at_middle=~at_start & ~at_end)


def answers(turns: ir.Table) -> ir.Table:
    """Return one row per answer: whether it was called for, and what it held.

    An answer is the agent's turns between two of the customer's; ``heard`` tells a contact's
    answers apart. It is an occasion (``called``) when any customer turn since the agent last
    spoke was upset. ``unique_m`` is zero where nothing in the answer was empathic.
    """
    said = turns.filter((turns.speaker == "agent") & (turns.heard > 0))
    rows = said.group_by("interaction_id", "heard").aggregate(
        met=said.is_empathic.max(),
        unique_m=said.unique_m.max().fill_null(0).cast("int64"),
        upset_so_far=said.upset_so_far.max(),
    )
    before = rows.upset_so_far.lag().over(_in_order(rows))
    return rows.mutate(called=rows.upset_so_far > before.fill_null(0)).drop("upset_so_far")


def _in_order(answers: ir.Table) -> ibis.expr.builders.WindowBuilder:
    return ibis.window(group_by=answers.interaction_id, order_by=answers.heard)


def empathy_in_answers(turns: ir.Table) -> ir.Table:
    """Return empathy by contact: occasions, answers that met them, and their uniqueness."""
    rows = answers(turns)
    met = rows.called & rows.met
    return rows.group_by("interaction_id").aggregate(
        empathy_hits=met.sum().cast("int64"),
        empathy_occasions=rows.called.sum().cast("int64"),
        empathy_unique_m=rows.unique_m.sum(where=met).fill_null(0).cast("int64"),
    )


def answers_by_call(turns: ir.Table) -> ir.Table:
    """Add to ``answers`` how loud the call was: ``answer`` and ``mood``.

    ``answer`` numbers a contact's answers from 1 to ``LATE_ANSWER``, which holds all later
    ones. ``mood`` counts the bounds of ``MOODS`` that the mean sentiment of the customer's
    turns since the agent last spoke lies above.
    """
    running = ibis.window(
        group_by=turns.interaction_id, order_by=turns.position, preceding=None, following=0
    )
    felt = turns.sentiment_m.fill_null(0).cast("int64").sum().over(running)
    turns = turns.mutate(felt_so_far=felt)
    said = turns.filter((turns.speaker == "agent") & (turns.heard > 0))
    felt_at = said.group_by("interaction_id", "heard").aggregate(felt=said.felt_so_far.max())
    rows = answers(turns).inner_join(felt_at, ["interaction_id", "heard"])
    here = _in_order(rows)
    felt = rows.felt - rows.felt.lag().over(here).fill_null(0)
    spoke = rows.heard - rows.heard.lag().over(here).fill_null(0)
    mood = sum(((felt > bound * spoke).cast("int64") for bound in MOODS), ibis.literal(0))
    number = ibis.least(ibis.row_number().over(here) + 1, LATE_ANSWER)
    return rows.mutate(mood=mood.cast("int64"), answer=number.cast("int64")).drop("felt")
