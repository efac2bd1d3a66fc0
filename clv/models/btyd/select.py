"""Which purchase model suits a company: the one that forecast best what came after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.models.btyd import BTYD
from clv.models.btyd.fit import fit_purchases
from clv.models.btyd.results import Fit, Verdict
from clv.models.calendar.operational import Calendar
from clv.models.training.steps import Step, by_cutoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

CHOICE_CUSTOMERS = 20_000
STEP, LOSS = "purchase_model", "log loss of having bought in the horizon or not"


@dataclass(frozen=True)
class Choice:
    """How one purchase model forecast the customers it had not seen buying.

    Attributes
    ----------
    model : str
    fit : Fit
        On the histories up to the cutoff.
    log_likelihood : float
        Held-out, mean per customer, of having bought in the horizon or not.
    standard_error : float
        Of that mean.
    tracking : float
        Purchases forecast over purchases made in the horizon.
    """

    model: str
    fit: Fit
    log_likelihood: float
    standard_error: float
    tracking: float


def compare_purchase_models(
    rows: pd.DataFrame,
    horizon_days: int,
    *,
    seed: int = 0,
    calendar: Calendar | None = None,
    models: Iterable[str] = tuple(BTYD),
) -> dict[str, Choice]:
    """Fit every purchase model at one cutoff and hold it against what came after.

    Parameters
    ----------
    rows : DataFrame
        Purchase histories as of one cutoff, with the outcome ``purchases`` of the horizon.
    horizon_days : int
    seed : int
        Of the sample of at most 20,000 customers.
    calendar : Calendar, optional
        As learned by the cutoff; flat by default.
    models : iterable of str
        Keys of ``BTYD``.
    """
    calendar = calendar or Calendar()
    rows = rows[rows["frequency"].notna()]
    if len(rows) > CHOICE_CUSTOMERS:
        keep = np.random.default_rng(seed).permutation(len(rows))[:CHOICE_CUSTOMERS]
        rows = rows.iloc[np.sort(keep)]
    x, t_x, t, _ = calendar.histories(rows)
    length = float(horizon_days)
    if not calendar.is_flat:
        length = float(calendar.ahead(rows["as_of"].iloc[:1], horizon_days)[0])
    bought = rows["purchases"].to_numpy(float)
    choices = {}
    for model in models:
        kind = BTYD[model]
        fit = fit_purchases(model, x, t_x, t)
        living = kind.p_alive(fit.parameters, x, t_x, t)
        none = kind.p_none_if_alive(fit.parameters, x, t, length)
        p_none = np.clip(1 - living + living * none, 1e-9, 1 - 1e-9)
        score = np.where(bought > 0, np.log1p(-p_none), np.log(p_none))
        forecast = (living * kind.purchases_if_alive(fit.parameters, x, t, length)).sum()
        tracking = float(forecast / max(bought.sum(), 1.0))
        error = float(score.std() / np.sqrt(score.size))
        choices[model] = Choice(model, fit, float(score.mean()), error, tracking)
    return choices


def choose_purchase_model(
    past: Mapping[str, Mapping[str, Choice]], reach_days: int
) -> tuple[tuple[Choice, ...], Step]:
    """Choose by several past cutoffs: one season's outcome says little about the next.

    The models are asked in the order of ``BTYD``; a later one is taken where it
    forecast the past cutoffs better than the one before by more than chance. One whose fit
    did not converge at the last cutoff is passed over while another did.

    Parameters
    ----------
    past : mapping of str to mapping of str to Choice
        ``compare_purchase_models`` by ISO cutoff, each of which was over.
    reach_days : int
        Days that an outcome takes.

    Returns
    -------
    choices : tuple of Choice
        Of the last cutoff, the chosen one first, then by their mean likelihood.
    step : Step
        The chosen model against the first that could be used; where that is itself, the
        best of the others against it.
    """
    cutoffs = sorted(past)
    latest = past[cutoffs[-1]]
    usable = [m for m in latest if latest[m].fit.verdict is Verdict.CONVERGED] or [*latest][:1]

    def losses(model: str) -> list[float]:
        return [-past[cutoff][model].log_likelihood for cutoff in cutoffs]

    def against(model: str, other: str) -> Step:
        return by_cutoff(STEP, LOSS, cutoffs, losses(other), losses(model), reach_days)

    chosen = usable[0]
    for model in usable[1:]:
        chosen = model if against(model, chosen).used else chosen
    others = sorted((m for m in latest if m != chosen), key=lambda m: float(np.mean(losses(m))))
    rivals = [model for model in others if model in usable] or others
    step = against(chosen, usable[0]) if chosen != usable[0] else against(rivals[0], chosen)
    return tuple(latest[model] for model in (chosen, *others)), step
