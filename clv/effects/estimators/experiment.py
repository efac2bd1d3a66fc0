"""Experiments: what they say of a behaviour, in the terms of the other estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.effects.results import CheckResult, Level
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clv.effects.design.exposure import Behaviour, Exposure
    from clv.experiments.results import Moved, ReadOut

MIN_RATIO_P = 0.001
OTHER_CHANNEL_P = 0.01


def experimental_levels(
    read_outs: Sequence[ReadOut],
    behaviours: Sequence[Behaviour],
    exposure: Exposure,
    *,
    horizon_days: int,
    outcome: str,
    level: float = 0.95,
) -> dict[str, Level]:
    """Return the experimental evidence of every behaviour that an experiment was about.

    An experiment is about the behaviours that it moved beyond doubt. Of several, the one
    with the least error speaks; one that is refused is shown only where none is not.

    Parameters
    ----------
    read_outs : sequence of ReadOut
        As ``clv experiment read`` stored them.
    behaviours : sequence of Behaviour
        What is asked about.
    exposure : Exposure
        Says how many contacts a customer has in which each behaviour can change.
    horizon_days : int
        Of the outcome that is asked about.
    outcome : str
        Its name.
    level : float
        Of the intervals.
    """
    found: dict[str, Level] = {}
    for behaviour in behaviours:
        asked = [one for one in read_outs if _moved(one, behaviour) is not None]
        levels = [
            experimental_level(one, behaviour, exposure.treated(behaviour.name), level)
            if (one.horizon_days, one.outcome) == (horizon_days, outcome)
            else _other_outcome(one, horizon_days)
            for one in asked
        ]
        if levels:
            found[behaviour.name] = min(
                levels, key=lambda one: (one.refused is not None, one.standard_error or 0.0)
            )
    return found


def unmoved(read_outs: Sequence[ReadOut]) -> tuple[Note, ...]:
    """Name the experiments that moved no measured behaviour: no effect can use them."""
    text = "moved no measured behaviour beyond doubt: its arms' difference stands alone"
    return tuple(
        Note("moved_nothing", f"experiment.{one.experiment}", 0, text)
        for one in read_outs
        if all(moved.slope is None for moved in one.moved)
    )


def experimental_level(
    read_out: ReadOut, behaviour: Behaviour, treated_per_customer: float, level: float = 0.95
) -> Level:
    """Scale a read-out to the change that is asked about.

    Parameters
    ----------
    read_out : ReadOut
        With the behaviour among those it ``moved``.
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
    scaled = _moved(read_out, behaviour)
    if scaled is None or scaled.slope is None:
        return Level.refusal(
            "experimental",
            f"{read_out.experiment} did not move {behaviour.name} beyond doubt",
            "run an experiment whose arms differ in it",
            (ratio,),
        )
    if behaviour.transform != "linear":
        return Level.refusal(
            "experimental",
            f"{behaviour.name} acts along a curve, of which arms show one slope only",
            "read the arms' own difference, or run arms at several settings",
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
        (ratio, only_channel(read_out, scaled)),
    )


def only_channel(read_out: ReadOut, scaled: Moved) -> CheckResult:
    """Check that the arm moved nothing else: what else it moved is in the number too."""
    others = [
        one for one in read_out.moved if one.arm == scaled.arm and one.behaviour != scaled.behaviour
    ]
    least = min((one.shift.p_value for one in others), default=1.0)
    threshold = OTHER_CHANNEL_P / max(len(others), 1)
    moved = ", ".join(one.behaviour for one in others if one.shift.p_value < threshold)
    return CheckResult(
        "only_channel",
        not moved,
        least,
        threshold,
        f"The arm moved {moved} too: its worth is in the number."
        if moved
        else "The arm moved no other measured behaviour.",
    )


def _moved(read_out: ReadOut, behaviour: Behaviour) -> Moved | None:
    """Return the arm that moved the behaviour beyond doubt, or, without one, None."""
    mine = (one for one in read_out.moved if one.behaviour == behaviour.name)
    return next((one for one in mine if one.slope is not None), None)


def _other_outcome(read_out: ReadOut, horizon_days: int) -> Level:
    return Level.refusal(
        "experimental",
        f"{read_out.experiment} was read on {read_out.outcome or 'another outcome'} over "
        f"{read_out.horizon_days} days, and this is another outcome or horizon",
        f"read it again with --horizon-days {horizon_days}",
    )
