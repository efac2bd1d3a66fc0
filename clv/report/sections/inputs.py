"""What the report is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clv.report import figures

if TYPE_CHECKING:
    from clv.report.figures import Document


@dataclass(frozen=True)
class ReportInputs:
    """The documents that the pipelines wrote, as loaded; any of them may be absent.

    Attributes
    ----------
    validation, training, backtest, contributions, portfolio, attribution, manifest : dict or None
        The JSON documents of the same name, as the other parts' ``as_dict`` give them.
        ``attribution`` may also hold ``phrases``: rows of phrase, value, low, high, contacts.
    monitoring : dict or None
        ``drift`` as ``DriftReport.as_dict()``; without it the manifest's drift is shown.
    previous : dict or None
        ``ReportFacts.as_dict()`` of the report before this one.
    glossary : sequence of dict
        ``{name, group, unit, doc}`` of the features that the model reads.
    organisation : str
        Name in the title.
    individuals : bool
        Show agents one by one; the settings must ask for it.
    """

    validation: Document | None = None
    training: Document | None = None
    backtest: Document | None = None
    contributions: Document | None = None
    portfolio: Document | None = None
    attribution: Document | None = None
    manifest: Document | None = None
    monitoring: Document | None = None
    previous: Document | None = None
    glossary: tuple[Document, ...] | list[Document] = ()
    organisation: str = ""
    individuals: bool = False

    @property
    def customers(self) -> int | None:
        """Customers whose value was predicted."""
        return figures.count(self.portfolio, "customers")

    @property
    def absent(self) -> tuple[str, ...]:
        """Tables of the contract that were not given."""
        names = figures.lookup(self.validation, "absent")
        return tuple(map(str, names)) if isinstance(names, list | tuple) else ()

    @property
    def prospects(self) -> int | None:
        """People without a purchase yet."""
        return figures.count(self.portfolio, "prospects")

    @property
    def horizon_days(self) -> int | None:
        """Horizon of the predicted value."""
        found = (figures.count(d, "horizon_days") for d in (self.portfolio, self.training))
        return next((days for days in found if days is not None), None)

    @property
    def level(self) -> float:
        """Level of the prediction intervals."""
        return (
            figures.number(self.training, "interval_level")
            or figures.number(self.backtest, "level")
            or 0.9
        )
