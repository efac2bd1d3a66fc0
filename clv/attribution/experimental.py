"""Level 3: what experiments say of a behaviour, in the terms of the other levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.attribution.results import CheckResult, Level

if TYPE_CHECKING:
    from clv.attribution.exposure import Behaviour
    from clv.experiments.read import ReadOut

MIN_RATIO_P = 0.001


def experimental_level(
    read_out: ReadOut, behaviour: Behaviour, treated_per_customer: float, level: float = 0.95
) -> Level:
    """Scale a read-out to the change that is asked about.

    Parameters
    ----------
    read_out : ReadOut
        With the behaviour among its ``scaled`` ones.
    behaviour : Behaviour
        Linear; the change is asked of every contact with an occasion.
    treated_per_customer : float
        Such contacts per customer of the population.
    level : float
        Of the interval.
    """
    ratio = CheckResult(
        "sample_ratio",
        read_out.trusted,
        read_out.sample_ratio_p,
        MIN_RATIO_P,
        f"Arms are as large as planned with p = {read_out.sample_ratio_p:.3g}.",
    )
    if not read_out.trusted:
        return Level.refusal(
            "experimental",
            f"arms of {read_out.experiment} are not as large as planned: "
            f"p = {read_out.sample_ratio_p:.2g}",
            "find where customers of one arm were lost, and read it again",
            (ratio,),
        )
    scaled = next((one for one in read_out.scaled if one.behaviour == behaviour.name), None)
    if scaled is None or behaviour.transform != "linear":
        return Level.refusal(
            "experimental",
            f"{read_out.experiment} did not move {behaviour.name} beyond doubt",
            "run an experiment whose arms differ in it",
            (ratio,),
        )
    factor = behaviour.change * treated_per_customer
    low, high = scaled.slope.interval(level)
    return Level(
        "experimental",
        factor * scaled.slope.estimate,
        min(factor * low, factor * high),
        max(factor * low, factor * high),
        abs(factor) * scaled.slope.standard_error,
        (ratio,),
    )
