"""What reading an experiment returns, and how it is stored and read again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from clv.display import Displayed
from clv.errors import DataError
from clv.experiments.compare import Difference
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from clv.plots import Picture

UNBIASED = ("mlrate", "cuped", "plain")
"""Methods by precision; ``winsorised`` is a sensitivity, ``always-valid`` is for peeking."""


@dataclass(frozen=True)
class Comparison:
    """One arm against control, by one method.

    Attributes
    ----------
    arm, method : str
        ``plain``, ``cuped``, ``mlrate``, ``winsorised`` (a sensitivity: it is biased
        towards 0) or ``always-valid``.
    estimate, low, high, standard_error, p_value : float
        Currency per customer over the horizon.
    """

    arm: str
    method: str
    estimate: float
    low: float
    high: float
    standard_error: float
    p_value: float

    def as_dict(self) -> dict[str, object]:
        """Return the comparison as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class Moved:
    """By how much an arm moved one behaviour, and the outcome per unit that it moved.

    Attributes
    ----------
    behaviour, arm : str
        Which.
    shift : Difference
        Of the behaviour's sum over a row's contacts, in its own unit.
    slope : Difference or None
        Currency per unit of that sum; None where the shift is in doubt.
    """

    behaviour: str
    arm: str
    shift: Difference
    slope: Difference | None

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Moved:
        """Return what ``as_dict`` was made from."""
        slope = row["slope"]
        return cls(
            row["behaviour"],
            row["arm"],
            Difference(**row["shift"]),
            None if slope is None else Difference(**slope),
        )


@dataclass(frozen=True, repr=False)
class ReadOut(Displayed):
    """What an experiment did.

    Attributes
    ----------
    experiment, unit : str
        Its name, and what was randomised.
    customers : dict of str to int
        Rows by arm: customers, or contacts where agents or contacts were randomised.
    sample_ratio_p : float
        That arms are as large as planned.
    trusted : bool
        False where they are not: then no number may be used.
    level : float
        Of the intervals.
    comparisons : tuple of Comparison
        Each arm against control, by each method.
    subgroups : tuple of dict
        By segment, with p-values adjusted for their number.
    moved : tuple of Moved
        By behaviour, where contacts were given.
    notes : tuple of Note
        What was left out.
    as_of, horizon_days, currency, outcome : str, int, str, str
        What the numbers are of; empty and 0 where rows were handed in by hand.
    """

    experiment: str
    unit: str
    customers: Mapping[str, int]
    sample_ratio_p: float
    trusted: bool
    level: float
    comparisons: tuple[Comparison, ...]
    subgroups: tuple[Mapping[str, Any], ...] = ()
    moved: tuple[Moved, ...] = ()
    notes: tuple[Note, ...] = ()
    as_of: str = ""
    horizon_days: int = 0
    currency: str = ""
    outcome: str = ""

    def in_one_line(self) -> str:
        """Return what each arm did against control, or that no number may be used."""
        rows = sum(self.customers.values())
        if not self.trusted:
            return (
                f"{self.experiment}: arms are not as large as planned "
                f"(p = {self.sample_ratio_p:.2g}): no number of it may be used"
            )
        arms = ", ".join(
            f"{c.arm} {c.estimate:+,.2f} [{c.low:+,.2f}, {c.high:+,.2f}]" for c in self.headlines
        )
        return f"{self.experiment}, {rows:,} rows: {arms} {self.currency}".rstrip()

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each arm and method."""
        import pandas as pd

        names = [field.name for field in fields(Comparison)]
        return pd.DataFrame([c.as_dict() for c in self.comparisons], columns=names)

    @property
    def plot(self) -> ReadOutPlots:
        """Return the pictures: arms, each by every method."""
        return ReadOutPlots(self)

    @property
    def best(self) -> Comparison:
        """The most precise unbiased comparison of the first arm."""
        return min(
            (c for c in self.comparisons if c.method in UNBIASED),
            key=lambda c: (c.arm != self.comparisons[0].arm, UNBIASED.index(c.method)),
        )

    @property
    def headlines(self) -> tuple[Comparison, ...]:
        """Each arm's comparison to go by: the one for peeking if asked for, else the best."""
        order = ("always-valid", *UNBIASED)
        arms = dict.fromkeys(one.arm for one in self.comparisons)
        return tuple(
            min(
                (c for c in self.comparisons if c.arm == arm and c.method in order),
                key=lambda c: order.index(c.method),
            )
            for arm in arms
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the read-out as JSON-able values."""
        return {
            **{name: getattr(self, name) for name in ("experiment", "unit", "as_of")},
            "horizon_days": self.horizon_days,
            "currency": self.currency,
            "outcome": self.outcome,
            "customers": dict(self.customers),
            "sample_ratio_p": self.sample_ratio_p,
            "trusted": self.trusted,
            "level": self.level,
            "comparisons": [one.as_dict() for one in self.comparisons],
            "subgroups": [dict(row) for row in self.subgroups],
            "moved": [one.as_dict() for one in self.moved],
            "notes": [note.as_dict() for note in self.notes],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], where: str = "read-out") -> ReadOut:
        """Return the read-out that ``as_dict`` was made from.

        Raises
        ------
        DataError
            When the document is no read-out.
        """
        try:
            parts = {
                "comparisons": tuple(Comparison(**row) for row in document["comparisons"]),
                "subgroups": tuple(document["subgroups"]),
                "moved": tuple(Moved.from_dict(row) for row in document["moved"]),
                "notes": tuple(Note(**row) for row in document["notes"]),
            }
            return cls(**{**document, **parts})
        except (AttributeError, KeyError, TypeError) as error:
            raise DataError(
                f"{where}: is no read-out of an experiment ({error}); expected a file that "
                "`clv experiment read` wrote. Read the experiment again."
            ) from None


@dataclass(frozen=True)
class ReadOutPlots:
    """The pictures of a read-out.

    Attributes
    ----------
    read_out : ReadOut
    """

    read_out: ReadOut

    def arms(self) -> Picture:
        """Draw each arm against control, by every method."""
        from clv import plots

        facts = self.read_out.to_frame()
        facts = facts.assign(name=facts["arm"] + ", " + facts["method"], evidence="experimental")
        unit = f"{self.read_out.currency} per customer over {self.read_out.horizon_days} days"
        title = f"Experiment {self.read_out.experiment}"
        return plots.forest(facts, unit if self.read_out.currency else "per customer", title)
