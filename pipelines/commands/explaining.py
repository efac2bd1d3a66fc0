"""The commands of what the value rests on: attribute, report, explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Config, Cutoff, Data, EngineKind, Horizon, Model, Out, Workspace, run_of, show


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
    interaction_id: Annotated[str, typer.Argument(help="The contact.")],
    config: Config = None,
    data: Data = None,
    workspace: Workspace = None,
) -> None:
    """Show the behaviours found in one contact, in redacted text.

    Example: clv explain i000123 --data company
    """
    from ..explaining import explain as pipeline

    run = run_of("explain", config, data=data, workspace=workspace)
    show(run, pipeline.run(run, interaction_id=interaction_id))
