"""The commands `clv experiment design`, `assign` and `read`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import AsOf, Config, Data, Horizon, Out, Workspace, run_of, show

experiment_app = typer.Typer(
    no_args_is_help=True, help="Experiments: how large, who gets which arm, and what it did."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The experiment.")]
Unit = Annotated[str, typer.Option(help="customer, agent or interaction.")]
Arms = Annotated[
    list[str] | None, typer.Option("--arm", help="Such as control=0.5; give it once per arm.")
]
Log = Annotated[Path | None, typer.Option(help="Assignment log (CSV); it only grows.")]


@experiment_app.command("design")
def design(
    effect: Annotated[float | None, typer.Option(help="Least difference that matters.")] = None,
    per_arm: Annotated[int | None, typer.Option(min=2, help="Or: units in each arm.")] = None,
    unit: Unit = "customer",
    weeks: Annotated[
        int | None, typer.Option(min=1, help="Of agents: weeks of contacts that enter; none: 52.")
    ] = None,
    power: Annotated[float, typer.Option(help="Chance to find the effect.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Chance to find one where there is none.")] = 0.05,
    config: Config = None,
    data: Data = None,
    as_of: AsOf = None,
    horizon_days: Horizon = None,
    out: Out = None,
    workspace: Workspace = None,
) -> None:
    """Say how large an experiment must be, or what a given size can find.

    Example: clv experiment design --effect 5 --data company
    """
    from ..explaining import experiment

    run = run_of(
        "experiment design",
        config,
        data=data,
        as_of=as_of,
        training__horizon_days=horizon_days,
        workspace=workspace,
    )
    asked = experiment.Asked(effect, per_arm, power, alpha)
    found = experiment.design(run, asked, unit=unit, weeks=weeks, out=out)
    show(run, found)


@experiment_app.command("assign")
def assign(
    name: Name,
    unit: Unit = "customer",
    arm: Arms = None,
    units: Annotated[int | None, typer.Option(min=2, help="Draw so many; none: all.")] = None,
    ids: Annotated[Path | None, typer.Option(help="Whom to assign: one id a line.")] = None,
    salt: Annotated[str, typer.Option(help="Makes this draw unlike any other.")] = "",
    log: Log = None,
    config: Config = None,
    data: Data = None,
    as_of: AsOf = None,
    workspace: Workspace = None,
) -> None:
    """Assign units to arms, once and for ever, and append them to the log.

    Example: clv experiment assign warmth --arm control=0.5 --arm warm=0.5 --data company
    """
    from ..explaining import experiment

    run = run_of("experiment assign", config, data=data, as_of=as_of, workspace=workspace)
    from clv.experiments.assign import Plan  # after the run: its switches come first

    found = experiment.assign(
        run,
        plan=Plan.of(name, unit, arm or ["control", "treated"], salt),
        units=units,
        ids=ids,
        log=log,
    )
    show(run, found)


@experiment_app.command("read")
def read(
    name: Name,
    arm: Arms = None,
    segment: Annotated[str | None, typer.Option(help="Read by a column of customers.")] = None,
    planned: Annotated[
        int | None, typer.Option(min=2, help="Customers at the end: makes peeking valid.")
    ] = None,
    log: Log = None,
    config: Config = None,
    data: Data = None,
    as_of: AsOf = None,
    horizon_days: Horizon = None,
    out: Out = None,
    workspace: Workspace = None,
) -> None:
    """Read an experiment: outcomes after --as-of, contacts between assignment and it.

    Example: clv experiment read empathy_coaching --data company
    """
    from ..explaining import experiment

    run = run_of(
        "experiment read",
        config,
        data=data,
        as_of=as_of,
        training__horizon_days=horizon_days,
        workspace=workspace,
    )
    found = experiment.read(
        run,
        experiment=name,
        arms=arm or [],
        segment=segment,
        planned=planned,
        log=log,
        out=out,
    )
    show(run, found)
