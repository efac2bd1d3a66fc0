"""A push: what a CRM should hold, less what it holds, batch by batch, until it is there."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv.errors import SinkError
from clv.notes import silent
from clv.push.base import BatchRefusedError, NotNowError, UnauthorisedError
from clv.push.ledger import Counts, ledger
from clv.sinks.base import chosen, frames, significant, split
from clv.spreadsheet import escaped
from clv.storage import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clv.notes import OnProgress
    from clv.push.base import Change, Connection, Destination, Pause
    from clv.push.ledger import Ledger

ID_CHARACTERS = 255
DAY = "as_of"
"""Sent along with what moved; alone it moves nothing."""

TRIES = 8
FIRST_WAIT_SECONDS = 1.0
MOST_WAIT_SECONDS = 300.0


@dataclass(frozen=True)
class Pushed:
    """What became of a push.

    Attributes
    ----------
    kind, place : str
        Which CRM.
    counts : Counts
        What there was to do.
    written, emptied : int
        Records that the CRM has taken.
    refused : mapping of str to str
        Customers whose record it did not take, and why; the next push tries them again.
    unfit : mapping of str to int
        Why rows of the score table can be nobody's record, with counts.
    """

    kind: str
    place: str
    counts: Counts
    written: int = 0
    emptied: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    unfit: Mapping[str, int] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[str, int]:
        """Why records were refused, with counts."""
        return dict(sorted(Counter(self.refused.values()).items()))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values, without anybody's id."""
        told = {name: value for name, value in asdict(self).items() if name != "refused"}
        return told | {"refused": len(self.refused), "reasons": self.reasons}


@dataclass(frozen=True)
class PushOptions:
    """How a push goes about it.

    Attributes
    ----------
    everything : bool
        Send all records, whatever the ledger says that the CRM holds.
    dry_run : bool
        Count only.
    wait_seconds : float
        For another push.
    """

    everything: bool = False
    dry_run: bool = False
    wait_seconds: float = 0.0


def push(
    scores: str | Path,
    destination: Destination,
    at: str | Path,
    *,
    environment: Mapping[str, str],
    pause: Pause,
    options: PushOptions | None = None,
    on_progress: OnProgress = silent,
) -> Pushed:
    """Make a CRM hold a published score table.

    Parameters
    ----------
    scores : str or pathlib.Path
        The score file of the run that counts.
    destination : Destination
        Which CRM.
    at : str or pathlib.Path
        Its ledger, begun where there is none.
    environment : mapping of str to str
        Where its credentials are.
    pause : callable
        Waits so many seconds.
    options : PushOptions, optional
    on_progress : OnProgress
        Called per batch.

    Raises
    ------
    SinkError
        When the CRM is away, or takes the token no more. What it took is in the ledger; the next
        push goes on from there.
    """
    options = options or PushOptions()
    with ledger(Path(at), destination.place, options.wait_seconds) as held:
        if options.everything:
            held.forget_all()
        unfit: Counter[str] = Counter()
        counts = held.plan(wanted(Path(scores), destination, unfit))
        pushed = Pushed(destination.kind, destination.place, counts, unfit=dict(unfit))
        if options.dry_run or not counts.changed + counts.gone:
            return pushed
        delivery = _Delivery(destination, _connected(destination, environment, pause), held, pause)
        total = counts.changed + counts.gone
        empty = dict.fromkeys(destination.fields.values())
        for batch in held.batches(destination.batch, empty):
            delivery.send(batch)
            on_progress("push", delivery.sent, total)
        return replace(
            pushed,
            written=delivery.written,
            emptied=delivery.emptied,
            refused=delivery.refused,
        )


def _connected(
    destination: Destination, environment: Mapping[str, str], pause: Pause
) -> Connection:
    try:
        return destination.connect(environment, pause)
    except (NotNowError, UnauthorisedError, BatchRefusedError) as error:
        raise SinkError(
            f"push {destination.kind}: {destination.place} gives no token ({error}). Nothing was "
            "sent; check the credentials, then push again."
        ) from error


