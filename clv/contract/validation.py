"""What became of a company's rows: the result of checking tables against the contract."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.contract.matching import LEAST_MATCH, Match, require_matches
from clv.contract.quarantine import target
from clv.display import Displayed
from clv.errors import QuarantineError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from clv.contract.expectations import SuiteResult
    from clv.contract.rules import Rule
    from clv.contract.tables import Tables
    from clv.notes import Note

LIMIT_SHARE = 0.05


@dataclass(frozen=True)
class TableResult:
    """What became of a table's rows.

    Attributes
    ----------
    rows, accepted, quarantined : int
        ``rows`` is the sum of the others.
    rules : mapping of Rule to int
        Every rule that rows broke, with how many; a row may break several.
    first, last : datetime.date or None
        Days of the first and last accepted row, where rows have a time.
    fingerprint : str
        Of the accepted rows' content, in any order.
    """

    rows: int
    accepted: int
    quarantined: int
    rules: Mapping[Rule, int]
    first: dt.date | None
    last: dt.date | None
    fingerprint: str

    @property
    def share(self) -> float:
        """Quarantined rows, as a share of all."""
        return self.quarantined / self.rows if self.rows else 0.0

    def as_dict(self) -> dict[str, object]:
        """Return JSON-able values."""
        return {
            "rows": self.rows,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "share": self.share,
            "rules": [
                {"rule": rule.id, "count": count, "message": f"{rule.column} {rule.message}"}
                for rule, count in self.rules.items()
            ],
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, repr=False)
class ValidationResult(Displayed):
    """How the tables kept the contract.

    Attributes
    ----------
    tables : mapping of str to TableResult
        By the contract's names.
    gx : mapping of str to SuiteResult
        What great-expectations says of the same rows.
    absent : tuple of str
        Tables of the contract that were not given.
    notes : tuple of Note
        Whatever was left out or read in one of several possible ways.
    quarantine : pathlib.Path
        The folder of quarantined rows.
    matches : tuple of Match
        How many ids of each table the others have.
    """

    tables: Mapping[str, TableResult]
    gx: Mapping[str, SuiteResult]
    absent: tuple[str, ...]
    notes: tuple[Note, ...]
    quarantine: Path
    matches: tuple[Match, ...] = ()

    def in_one_line(self) -> str:
        """Return how many rows keep the contract."""
        rows = sum(table.rows for table in self.tables.values())
        held = sum(table.quarantined for table in self.tables.values())
        absent = f"; absent: {', '.join(self.absent)}" if self.absent else ""
        return f"{rows - held:,} of {rows:,} rows accepted in {len(self.tables)} tables{absent}"

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each table, and under it one for each rule that its rows broke."""
        import pandas as pd

        columns = ["table", "rule", "rows", "accepted", "quarantined", "first", "last"]
        rows: list[tuple[object, ...]] = []
        for name, table in self.tables.items():
            counts = (table.rows, table.accepted, table.quarantined, table.first, table.last)
            rows.append((name, "", *counts))
            rows += [
                (name, f"{rule.column} {rule.message}", None, None, count, None, None)
                for rule, count in table.rules.items()
            ]
        frame = pd.DataFrame(rows, columns=columns)
        return frame.astype(dict.fromkeys(("rows", "accepted", "quarantined"), "Int64"))

    @property
    def fingerprint(self) -> str:
        """Of the content of all accepted tables, in any order of rows."""
        text = ";".join(f"{name}={t.fingerprint}" for name, t in sorted(self.tables.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, object]:
        """Return validation.json."""
        return {
            "tables": {name: table.as_dict() for name, table in self.tables.items()},
            "gx": {name: suite.as_dict() for name, suite in self.gx.items()},
            "absent": list(self.absent),
            "fingerprint": self.fingerprint,
            "matches": [match.as_dict() for match in self.matches],
            "notes": [note.as_dict() for note in self.notes],
        }

    def require_matches(self, least: float = LEAST_MATCH) -> None:
        """Stop where too few ids of contacts, surveys or orders are known elsewhere.

        Raises
        ------
        DataError
            Naming the table, the share, and what would make its ids match.
        """
        require_matches(self.matches, least)

    def require(self, limit_share: float = LIMIT_SHARE) -> None:
        """Stop where more rows are quarantined than allowed.

        Raises
        ------
        QuarantineError
            Naming the table, the rules, and where the rows are.
        """
        for name, table in self.tables.items():
            if table.share > limit_share:
                most = sorted(table.rules.items(), key=lambda item: (-item[1], item[0].id))
                causes = [f"{rule.column} {rule.message} ({n:,})" for rule, n in most[:5]]
                twice = most[0][0].kind == "duplicate" and most[0][1] >= table.quarantined / 2
                hint = "Was a file delivered twice? " if twice else ""
                raise QuarantineError(
                    f"{name}: {table.quarantined:,} of {table.rows:,} rows ({table.share:.1%}) "
                    f"break the contract; at most {limit_share:.1%} may: {'; '.join(causes)}. "
                    f"{hint}See {target(self.quarantine, name)}; mend or map the rows, or "
                    "raise quality.quarantine_limit_share."
                )


@dataclass(frozen=True)
class Checked:
    """Accepted tables, and how they were found.

    Attributes
    ----------
    tables : Tables
        Only rows that keep every rule.
    validation : ValidationResult
        What became of all rows.
    """

    tables: Tables
    validation: ValidationResult
