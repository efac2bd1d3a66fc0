"""What agents said, sentence by sentence, with everything that names a person masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from clv.markers.canned import skeleton
from clv.markers.language import turns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.contract.tables import Tables
    from clv.markers.base import Pack
    from clv.windows import Window

ENDS = "[.!?;:~()]+"
SPOKEN_SLOTS = {"#": "[number]", "@": "[e-mail]", "u": "[link]", "_": "[name]"}
"""How the masked words of a sentence are shown."""


def agent_sentences(
    tables: Tables, pack: Pack, contacts: Sequence[str], window: Window
) -> pa.Table:
    """Return the sentences of agents in some contacts, as known at the window's cutoff.

    Parameters
    ----------
    tables : Tables
        Accepted tables, messages among them.
    pack : Pack
        Its language is read; contacts in another have no sentences.
    contacts : sequence of str
        ``interaction_id`` of the contacts.
    window : Window
        Messages sent after its cutoff are not read.

    Returns
    -------
    pyarrow Table
        ``interaction_id`` and ``sentence``: normalised words, with links, addresses, numbers
        and names masked.
    """
    engine = tables.engine
    asked = engine.frame(pa.table({"asked_id": pa.array(list(contacts), pa.string())}))
    chosen = tables["interactions"].semi_join(
        asked, tables["interactions"].interaction_id == asked.asked_id
    )
    turns = turns_of(tables.replaced(interactions=chosen), pack)
    said = turns.filter((turns.speaker == "agent") & turns.spoken & window.seen(turns.sent_s))
    # Masked before sentences part, since an address holds full stops, and after, since a name
    # may stand before one.
    whole = skeleton(said.text, said.first_name)
    split = said.select(
        "interaction_id",
        "first_name",
        sentence=whole.re_split(ENDS).unnest(),
    )
    plain = split.select(
        "interaction_id", sentence=skeleton(split.sentence.strip(), split.first_name)
    )
    words = plain.sentence.re_replace("[^a-z'#@_ ]+", " ").re_replace(" +", " ").strip()
    rows = plain.select("interaction_id", sentence=words)
    batches = list(engine.batches(rows.filter(rows.sentence != "")))
    engine.release(asked)
    schema = pa.schema([("interaction_id", pa.string()), ("sentence", pa.string())])
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema)
