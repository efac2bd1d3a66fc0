"""What attribution returns: effects with their evidence, and the checks beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from clv.display import Displayed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from clv.plots import Picture

Evidence = Literal["predictive", "adjusted", "quasi-experimental", "experimental"]
EVIDENCE: tuple[Evidence, ...] = ("predictive", "adjusted", "quasi-experimental", "experimental")
"""From the weakest to the strongest; the headline is the strongest that was not refused."""
NUMBERS = ("estimate", "standard_error", "low", "high")
COLUMNS = ("name", "change", "unit", "evidence", *NUMBERS, "headline", "refused")
"""Of an effect as a table."""
PER = "per customer and year"
"""What an effect's amounts are per: customers in contact, and a year of their contacts."""


def rounded(value: float | None, digits: int = 9) -> float | None:
    """Round to significant digits; what is not finite is unknown.

    Examples
    --------
    >>> rounded(1234.56789, 6), rounded(float("nan"))
    (1234.57, None)
    """
    if value is None or not abs(value) < float("inf"):
        return None
    return float(f"{value:.{digits}g}")


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes
    ----------
    name : str
        Which check, a stable word.
    passed : bool or None
        None where the check informs and decides nothing, or could not be run.
    value, threshold : float or None
        What was found, and what was asked of it.
    message : str
        One sentence for people.
    details : mapping of str to float
        Further numbers behind it.
    """

    name: str
    passed: bool | None
    value: float | None
    threshold: float | None
    message: str
    details: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return the result as JSON-able values."""
        return {
            "name": self.name,
            "passed": self.passed,
            "value": rounded(self.value),
            "threshold": self.threshold,
            "message": self.message,
            "details": {key: rounded(value) for key, value in self.details.items()},
        }


@dataclass(frozen=True)
class Refusal:
    """Why a level of evidence is not claimed, and what would mend it."""

    why: str
    mend: str

    def as_dict(self) -> dict[str, str]:
        """Return the refusal as JSON-able values."""
        return {"why": self.why, "mend": self.mend}


@dataclass(frozen=True)
class Level:
    """One behaviour's effect at one level of evidence.

    Attributes
    ----------
    evidence : str
        The level's name.
    estimate, low, high : float or None
        Currency per customer in contact and year, for the behaviour's change on every contact
        with an occasion, each followed for the horizon; None where refused.
    standard_error : float or None
        Of the estimate.
    checks : tuple of CheckResult
        What was looked at.
    refused : Refusal or None
        Set where the level is not claimed.
    """

    evidence: Evidence
    estimate: float | None
    low: float | None
    high: float | None
    standard_error: float | None = None
    checks: tuple[CheckResult, ...] = ()
    refused: Refusal | None = None

    @classmethod
    def refusal(
        cls, evidence: Evidence, why: str, mend: str, checks: tuple[CheckResult, ...] = ()
    ) -> Level:
        """Return a level that is not claimed."""
        return cls(evidence, None, None, None, None, checks, Refusal(why, mend))

    def remarks(self) -> tuple[str, ...]:
        """Say why the level is refused, or which of its checks did not pass."""
        if self.refused is not None:
            return (f"refused, since {self.refused.why}; {self.refused.mend}",)
        failed = (check for check in self.checks if check.passed is False)
        return tuple(f"check {check.name} did not pass: {check.message}" for check in failed)

    def as_dict(self) -> dict[str, object]:
        """Return the level as JSON-able values."""
        return {
            "evidence": self.evidence,
            "estimate": rounded(self.estimate),
            "low": rounded(self.low),
            "high": rounded(self.high),
            "standard_error": rounded(self.standard_error),
            "checks": [check.as_dict() for check in self.checks],
            "refused": None if self.refused is None else self.refused.as_dict(),
        }


@dataclass(frozen=True, repr=False)
class Effect(Displayed):
    """What changing one behaviour does, at every level of evidence.

    Attributes
    ----------
    behaviour : str
        Its name.
    change : float
        The change of it that the numbers are for, on every contact with an occasion.
    unit : str
        Of the change.
    levels : tuple of Level
        From the weakest evidence to the strongest.
    n, agents : int
        Customers, and agents who served them.
    treated_per_customer : float
        Contacts with an occasion for the behaviour, per customer in contact and year.
    """

    behaviour: str
    change: float
    unit: str
    levels: tuple[Level, ...]
    n: int
    agents: int
    treated_per_customer: float

    def in_one_line(self) -> str:
        """Return the headline's estimate, with its interval and evidence."""
        change = f"{self.behaviour} {self.change:+g} {self.unit}"
        if self.best is None or self.best.estimate is None:
            return f"{change}: no effect is claimed"
        ends = "" if self.best.low is None else f" [{self.best.low:+,.2f}, {self.best.high:+,.2f}]"
        return f"{change}: {self.best.estimate:+,.2f}{ends} {PER} ({self.headline})"

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each level of evidence, refusals with their reason."""
        import pandas as pd

        rows = [
            {
                "name": self.behaviour.replace("_", " "),
                "change": self.change,
                "unit": self.unit,
                "evidence": level.evidence,
                "estimate": level.estimate,
                "standard_error": level.standard_error,
                "low": level.low,
                "high": level.high,
                "headline": level.evidence == self.headline,
                "refused": "" if level.refused is None else level.refused.why,
            }
            for level in self.levels
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(NUMBERS, float))

    def plot(self) -> Picture:
        """Draw the effect at every level of evidence that is claimed."""
        from clv import plots

        title = f"{self.behaviour.replace('_', ' ')} {self.change:+g} {self.unit}"
        return plots.forest(self.to_frame(), f"currency {PER}", title)

    @property
    def best(self) -> Level | None:
        """The strongest level that estimates something and was not refused."""
        claimed = [level for level in self.levels if level.estimate is not None]
        return max(claimed, key=lambda level: EVIDENCE.index(level.evidence), default=None)

    @property
    def headline(self) -> str | None:
        """The evidence of the strongest level that was not refused."""
        return None if self.best is None else self.best.evidence

    @property
    def per_contact(self) -> float | None:
        """The headline's estimate per contact that had an occasion."""
        return None if self.best is None else self.per_contact_at(self.best)

    def per_contact_at(self, level: Level) -> float | None:
        """Return a level's estimate per contact that had an occasion."""
        if level.estimate is None or self.treated_per_customer <= 0:
            return None
        return level.estimate / self.treated_per_customer

    def level(self, evidence: Evidence) -> Level | None:
        """Return the level of that name."""
        return next((level for level in self.levels if level.evidence == evidence), None)

    def as_dict(self) -> dict[str, object]:
        """Return the effect as JSON-able values."""
        return {
            "behaviour": self.behaviour,
            "change": self.change,
            "unit": self.unit,
            "headline": self.headline,
            "levels": [level.as_dict() for level in self.levels],
            "per": PER.removeprefix("per "),
            "per_contact": rounded(self.per_contact),
            "contacts_per_customer_year": rounded(self.treated_per_customer),
            "n": self.n,
            "agents": self.agents,
        }
