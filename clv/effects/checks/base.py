"""What a check is, and where the checks of an estimate are looked for."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from clv.effects.estimators.examiner import Instrumented
    from clv.effects.estimators.plr import Adjusted
    from clv.effects.estimators.study import EffectOptions, Study
    from clv.effects.results import CheckResult, Evidence


@dataclass(frozen=True)
class Estimated:
    """An estimate of one behaviour's effect, and what it was made of.

    Attributes
    ----------
    behaviour : str
        Its name.
    study : Study
    options : EffectOptions
        Thresholds, seeds and the confidence of intervals.
    first : Adjusted
        Coefficients of the adjusted estimator.
    second : Instrumented or None
        Coefficients of the agents' design; None while the adjusted estimate is checked.
    harder : callable or None
        Makes the same study with outcome and durations clipped harder, where that is asked.
    """

    behaviour: str
    study: Study
    options: EffectOptions
    first: Adjusted
    second: Instrumented | None = None
    harder: Callable[[], Study] | None = None


class Check(Protocol):
    """One way in which an estimate could be wrong.

    Attributes
    ----------
    applies_to : tuple of str
        The evidence of the estimates that it looks at.
    place : int
        Where its result stands among those of the others.
    """

    applies_to: ClassVar[tuple[Evidence, ...]]
    place: ClassVar[int]

    def run(self, estimated: Estimated) -> CheckResult | None:
        """Look at an estimate; None where this one gives nothing to look at."""
        ...


@cache
def checks_of(evidence: Evidence) -> tuple[Check, ...]:
    """Return the checks of estimates of that evidence, in their order.

    Every class of this package that has ``applies_to`` is one; it is enough to write it.

    Examples
    --------
    >>> [type(check).__name__ for check in checks_of("adjusted")]
    ['Hidden']
    """
    package = import_module(__package__)
    kinds: set[type[Check]] = {
        kind
        for module in pkgutil.iter_modules(package.__path__, f"{__package__}.")
        for kind in vars(import_module(module.name)).values()
        if isinstance(kind, type) and kind is not Check and hasattr(kind, "applies_to")
    }
    mine = [kind for kind in kinds if evidence in kind.applies_to]
    return tuple(kind() for kind in sorted(mine, key=lambda kind: (kind.place, kind.__name__)))


def run_checks(evidence: Evidence, estimated: Estimated) -> tuple[CheckResult, ...]:
    """Run every check of an estimate that has something to look at."""
    results = (check.run(estimated) for check in checks_of(evidence))
    return tuple(result for result in results if result is not None)