def write_refused(path: str | Path, refused: Mapping[str, str]) -> Path:
    """Write who was refused, and why, as CSV for this user; it is replaced by every push.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; it is replaced whole.
    refused : mapping of str to str
        The reason by customer.
    """
    path = Path(path)
    with whole(path) as target:
        lines = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
        rows = csv.writer(lines, lineterminator="\n")
        rows.writerow(("customer_id", "reason"))
        rows.writerows((escaped(customer), why) for customer, why in sorted(refused.items()))
        lines.detach()
    return path


def wanted(
    scores: Path, destination: Destination, unfit: Counter[str]
) -> Iterator[tuple[str, str, str]]:
    """Return what the CRM should hold: customer, fields, and those by which a change is told.

    Values are rounded to the destination's significant digits, so that a score that moves by less
    changes no record.

    Parameters
    ----------
    scores : pathlib.Path
    destination : Destination
    unfit : Counter
        Counts of rows that can be nobody's record, by reason, are added here.
    """
    fields = chosen(destination.fields)
    day = fields.get(DAY)
    for frame in frames(scores):
        kept, refused = split(frame, ID_CHARACTERS)
        unfit.update(refused)
        rows = significant(kept[["customer_id", *fields]], destination.digits)
        for customer, *cells in rows.itertuples(index=False, name=None):
            named = dict(zip(fields.values(), map(_plain, cells), strict=True))
            told = {name: value for name, value in named.items() if name != day}
            yield customer, _json(named), _json(told)


class _Delivery:
    """Sends batches and keeps count; a batch that is refused whole is halved to find out who."""

    def __init__(
        self, destination: Destination, connection: Connection, held: Ledger, pause: Pause
    ) -> None:
        self._destination, self._connection = destination, connection
        self._held, self._pause = held, pause
        self.sent = self.written = self.emptied = 0
        self.refused: dict[str, str] = {}

    def send(self, batch: Sequence[Change]) -> None:
        """Send a batch, and note what the CRM took."""
        try:
            refused = dict(self._patiently(batch))
        except BatchRefusedError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                self.send(batch[:middle])
                self.send(batch[middle:])
                return
            refused = {batch[0].customer_id: str(error)}
        taken = [change for change in batch if change.customer_id not in refused]
        self._held.keep([change.customer_id for change in taken])
        emptied = sum(all(value is None for value in c.fields.values()) for c in taken)
        self.emptied += emptied
        self.written += len(taken) - emptied
        self.sent += len(batch)
        self.refused |= refused

    def _patiently(self, batch: Sequence[Change]) -> Mapping[str, str]:
        """Send a batch as often as it takes, waiting as long as the CRM asks for."""
        renewed = False
        wait = FIRST_WAIT_SECONDS
        for attempt in range(1, TRIES + 1):
            try:
                return self._connection.send(batch)
            except UnauthorisedError as error:
                if renewed or not self._connection.renew():
                    raise self._stopped(f"does not take the token ({error})") from error
                renewed = True
            except NotNowError as error:
                if attempt == TRIES:
                    raise self._stopped(f"did not answer {TRIES} times ({error})") from error
                asked = wait if error.wait_seconds is None else error.wait_seconds
                self._pause(min(asked, MOST_WAIT_SECONDS))
                wait = min(wait * 2, MOST_WAIT_SECONDS)
        raise self._stopped("takes no new token")

    def _stopped(self, why: str) -> SinkError:
        done = self.written + self.emptied
        return SinkError(
            f"push {self._destination.kind}: {self._destination.place} {why}. {done:,} records "
            "are there; push again, and it goes on with the others."
        )


def _plain(cell: Any) -> Any:
    """Return a cell as JSON has it, None for what is unknown."""
    if cell is None or cell != cell:
        return None
    if isinstance(cell, bool | int | float | str):
        return cell
    return cell.item() if hasattr(cell, "item") else str(cell)


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, allow_nan=False)
