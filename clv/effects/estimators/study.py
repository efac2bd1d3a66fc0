"""A study: one exposure, prepared for both estimators of a set of behaviours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from clv.effects.design.exposure import CLIP_SHARES, Basis, basis
from clv.effects.estimators.examiner import Instrumented, carried, instrumented, instruments
from clv.effects.estimators.plr import Adjusted, partialled_out
from clv.effects.estimators.residuals import customer_folds, group_sums, ridge, within_residuals
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
        For folds, permutations and draws.
    nuisance : {"ridge", "boosted"}
        What predicts outcomes and behaviours from controls; ``boosted`` puts LightGBM on
        what ridge leaves.
    permutations : int
        Of the balance test.
    draws : int
        Of the coefficients, for simultaneous bands.
    min_agents, min_contacts : int
        Level 2 needs that many agents with that many contacts each.
    min_first_stage_f : float
        Level 2 needs that conditional F for each term of a behaviour.
    min_balance_p : float
        Level 2 needs the balance test not to reject at it.
    max_unknown_agents : float
        Level 2 needs no larger share of contacts without an agent.
    max_customers : int
        Of more, a sample of that many is studied.
    """

    level: float = 0.95
    folds: int = 5
    seed: int = 0
    nuisance: Literal["ridge", "boosted"] = "ridge"
    permutations: int = 299
    draws: int = 2000
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
    """Residuals, instruments and sums of k treatment terms.

    Attributes
    ----------
    exposure : Exposure
        What is studied: C contacts of n customers.
    bases : tuple of Basis
        The behaviours, all of them treatments of one model.
    residuals, instrument : float64 arrays, shape (C, k)
        Per contact; 0 where not treated.
    present : bool array, shape (C, k)
        Where treated.
    treatment : float64 array, shape (n, k)
        Sums of residuals.
    raw_treatment : float64 array, shape (n, k)
        Sums of the terms themselves.
    controls : float64 array, shape (n, r)
        Of customers: their own, and sums over their contacts.
    control_names : tuple of str
        Names of the r columns.
    outcome : float64 array, shape (n,)
        Less its out-of-fold prediction from all controls: for level 1.
    ahead : float64 array, shape (C,)
        The outcome of each contact's customer, less its prediction from what was known
        before that contact: for level 2.
    folds : int64 array, shape (n,)
        Of customers.
    learner : Learner
        What predicts.
    proportional : bool
        Whether behaviours move the outcome in proportion to it, as they do money.
    """

    exposure: Exposure
    bases: tuple[Basis, ...]
    residuals: Floats
    present: NDArray[np.bool_]
    instrument: Floats
    treatment: Floats
    raw_treatment: Floats
    controls: Floats
    control_names: tuple[str, ...]
    outcome: Floats
    ahead: Floats
    folds: Codes
    learner: Learner
    proportional: bool = True

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
        """Return the k weights that turn coefficients into the effect of the change."""
        weights = np.zeros(self.treatment.shape[1])
        weights[self.columns(name)] = self.basis(name).gradient
        return weights

    @property
    def pools(self) -> int:
        """The number of agent pools."""
        return len(np.unique(self.exposure.pool))

    @property
    def degrees(self) -> int:
        """Degrees of freedom of level 2: agents − pools − behaviours."""
        return self.exposure.n_agents - self.pools - len(self.bases)

    def with_outcome(self, outcome: Floats, *, proportional: bool = False) -> Study:
        """Return the same study of another outcome, shape (n,)."""
        rest = outcome - self.learner(self.controls, outcome[:, None], self.folds)[:, 0]
        exposure = self.exposure.with_outcome(outcome)
        ahead = outcome_ahead(exposure, outcome, self.folds, self.learner)
        return replace(
            self, exposure=exposure, outcome=rest, ahead=ahead, proportional=proportional
        )

    def adjusted(self) -> Adjusted:
        """Estimate level 1."""
        rest = self.raw_treatment - self.learner(self.controls, self.raw_treatment, self.folds)
        return partialled_out(rest, self.outcome)

    def instrumented(self) -> Instrumented:
        """Estimate level 2."""
        exposure, customer = self.exposure, self.exposure.customer
        fit = instrumented(self.instrument, self.treatment, self.ahead, exposure.agent, customer)
        if not self.proportional or exposure.outcome.mean() <= 0:
            return fit
        first = np.repeat(
            [self.columns(one.behaviour.name).start for one in self.bases],
            [one.values.shape[1] for one in self.bases],
        )
        products = self.instrument[:, first] * self.residuals[:, first]
        outcome = exposure.outcome[customer]
        usual = self.present.T @ outcome / self.present.sum(axis=0)
        return carried(fit, products, outcome, usual, exposure.agent)

    def effect(self, name: str, fit: Instrumented) -> tuple[float, float]:
        """Return level 2's effect of a behaviour's change, and its standard error.

        Where money moves in proportion, what a customer's contacts gain compounds; the
        squared coefficient is taken less its own variance, which would only add up noise.
        Durations gain on short contacts what they lose on long ones: nothing compounds.
        """
        weights = self.weights(name)
        one, columns = self.basis(name), self.columns(name)
        estimate = float(weights @ fit.coefficients)
        error = float(np.sqrt(weights @ fit.covariance @ weights))
        outcome, customer = self.exposure.outcome, self.exposure.customer
        if not self.proportional or outcome.mean() <= 0 or one.behaviour.transform == "log":
            return estimate, error
        treated = np.bincount(customer, weights=one.present, minlength=len(outcome))
        usual = float(outcome[customer[one.present]].mean())
        bend = float((outcome * (one.behaviour.change * treated) ** 2).mean()) / usual**2
        slope = float(fit.coefficients[columns][0])
        compound = 0.5 * bend * (slope**2 - float(fit.covariance[columns, columns][0, 0]))
        return estimate + compound, error * abs(1 + bend * slope / weights[columns][0])


