"""Score: every customer with the registered model, published at once or not at all."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from clv.errors import GateError

from ..data.validate import company_of, histories_of
from ..learning.train import PROFILE
from ..running.run import Result, Run

if TYPE_CHECKING:
    from pathlib import Path


def run(
    ctx: Run,
    *,
    model: str | None = None,
    out: Path | None = None,
    dry_run: bool = False,
    allow_older: bool = False,
    guarded: bool = True,
) -> Result:
    """Score as of the settings' day, by default that of the last order.

    Parameters
    ----------
    ctx : Run
    model : str, optional
        Such as ``models:/clv@challenger``; by default the champion.
    out : pathlib.Path, optional
        The folder of published runs; by default that of the workspace.
    dry_run : bool
        Publish nothing.
    allow_older : bool
        Publish an older day than the published one, or the same tables on a later day.
    guarded : bool
        Whether the run is held to the last one; another company's in the same place is not.
    """
    from clv.monitoring import Profile
    from clv.scoring import Guards, ScoringOptions, score
    from clv.sinks import make_sinks

    sinks = make_sinks(ctx.settings.scoring.sinks)
    registry = ctx.registry()
    loaded = registry.load(model)
    profile = Profile.from_dict(ctx.document(registry, registry.resolve(loaded.uri), PROFILE))
    # The rules judge every row; a nightly run loads no second reader of the same rules.
    company = company_of(ctx, second_reading=False)
    as_of = ctx.settings.as_of or fresh(ctx, company.tables.span()[1])
    folder = out or ctx.workspace / "scores"
    histories = histories_of(ctx)
    limits = Guards(**ctx.settings.guards.model_dump(), allow_older=allow_older)
    with ctx.step(f"Scoring as of {as_of}") as on_progress:
        result = score(
            histories,
            loaded.model,
            as_of=as_of,
            on_progress=on_progress,
            options=ScoringOptions(
                model_name=loaded.name,
                model_version=loaded.version,
                out=folder,
                sinks=sinks,
                reasons=ctx.settings.scoring.reasons,
                chunk_customers=ctx.settings.scoring.chunk_customers,
                limit_share=ctx.settings.scoring.quarantine_limit_share,
                keep=ctx.settings.scoring.keep,
                wait_seconds=ctx.settings.scoring.wait_seconds,
                keep_months=ctx.settings.scoring.keep_months,
                dry_run=dry_run,
                profile=profile,
                data_fingerprint=company.validation.fingerprint,
                clock=lambda: dt.datetime.now(dt.UTC),
                guards=limits if guarded else None,
            ),
        )
    ctx.note(result.notes)
    manifest = ctx.save("manifest.json", result.as_dict(), latest=not dry_run)
    ctx.save("portfolio.json", result.portfolio, latest=not dry_run)
    published = "nothing published (dry run)" if result.path is None else str(result.path)
    lines = (
        f"{result.scored:,} customers scored with {loaded.uri} as of {as_of}, "
        f"{result.quarantined:,} quarantined: {published}",
    )
    documents = {"manifest": manifest} | ({} if result.path is None else {"scores": result.path})
    return Result("score", lines, documents, tuple(ctx.notes), result.as_dict())


def fresh(ctx: Run, last: dt.date) -> dt.date:
    """Return the day of the last order, unless it is older than the settings allow.

    Raises
    ------
    GateError
        A nightly job that got last month's orders is to stop; a day that was asked for is not.
    """
    limit = ctx.settings.monitoring.stale_days
    age = (ctx.started_at.date() - last).days
    if limit is not None and age > limit:
        raise GateError(
            f"orders: the last one is of {last}, {age} days ago; monitoring.stale_days allows "
            f"{limit}. Bring newer orders, or name the day with --as-of."
        )
    return last
