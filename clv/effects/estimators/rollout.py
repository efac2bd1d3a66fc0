"""Roll-outs: what reached agents, teams or queues at different times, by imputation.

Staggered difference-in-differences by Borusyak, Jaravel & Spiess (2024, "Revisiting
event-study designs", Review of Economic Studies 91(6), sections 4 and 5): unit effects,
period effects and the case mix are fitted on contacts that nothing had reached yet; what they
say of the contacts that it had reached is what would have been without it; the mean difference
is the effect on those contacts.

Units are few, so intervals come from the wild cluster bootstrap with the null imposed, inverted
(Cameron, Gelbach & Miller 2008; Webb's six points under 12 units, Webb 2023).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from clv.effects.estimators.residuals import group_sums, standardised

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from clv.effects.design.exposure import Codes, Floats

PERIOD_DAYS = 30.0
WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))
WEBB_UNDER = 12
DRAWS = 1_999
ALL_SIGNS_TO = 13  # up to so many units every pattern of signs is used
CUT = 1e-10  # of the largest eigenvalue: below it a direction of the design is empty


@dataclass(frozen=True)
class Staggered:
    """Contacts of units that something reached at different times, or never.

    Attributes
    ----------
    unit : int array, shape (C,)
        Code of the agent, team or queue, 0 … G − 1.
    at_days : array, shape (C,)
        When the contact began.
    since_days : array, shape (G,)
        When each unit was reached, on the same clock; infinite where it never was.
    controls : array, shape (C, p)
        The case mix: what was known before the contact; no missing values.
    others : array, shape (C, k)
        Whether each of the other roll-outs had reached the contact's agent, team or queue.
    """

    unit: Codes
    at_days: Floats
    since_days: Floats
    controls: Floats
    others: Floats

    @property
    def units(self) -> int:
        """The number of units."""
        return int(self.since_days.size)

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Whether the contact's unit had been reached when it began, shape (C,)."""
        return self.at_days >= self.since_days[self.unit]

    @property
    def periods_since(self) -> Codes:
        """Periods of 30 days since the unit was reached; negative before, shape (C,)."""
        since = self.since_days[self.unit]
        apart = np.where(np.isfinite(since), self.at_days - since, -np.inf)
        return np.floor(np.maximum(apart / PERIOD_DAYS, -1e6)).astype(np.int64)

    @property
    def period(self) -> Codes:
        """Code of the period of 30 days in which the contact began, shape (C,)."""
        apart = (self.at_days - self.at_days.min(initial=0.0)) / PERIOD_DAYS
        return np.unique(np.floor(apart).astype(np.int64), return_inverse=True)[1]

    def of_contacts(self, keep: NDArray[np.bool_]) -> Staggered:
        """Return some contacts, and the units that have any."""
        units, unit = np.unique(self.unit[keep], return_inverse=True)
        return Staggered(
            unit.astype(np.int64),
            self.at_days[keep],
            self.since_days[units],
            self.controls[keep],
            self.others[keep],
        )

    def without_controls(self) -> Staggered:
        """Return the same contacts without their case mix."""
        return replace(self, controls=np.zeros((self.unit.size, 0)))

    def comparable(self) -> NDArray[np.bool_]:
        """Say which contacts can be used, shape (C,).

        A contact that was reached needs its unit's earlier contacts, and contacts of others in
        its period that were not reached. What is left out can make others unusable in turn.
        """
        keep, reached, period = np.ones(self.unit.size, dtype=bool), self.reached, self.period
        while True:
            plain = keep & ~reached
            units = np.bincount(self.unit[plain], minlength=self.units) > 0
            periods = np.bincount(period[plain], minlength=int(period.max(initial=0)) + 1) > 0
            usable = keep & units[self.unit] & periods[period]
            if usable.sum() == keep.sum():
                return usable
            keep = usable


@dataclass(frozen=True)
class Interval:
    """An estimate with its error.

    Attributes
    ----------
    estimate, standard_error : float
        Of the mean over the contacts that were reached.
    low, high : float
        The values that the wild bootstrap does not reject.
    p_value : float
        Of no effect.
    critical : float
        Half the interval's width, in standard errors.
    """

    estimate: float
    standard_error: float
    low: float
    high: float
    p_value: float
    critical: float


