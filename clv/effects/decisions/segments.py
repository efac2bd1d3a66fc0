"""Effects and targets by segment, queue and issue type, each through its own gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clv.effects.checks.gates.first_stage import FirstStage
from clv.effects.decisions.targets import target_of
from clv.effects.design.eligibility import screen
from clv.effects.design.exposure import CHANNELS, EMPATHY, HANDLE
from clv.effects.effects import estimate_effects, run_gates
from clv.effects.estimators.nuisance import learner_of
from clv.effects.estimators.study import build_study

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clv.contract.tables import Tables
    from clv.effects.decisions.options import TargetOptions
    from clv.effects.decisions.results import Target
    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Behaviour, Codes, Exposure
    from clv.effects.estimators.study import EffectOptions

MIN_SEGMENT = 500
MIN_PART_CONTACTS = 2_000
BY_CONTACT = ("pool", "issue_type")


def segment_effects(
    tables: Tables, studied: Studied, asked: Sequence[Behaviour], options: EffectOptions
) -> tuple[Mapping[str, Any], ...]:
    """Estimate the channels' effects by segment, each through its own gates."""
    if not tables.has("customers", "segment") or "segment" in tables.terms.protected:
        return ()
    customers = tables["customers"]
    rows = tables.engine.to_pandas(customers.select("customer_id", "segment"))
    segment = rows.set_index("customer_id")["segment"].reindex(studied.customers)
    channels = [one for one in asked if one in CHANNELS]
    found = []
    for name in sorted(segment.dropna().unique()):
        mine = (segment == name).to_numpy()
        if mine.sum() < MIN_SEGMENT:
            continue
        part = studied.exposure.of_contacts(np.flatnonzero(mine[studied.exposure.customer]))
        effects = estimate_effects(part, channels, options)
        found.append(
            {
                "name": str(name),
                "customers": int(mine.sum()),
                "clv": float(np.nanmean(part.outcome)),
                "effects": [effect.as_dict() for effect in effects.effects],
            }
        )
    return tuple(found)


def part_targets(
    studied: Studied, cost_per_minute: float | None, options: EffectOptions, targets: TargetOptions
) -> tuple[tuple[Mapping[str, Any], ...], list[Mapping[str, str]]]:
    """Set targets by queue and by issue type, where the part passes the agents' gates itself.

    A part is the contacts of one queue or issue. The draws behind many parts' bands are each
    at their own level.

    Returns
    -------
    tuple
        ``{"by", "name", "contacts", "targets"}`` of each part with a target, and
        ``{"what", "why"}`` of the parts without.
    """
    found: list[Mapping[str, Any]] = []
    missing: list[Mapping[str, str]] = []
    for column, name, rows in parts(studied):
        what = f"targets of {column} {name}"
        if len(rows) < MIN_PART_CONTACTS:
            why = f"{len(rows)} contacts; {MIN_PART_CONTACTS} are needed"
            missing.append({"what": what, "why": why})
            continue
        part = studied.exposure.of_contacts(rows)
        own, reasons = _targets(part, cost_per_minute, options, targets)
        missing += [{"what": what, "why": reason} for reason in reasons]
        if own:
            found.append(
                {
                    "by": column,
                    "name": name,
                    "contacts": len(rows),
                    "targets": [target.as_dict() for target in own],
                }
            )
    return tuple(found), missing


def _targets(
    exposure: Exposure,
    cost_per_minute: float | None,
    options: EffectOptions,
    targets: TargetOptions,
) -> tuple[list[Target], list[str]]:
    """Return the targets of one part, and why there are no others; gates come first."""
    usable = screen(exposure, CHANNELS)
    refused = run_gates(exposure, usable, options).refused
    if refused is not None:
        return [], [refused.why]
    kept = [one for one in CHANNELS if one.name in usable.kept]
    study = build_study(exposure, kept, options, learner_of(options))
    fit = study.instrumented()
    claimed, why = [], []
    for behaviour in (HANDLE, EMPATHY):
        if behaviour not in kept:
            why.append(usable.refused[behaviour.name].why)
            continue
        stage = FirstStage(options.min_first_stage_f).run(study, behaviour.name)
        if not stage.passed:
            why.append(usable.weak(behaviour, stage).why)
        elif behaviour == EMPATHY or cost_per_minute is not None:
            claimed.append(behaviour.name)
    number = len(claimed)
    found = [
        target_of(study, fit, name, cost_per_minute, targets, together=number) for name in claimed
    ]
    return found, why


def parts(studied: Studied) -> Iterator[tuple[str, str, Codes]]:
    """Yield column, value and contacts of each queue and issue type, where there are two."""
    for column in BY_CONTACT:
        words = studied.contacts[column]
        names = sorted(words.dropna().unique())
        for name in names if len(names) > 1 else ():
            label = "queue" if column == "pool" else "issue"
            yield label, str(name), np.flatnonzero((words == name).to_numpy())
