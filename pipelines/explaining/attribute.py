"""Attribute: what the value rests on, and what changing a service behaviour would do to it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from clv.errors import DataError, RegistryError
from clv.notes import Note

from ..data.validate import company_of, histories_of
from ..learning.train import horizon_of
from ..running.documents import READ
from ..running.run import Result, Run

if TYPE_CHECKING:
    from pathlib import Path

    from clv.effects.attribution import AttributionOptions
    from clv.effects.design.exposure import Behaviour
    from clv.experiments.results import ReadOut


def run(
    ctx: Run,
    *,
    horizon_days: int | None = None,
    model: str | None = None,
    out: Path | None = None,
) -> Result:
    """Estimate effects from contacts up to a day and outcomes after it; write attribution.json."""
    from clv.effects.attribution import attribute
    from clv.effects.document import without_contacts
    from clv.windows import latest_window

    ctx.reach_registry()
    read_outs = read_outs_of(ctx)
    tables = company_of(ctx).tables
    first, last = tables.span()
    days = horizon_days or horizon_of(ctx, first, last, ctx.settings.as_of)
    window = latest_window(first, last, days, ctx.settings.as_of)
    contributions, version = _contributions(ctx, model)
    if "interactions" not in tables:
        result = without_contacts(tables, window, contributions, version)
    else:
        histories = histories_of(ctx)
        with ctx.step("Estimating effects") as on_progress:
            result = attribute(
                histories,
                window=window,
                contributions=contributions,
                model_version=version,
                options=options_of(ctx),
                experiments=read_outs,
                on_progress=on_progress,
            )
    ctx.note(result.notes)
    document = result.as_dict(individuals=ctx.settings.report.individual_agents)
    _complete_commands(document, ctx.again)
    path = ctx.save("attribution.json", document)
    if out is not None:
        path = ctx.save_to(out, document)
    currency = document["currency"]
    lines = (
        *(_line(effect, currency) for effect in document["effects"]),
        *(_rollout_line(rollout, currency) for rollout in document["rollouts"]),
        *decision_lines(document, ctx.settings.report.language),
    )
    return Result("attribute", lines, {"attribution": path}, tuple(ctx.notes), document)


def asked_of(ctx: Run) -> tuple[Behaviour, ...]:
    """Return the behaviours to ask about: few, since every further one may mislead by chance."""
    from clv.effects.attribution import ASKED
    from clv.effects.design.exposure import Behaviour

    chosen = ctx.settings.attribution.behaviours
    return (*ASKED, *(Behaviour(name, 0.1, "share of occasions") for name in chosen))


def options_of(ctx: Run) -> AttributionOptions:
    """Turn the settings into the attribution's options."""
    from clv.effects.attribution import AttributionOptions
    from clv.effects.decisions.options import DecisionOptions, TargetOptions
    from clv.effects.estimators.study import EffectOptions

    asked, seed = ctx.settings.attribution, ctx.settings.seed
    decisions = DecisionOptions(**ctx.settings.decisions.model_dump())
    return AttributionOptions(
        effects=EffectOptions(level=asked.level, max_customers=asked.customers, seed=seed),
        targets=TargetOptions(
            min_gain_share=asked.minimum_gain_share, seed=seed, decisions=decisions
        ),
        exposure_days=asked.exposure_days,
        outcomes=asked.outcomes,
        premium_queue=asked.premium_queue,
        asked=asked_of(ctx),
    )


def read_outs_of(ctx: Run) -> tuple[ReadOut, ...]:
    """Load the read-outs that the settings name: files, or folders of ``experiment-*.json``.

    Raises
    ------
    DataError
        When one is missing, or is no read-out.
    """
    from clv.experiments.results import ReadOut

    found = []
    for place in ctx.settings.attribution.experiments:
        files = sorted(place.glob("experiment-*.json")) if place.is_dir() else [place]
        for path in files:
            try:
                document = READ.read(path)
            except OSError as error:
                raise DataError(
                    f"{path}: cannot be read as a read-out: {error}. Expected what "
                    "`clv experiment read` wrote; see attribution.experiments."
                ) from None
            found.append(ReadOut.from_dict(document, str(path)))
    return tuple(found)


def _contributions(ctx: Run, model: str | None) -> tuple[list[dict[str, Any]] | None, int | None]:
    """Return the contributions that the model's own training logged, if there is a model."""
    registry = ctx.registry()
    try:
        version = registry.resolve(model or f"models:/{registry.name}@champion")
    except RegistryError:
        if model is not None:
            raise
        text = "no champion is registered; effects come without contributions"
        ctx.note([Note("no_model", "attribution", 0, text)])
        return None, None
    document = ctx.document(registry, version, "contributions.json")
    return document["groups"], version.number


def _complete_commands(document: dict[str, Any], again: tuple[str, ...]) -> None:
    """Let each proposed experiment's command read the same company as this run."""
    for target in document["targets"]:
        if target["experiment"] is not None:
            words = shlex.split(target["experiment"]["command"])
            target["experiment"]["command"] = shlex.join([*words, *again])


def decision_lines(document: dict[str, Any], language: str) -> tuple[str, ...]:
    """Say what to do about each behaviour, as the report's first page does."""
    from clv.report.advice import advice, recommendation
    from clv.report.sections.decisions import decisions
    from clv.report.sentences import load

    texts = load(language, document["currency"])
    lines = []
    for found in decisions(document, contacts=document["customers"] > 0):
        grade = texts.name("grade", found.grade)
        said = " ".join(advice(found, texts)).replace("**", "")
        lines.append(f"{grade}: {recommendation(found, texts)}. {said}")
        if found.experiment is not None and found.experiment.command:
            lines.append(found.experiment.command)
    return tuple(lines)


def _line(effect: dict[str, Any], currency: str) -> str:
    change = f"{effect['change']:+g} {effect['unit']}"
    best = next(
        (level for level in effect["levels"] if level["evidence"] == effect["headline"]), None
    )
    if best is None or best["estimate"] is None:
        refused = [level["refused"]["why"] for level in effect["levels"] if level["refused"]]
        return f"{effect['behaviour']} ({change}): no estimate; {'; '.join(dict.fromkeys(refused))}"
    return (
        f"{effect['behaviour']} ({change}): {best['estimate']:+.2f} {currency} a customer and "
        f"year, {best['low']:+.2f} to {best['high']:+.2f} ({effect['headline']})"
    )


def _rollout_line(rollout: dict[str, Any], currency: str) -> str:
    about = f"roll-out {rollout['what']} ({rollout['units_reached']} of {rollout['units']} "
    about += f"{rollout['unit']}s reached)"
    if rollout["refused"]:
        return f"{about}: no estimate; {rollout['refused']['why']}"
    payment, per_contact = rollout["payment"], rollout["per_contact"]
    verdict = {"paid": "it paid", "lost": "it did not pay", "open": "whether it paid is open"}
    year = payment["per_agent_year"]
    return (
        f"{about}: {per_contact['estimate']:+.2f} {currency} a contact, "
        f"{per_contact['low']:+.2f} to {per_contact['high']:+.2f}; net of minutes and cost "
        f"{year['estimate']:+,.0f} {currency} an agent in the first year, {year['low']:+,.0f} to "
        f"{year['high']:+,.0f}: {verdict[payment['verdict']]} ({rollout['evidence']})"
    )