class Imputation:
    """The regression on contacts that were not reached, and what follows from it.

    Parameters
    ----------
    contacts : Staggered
        All of them comparable.
    """

    def __init__(self, contacts: Staggered) -> None:
        self.contacts = contacts
        self.reached = contacts.reached
        period, size = contacts.period, contacts.unit.size
        rows, ones = np.arange(size), np.ones(size)
        self._dummies = sparse.hstack(
            [
                sparse.csr_matrix((ones, (rows, contacts.unit))),
                sparse.csr_matrix((ones, (rows, period))),
            ],
            format="csr",
        )
        self._numbers = standardised(np.hstack([contacts.controls, contacts.others]))
        self._inverse = self._pseudo_inverse(~self.reached)

    def _cross(self, keep: NDArray[np.bool_], values: Floats) -> Floats:
        """Return Z'values over some contacts, shape (q, m)."""
        kept = values * keep[:, None]
        return np.vstack([self._dummies.T @ kept, self._numbers.T @ kept])

    def _pseudo_inverse(self, keep: NDArray[np.bool_]) -> Floats:
        """Return the pseudo-inverse of Z'Z over some contacts."""
        chosen = self._dummies[np.flatnonzero(keep)]
        numbers = self._numbers[keep]
        corner = (chosen.T @ chosen).toarray()
        side = chosen.T @ numbers
        gram = np.block([[corner, side], [side.T, numbers.T @ numbers]])
        inverse: Floats = np.linalg.pinv(gram, rcond=CUT, hermitian=True)
        return inverse

    def _fitted(self, coefficients: Floats) -> Floats:
        """Return Z · coefficients, shape (C, m)."""
        split = self._dummies.shape[1]
        fitted: Floats = self._dummies @ coefficients[:split] + self._numbers @ coefficients[split:]
        return fitted

    def effects(self, outcomes: Floats) -> Floats:
        """Return each contact's outcome less what was imputed for it, shape (C, m)."""
        return outcomes - self._fitted(self._inverse @ self._cross(~self.reached, outcomes))

    def case_mix(self, outcome: Floats) -> Floats:
        """Return the part of an outcome that the case mix predicts, shape (C,)."""
        coefficients = self._inverse @ self._cross(~self.reached, outcome[:, None])
        first, count = self._dummies.shape[1], self.contacts.controls.shape[1]
        return (self._numbers[:, :count] @ coefficients[first : first + count])[:, 0]

    def weights(self, asked: NDArray[np.bool_]) -> Floats:
        """Return v with v'Y = the mean effect on the contacts asked for, shape (C,)."""
        share = asked / max(int(asked.sum()), 1)
        mean = self._cross(asked, np.full((asked.size, 1), 1.0 / max(int(asked.sum()), 1)))
        plain = self._fitted(self._inverse @ mean)[:, 0]
        return np.where(self.reached, share, -plain)

    def mean_effect(self, outcome: Floats, asked: NDArray[np.bool_]) -> tuple[float, float]:
        """Return the mean effect on contacts that were reached, and its clustered error."""
        v = self.weights(asked)
        left = self.effects(outcome[:, None])[:, 0]
        estimate = float(left[asked].mean())
        left = np.where(asked, left - estimate, np.where(self.reached, 0.0, left))
        scores = np.bincount(self.contacts.unit, weights=v * left)
        return estimate, float(np.sqrt((scores**2).sum()))

    def interval(self, outcome: Floats, level: float, seed: int) -> Interval:
        """Return the mean effect on all contacts that were reached, with a bootstrap interval.

        Under a supposed effect τ0 the residuals of the regression on all contacts, with τ0
        taken off those that were reached, change sign unit by unit; the share of such samples
        whose t is as large is τ0's p-value.
        """
        asked = self.reached
        estimate, error = self.mean_effect(outcome, asked)
        if error == 0.0:  # an outcome that the regression explains entirely
            return Interval(estimate, 0.0, estimate, estimate, 1.0, 0.0)
        everyone = np.ones(asked.size, dtype=bool)
        both = np.column_stack([outcome, asked.astype(np.float64)])
        whole = self._pseudo_inverse(everyone)
        left = both - self._fitted(whole @ self._cross(everyone, both))
        (a, k), (b, m) = (self._scores(column) for column in left.T)
        signs = wild_weights(self.contacts.units, seed)
        top, bottom = signs @ a, signs @ b
        up, down = signs @ k.T, signs @ m.T
        # the squared error of each sample is quadratic in the supposed effect
        square, cross, other = (
            np.einsum("bh,bh->b", *p) for p in ((up, up), (up, down), (down, down))
        )

        def p_value(supposed: float) -> float:
            spread = np.sqrt(np.maximum(square - 2 * supposed * cross + supposed**2 * other, 0.0))
            t = np.abs(top - supposed * bottom) / np.maximum(spread, 1e-300)
            return float((t >= abs(estimate - supposed) / error * (1 - 1e-9)).mean())

        low, high = (
            _inverted(p_value, estimate, side * error, 1.0 - level) for side in (-1.0, 1.0)
        )
        return Interval(estimate, error, low, high, p_value(0.0), (high - low) / 2 / error)

    def _scores(self, left: Floats) -> tuple[Floats, Floats]:
        """Return what each unit adds to the estimate, and to each unit's score, when it is drawn.

        Returns
        -------
        own : array, shape (G,)
            Σ v e over the unit.
        across : array, shape (G, G)
            Row h, column g: what the residuals of g add to the score of h after refitting.
        """
        unit, size = self.contacts.unit, self.contacts.units
        v = self.weights(self.reached)
        own: Floats = np.bincount(unit, weights=v * left, minlength=size).astype(np.float64)
        lookup = sparse.csr_matrix((left * ~self.reached, (np.arange(unit.size), unit)))
        pushed = np.vstack(
            [(self._dummies.T @ lookup).toarray(), (lookup.T @ self._numbers).T]
        )  # (q, G): Z'e of each unit's contacts that were not reached
        held = sparse.csr_matrix((v, (np.arange(unit.size), unit)))
        pulled = np.hstack(
            [(held.T @ self._dummies).toarray(), held.T @ self._numbers]
        )  # (G, q): Σ v z over each unit
        treated = np.bincount(unit, weights=v * self.reached, minlength=size)
        across = np.diag(own) - pulled @ (self._inverse @ pushed) - np.outer(treated, own)
        return own, across

    def joint_test(self, outcome: Floats, leads: Floats, seed: int) -> tuple[float, float]:
        """Test that leads move the outcome of contacts that were not reached.

        Parameters
        ----------
        outcome : array, shape (C,)
            Of each contact.
        leads : array, shape (C, k)
            Indicators, 0 for contacts that were reached.
        seed : int
            Of the wild weights.

        Returns
        -------
        statistic, p_value : float
            Wald's, clustered by unit, and the share of wild samples under the null that is as
            large.
        """
        plain = ~self.reached
        both = np.column_stack([outcome, leads])
        left = (both - self._fitted(self._inverse @ self._cross(plain, both))) * plain[:, None]
        errors, lead = left[:, 0], left[:, 1:]
        unit, size, k = self.contacts.unit, self.contacts.units, leads.shape[1]
        bread = np.linalg.pinv(lead.T @ lead, hermitian=True)
        products = np.einsum("ci,cj->cij", lead, lead).reshape(-1, k * k)
        inner = group_sums(products, unit, size).reshape(size, k, k)
        score = group_sums(lead * errors[:, None], unit, size)  # (G, k)
        lookup = sparse.csr_matrix((errors, (np.arange(unit.size), unit)))
        pushed = np.vstack([(self._dummies.T @ lookup).toarray(), (lookup.T @ self._numbers).T])
        drawn = self._inverse @ pushed  # (q, G): how the refit answers each unit
        pulled = np.stack([self._by_unit(column) for column in lead.T], axis=1)  # (G, k, q)
        signs = np.vstack([np.ones(size), wild_weights(size, seed)])
        moved = signs @ score @ bread  # (B, k)
        # the first row is the sample itself, whose residuals need no refit
        refit = np.tensordot(signs, pulled @ drawn, axes=(1, 2))
        refit[0] = 0.0
        scores = signs[:, :, None] * score - refit - np.einsum("hij,bj->bhi", inner, moved)
        meat = np.einsum("bhi,bhj->bij", scores, scores)
        variance = np.einsum("ij,bjk,kl->bil", bread, meat, bread)
        wald = np.einsum("bi,bij,bj->b", moved, np.linalg.pinv(variance, hermitian=True), moved)
        return float(wald[0]), float((wald[1:] >= wald[0] * (1 - 1e-9)).mean())

    def _by_unit(self, values: Floats) -> Floats:
        """Return Σ values · z over each unit, shape (G, q)."""
        unit = self.contacts.unit
        held = sparse.csr_matrix(
            (values, (np.arange(unit.size), unit)), shape=(unit.size, self.contacts.units)
        )
        return np.hstack([(held.T @ self._dummies).toarray(), held.T @ self._numbers])


