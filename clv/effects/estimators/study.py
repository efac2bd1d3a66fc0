"""A study: one exposure, prepared for both estimators of a set of behaviours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from clv.effects.design.exposure import CLIP_SHARES, Basis, basis
from clv.effects.estimators.examiner import (
    Instrumented,
    instrumented,
    instruments,
    within_strata,
)
from clv.effects.estimators.plr import Adjusted, partialled_out
from clv.effects.estimators.residuals import customer_folds, ridge, within_residuals
from clv.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clv.effects.design.exposure import Behaviour, Codes, Exposure, Floats
    from clv.effects.estimators.residuals import Learner


@dataclass(frozen=True)
class EffectOptions:
    """How effects are estimated, and when they are refused.

    Attributes
    ----------
    level : float
        Of every interval.
    folds : int
        Folds of the cross-fitting, by customer.
    seed : int
        For folds and permutations.
    nuisance : {"ridge", "boosted"}
        What predicts outcomes and behaviours from controls; ``boosted`` puts LightGBM on
        what ridge leaves.
    permutations : int
        Of the balance test.
    min_agents, min_contacts : int
        Agents as instruments need that many of them, with that many contacts each.
    min_first_stage_f : float
        They need that conditional F for each term of a behaviour.
    min_balance_p : float
        They need the balance test not to reject at it.
    max_unknown_agents : float
        They need no larger share of contacts without an agent.
    max_customers : int
        Of more, a sample of that many is studied.
    """

    level: float = 0.95
    folds: int = 5
    seed: int = 0
    nuisance: Literal["ridge", "boosted"] = "ridge"
    permutations: int = 299
    min_agents: int = 60
    min_contacts: int = 30
    min_first_stage_f: float = 25.0
    min_balance_p: float = 0.05
    max_unknown_agents: float = 0.2
    max_customers: int = 200_000

    def __post_init__(self) -> None:
        if not 0.5 <= self.level < 1:
            raise UsageError(f"attribution: level is {self.level}; expected 0.5 to less than 1.")
        if self.folds < 2:
            raise UsageError(f"attribution: folds is {self.folds}; expected 2 or more.")
        if self.permutations < 19:
            raise UsageError(
                f"attribution: permutations is {self.permutations}; expected 19 or more."
            )


@dataclass(frozen=True)
class Study:
    """Residuals and instruments of k treatment terms, a row per contact.

    Attributes
    ----------
    exposure : Exposure
        What is studied: C contacts of n customers.
    bases : tuple of Basis
        The behaviours, all of them treatments of one model.
    residuals, instrument : float64 arrays, shape (C, k)
        0 where not treated; instruments also where the outcome is unknown.
    present : bool array, shape (C, k)
        Where treated.
    outcome : float64 array, shape (C,)
        The outcome residual: less what stratum and earlier facts predict of it; 0 where unknown.
    folds : int64 array, shape (n,)
        Of customers.
    learner : Learner
        What predicts.
    """

    exposure: Exposure
    bases: tuple[Basis, ...]
    residuals: Floats
    present: NDArray[np.bool_]
    instrument: Floats
    outcome: Floats
    folds: Codes
    learner: Learner

    def basis(self, name: str) -> Basis:
        """Return the treatment columns of a behaviour."""
        return next(one for one in self.bases if one.behaviour.name == name)

    def columns(self, name: str) -> slice:
        """Return which of the k terms belong to a behaviour."""
        start = 0
        for one in self.bases:
            if one.behaviour.name == name:
                return slice(start, start + one.values.shape[1])
            start += one.values.shape[1]
        raise KeyError(name)

    def weights(self, name: str) -> Floats:
        """Return the k weights that turn coefficients into the effect of the change.

        Per customer in contact and year: each of the year's contacts gains on its own.
        """
        weights = np.zeros(self.residuals.shape[1])
        weights[self.columns(name)] = self.basis(name).gradient
        return weights

    @property
    def terms(self) -> Floats:
        """The terms themselves, 0 where not treated, shape (C, k)."""
        return np.hstack([one.values for one in self.bases])

    @property
    def followed(self) -> NDArray[np.bool_]:
        """Contacts whose outcome is known, shape (C,)."""
        known: NDArray[np.bool_] = np.isfinite(self.exposure.outcome)
        return known

    @property
    def pools(self) -> int:
        """The number of agent pools."""
        return len(np.unique(self.exposure.pool))

    @property
    def degrees(self) -> int:
        """Degrees of freedom over agents: agents − pools − behaviours."""
        return self.exposure.n_agents - self.pools - len(self.bases)

    def with_outcome(self, outcome: Floats) -> Study:
        """Return the same study of another outcome, shape (C,); NaN where unknown."""
        exposure = self.exposure.with_outcome(outcome)
        rest = outcome_residual(exposure, outcome, self.folds, self.learner)
        held = within_strata(self.instrument, usable(exposure, self.present), exposure.stratum)
        return replace(self, exposure=exposure, outcome=rest, instrument=held)

    def adjusted(self) -> Adjusted:
        """Estimate by adjustment for what was known before the contact."""
        exposure = self.exposure
        rows = np.flatnonzero(self.followed)
        return partialled_out(
            self.residuals[rows], self.outcome[rows], exposure.customer[rows], exposure.agent[rows]
        )

    def instrumented(self) -> Instrumented:
        """Estimate with agents as instruments."""
        exposure = self.exposure
        return instrumented(
            self.instrument, self.residuals, self.outcome, exposure.agent, exposure.customer
        )

    def effect(self, name: str, fit: Adjusted | Instrumented) -> tuple[float, float]:
        """Return the effect of a behaviour's change, per customer and year, and its error."""
        weights = self.weights(name)
        error = float(np.sqrt(weights @ fit.covariance @ weights))
        return float(weights @ fit.coefficients), error


