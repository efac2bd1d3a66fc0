"""What a scoring run did: the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from clv.notes import Note
    from clv.scoring.changes import Changes

PACKAGES = ("clv", "duckdb", "ibis-framework", "lightgbm", "numpy", "pandas", "pyarrow", "scipy")


def versions() -> dict[str, str]:
    """Return the versions of the packages that a score is computed with."""
    return {name: metadata.version(name) for name in PACKAGES}


@dataclass(frozen=True)
class ScoringResult:
    """What a scoring run did.

    Attributes
    ----------
    run : str
        The run's name, which follows from its content.
    path : pathlib.Path or None
        Where it was published; None for a dry run.
    as_of : datetime.date
    model_name, model_version, feature_fingerprint, data_fingerprint : str, int, str, str
        What was scored with what.
    customers, scored, quarantined : int
        Rows in and out; customers = scored + quarantined.
    reasons : mapping of str to int
        Why rows were quarantined; a row may break several rules.
    portfolio : dict
        The document ``portfolio.json``.
    files : mapping of str to dict
        Size and SHA-256 of every file.
    sinks : tuple of dict
        What every sink wrote and rejected.
    drift : dict or None
        Inputs against the training's profile, where one was given.
    packages : mapping of str to str
        Versions.
    changes : Changes or None
        Against the run that was current before; None where there was none.
    finished_at : str or None
        By the caller's clock.
    notes : tuple of Note
    """

    run: str
    path: Path | None
    as_of: dt.date
    model_name: str
    model_version: int
    feature_fingerprint: str
    data_fingerprint: str
    customers: int
    scored: int
    quarantined: int
    reasons: dict[str, int]
    portfolio: dict[str, Any]
    files: dict[str, dict[str, Any]]
    sinks: tuple[dict[str, object], ...]
    drift: dict[str, Any] | None
    packages: dict[str, str]
    changes: Changes | None
    finished_at: str | None
    notes: tuple[Note, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest as JSON-able values."""
        return {
            "run": self.run,
            "dry_run": self.path is None,
            "as_of": self.as_of.isoformat(),
            "model_name": self.model_name,
            "model_version": self.model_version,
            "feature_fingerprint": self.feature_fingerprint,
            "data_fingerprint": self.data_fingerprint,
            "customers": self.customers,
            "scored": self.scored,
            "quarantined": self.quarantined,
            "quarantine": self.reasons,
            "files": self.files,
            "sinks": list(self.sinks),
            "drift": self.drift,
            "packages": self.packages,
            "changes": None if self.changes is None else self.changes.as_dict(),
            "finished_at": self.finished_at,
            "notes": [note.as_dict() for note in self.notes],
        }
