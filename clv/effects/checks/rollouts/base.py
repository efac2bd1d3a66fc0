"""What a gate of a roll-out is, and where they are looked for."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from clv.effects.design.exposure import Floats
    from clv.effects.estimators.rollout import Imputation
    from clv.effects.results import CheckResult


@dataclass(frozen=True)
class RollOutStudy:
    """Contacts before and after a roll-out, and the regression on those before.

    Attributes
    ----------
    imputation : Imputation
        Of comparable contacts.
    outcome : array, shape (C,)
        What the customer did in the days after each contact.
    level : float
        Of intervals.
    seed : int
        Of the wild bootstrap.
    """

    imputation: Imputation
    outcome: Floats
    level: float
    seed: int


class Gate(Protocol):
    """One way in which the estimate of a roll-out could be wrong.

    Attributes
    ----------
    place : int
        Where its result stands among those of the others.
    mend : str
        What would let it pass.
    """

    place: ClassVar[int]
    mend: ClassVar[str]

    def run(self, study: RollOutStudy) -> CheckResult:
        """Look at a study."""
        ...


@cache
def gates() -> tuple[Gate, ...]:
    """Return the gates in their order; every class of this package with a ``mend`` is one.

    Examples
    --------
    >>> [type(gate).__name__ for gate in gates()]
    ['Units', 'PreTrend', 'Composition']
    """
    package = import_module(__package__)
    kinds: set[type[Gate]] = {
        kind
        for module in pkgutil.iter_modules(package.__path__, f"{__package__}.")
        for kind in vars(import_module(module.name)).values()
        if isinstance(kind, type) and kind is not Gate and hasattr(kind, "mend")
    }
    return tuple(kind() for kind in sorted(kinds, key=lambda kind: kind.place))
