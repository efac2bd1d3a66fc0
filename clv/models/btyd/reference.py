"""The same sample fitted by lifetimes and by us, at every training: the door to lifetimes."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clv.models.btyd import BTYD
from clv.models.btyd.fit import fit_purchases
from clv.models.btyd.purchase_histories import compress

if TYPE_CHECKING:
    from clv.models.btyd.purchase_histories import PurchaseHistories

CHECK_CUSTOMERS = 2_000


class CrossCheck(NamedTuple):
    """The same sample fitted by ``lifetimes`` and by us.

    ``gap`` is (our log-likelihood − theirs) per customer, each at its own optimum and both
    evaluated by our likelihood; ``same`` is the largest difference per customer of the two
    likelihood functions at our optimum. Both are nan where lifetimes did not converge.
    """

    model: str
    customers: int
    gap: float
    same: float
    reference: str

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-able values; what lifetimes could not fit is null."""
        return {name: None if value != value else value for name, value in self._asdict().items()}


def cross_check(
    model: str,
    frequency: np.ndarray,
    recency_days: np.ndarray,
    age_days: np.ndarray,
    *,
    seed: int = 0,
    customers: int = CHECK_CUSTOMERS,
) -> CrossCheck:
    """Fit a seeded sample with ``lifetimes`` and with our likelihood, and compare."""
    sample = np.random.default_rng(seed).permutation(frequency.size)[:customers]
    sample.sort()
    x, t_x, t = (np.asarray(c, float)[sample] for c in (frequency, recency_days, age_days))
    rows = compress(x, t_x, t)
    ours = fit_purchases(model, x, t_x, t)
    theta = np.array([ours.parameters[name] for name in BTYD[model].parameters])
    fitter, message = _lifetimes_fit(model, rows)
    if fitter is None:
        return CrossCheck(model, x.size, float("nan"), float("nan"), message)
    theirs = np.array([float(fitter.params_[name]) for name in BTYD[model].parameters])
    # Compared at their optimum: ours may sit under a prior, where they have none.
    at_theirs = BTYD[model].likelihood(theirs, rows).value
    own = float(fitter.log_likelihood_)
    gap = BTYD[model].likelihood(theta, rows).value - at_theirs
    n = rows.customers
    return CrossCheck(model, x.size, gap / n, abs(at_theirs - own) / n, message)


def _lifetimes_fit(model: str, rows: PurchaseHistories) -> tuple[Any, str]:
    with warnings.catch_warnings():
        # the import silences FutureWarnings of the whole process; this undoes it
        warnings.simplefilter("ignore")
        import lifetimes
        from lifetimes.utils import ConvergenceError

        fitter = getattr(lifetimes, BTYD[model].reference)()
        try:
            with contextlib.redirect_stdout(
                io.StringIO()
            ):  # where a fit fails, it prints all of it
                fitter.fit(rows.frequency, rows.recency, rows.age, weights=rows.weight)
        except (ConvergenceError, np.linalg.LinAlgError):
            return None, f"lifetimes {lifetimes.__version__}: did not converge on the sample"
        fitter.log_likelihood_ = _their_likelihood(fitter, model, rows)
        return fitter, f"lifetimes {lifetimes.__version__}"


def _their_likelihood(fitter: Any, model: str, rows: PurchaseHistories) -> float:
    if model == "pareto_nbd":
        theta = fitter.params_.to_numpy()
        each = fitter._conditional_log_likelihood(theta, rows.frequency, rows.recency, rows.age)
        return float(rows.weight @ each)
    # lifetimes keeps the mean negative log-likelihood, of time scaled to its maximum
    shift = rows.purchases * float(np.log(fitter._scale))
    return shift - float(fitter._negative_log_likelihood_) * rows.customers