def customer_design(exposure: Exposure, bases: Sequence[Basis]) -> tuple[Floats, tuple[str, ...]]:
    """Return the controls of customers: their own, contact counts, and sums of contacts'."""
    n = exposure.customers
    _, pool = np.unique(exposure.pool, return_inverse=True)
    pools = np.eye(int(pool.max(initial=-1)) + 1)[pool]
    counts = group_sums(pools, exposure.customer, n)
    treated = [np.bincount(exposure.customer, weights=one.present, minlength=n) for one in bases]
    partly = [
        (one.behaviour.name, column)
        for one, column in zip(bases, treated, strict=True)
        if not one.present.all()
    ]
    blocks = [
        exposure.customer_controls,
        counts,
        group_sums(exposure.controls, exposure.customer, n),
        *(column[:, None] for _, column in partly),
    ]
    names = (
        *exposure.customer_control_names,
        *(f"contacts={number}" for number in range(counts.shape[1])),
        *exposure.control_names,
        *(f"occasions={name}" for name, _ in partly),
    )
    return np.hstack(blocks), names


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
    folds = customer_folds(exposure.customers, options.folds, options.seed)
    parts = [term_residuals(exposure, one, folds, learner) for one in bases]
    residual = np.hstack([rest for rest, _ in parts])
    treated = np.hstack([present for _, present in parts])
    controls, names = customer_design(exposure, bases)
    predicted = learner(controls, exposure.outcome[:, None], folds)[:, 0]
    raw = np.hstack([one.values for one in bases])
    return Study(
        exposure=exposure,
        bases=bases,
        residuals=residual,
        present=treated,
        instrument=instruments(
            residual, treated, exposure.agent, exposure.customer, exposure.stratum
        ),
        treatment=group_sums(residual, exposure.customer, exposure.customers),
        raw_treatment=group_sums(raw, exposure.customer, exposure.customers),
        controls=controls,
        control_names=names,
        outcome=exposure.outcome - predicted,
        ahead=outcome_ahead(exposure, exposure.outcome, folds, learner),
        folds=folds,
        learner=learner,
    )


def outcome_ahead(
    exposure: Exposure, outcome: Floats, folds: Codes, learner: Learner, *, blind: str = ""
) -> Floats:
    """Return each contact's outcome less what stratum and earlier facts predict, shape (C,).

    Controls whose name holds ``blind`` are left out.
    """
    sees = [
        [number for number, name in enumerate(names) if not blind or blind not in name]
        for names in (exposure.control_names, exposure.customer_control_names)
    ]
    known = np.hstack(
        [
            exposure.controls[:, sees[0]],
            exposure.customer_controls[:, sees[1]][exposure.customer],
        ]
    )
    values = outcome[exposure.customer][:, None]
    rest = within_residuals(values, known, exposure.stratum, folds[exposure.customer], learner)
    return rest[:, 0]


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


def extended(study: Study, behaviour: Behaviour) -> Study:
    """Return the study with one more behaviour beside its own: only that one is computed."""
    exposure = study.exposure
    one = basis(exposure, behaviour)
    rest, present = term_residuals(exposure, one, study.folds, study.learner)
    instrument = instruments(rest, present, exposure.agent, exposure.customer, exposure.stratum)
    n, customer = exposure.customers, exposure.customer
    treated = np.bincount(customer, weights=one.present, minlength=n)[:, None]
    return replace(
        study,
        bases=(*study.bases, one),
        residuals=np.hstack([study.residuals, rest]),
        present=np.hstack([study.present, present]),
        instrument=np.hstack([study.instrument, instrument]),
        treatment=np.hstack([study.treatment, group_sums(rest, customer, n)]),
        raw_treatment=np.hstack([study.raw_treatment, group_sums(one.values, customer, n)]),
        controls=np.hstack([study.controls, treated]),
        control_names=(*study.control_names, f"occasions={behaviour.name}"),
    )
