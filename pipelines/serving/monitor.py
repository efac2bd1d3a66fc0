"""Monitor: is the model in use still right; loud when it is not."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from clv.errors import DataError, GateError, RegistryError
from clv.notes import Note

from ..data.validate import company_of
from ..running.run import Result, Run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clv.monitoring import PastScores
    from clv.registry import Registry


def run(ctx: Run, *, scores: Path | None = None) -> Result:
    """Hold the published scores against their training and against what came true.

    Nothing is scored again: drift is what the scoring counted.

    Raises
    ------
    DataError
        When nothing was published yet.
    """
    from clv.events.histories import make_histories
    from clv.monitoring import DriftReport, Limits, ModelInUse, monitor
    from clv.scoring import manifest, survey

    folder = scores or ctx.workspace / "scores"
    published = survey(folder)
    ctx.note(published.notes)
    if not published.runs:
        raise DataError(
            f"{folder}: holds no published scores; expected one table. Run `clv score`."
        )
    registry = ctx.registry()
    past = _past(ctx, registry, published.runs)
    in_use, drift = past[0], manifest(published.runs[0])["drift"]
    version = registry.version(in_use.model_version)
    training, contributions = (
        ctx.document(registry, version, f"{name}.json") for name in ("training", "contributions")
    )
    learned = dt.date.fromisoformat(training["as_of"])
    tables = company_of(ctx).tables
    with (
        ctx.step("Comparing what was said with what came true") as on_progress,
        make_histories(tables) as histories,  # what came true needs no markers
    ):
        found = monitor(
            histories,
            past,
            ModelInUse(
                name=registry.name,
                learned_until=learned + dt.timedelta(days=in_use.horizon_days),
                weights={row["feature"]: row["mean_abs"] for row in contributions["features"]},
                drift=None if drift is None else DriftReport.from_dict(drift),
                reporting_delay_days=ctx.settings.training.reporting_delay_days,
            ),
            now=ctx.started_at,
            limits=Limits(
                **ctx.settings.gate.model_dump(exclude={"gini_standard_errors"}),
                **ctx.settings.monitoring.model_dump(exclude={"fail"}),
            ),
            on_progress=on_progress,
        )
    ctx.note(found.notes)
    document = found.as_dict()
    lines = (
        f"model {registry.name} {in_use.model_version}, scores as of {in_use.as_of}: "
        f"{found.status}",
        *_told(document["checks"]),
    )
    path = ctx.save("monitoring.json", document)
    return Result("monitor", lines, {"monitoring": path}, tuple(ctx.notes), document)


def _told(checks: list[dict[str, Any]]) -> list[str]:
    """Return a line per answer; checks that say the same share one."""
    names: dict[str, list[str]] = {}
    for check in checks:
        answer = " ".join(f"{check['status']}. {check['sentence']} {check['next']}".split())
        names.setdefault(answer, []).append(check["name"])
    return [f"{', '.join(same)}: {answer}" for answer, same in names.items()]


def require(ctx: Run, result: Result) -> None:
    """Stop a scheduler where something must be done, unless the settings say otherwise.

    Raises
    ------
    GateError
        Naming the checks.
    """
    grave = [check for check in result.facts["checks"] if check["status"] == "act"]
    if grave and ctx.settings.monitoring.fail:
        told = " ".join(f"{check['name']}: {check['sentence']}" for check in grave)
        steps = " ".join(dict.fromkeys(check["next"] for check in grave))
        raise GateError(f"monitor: {told} {steps}")


def _past(ctx: Run, registry: Registry, published: Sequence[Path]) -> list[PastScores]:
    """Describe the published tables, newest first; the current one must be of a known model.

    Raises
    ------
    RegistryError
        When the current table's model is not in the registry.
    """
    from clv.monitoring import PastScores
    from clv.scoring import manifest

    from .scores import FILE

    known = {version.number: version for version in registry.versions()}
    trainings: dict[int, dict[str, Any]] = {}
    found = []
    for path in published:
        said = manifest(path)
        number = int(said["model_version"])
        if said["model_name"] != registry.name or number not in known:
            continue
        if number not in trainings:
            trainings[number] = ctx.document(registry, known[number], "training.json")
        training = trainings[number]
        found.append(
            PastScores(
                as_of=dt.date.fromisoformat(said["as_of"]),
                model_version=number,
                path=path / FILE,
                horizon_days=training["horizon_days"],
                discount_rate_annual=training["discount_rate_annual"],
                level=training["interval_level"],
            )
        )
    lost = len(published) - len(found)
    if lost and (not found or found[0].path.parent != published[0]):
        raise RegistryError(
            f"monitor: the model of {published[0].name} is not in this registry, which has "
            f"{len(known)} versions of {registry.name}. Name the registry it was scored with."
        )
    if lost:
        text = "score tables of models that are not in this registry; not compared"
        ctx.note([Note("unknown_model", "monitor", lost, text)])
    return found