def wild_weights(units: int, seed: int) -> Floats:
    """Return the weights of the wild bootstrap, shape (draws, units).

    Webb's six points under 12 units; from 12 on Rademacher's signs: every pattern of them up
    to 13 units, draws of them beyond.

    Examples
    --------
    >>> wild_weights(12, 0).shape, np.unique(np.round(wild_weights(8, 0) ** 2, 1)).tolist()
    ((4096, 12), [0.5, 1.0, 1.5])
    """
    rng = np.random.default_rng(seed)
    if units < WEBB_UNDER:
        points = np.concatenate([WEBB, -WEBB])
        return points[rng.integers(0, points.size, (DRAWS, units))]
    if units <= ALL_SIGNS_TO:
        return np.array(list(itertools.product((-1.0, 1.0), repeat=units)))
    return rng.choice((-1.0, 1.0), (DRAWS, units))


def _inverted(
    p_value: Callable[[float], float], estimate: float, step: float, alpha: float
) -> float:
    """Return where the p-value falls to alpha, walking from the estimate by ``step``."""
    inside, outside = estimate, estimate + step
    for _ in range(60):
        if p_value(outside) < alpha:
            break
        inside, outside = outside, outside + (outside - estimate)
    else:
        return float(np.sign(step) * np.inf)
    for _ in range(40):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if p_value(middle) < alpha else (middle, outside)
    return (inside + outside) / 2
