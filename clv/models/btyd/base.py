"""What every purchase model can do: a likelihood to fit, and forecasts once it is fitted.

A customer who is alive at the cutoff has, after it, a purchase rate and a dropout that
depend on the number of purchases x and the age T alone; the last purchase decides only
whether the customer is alive. Everything that costs an integral is therefore computed once
per distinct (x, T), of which there are thousands where there are millions of customers.

Time is in whatever unit the histories have. A likelihood is a density in the purchase times,
so that in a unit u times as long it is larger by Σx·ln(u).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.models.btyd.purchase_histories import PurchaseHistories


class Likelihood(NamedTuple):
    """A weighted log-likelihood and its gradient in the parameters."""

    value: float
    gradient: np.ndarray


class PurchaseModel(Protocol):
    """A model of when customers buy, and when they stop for good.

    Attributes
    ----------
    name : str
        As in settings and documents, such as ``bg_nbd``.
    parameters : tuple of str
        By the literature's names, in the order of ``likelihood``.
    times : tuple of str
        Those of the parameters that are measured in the unit of time.
    prior : tuple of float
        Centres of a weak prior on the logarithms of the parameters, with time in units of
        the customers' mean age: where retail data of the literature lie.
    one_time_buyers_alive : bool
        Whether customers who never bought again are alive by construction, so that P(alive)
        must come from another model.
    reference : str
        The class of ``lifetimes`` that fits the same model.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]]
    times: ClassVar[tuple[str, ...]]
    prior: ClassVar[tuple[float, ...]]
    one_time_buyers_alive: ClassVar[bool]
    reference: ClassVar[str]

    def likelihood(self, theta: np.ndarray, rows: PurchaseHistories) -> Likelihood:
        """Return the log-likelihood of the histories at ``theta``, in ``parameters`` order.

        Parameters
        ----------
        theta : ndarray
            Values of the parameters, in the order of ``parameters``.
        rows : PurchaseHistories
            Distinct histories with their weights.
        """
        ...

    def p_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        recency: np.ndarray,
        age: np.ndarray,
    ) -> np.ndarray:
        """Return P(alive at the cutoff), of shape (n,).

        Parameters
        ----------
        parameters : mapping of str to float
            By name.
        frequency, recency, age : ndarray of shape (n,)
            Repeat purchases; first to last purchase and first purchase to the cutoff, in the
            parameters' unit of time.
        """
        ...

    def purchases_if_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        age: np.ndarray,
        horizon: float,
        log_discount: float = 0.0,
    ) -> np.ndarray:
        """Return the purchases expected in the horizon of a customer alive at the cutoff.

        E ∫₀ᴴ λ e^(−δs) P(alive at s) ds of shape (n,), with δ = ``log_discount`` continuous,
        per unit of time.

        Parameters
        ----------
        parameters : mapping of str to float
            By name.
        frequency, age : ndarray of shape (n,)
            Repeat purchases; first purchase to the cutoff.
        horizon : float
            H, in the parameters' unit of time.
        log_discount : float
            δ.
        """
        ...

    def p_none_if_alive(
        self,
        parameters: Mapping[str, float],
        frequency: np.ndarray,
        age: np.ndarray,
        horizon: float,
    ) -> np.ndarray:
        """Return P(no purchase in the horizon) of a customer alive at the cutoff.

        Parameters
        ----------
        parameters : mapping of str to float
            By name.
        frequency, age : ndarray of shape (n,)
            Repeat purchases; first purchase to the cutoff.
        horizon : float
            In the parameters' unit of time.
        """
        ...

    def dropout_share(self, theta: np.ndarray, bound: float) -> float:
        """Return how much dropout ``theta`` implies, for the words of a verdict.

        Near 0 where the data hold no customer who stopped.

        Parameters
        ----------
        theta : ndarray
            Values of the parameters, in the order of ``parameters``.
        bound : float
            The largest value that a parameter may take.
        """
        ...


def expected_new_customer(
    model: PurchaseModel, parameters: Mapping[str, float], elapsed: np.ndarray
) -> np.ndarray:
    """Return E[X(t)], the repeat purchases of a customer within t of the first purchase.

    Parameters
    ----------
    model : PurchaseModel
    parameters : mapping of str to float
    elapsed : ndarray of shape (n,)
        t, in the unit of time of the parameters.
    """
    zero = np.zeros(1)
    alive = model.p_alive(parameters, zero, zero, zero)[0]
    flows = [model.purchases_if_alive(parameters, zero, zero, float(t))[0] for t in elapsed]
    return alive * np.array(flows)
