"""Who made which version the champion, when and why; and which one that makes it now."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from clv.errors import RegistryError
from clv.registry.version import ChampionMovedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient

CHAMPION = "champion"
PREFIX = "history/"


@dataclass(frozen=True)
class Event:
    """One move of the champion.

    Attributes
    ----------
    action : {"promote", "rollback"}
        What was done.
    version, previous : int or None
        Who was champion after and before.
    who, why : str
        In the words of whoever did it.
    when : str
        ISO time, UTC.
    """

    action: Literal["promote", "rollback"]
    version: int
    previous: int | None
    who: str
    when: str
    why: str

    def as_tag(self) -> str:
        """Return the event as a tag's value."""
        return json.dumps(asdict(self), sort_keys=True)


def utc(when: dt.datetime) -> str:
    """Write a time with its zone as ISO UTC, to the second.

    Examples
    --------
    >>> utc(dt.datetime(2025, 6, 30, 4, 5, tzinfo=dt.UTC))
    '2025-06-30T04:05:00Z'
    """
    return when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def events_of(tags: Mapping[str, str]) -> tuple[Event, ...]:
    """Read the events from a registered model's tags, oldest first.

    Raises
    ------
    RegistryError
        When one is not what clv wrote.
    """
    keys = sorted(key for key in tags if key.startswith(PREFIX))
    return tuple(_event(key, tags[key]) for key in keys)


def _event(key: str, text: str) -> Event:
    try:
        event = Event(**json.loads(text))
        previous = event.previous is None or isinstance(event.previous, int)
        words = all(isinstance(word, str) for word in (event.who, event.when, event.why))
        known = event.action in ("promote", "rollback") and isinstance(event.version, int)
    except (ValueError, TypeError, RecursionError):
        known = previous = words = False
    if not (known and previous and words):
        raise RegistryError(
            f"registry: tag {key[:30]!r} of the registered model is no move of the champion that "
            "clv wrote. Restore the store from a backup, or delete the tag."
        )
    return event


def standing(events: Sequence[Event], champion: int | None) -> tuple[Event, ...]:
    """Leave out a last move that was recorded and never made: its process was killed.

    Examples
    --------
    >>> made = Event("promote", 1, None, "ana", "2025-06-30T00:00:00Z", "better")
    >>> killed = Event("promote", 2, 1, "ana", "2025-07-01T00:00:00Z", "better")
    >>> len(standing([made, killed], 1)), len(standing([made, killed], 2))
    (1, 2)
    """
    unmade = bool(events) and events[-1].version != champion
    return tuple(events[:-1] if unmade else events)


def moves_of(tags: Mapping[str, str], champion: int | None) -> tuple[Event, ...]:
    """Return the moves that a registered model's tags record and that were made, oldest first."""
    return standing(events_of(tags), champion)


def move(
    client: MlflowClient, name: str, event: Event, now: int | None, tags: Mapping[str, str]
) -> None:
    """Record a move of the champion, then make it; a store's lock is held meanwhile.

    Raises
    ------
    ChampionMovedError
        When another process moved it since the event was decided.
    """
    if now != event.previous:
        raise ChampionMovedError(
            f"registry: the champion was version {event.previous} when this {event.action} began "
            f"and is version {now} now; nothing was moved. Look at who moved it, then run again."
        )
    key = next_key(moves_of(tags, now))
    client.set_registered_model_tag(name, key, event.as_tag())
    client.set_registered_model_alias(name, CHAMPION, str(event.version))


def next_key(events: Sequence[Event]) -> str:
    """Return the tag's key for one more event."""
    return f"{PREFIX}{len(events) + 1:06d}"


def before_the_champion(events: Sequence[Event]) -> int:
    """Return the version that a rollback restores.

    A rollback takes back the latest promotion that still stands, so that two rollbacks go
    back two champions and not to and fro.

    Raises
    ------
    RegistryError
        When there was no champion before this one.

    Examples
    --------
    >>> def promote(version, previous):
    ...     return Event("promote", version, previous, "ana", "2025-06-30T00:00:00Z", "better")
    >>> events = [promote(1, None), promote(2, 1), promote(3, 2)]
    >>> before_the_champion(events)
    2
    >>> before_the_champion([*events, Event("rollback", 2, 3, "ana", "…", "worse")])
    1
    """
    champions: list[int] = []
    for event in events:
        if event.action == "rollback":
            del champions[-1:]  # none, where the tag of what it took back is gone
        elif not champions or champions[-1] != event.version:
            champions.append(event.version)
    if len(champions) < 2:
        raise RegistryError(
            "registry: there is no champion to go back to; "
            f"{len(events)} moves are recorded. Promote another version instead."
        )
    return champions[-2]
