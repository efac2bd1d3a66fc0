"""Level 2: agents as instruments, by their habits with other customers.

Which agent picks up is close to random within a queue and period; agents differ in warmth
and pace; so an agent's mean residual over *other* customers' contacts moves this contact's
behaviour and nothing else of it. Examiner or leniency design: Kolesár (2013);
Goldsmith-Pinkham, Hull & Kolesár (2025, arXiv:2511.03572).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.estimators.residuals import demeaned, group_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.effects.design.exposure import Codes, Floats


RATIO_SPREAD = 0.2
"""How far the worth of the customers behind a coefficient usually lies from that of all."""


@dataclass(frozen=True)
class Instrumented:
    """Coefficients of k treatment terms, with their uncertainty over J agents.

    Attributes
    ----------
    coefficients : float64 array, shape (k,)
        Currency per unit of a term's customer sum.
    covariance : float64 array, shape (k, k)
        Delete-one-agent jackknife.
    replicates : float64 array, shape (J, k)
        Coefficients without each agent.
    """

    coefficients: Floats
    covariance: Floats
    replicates: Floats


def leave_out_means(
    residuals: Floats, present: NDArray[np.bool_], agent: Codes, customer: Codes
) -> Floats:
    """Return the agent's mean residual over the contacts of other customers.

    Parameters
    ----------
    residuals : array, shape (C, k)
    present : bool array, shape (C, k)
        Contacts that count, per term.
    agent, customer : int arrays, shape (C,)
        An agent of -1 is unknown and gets 0.

    Returns
    -------
    array, shape (C, k)
        0 where the agent served no other customer.
    """
    size = int(agent.max(initial=-1)) + 1
    held = np.where(agent < 0, size, agent)
    _, pair = np.unique(held * (int(customer.max(initial=0)) + 1) + customer, return_inverse=True)
    pairs = int(pair.max(initial=-1)) + 1
    values, counts = np.where(present, residuals, 0.0), present.astype(np.float64)
    others = group_sums(values, held, size + 1)[held] - group_sums(values, pair, pairs)[pair]
    number = group_sums(counts, held, size + 1)[held] - group_sums(counts, pair, pairs)[pair]
    means = np.divide(others, number, out=np.zeros_like(others), where=number > 0.5)
    return np.where((agent < 0)[:, None], 0.0, means)


def instruments(
    residuals: Floats, present: NDArray[np.bool_], agent: Codes, customer: Codes, stratum: Codes
) -> Floats:
    """Return leave-out means as deviations from their stratum, 0 where not treated.

    Returns
    -------
    array, shape (C, k)
    """
    means = leave_out_means(residuals, present, agent, customer)
    found = np.zeros_like(means)
    for term in range(means.shape[1]):
        usable = np.flatnonzero(present[:, term] & (agent >= 0))
        codes = np.unique(stratum[usable], return_inverse=True)[1].astype(np.int64)
        found[usable, term] = demeaned(means[usable, term][:, None], codes)[:, 0]
    return found


def agent_moments(left: Floats, right: Floats, agent: Codes, customer: Codes, size: int) -> Floats:
    """Return each agent's share of ``left' right``, which adds up over contacts.

    Parameters
    ----------
    left : array, shape (C, k)
        Per contact.
    right : array, shape (n, m)
        Per customer.

    Returns
    -------
    array, shape (J, k, m)
    """
    known = agent >= 0
    mine, theirs = left[known], right[customer[known]]
    products = (mine[:, :, None] * theirs[:, None, :]).reshape(len(mine), -1)
    return group_sums(products, agent[known], size).reshape(size, left.shape[1], -1)


def agent_sums(values: Floats, agent: Codes, size: int) -> Floats:
    """Return sums of contacts' values over each known agent, shape (J, k)."""
    known = agent >= 0
    return group_sums(values[known], agent[known], size)


