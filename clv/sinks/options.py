"""What the settings of sinks may hold, checked before any work; their values are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from clv.errors import UsageError, listing
from clv.sinks.base import SCORES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from clv.sinks.base import Sink, WriteReport

RESERVED = ("scores.parquet", "manifest.json", "tombstones.parquet", "profile.json")
"""Files of a run's directory that are no sink's."""


def whole_number(default: int, low: int, high: int) -> Any:
    """Return the field of a setting that is a whole number within a range."""
    return field(default=default, metadata={"low": low, "high": high})


def file_name(default: str) -> Any:
    """Return the field of a setting that names a file of the run's directory."""
    return field(default=default, metadata={"file": True})


@dataclass(frozen=True)
class Checked:
    """Base of every sink: its settings are checked when it is made."""

    def __post_init__(self) -> None:
        kind = getattr(self, "kind", "")
        for setting in fields(self):
            value = getattr(self, setting.name)
            expected = _expected(str(setting.type), value, setting.metadata)
            if expected:
                raise UsageError(
                    f"sink {kind}: {setting.name} cannot be that; expected {expected}. "
                    "Mend it under scoring.sinks in the settings."
                )

    def restore(
        self,
        scores: Path,  # noqa: ARG002 (files of a run's directory come back with it)
        days: Collection[dt.date],  # noqa: ARG002
        gone: Path | None = None,  # noqa: ARG002
    ) -> WriteReport | None:
        """Do nothing: what the sink wrote lies in the run's directory, and comes back with it."""
        return None

    def run_held(self) -> str | None:
        """Return nothing: what lies in a run's directory is that run's."""
        return None


def _expected(kind: str, value: Any, limits: Mapping[str, Any]) -> str:
    """Say what a setting should be, or nothing where it is."""
    if kind == "int":
        fits = isinstance(value, int) and not isinstance(value, bool)
        fits = fits and limits["low"] <= value <= limits["high"]
        return "" if fits else f"a whole number from {limits['low']:,} to {limits['high']:,}"
    if kind.startswith("Mapping"):
        return _expected_names(value)
    if value is None and "None" in kind:
        return ""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return "text in one line"
    if "file" in limits and not _is_file_name(value):
        return "the name of a file, without a folder, that is none of the run's own"
    return ""


def _expected_names(value: Any) -> str:
    if not isinstance(value, Mapping) or not value:
        return "score columns and the names that they have there"
    unknown = [name for name in value if name not in SCORES.names]
    if unknown:
        return f"some of {', '.join(SCORES.names)}: {listing(unknown)} is not a score column"
    names = list(value.values())
    if not all(isinstance(name, str) and name.strip() and name.isprintable() for name in names):
        return "text in one line as the name of each"
    return "" if len(set(names)) == len(names) else "a name of its own for each score column"


def _is_file_name(name: str) -> bool:
    plain = not any(mark in name for mark in '/\\:*?"<>|') and name[0] not in "._ "
    return plain and name.casefold() not in RESERVED and len(name.encode()) <= 200


def require_apart(sinks: Sequence[Sink], always: Sink) -> None:
    """Refuse two sinks that would write to the same place.

    Parameters
    ----------
    sinks : sequence of Sink
        In the order of the settings.
    always : Sink
        The one that every run writes besides.

    Raises
    ------
    UsageError
        Naming their kinds and positions, and the setting that tells them apart.
    """
    owners = {place.casefold(): "the one that is always written" for place in always.places}
    for number, sink in enumerate(sinks, start=1):
        for place in sink.places:
            owner = owners.setdefault(place.casefold(), f"sink {number}")
            if owner != f"sink {number}":
                raise UsageError(
                    f"scoring.sinks: sink {number} ({sink.kind}) and {owner} would write to the "
                    f"same place; expected one each. Give one of them another {sink.apart_by}."
                )
