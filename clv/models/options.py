"""What a user may decide about the models."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from clv.errors import UsageError
from clv.models.btyd import BTYD
from clv.models.trees.boosting import Growth

AUTO = "auto"
MODELS: dict[str, float | None] = {"blend": None, "btyd": 1.0, "lightgbm": 0.0}
"""The weight of BTYD that each model means; None lets the folds decide."""


@dataclass(frozen=True)
class ModelOptions:
    """Options of training and backtest.

    Attributes
    ----------
    model : str
        A key of ``MODELS``: ``blend`` lets the folds weigh BTYD against the trees.
    purchase_model : str
        ``auto`` (held-out likelihood and tracking decide) or a key of ``BTYD``.
    level : float
        Nominal coverage of intervals.
    folds : int
        Backtest cutoffs.
    reporting_delay_days : int
        Days until an outcome is complete, beyond the horizon.
    rows : int
        At most so many rows are learned from; above, whole customers are sampled.
    time_unit_days : int
        The unit in which BTYD parameters are reported: 1, or 7 as in most papers.
    growth : Growth
        Size of the trees, threads and seed.
    allow : tuple of str
        Features that the leak guard must let pass.
    seed : int
        Of everything drawn.
    """

    model: str = "blend"
    purchase_model: str = AUTO
    level: float = 0.9
    folds: int = 3
    reporting_delay_days: int = 0
    rows: int = 60_000
    time_unit_days: int = 1
    growth: Growth = field(default_factory=Growth)
    allow: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UsageError(f"model is {self.model!r}; expected one of {', '.join(MODELS)}.")
        if self.purchase_model not in (AUTO, *BTYD):
            raise UsageError(
                f"purchase_model is {self.purchase_model!r}; expected {AUTO!r} or one of "
                f"{', '.join(BTYD)}."
            )
        if not 0.5 <= self.level < 1:
            raise UsageError(f"level is {self.level}; expected at least 0.5 and below 1.")
        for name in ("folds", "rows", "time_unit_days"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; expected 1 or more.")

    def as_dict(self) -> dict[str, Any]:
        """Return the options as JSON-able values."""
        return asdict(self)