def instrumented(
    instrument: Floats, treatment: Floats, outcome: Floats, agent: Codes, customer: Codes
) -> Instrumented:
    """Solve ``(Z'D) b = Z'Y``, with standard errors by deleting one agent at a time.

    Parameters
    ----------
    instrument : array, shape (C, k)
        Per contact.
    treatment : array, shape (n, k)
        Residual treatment sums per customer.
    outcome : array, shape (C,)
        Of each contact's customer, less what was known of it before that contact. Nothing
        later may be taken off: how many contacts follow is moved by the agent too.

    Raises
    ------
    numpy.linalg.LinAlgError
        When the instruments do not move every term.
    """
    size = int(agent.max(initial=-1)) + 1
    first = agent_moments(instrument, treatment, agent, customer, size)
    reduced = agent_sums(instrument * outcome[:, None], agent, size)[:, :, None]
    total, right = first.sum(axis=0), reduced.sum(axis=0)
    coefficients = np.linalg.solve(total, right)[:, 0]
    replicates = np.linalg.solve(total - first, right - reduced)[:, :, 0]
    spread = replicates - replicates.mean(axis=0)
    return Instrumented(coefficients, (size - 1) / size * spread.T @ spread, replicates)


def carried(
    fit: Instrumented,
    products: Floats,
    outcome: Floats,
    usual: Floats,
    agent: Codes,
) -> Instrumented:
    """Carry coefficients from the customers whom agents move most to all customers.

    Money moves in proportion to what a customer is worth, and agents' habits show most in
    cases that could go either way, whose customers may be worth less than most (an agent's
    skill decides hard cases). The coefficient is divided by the worth of the customers
    behind it, over that of all; the ratio is drawn to 1 where it is measured badly, and its
    error is in the jackknife.

    Parameters
    ----------
    fit : Instrumented
        Of k terms.
    products : array, shape (C, k)
        Instrument times residual, of the behaviour's first term: what agents move.
    outcome : array, shape (C,)
        Of each contact's customer.
    usual : array, shape (k,)
        Mean outcome over the treated contacts of each term.
    agent : int array, shape (C,)
    """
    size = len(fit.replicates)
    moved, worth = (
        agent_sums(rows, agent, size) for rows in (products, products * outcome[:, None])
    )
    ratio = worth.sum(axis=0) / moved.sum(axis=0) / usual
    ratios = (worth.sum(axis=0) - worth) / (moved.sum(axis=0) - moved) / usual
    noise = (size - 1) / size * ((ratios - ratios.mean(axis=0)) ** 2).sum(axis=0)
    trust = RATIO_SPREAD**2 / (RATIO_SPREAD**2 + noise)
    replicates = fit.replicates / (1 + trust * (ratios - 1))
    spread = replicates - replicates.mean(axis=0)
    coefficients = fit.coefficients / (1 + trust * (ratio - 1))
    return Instrumented(coefficients, (size - 1) / size * spread.T @ spread, replicates)


def sandwich(
    instrument: Floats, treatment: Floats, outcome: Floats, coefficients: Floats
) -> Floats:
    """Return the heteroskedasticity-robust covariance over customers.

    It misses what the customers of one agent share, and is here for the comparison only:
    with agents differing in unmeasured ways its intervals covered .80 instead of .95.

    Parameters
    ----------
    instrument, treatment : arrays, shape (n, k)
        Sums per customer.
    outcome : array, shape (n,)
    """
    error = outcome - treatment @ coefficients
    bread = np.linalg.inv(instrument.T @ treatment)
    scores = instrument * error[:, None]
    return bread @ (scores.T @ scores) @ bread.T


def conditional_f(instrument: Floats, treatment: Floats) -> Floats:
    """Return the conditional first-stage F of each term, given the other terms.

    Sanderson & Windmeijer (2016): the term less what the instrumented other terms explain
    of it, regressed on all instruments, with the degrees of freedom that leaves.

    Parameters
    ----------
    instrument, treatment : arrays, shape (n, k)
        Sums per customer.

    Returns
    -------
    array, shape (k,)
    """
    n, k = treatment.shape
    gram = np.linalg.pinv(instrument.T @ instrument)
    fitted = instrument @ (gram @ (instrument.T @ treatment))
    found = np.empty(k)
    for term in range(k):
        others = [other for other in range(k) if other != term]
        rest = treatment[:, term]
        if others:
            weights = np.linalg.lstsq(fitted[:, others], rest, rcond=None)[0]
            rest = rest - treatment[:, others] @ weights
        explained = instrument @ (gram @ (instrument.T @ rest))
        unexplained = ((rest - explained) ** 2).sum() / max(n - k, 1)
        found[term] = (explained**2).sum() / max(unexplained, 1e-300)
    return found
