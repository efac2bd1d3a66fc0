"""Agents as instruments: what an agent does with other customers, for this contact.

Which agent picks up is close to random within a queue and period; agents differ in warmth
and pace; so an agent's mean residual over *other* customers' contacts (the leave-one-out agent
mean) moves this contact's behaviour and nothing else of it. Examiner or leniency design: Kolesár
(2013); Goldsmith-Pinkham, Hull & Kolesár (2025, arXiv:2511.03572). Every contact is a row, with
its own days of follow-up: nothing is summed over customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.effects.estimators.residuals import clustered, demeaned, group_sums, positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.effects.design.exposure import Codes, Floats


@dataclass(frozen=True)
class Instrumented:
    """Coefficients of k treatment terms, with their uncertainty over J agents.

    Attributes
    ----------
    coefficients : float64 array, shape (k,)
        Of the outcome, per contact and unit of a term.
    covariance : float64 array, shape (k, k)
        Over agents and customers: ``V_agent + V_customer − V_contact``.
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
    """Return leave-one-out agent means as deviations from their stratum, 0 where not treated.

    Returns
    -------
    array, shape (C, k)
    """
    means = leave_out_means(residuals, present, agent, customer)
    return within_strata(means, present & (agent >= 0)[:, None], stratum)


def within_strata(values: Floats, usable: NDArray[np.bool_], stratum: Codes) -> Floats:
    """Return each column as deviations from the stratum among usable contacts, 0 elsewhere."""
    held = np.broadcast_to(usable, values.shape)
    found = np.zeros_like(values)
    for term in range(values.shape[1]):
        rows = np.flatnonzero(held[:, term])
        codes = np.unique(stratum[rows], return_inverse=True)[1].astype(np.int64)
        found[rows, term] = demeaned(values[rows, term][:, None], codes)[:, 0]
    return found


def agent_moments(left: Floats, right: Floats, agent: Codes, size: int) -> Floats:
    """Return each agent's share of ``left' right``, which adds up over contacts.

    Parameters
    ----------
    left : array, shape (C, k)
        Instruments.
    right : array, shape (C, m)
        What they are multiplied with.
    agent : int array, shape (C,)
        Who answered; −1 where unknown.
    size : int
        J, the number of agents.

    Returns
    -------
    array, shape (J, k, m)
    """
    known = agent >= 0
    mine, others, codes = left[known], right[known], agent[known]
    found = np.empty((size, left.shape[1], right.shape[1]))
    # Column by column: all products at once would be k × m times the contacts.
    for row in range(left.shape[1]):
        for column in range(right.shape[1]):
            products = mine[:, row] * others[:, column]
            found[:, row, column] = np.bincount(codes, weights=products, minlength=size)
    return found


def instrumented(
    instrument: Floats, treatment: Floats, outcome: Floats, agent: Codes, customer: Codes
) -> Instrumented:
    """Solve ``(Z'D) b = Z'Y`` over contacts, with errors of agents and of customers.

    Agents differ in what is not measured, so that one agent at a time is deleted; windows after
    the contacts of one customer overlap, so that customers are clusters too; what both count is
    counted once: ``V = V_agent + V_customer − V_contact``.

    Parameters
    ----------
    instrument, treatment : arrays, shape (C, k)
        Leave-one-out agent means, and residual behaviours.
    outcome : array, shape (C,)
        Less what was known of it before the contact.
    agent, customer : int arrays, shape (C,)

    Raises
    ------
    numpy.linalg.LinAlgError
        When the instruments do not move every term.
    """
    size = int(agent.max(initial=-1)) + 1
    first = agent_moments(instrument, treatment, agent, size)
    reduced = agent_moments(instrument, outcome[:, None], agent, size)
    total, right = first.sum(axis=0), reduced.sum(axis=0)
    coefficients = np.linalg.solve(total, right)[:, 0]
    replicates = np.linalg.solve(total - first, right - reduced)[:, :, 0]
    spread = replicates - replicates.mean(axis=0)
    of_agents = (size - 1) / size * spread.T @ spread
    influence = influences(instrument, treatment, outcome, coefficients)
    shared = clustered(influence, customer) - clustered(influence)
    return Instrumented(coefficients, positive(of_agents + shared), replicates)


def influences(
    instrument: Floats, treatment: Floats, outcome: Floats, coefficients: Floats
) -> Floats:
    """Return what each contact adds to the coefficients' error, shape (C, k)."""
    error = outcome - treatment @ coefficients
    bread = np.linalg.inv(instrument.T @ treatment)
    found: Floats = (instrument * error[:, None]) @ bread.T
    return found


def conditional_f(instrument: Floats, treatment: Floats) -> Floats:
    """Return the conditional first-stage F of each term, given the other terms.

    Sanderson & Windmeijer (2016): the term less what the instrumented other terms explain
    of it, regressed on all instruments, with the degrees of freedom that leaves.

    Parameters
    ----------
    instrument, treatment : arrays, shape (C, k)

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
