"""The commands of what the value rests on: attribute, report, explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    AsOf,
    Config,
    Cutoff,
    Data,
    EngineKind,
    Horizon,
    Model,
    Out,
    Workspace,
    run_of,
    show,
)


def attribute(
    config: Config = None,
    data: Data = None,
    as_of: Cutoff = None,
    horizon_days: Horizon = None,
    model: Model = None,
    experiments: Annotated[
        Path | None, typer.Option(help="Read-out, or a folder of them: experimental evidence.")
    ] = None,
    out: Out = None,
    engine: EngineKind = None,
    workspace: Workspace = None,
) -> None:
    """Attribute value to service behaviours, each with its evidence.

    Example: clv attribute --data company
    """
    from ..explaining import attribute as pipeline

    run = run_of(
        "attribute",
        config,
        data=data,
        as_of=as_of,
        attribution__experiments=None if experiments is None else (experiments,),
        engine=engine,
        workspace=workspace,
    )
    show(run, pipeline.run(run, horizon_days=horizon_days, model=model, out=out))


def report(
    config: Config = None,
    data: Data = None,
    model: Model = None,
    out: Out = None,
    pdf: Annotated[bool, typer.Option(help="Write a PDF beside it.")] = False,
    workspace: Workspace = None,
) -> None:
    """Write the attribution report from the newest results.

    Example: clv report --out report.html --pdf
    """
    from ..explaining import report as pipeline

    run = run_of("report", config, data=data, workspace=workspace)
    show(run, pipeline.run(run, model=model, out=out, pdf=pdf))


def explain(
    interaction_id: Annotated[str | None, typer.Argument(help="The contact.")] = None,
    customer: Annotated[str | None, typer.Option(help="Or the customer, by id.")] = None,
    as_of: AsOf = None,
    model: Model = None,
    out: Annotated[Path | None, typer.Option(help="Picture of a customer: .svg, .png.")] = None,
    config: Config = None,
    data: Data = None,
    workspace: Workspace = None,
) -> None:
    """Show what was found in one contact, or where one customer's value comes from.

    Example: clv explain i000123 --data company

    Example: clv explain --customer c000042 --data company
    """
    from ..explaining import explain as pipeline

    if (interaction_id is None) == (customer is None):
        raise typer.BadParameter("name one contact, or one customer with --customer.")
    run = run_of("explain", config, data=data, as_of=as_of, workspace=workspace)
    if customer is not None:
        show(run, pipeline.customer(run, customer_id=customer, model=model, out=out))
    else:
        show(run, pipeline.run(run, interaction_id=str(interaction_id)))
