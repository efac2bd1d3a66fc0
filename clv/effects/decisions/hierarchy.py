"""Parts of a company are alike until they are shown to differ: a hierarchical prior over them.

Each part's net gain at its own setting of today (slope, and bend of durations) is drawn from
what all parts have in common, give or take how far parts differ. How far they do is learned
from them (empirical Bayes; Efron & Morris 1975, JASA 70): the marginal likelihood of their
estimates over a grid, with the common part integrated out under the stated prior. A part that
says little takes the answer of the others; one that says much keeps its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from clv.effects.decisions.evidence import Beliefs, price_of
from clv.effects.decisions.posterior import WIDTHS, Belief, prior_of, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.effects.decisions.ground import Ground
    from clv.effects.decisions.options import DecisionOptions
    from clv.effects.design.exposure import Floats

SPREADS = np.linspace(0.0, 1.0, 21)
"""How far parts may differ: standard deviations, as shares of the stated prior's."""


@dataclass(frozen=True)
class Local:
    """Turns coefficients into net slope and bend at a part's setting of today, and back.

    Attributes
    ----------
    turn : float64 array, shape (m, m)
    shift : float64 array, shape (m,)
        ``turn @ coefficients - shift`` is local.
    """

    turn: Floats
    shift: Floats

    @classmethod
    def of(cls, ground: Ground) -> Local:
        """Return the turn of a part: logarithms are of another median in each."""
        one, price = ground.one, price_of(ground.one, ground.cost_per_minute)
        raw = ground.study.exposure.behaviours[one.behaviour.name][one.present]
        if one.behaviour.transform == "linear":
            return cls(np.eye(1), np.array([price]))
        level = float(one.values[one.present, 0].mean())
        turn = np.array([[1.0, 2 * level], [0.0, 1.0]])
        return cls(turn, np.array([price * float(raw.mean()), 0.0]))

    def into(self, belief: Belief) -> Belief:
        """Return a belief in local terms."""
        mean = self.turn @ belief.mean - self.shift
        return Belief(mean, self.turn @ belief.covariance @ self.turn.T)

    def back(self, belief: Belief) -> Belief:
        """Return a local belief in the part's own coefficients."""
        turn = np.linalg.inv(self.turn)
        return Belief(turn @ (belief.mean + self.shift), turn @ belief.covariance @ turn.T)


def spread_of(prior: Belief, seen: Sequence[Belief]) -> float:
    """Return the variance between parts, as a share of the prior's: its posterior mean.

    Parameters
    ----------
    prior : Belief
        Of what parts have in common.
    seen : sequence of Belief
        Each part's estimate, with its error.
    """
    likelihood = np.zeros(len(SPREADS))
    for place, spread in enumerate(SPREADS):
        belief, between = prior, spread**2 * prior.covariance
        for one in seen:
            noise = one.covariance + between
            total = belief.covariance + noise
            likelihood[place] += stats.multivariate_normal.logpdf(
                one.mean, belief.mean, total, allow_singular=True
            )
            belief = belief.learn(np.eye(len(one.mean)), one.mean, noise)
    weights = np.exp(likelihood - likelihood.max())
    return float(weights @ SPREADS**2 / weights.sum())


def drawn_together(prior: Belief, seen: Sequence[Belief], share: float) -> list[Belief]:
    """Return what is believed of each part: its own estimate, and what the others say of it.

    Examples
    --------
    >>> prior = Belief(np.zeros(1), np.eye(1))
    >>> sure, vague = Belief(np.ones(1), 1e-6 * np.eye(1)), Belief(-np.ones(1), 1e6 * np.eye(1))
    >>> [round(float(one.mean[0]), 2) for one in drawn_together(prior, [sure, vague], 0.0)]
    [1.0, 1.0]
    """
    between, unit = share * prior.covariance, np.eye(len(prior.mean))
    found = []
    for place, own in enumerate(seen):
        common = prior
        for other, one in enumerate(seen):
            if other != place:
                common = common.learn(unit, one.mean, one.covariance + between)
        part = Belief(common.mean, common.covariance + between)
        found.append(part.learn(unit, own.mean, own.covariance))
    return found


def together(
    grounds: Sequence[Ground], whole: Ground, options: DecisionOptions
) -> tuple[Ground, ...]:
    """Return parts that stand on each other as well as on themselves.

    Parameters
    ----------
    grounds : sequence of Ground
        Of one behaviour, in parts that share no contact, each with its own estimate.
    whole : Ground
        Of the company, whose prior they share.
    options : DecisionOptions
        With the prior's width.
    """
    turns = [Local.of(ground) for ground in grounds]
    seen = [
        turn.into(Belief(ground.coefficients, widened(ground.covariance, ground.degrees)))
        for turn, ground in zip(turns, grounds, strict=True)
    ]
    price, home = price_of(whole.one, whole.cost_per_minute), Local.of(whole)
    priors = [
        home.into(prior_of(whole.study, whole.one, whole.support, price, options, width))
        for width in (1.0, *WIDTHS)
    ]
    # What no part holds is in the whole: one more part, where it says anything.
    rest = remainder(home.into(Belief(whole.coefficients, whole.covariance)), seen)
    known = [*seen, *([] if rest is None else [rest])]
    share = spread_of(priors[0], known)
    by_width = [drawn_together(prior, known, share)[: len(seen)] for prior in priors]
    found = []
    for place, (ground, turn) in enumerate(zip(grounds, turns, strict=True)):
        # Whether anything is to be gained is asked of the whole.
        held = (whole.beliefs.usual, *whole.beliefs.others)
        usual, *others = (
            replace(turn.back(drawn[place]), chance=belief.chance)
            for drawn, belief in zip(by_width, held, strict=True)
        )
        beliefs = Beliefs(usual, tuple(others), ground.beliefs.evidence)
        found.append(
            replace(
                ground,
                beliefs=beliefs,
                coefficients=usual.mean,
                covariance=usual.covariance,
                degrees=np.inf,
            )
        )
    return tuple(found)


def remainder(whole: Belief, seen: Sequence[Belief]) -> Belief | None:
    """Return what the whole knows beyond the parts, by precision; None where it knows no more."""
    precision = np.linalg.inv(whole.covariance)
    weighted = precision @ whole.mean
    for one in seen:
        own = np.linalg.inv(one.covariance)
        precision, weighted = precision - own, weighted - own @ one.mean
    if np.linalg.eigvalsh((precision + precision.T) / 2).min() <= 0:
        return None
    covariance = np.linalg.inv(precision)
    return Belief(covariance @ weighted, covariance)
