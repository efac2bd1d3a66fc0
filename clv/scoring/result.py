"""What a scoring run did: the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from clv.display import Displayed

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import pandas as pd

    from clv.notes import Note
    from clv.plots import Picture
    from clv.scoring.changes import Changes

PACKAGES = ("clv", "duckdb", "ibis-framework", "lightgbm", "numpy", "pandas", "pyarrow", "scipy")


def versions() -> dict[str, str]:
    """Return the versions of the packages that a score is computed with."""
    return {name: metadata.version(name) for name in PACKAGES}


@dataclass(frozen=True, repr=False)
class ScoringResult(Displayed):
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

    def in_one_line(self) -> str:
        """Return how many customers were scored, and what they are worth together."""
        place = "nothing published" if self.path is None else f"in {self.path}"
        return (
            f"{self.scored:,} of {self.customers:,} customers scored as of {self.as_of} by "
            f"{self.model_name}/{self.model_version}, worth {self.portfolio['total_clv']:,.0f} "
            f"together, {place}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return customers and value by tenth; 10 is the best."""
        import pandas as pd

        return pd.DataFrame(self.portfolio["deciles"])

    @property
    def plot(self) -> ScorePlots:
        """Return the pictures: deciles in money, and how customers are spread over value."""
        return ScorePlots(self)

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


@dataclass(frozen=True)
class ScorePlots:
    """The pictures of a scoring run.

    Attributes
    ----------
    result : ScoringResult
    """

    result: ScoringResult

    def deciles(self) -> Picture:
        """Draw the mean value of each tenth of customers."""
        from clv import plots

        facts = self.result.to_frame()
        facts = facts[facts["customers"] > 0]
        mean = facts["clv"] / facts["customers"]
        return plots.deciles(facts.assign(predicted=mean), self._currency)

    def values(self) -> Picture:
        """Draw how customers are spread over value; the ends hold everybody beyond."""
        import pandas as pd

        from clv import plots

        bins = pd.DataFrame(self.result.portfolio["histogram"])
        width = float((bins["high"] - bins["low"]).max())
        low = bins["low"].fillna(bins["high"] - width)
        high = bins["high"].fillna(bins["low"] + width)
        return plots.values(bins.assign(low=low, high=high), self._currency)

    @property
    def _currency(self) -> str:
        return str(self.result.portfolio.get("currency", ""))
