"""Effects and targets by segment, queue and issue type, each through its own gates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clv.effects.checks.gates.first_stage import FirstStage
from clv.effects.decisions.ground import ground_of
from clv.effects.decisions.hierarchy import together
from clv.effects.decisions.targets import target_on
from clv.effects.design.eligibility import eligible
from clv.effects.design.exposure import CORE_BEHAVIOURS, EMPATHY, HANDLE
from clv.effects.effects import estimate_effects, run_gates
from clv.effects.estimators.nuisance import learner_of
from clv.effects.estimators.study import build_study

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clv.contract.tables import Tables
    from clv.effects.decisions.ground import Ground
    from clv.effects.decisions.options import Circumstances, TargetOptions
    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Behaviour, Codes, Exposure
    from clv.effects.effects import Effects
    from clv.effects.estimators.study import EffectOptions

MIN_SEGMENT = 500
MIN_PART_CONTACTS = 2_000
BY_CONTACT = ("pool", "issue_type")


@dataclass(frozen=True)
class Part:
    """One queue or issue type, and what its targets stand on by behaviour."""

    by: str
    name: str
    contacts: int
    grounds: dict[str, Ground]


def segment_effects(
    tables: Tables, studied: Studied, asked: Sequence[Behaviour], options: EffectOptions
) -> tuple[Mapping[str, Any], ...]:
    """Estimate the core behaviours' effects by segment, each through its own gates."""
    if not tables.has("customers", "segment") or "segment" in tables.terms.protected:
        return ()
    customers = tables["customers"]
    rows = tables.engine.to_pandas(customers.select("customer_id", "segment"))
    segment = rows.set_index("customer_id")["segment"].reindex(studied.customers)
    core = [one for one in asked if one in CORE_BEHAVIOURS]
    found = []
    for name in sorted(segment.dropna().unique()):
        mine = (segment == name).to_numpy()
        if mine.sum() < MIN_SEGMENT:
            continue
        part = studied.exposure.of_contacts(np.flatnonzero(mine[studied.exposure.customer]))
        effects = estimate_effects(part, core, options)
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
    studied: Studied,
    effects: Effects,
    cost_per_minute: float | None,
    options: EffectOptions,
    targets: TargetOptions,
    circumstances: Circumstances | None = None,
) -> tuple[tuple[Mapping[str, Any], ...], list[Mapping[str, str]]]:
    """Set targets by queue and by issue type, where the part passes the agents' gates itself.

    A part is the contacts of one queue or issue. Parts that pass are shrunk towards each other
    and the whole, as far as they are not shown to differ; all of them share the chance that
    any is falsely proven.

    Returns
    -------
    tuple
        ``{"by", "name", "contacts", "targets"}`` of each part with a target, and
        ``{"what", "why"}`` of the parts without.
    """
    missing: list[Mapping[str, str]] = []
    usable: list[Part] = []
    if effects.study is None or effects.second is None:
        return (), missing
    for column, name, rows in parts(studied):
        what = f"targets of {column} {name}"
        if len(rows) < MIN_PART_CONTACTS:
            why = f"{len(rows)} contacts; {MIN_PART_CONTACTS} are needed"
            missing.append({"what": what, "why": why})
            continue
        exposure = studied.exposure.of_contacts(rows)
        own, reasons = part_grounds(exposure, cost_per_minute, options, targets)
        missing += [{"what": what, "why": reason} for reason in reasons]
        usable.append(Part(column, name, len(rows), own))
    shared = [part for by in ("queue", "issue") for part in _shared(
        [one for one in usable if one.by == by], effects, cost_per_minute, targets
    )]  # fmt: skip
    number = sum(len(part.grounds) for part in shared)
    found: list[Mapping[str, Any]] = []
    for part in shared:
        known = circumstances
        if known is not None:
            share = part.contacts / studied.exposure.contacts
            known = replace(known, contacts_a_year=known.contacts_a_year * share, read_outs=())
        own_targets = [
            target_on(ground, targets, together=number, circumstances=known)
            for ground in part.grounds.values()
        ]
        if own_targets:
            found.append(
                {
                    "by": part.by,
                    "name": part.name,
                    "contacts": part.contacts,
                    "targets": [target.as_dict() for target in own_targets],
                }
            )
    return tuple(found), missing


def _shared(
    held: list[Part], effects: Effects, cost_per_minute: float | None, targets: TargetOptions
) -> list[Part]:
    """Return the parts of one column, each behaviour standing on all parts."""
    assert effects.study is not None
    for behaviour in (HANDLE.name, EMPATHY.name):
        mine = [part for part in held if behaviour in part.grounds]
        if not mine or behaviour not in {one.behaviour.name for one in effects.study.bases}:
            continue
        whole = ground_of(effects.study, effects.second, behaviour, cost_per_minute, targets)
        grounds = together([p.grounds[behaviour] for p in mine], whole, targets.decisions)
        for part, ground in zip(mine, grounds, strict=True):
            part.grounds[behaviour] = ground
    return held


def part_grounds(
    exposure: Exposure,
    cost_per_minute: float | None,
    options: EffectOptions,
    targets: TargetOptions,
) -> tuple[dict[str, Ground], list[str]]:
    """Return what one part's targets stand on, and why there are no others; gates come first."""
    eligibility = eligible(exposure, CORE_BEHAVIOURS)
    refused = run_gates(exposure, eligibility, options).refused
    if refused is not None:
        return {}, [refused.why]
    kept = [one for one in CORE_BEHAVIOURS if one.name in eligibility.kept]
    study = build_study(exposure, kept, options, learner_of(options))
    fit = study.instrumented()
    found, why = {}, []
    for behaviour in (HANDLE, EMPATHY):
        if behaviour not in kept:
            why.append(eligibility.refused[behaviour.name].why)
            continue
        stage = FirstStage(options.min_first_stage_f).run(study, behaviour.name)
        if not stage.passed:
            why.append(eligibility.weak(behaviour, stage).why)
        elif behaviour == EMPATHY or cost_per_minute is not None:
            found[behaviour.name] = ground_of(study, fit, behaviour.name, cost_per_minute, targets)
    return found, why


def parts(studied: Studied) -> Iterator[tuple[str, str, Codes]]:
    """Yield column, value and contacts of each queue and issue type, where there are two."""
    for column in BY_CONTACT:
        words = studied.contacts[column]
        names = sorted(words.dropna().unique())
        for name in names if len(names) > 1 else ():
            label = "queue" if column == "pool" else "issue"
            yield label, str(name), np.flatnonzero((words == name).to_numpy())
