"""Destinations of scores: one file each, and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clv.errors import UsageError
from clv.sinks.base import SCORES, Sink, WriteReport
from clv.sinks.csv import CsvSink
from clv.sinks.hubspot import HubspotSink
from clv.sinks.options import require_apart
from clv.sinks.parquet import ParquetSink
from clv.sinks.salesforce import SalesforceSink
from clv.sinks.sql import SqlSink
from clv.sinks.zendesk import ZendeskSink

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SCORES", "SINKS", "CsvSink", "Sink", "WriteReport", "make_sink", "make_sinks"]

SINKS: dict[str, type[Sink]] = {
    sink.kind: sink
    for sink in (ParquetSink, CsvSink, SqlSink, SalesforceSink, HubspotSink, ZendeskSink)
}
"""Every sink by its ``kind`` in the settings."""


def make_sink(options: Mapping[str, Any]) -> Sink:
    """Make a sink from its section of the settings.

    Parameters
    ----------
    options : mapping
        ``kind`` and the sink's own settings.

    Raises
    ------
    UsageError
        For a kind or a setting that does not exist.

    Examples
    --------
    >>> make_sink({"kind": "hubspot", "id_property": "crm_id"}).id_property
    'crm_id'
    """
    given = dict(options)
    kind = given.pop("kind", None)
    if not isinstance(kind, str) or kind not in SINKS:
        what = "missing" if kind is None else "not known"
        raise UsageError(f"sink: its kind is {what}; expected one of {', '.join(SINKS)}.")
    try:
        return SINKS[kind](**given)
    except TypeError as error:
        known = ", ".join(SINKS[kind].__annotations__)
        raise UsageError(
            f"sink {kind}: settings {', '.join(sorted(given)) or 'missing'} do not fit; "
            f"expected some of {known}."
        ) from error


def make_sinks(sections: Iterable[Mapping[str, Any]]) -> tuple[Sink, ...]:
    """Make all sinks of the settings, each with a place of its own.

    Raises
    ------
    UsageError
        For a setting that cannot be, and where two would write to the same place.

    Examples
    --------
    >>> make_sinks([{"kind": "hubspot"}, {"kind": "hubspot", "file": "second.jsonl"}])[1].places
    ('second.jsonl',)
    """
    sinks = tuple(make_sink(options) for options in sections)
    require_apart(sinks, CsvSink())
    return sinks
