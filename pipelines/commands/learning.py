"""The commands of models: train, backtest, promote, rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Config, Cutoff, Data, EngineKind, Horizon, Workspace, run_of, show


def train(
    config: Config = None,
    data: Data = None,
    as_of: Cutoff = None,
    horizon_days: Horizon = None,
    promote: Annotated[bool, typer.Option(help="Make it champion if the gate passes.")] = False,
    engine: EngineKind = None,
    workspace: Workspace = None,
) -> None:
    """Fit, test and register a model.

    Example: clv train --data company --promote
    """
    from ..learning import train as pipeline

    run = run_of(
        "train",
        config,
        data=data,
        as_of=as_of,
        training__horizon_days=horizon_days,
        engine=engine,
        workspace=workspace,
    )
    show(run, pipeline.run(run, promote=promote))


def backtest(
    config: Config = None,
    data: Data = None,
    folds: Annotated[int | None, typer.Option(min=1, help="Folds at most.")] = None,
    engine: EngineKind = None,
    workspace: Workspace = None,
) -> None:
    """Measure the models on the company's own past.

    Example: clv backtest --data company --folds 3
    """
    from ..learning import backtest as pipeline

    run = run_of(
        "backtest", config, data=data, training__folds=folds, engine=engine, workspace=workspace
    )
    show(run, pipeline.run(run))


def promote(
    version: Annotated[str | None, typer.Argument(help="By default the challenger.")] = None,
    why: Annotated[str, typer.Option(help="Kept with the version.")] = "",
    trust_metrics: Annotated[
        bool,
        typer.Option("--trust-metrics", help="Believe the sender's figures of an imported one."),
    ] = False,
    config: Config = None,
    workspace: Workspace = None,
) -> None:
    """Make a version champion, if the gate passes.

    Example: clv promote 3 --why "beats the champion on all folds"
    """
    from ..learning import lifecycle

    run = run_of("promote", config, workspace=workspace)
    show(run, lifecycle.promote(run, version=version, why=why, trust_metrics=trust_metrics))


def rollback(
    why: Annotated[str, typer.Option(help="Kept with the version.")] = "",
    config: Config = None,
    workspace: Workspace = None,
) -> None:
    """Restore the champion before this one.

    Example: clv rollback --why "scores drifted"
    """
    from ..learning import lifecycle

    run = run_of("rollback", config, workspace=workspace)
    show(run, lifecycle.rollback(run, why=why))
