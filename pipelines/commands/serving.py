"""The commands of a model in use: score, monitor, erase, and the published tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import AsOf, Config, Data, EngineKind, Model, Out, Workspace, run_of, show


def score(
    config: Config = None,
    data: Data = None,
    as_of: AsOf = None,
    model: Model = None,
    out: Out = None,
    dry_run: Annotated[bool, typer.Option(help="Publish nothing.")] = False,
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Publish an older day, or the same tables again.")
    ] = False,
    engine: EngineKind = None,
    workspace: Workspace = None,
) -> None:
    """Score every customer and publish the table.

    Exits with 5 where tables or total lie too far from those of the last run: see guards.

    Example: clv score --data company --as-of 2025-06-30
    """
    from ..serving import score as pipeline

    run = run_of("score", config, data=data, as_of=as_of, engine=engine, workspace=workspace)
    result = pipeline.run(run, model=model, out=out, dry_run=dry_run, allow_older=allow_older)
    show(run, result)


def monitor(
    config: Config = None,
    data: Data = None,
    scores: Annotated[Path | None, typer.Option(help="Where `clv score --out` wrote.")] = None,
    engine: EngineKind = None,
    workspace: Workspace = None,
) -> None:
    """Ask whether the model is still right: drift, and what came true.

    Exits with 5 when something must be done.

    Example: clv monitor --data company
    """
    from ..serving import monitor as pipeline

    run = run_of("monitor", config, data=data, engine=engine, workspace=workspace)
    result = pipeline.run(run, scores=scores)
    show(run, result)
    pipeline.require(run, result)


def erase(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Customers.")] = None,
    file: Annotated[Path | None, typer.Option("--from", help="One id a line.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Only look; change nothing.")] = False,
    tombstones: Annotated[
        bool, typer.Option(help="Leave ids where CRMs read that somebody is gone.")
    ] = True,
    scores: Annotated[Path | None, typer.Option(help="Where `clv score --out` wrote.")] = None,
    also: Annotated[
        list[Path] | None, typer.Option(help="Imported tables, logs; give it once for each.")
    ] = None,
    config: Config = None,
    workspace: Workspace = None,
) -> None:
    """Erase customers from the workspace and the sinks, or look whether any place names them.

    Exits with 5 when a place still does.

    Example: clv erase c1042 --config company.yaml
    """
    from ..serving import erase as pipeline

    run = run_of("erase", config, workspace=workspace)
    result = pipeline.run(
        run,
        ids=ids or [],
        file=file,
        search=verify,
        tombstones=tombstones,
        scores=scores,
        also=also or [],
    )
    show(run, result)


def push(
    kind: Annotated[str, typer.Argument(help="salesforce, hubspot, zendesk or rest.")],
    scores: Annotated[Path | None, typer.Option(help="Where `clv score --out` wrote.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Send all records, not only those that changed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Count only; send nothing.")] = False,
    config: Config = None,
    workspace: Workspace = None,
) -> None:
    """Make a live CRM hold the current score table; only what changed is sent.

    Credentials come from the environment: see docs/operations.md.

    Example: clv push hubspot --dry-run --config company.yaml
    """
    from ..serving import push as pipeline

    run = run_of("push", config, workspace=workspace)
    show(run, pipeline.run(run, kind, scores=scores, everything=everything, dry_run=dry_run))


def scores_diff(config: Config = None, workspace: Workspace = None) -> None:
    """Compare the current score table with the one before it.

    Example: clv scores diff
    """
    from ..serving import scores

    run = run_of("scores diff", config, workspace=workspace)
    show(run, scores.diff(run))


def scores_rollback(config: Config = None, workspace: Workspace = None) -> None:
    """Make the score table before the current one current again.

    Example: clv scores rollback
    """
    from ..serving import scores

    run = run_of("scores rollback", config, workspace=workspace)
    show(run, scores.rollback(run))
