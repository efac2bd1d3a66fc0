"""The promotion gate: what a model must show before it may be the champion.

Arithmetic over the metrics that a training logs; definitions.md, "Promotion gate".
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from clv.errors import GateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

BASELINE = "btyd"
"""The model every candidate is held against: purchases alone."""

_INTERVAL_WIDTHS = 2 * 1.959963984540054
"""A 95 % interval is this many standard errors wide."""


@dataclass(frozen=True)
class GateLimits:
    """What is asked of a challenger.

    Attributes
    ----------
    gini_standard_errors : float
        How many bootstrap standard errors its normalised Gini may lie below the others'.
    total_bias : float
        Largest |predicted ÷ actual − 1| of the portfolio's total.
    prospects_error : float
        Largest |forecast − realised| of people yet to buy, as a share of the total.
    calibration_error : float
        Largest calibration error of the churn probability.
    coverage_low, coverage_high : float
        Between which the share of customers inside their interval must lie.
    level : float
        The nominal level of that interval.
    """

    gini_standard_errors: float = 1.0
    total_bias: float = 0.15
    prospects_error: float = 0.05
    calibration_error: float = 0.03
    coverage_low: float = 0.85
    coverage_high: float = 0.95
    level: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.coverage_low <= self.coverage_high <= 1:
            raise UsageError(
                f"gate: coverage between {self.coverage_low} and {self.coverage_high}; "
                "expected 0 <= low <= high <= 1."
            )


@dataclass(frozen=True)
class GateCheck:
    """One question of the gate.

    Attributes
    ----------
    name : str
        A stable word for programs.
    passed : bool
        The answer.
    value : float or None
        What was measured; None where it was not.
    low, high : float or None
        Between which it had to lie; None is open.
    message : str
        One sentence for people.
    """

    name: str
    passed: bool
    value: float | None
    low: float | None
    high: float | None
    message: str


@dataclass(frozen=True)
class GateResult:
    """Every question of the gate with its answer.

    Attributes
    ----------
    checks : tuple of GateCheck
        In the order they were asked.
    """

    checks: tuple[GateCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every answer is yes."""
        return all(check.passed for check in self.checks)

    def in_words(self) -> str:
        """Return the answer in a few words, naming the checks that failed."""
        failed = ", ".join(check.name for check in self.checks if not check.passed)
        return "passed" if self.passed else f"stopped: {failed}"

    def in_short(self) -> dict[str, object]:
        """Return whether it passed, and the names of the checks that failed."""
        failed = [check.name for check in self.checks if not check.passed]
        return {"passed": self.passed, "failed": failed}

    @classmethod
    def from_words(cls, text: str) -> dict[str, object] | None:
        """Return ``in_short()`` of what ``in_words()`` returned; None of anything else.

        Parameters
        ----------
        text : str
            Such as a version's tag.

        Examples
        --------
        >>> GateResult.from_words("stopped: coverage, loads")
        {'passed': False, 'failed': ['coverage', 'loads']}
        """
        verdict, _, names = text.partition(": ")
        if verdict not in ("passed", "stopped"):
            return None
        return {"passed": verdict == "passed", "failed": names.split(", ") if names else []}

    def as_dict(self) -> dict[str, object]:
        """Return the result as JSON-able values."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}

    def require(self, where: str, champion: str | None = None) -> None:
        """Stop where an answer is no.

        Parameters
        ----------
        where : str
            The version that was asked about.
        champion : str, optional
            The version that stays in use; None where there is none yet.

        Raises
        ------
        GateError
            Naming each check that failed, with its limits.
        """
        failed = [check.message for check in self.checks if not check.passed]
        if failed:
            stays = (
                f"{champion} stays champion" if champion else "There is no champion yet to score by"
            )
            raise GateError(
                f"{where}: the gate stopped the promotion: {'; '.join(failed)}. {stays}. Look at "
                "backtest.json of its run, or change the limits under `gate`."
            )


def promotion_gate(
    challenger: Mapping[str, float],
    champion: Mapping[str, float] | None = None,
    *,
    model: str = "blend",
    champion_model: str = "blend",
    loads: bool,
    limits: GateLimits | None = None,
) -> GateResult:
    """Ask the gate's questions.

    Parameters
    ----------
    challenger : mapping of str to float
        The metrics its training logged: ``backtest/<model>/gini``, ``…/gini_low``,
        ``…/gini_high`` (95 % bootstrap), ``…/total_bias``, ``…/calibration_error``,
        ``coverage/<level>``, ``backtest/prospects/error`` (0 where nobody is yet to buy).
    champion : mapping of str to float, optional
        The same of the present champion; None where there is none yet.
    model, champion_model : str
        Which of the backtested models was registered.
    loads : bool
        Whether it loaded and scored golden rows in a fresh process.
    limits : GateLimits, optional
        What is asked.

    Returns
    -------
    GateResult
        A metric that is missing fails its question; it is never passed over.

    Examples
    --------
    >>> metrics = {"backtest/blend/gini": 0.7, "backtest/blend/gini_low": 0.68,
    ...     "backtest/blend/gini_high": 0.72, "backtest/btyd/gini": 0.65,
    ...     "backtest/blend/total_bias": 0.02, "backtest/blend/calibration_error": 0.01,
    ...     "coverage/0.9": 0.91, "backtest/prospects/error": 0.002}
    >>> promotion_gate(metrics, loads=True).passed
    True
    >>> promotion_gate(metrics | {"coverage/0.9": 0.7}, loads=True).checks[-2].message
    'coverage of the 90 % interval is 0.7, not between 0.85 and 0.95'
    """
    asked = limits or GateLimits()
    gini = challenger.get(f"backtest/{model}/gini")
    slack = asked.gini_standard_errors * _standard_error(challenger, f"backtest/{model}/gini")
    checks = []
    if champion is not None:
        standing = champion.get(f"backtest/{champion_model}/gini")
        checks.append(_at_least("gini_champion", "normalised Gini", gini, standing, slack))
    if model != BASELINE:
        baseline = challenger.get(f"backtest/{BASELINE}/gini")
        checks.append(_at_least("gini_btyd", "normalised Gini", gini, baseline, slack))
    bias = challenger.get(f"backtest/{model}/total_bias")
    others = challenger.get("backtest/prospects/error")
    error = challenger.get(f"backtest/{model}/calibration_error")
    covered = challenger.get(f"coverage/{asked.level:g}")
    share = f"coverage of the {100 * asked.level:g} % interval"
    checks += [
        _between("total_bias", "total bias", bias, -asked.total_bias, asked.total_bias),
        _between(
            "prospects_error",
            "error of people yet to buy, as a share of the total,",
            others,
            -asked.prospects_error,
            asked.prospects_error,
        ),
        _between("calibration_error", "calibration error", error, 0.0, asked.calibration_error),
        _between("coverage", share, covered, asked.coverage_low, asked.coverage_high),
        _loading(loads),
    ]
    return GateResult(tuple(checks))


def _standard_error(metrics: Mapping[str, float], name: str) -> float:
    """Return the standard error behind a 95 % interval; 0 where none was logged."""
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return 0.0
    return max(high - low, 0.0) / _INTERVAL_WIDTHS


def _between(name: str, words: str, value: float | None, low: float, high: float) -> GateCheck:
    if value is None or not math.isfinite(value):
        return GateCheck(name, passed=False, value=None, low=low, high=high, message=_absent(words))
    passed = low <= value <= high
    verdict = "between" if passed else "not between"
    message = f"{words} is {value:.4g}, {verdict} {low:g} and {high:g}"
    return GateCheck(name, passed, value, low, high, message)


def _at_least(
    name: str, words: str, value: float | None, other: float | None, slack: float
) -> GateCheck:
    whose = "the champion's" if name.endswith("champion") else "BTYD's"
    if value is None or other is None or not (math.isfinite(value) and math.isfinite(other)):
        words = f"{words} against {whose}"
        return GateCheck(
            name, passed=False, value=None, low=None, high=None, message=_absent(words)
        )
    low = other - slack
    passed = value >= low
    verb = "reaches" if passed else "lies below"
    message = f"{words} {value:.4g} {verb} {whose} {other:.4g} less one margin of {slack:.2g}"
    return GateCheck(name, passed, value, low, None, message)


def _absent(words: str) -> str:
    return f"{words} was not measured"


def _loading(loads: bool) -> GateCheck:  # noqa: FBT001 (the answer itself)
    message = "scores golden rows in a fresh process" if loads else "does not load when fresh"
    return GateCheck("loads", loads, float(loads), 1.0, None, message)
