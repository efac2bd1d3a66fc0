"""What an item that few contacts were evaluated on is worth: agents as instruments, two samples.

An item of a scorecard is known for a few contacts in a hundred, its worth shows in all of them. So
the first stage (what an agent's mean moves of the item) is taken from the evaluated contacts, and
the reduced form (what it moves of the outcome) from all: two-sample instrumental variables (Angrist
& Krueger 1992; Inoue & Solon 2010). The agent's mean is over evaluated contacts of *other*
customers, so that its noise is in neither product. All items and the core behaviours are in one
system.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.estimators.examiner import agent_moments, leave_out_means, within_strata
from clv.effects.estimators.residuals import clustered, positive, within_residuals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.effects.design.exposure import Codes, Floats
    from clv.effects.estimators.study import Study

MIN_EVALUATED = 2
"""Customers of an agent of whom each item must be known: one is left out for the contact's own."""


@dataclass(frozen=True)
class TwoSample:
    """Coefficients of q items beside a study's k terms, with the errors of both samples.

    Attributes
    ----------
    coefficients, covariance : float64 arrays, shapes (q,) and (q, q)
        Of the outcome, per contact and unit of an item.
    first_stage_f : float64 array, shape (q,)
        Of each item given the other items and the core behaviours, robust over agents.
    agents, contacts, evaluated : int
        With every item known of two customers or more; their contacts; evaluated ones of these.
    """

    coefficients: Floats
    covariance: Floats
    first_stage_f: Floats
    agents: int
    contacts: int
    evaluated: int


def two_sample(study: Study, scores: Floats) -> TwoSample:
    """Price items that are known for some contacts.

    Parameters
    ----------
    study : Study
        Of the core behaviours: residuals, instruments and the outcome of all contacts.
    scores : array, shape (C, q)
        Items as shares of what could be had; NaN where not evaluated. An item is taken to apply
        to every contact.

    Raises
    ------
    numpy.linalg.LinAlgError
        When agents do not move every item.
    """
    exposure = study.exposure
    known = np.isfinite(scores)
    rows = _comparable(study, known)
    agent = np.unique(exposure.agent[rows], return_inverse=True)[1].astype(np.int64)
    customer, stratum = exposure.customer[rows], exposure.stratum[rows]
    items, held = _residual_items(study, scores, rows), known[rows]
    means = leave_out_means(items, held, agent, customer)
    everywhere = np.ones_like(means, dtype=bool)
    instrument = np.hstack(
        [
            within_strata(study.instrument[rows], study.present[rows], stratum),
            within_strata(means, everywhere, stratum),
        ]
    )
    weighted = items * _weights(held, agent)
    treatment = np.hstack([study.residuals[rows], weighted])
    return _solved(instrument, treatment, study.outcome[rows], agent, customer, held)


def _comparable(study: Study, known: NDArray[np.bool_]) -> Codes:
    """Return the contacts of agents whose items are known of two customers or more."""
    exposure = study.exposure
    size = max(exposure.n_agents, 1)
    enough = np.ones(size, dtype=bool)
    for item in known.T:
        mine = np.flatnonzero(item & (exposure.agent >= 0))
        pairs = np.unique(np.stack([exposure.agent[mine], exposure.customer[mine]]), axis=1)
        enough &= np.bincount(pairs[0], minlength=size) >= MIN_EVALUATED
    usable = (exposure.agent >= 0) & study.followed
    return np.flatnonzero(usable & enough[exposure.agent])


def _residual_items(study: Study, scores: Floats, rows: Codes) -> Floats:
    """Return items less what pool and earlier facts predict of them; 0 where unknown.

    Evaluated contacts are too few for strata of pool and week: those are taken out of the
    instrument, in which all contacts count.
    """
    exposure = study.exposure
    found = np.zeros((rows.size, scores.shape[1]))
    for item in range(scores.shape[1]):
        place = np.flatnonzero(np.isfinite(scores[rows, item]))
        mine = rows[place]
        pool = np.unique(exposure.pool[mine], return_inverse=True)[1].astype(np.int64)
        found[place, item] = within_residuals(
            scores[mine, item][:, None],
            exposure.controls[mine],
            pool,
            study.folds[exposure.customer[mine]],
            study.learner,
        )[:, 0]
    return found


def _weights(held: NDArray[np.bool_], agent: Codes) -> Floats:
    """Let an agent's evaluated contacts stand for all of the agent's contacts."""
    contacts = np.bincount(agent)
    found = np.zeros(held.shape)
    for item in range(held.shape[1]):
        evaluated = np.bincount(agent[held[:, item]], minlength=len(contacts))
        found[:, item] = held[:, item] * (contacts / np.maximum(evaluated, 1))[agent]
    return found


def _solved(
    instrument: Floats,
    treatment: Floats,
    outcome: Floats,
    agent: Codes,
    customer: Codes,
    held: NDArray[np.bool_],
) -> TwoSample:
    """Solve the moments, with errors of agents and customers in both samples.

    One agent at a time is deleted, evaluated contacts and all others together; windows of one
    customer overlap: ``V_agent + V_customer − V_contact``.
    """
    size, items = int(agent.max(initial=-1)) + 1, held.shape[1]
    first = agent_moments(instrument, treatment, agent, size)
    reduced = agent_moments(instrument, outcome[:, None], agent, size)
    total, right = first.sum(axis=0), reduced.sum(axis=0)
    coefficients = np.linalg.solve(total, right)[:, 0]
    replicates = np.linalg.solve(total - first, right - reduced)[:, :, 0]
    of_agents = _jackknife(replicates)
    influence = (instrument * (outcome - treatment @ coefficients)[:, None]) @ np.linalg.inv(
        total
    ).T
    shared = clustered(influence, customer) - clustered(influence)
    mine = slice(len(coefficients) - items, None)
    strength = np.array([_own(total, n) for n in range(*mine.indices(len(coefficients)))])
    varied = np.array(
        [[_own(part, n) for part in total - first] for n in range(*mine.indices(len(coefficients)))]
    )
    errors = np.diag(_jackknife(varied.T))
    return TwoSample(
        coefficients=coefficients[mine],
        covariance=positive(of_agents + shared)[mine, mine],
        first_stage_f=strength**2 / np.maximum(errors, 1e-300),
        agents=size,
        contacts=len(agent),
        evaluated=int(held.any(axis=1).sum()),
    )


def _jackknife(replicates: Floats) -> Floats:
    size = len(replicates)
    spread = replicates - replicates.mean(axis=0)
    found: Floats = (size - 1) / size * spread.T @ spread
    return found


def _own(moments: Floats, term: int) -> float:
    """Return what an instrument moves of its own term, given all other terms."""
    others = np.delete(np.arange(len(moments)), term)
    inside = moments[np.ix_(others, others)]
    along = np.linalg.solve(inside, moments[others, term]) if len(others) else np.zeros(0)
    return float(moments[term, term] - moments[term, others] @ along)