def build_study(
    exposure: Exposure,
    behaviours: Sequence[Behaviour],
    options: EffectOptions,
    learner: Learner = ridge,
    shares: tuple[float, float] = CLIP_SHARES,
) -> Study:
    """Residualise behaviours and outcome, and build the agents' instruments."""
    for behaviour in behaviours:
        if behaviour.own_control:
            exposure = exposure.without_control(behaviour.own_control)
    bases = tuple(basis(exposure, behaviour, shares) for behaviour in behaviours)
    folds = customer_folds(int(exposure.customer.max(initial=-1)) + 1, options.folds, options.seed)
    parts = [term_residuals(exposure, one, folds, learner) for one in bases]
    return Study(
        exposure=exposure,
        bases=bases,
        residuals=np.hstack([rest for rest, _ in parts]),
        present=np.hstack([present for _, present in parts]),
        instrument=np.hstack(
            [term_instruments(exposure, rest, present) for rest, present in parts]
        ),
        outcome=outcome_residual(exposure, exposure.outcome, folds, learner),
        folds=folds,
        learner=learner,
    )


def outcome_residual(
    exposure: Exposure, outcome: Floats, folds: Codes, learner: Learner, *, blind: str = ""
) -> Floats:
    """Return each contact's outcome less what stratum and earlier facts predict, shape (C,).

    Nothing later may be taken off: how many contacts follow is moved by the agent too. Controls
    whose name holds ``blind`` are left out; where the outcome is unknown the residual is 0.

    Parameters
    ----------
    exposure : Exposure
        The contacts, their strata and controls.
    outcome : array, shape (C,) or (C, m)
        Several outcomes are predicted together; each is known where the first one is.
    folds : int array
        The fold of each contact's customer.
    learner : Learner
        What predicts the outcome from the controls.
    blind : str
        Part of the names of controls that are left out.
    """
    sees = [n for n, name in enumerate(exposure.control_names) if not blind or blind not in name]
    values = outcome.reshape(len(outcome), -1)
    rows = np.flatnonzero(np.isfinite(values[:, 0]))
    stratum = np.unique(exposure.stratum[rows], return_inverse=True)[1].astype(np.int64)
    rest = np.zeros_like(values)
    rest[rows] = within_residuals(
        values[rows],
        exposure.controls[rows][:, sees],
        stratum,
        folds[exposure.customer[rows]],
        learner,
    )
    return rest.reshape(outcome.shape)


def term_residuals(
    exposure: Exposure, one: Basis, folds: Codes, learner: Learner
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a behaviour's residual terms per contact, and where it was treated."""
    rest = np.zeros_like(one.values)
    rows = np.flatnonzero(one.present)
    stratum = np.unique(exposure.stratum[rows], return_inverse=True)[1].astype(np.int64)
    rest[rows] = within_residuals(
        one.values[rows],
        exposure.controls[rows],
        stratum,
        folds[exposure.customer[rows]],
        learner,
    )
    return rest, np.repeat(one.present[:, None], rest.shape[1], axis=1)


def term_instruments(exposure: Exposure, rest: Floats, present: NDArray[np.bool_]) -> Floats:
    """Return the instruments of a behaviour's terms, from its residuals; shape (C, m).

    A squared log has the mean of squares for its instrument. That what an agent z slower does to
    a case expected at b is ``2·b·z + z²`` was tried: the errors it states are a fifth smaller and
    the estimates vary more, since what a minute is worth differs between long and short cases.
    """
    agent, stratum = exposure.agent, exposure.stratum
    means = instruments(rest, present, agent, exposure.customer, stratum)
    if np.isfinite(exposure.outcome).all():
        return means
    return within_strata(means, usable(exposure, present), stratum)


def usable(exposure: Exposure, present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a term is treated by a known agent and what followed is known, shape (C, m)."""
    known = (exposure.agent >= 0) & np.isfinite(exposure.outcome)
    held: NDArray[np.bool_] = present & known[:, None]
    return held


def extended(study: Study, behaviour: Behaviour) -> Study:
    """Return the study with one more behaviour beside its own: only that one is computed."""
    exposure = study.exposure
    one = basis(exposure, behaviour)
    rest, present = term_residuals(exposure, one, study.folds, study.learner)
    instrument = term_instruments(exposure, rest, present)
    return replace(
        study,
        bases=(*study.bases, one),
        residuals=np.hstack([study.residuals, rest]),
        present=np.hstack([study.present, present]),
        instrument=np.hstack([study.instrument, instrument]),
    )
