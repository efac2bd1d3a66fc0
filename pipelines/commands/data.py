"""The commands from data to accepted rows: init, simulate, validate, check, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Config, Data, EngineKind, Workspace, run_of, show


def init(
    place: Annotated[Path, typer.Argument(metavar="FOLDER", help="Exports, as they are.")],
    settings: Annotated[Path, typer.Option(help="Settings file to write.")] = Path("clv.yaml"),
    out: Annotated[Path, typer.Option(help="Folder for imported tables.")] = Path("company"),
    yes: Annotated[bool, typer.Option("--yes", help="Take the proposal; ask nothing.")] = False,
) -> None:
    """Look at a folder of exports, say what is what, import it, and write the settings.

    Example: clv init exports
    """
    from ..data import init as pipeline

    run = run_of("init", None)
    show(run, pipeline.run(run, place=place, out=out, settings=settings, yes=yes))


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write the tables to.")],
    customers: Annotated[int, typer.Option(min=1)] = 20_000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    effects: Annotated[
        Path | None, typer.Option(help="YAML of options, `effects` to plant among them.")
    ] = None,
    half_life_days: Annotated[
        float | None, typer.Option(help="Effects of contacts fade; by default they stay.")
    ] = None,
) -> None:
    """Write a synthetic company and its truth.

    Example: clv simulate company --customers 20000 --seed 1
    """
    from ..data import simulate as pipeline

    run = run_of("simulate", None, seed=seed)
    shown = pipeline.run(
        run, out=out, customers=customers, effects=effects, half_life_days=half_life_days
    )
    show(run, shown)


def validate(
    config: Config = None, data: Data = None, engine: EngineKind = None, workspace: Workspace = None
) -> None:
    """Check the tables; write data quality report and quarantine.

    Example: clv validate --data company
    """
    from ..data import validate as pipeline

    run = run_of("validate", config, data=data, engine=engine, workspace=workspace)
    show(run, pipeline.run(run))


def check(
    config: Config = None, data: Data = None, engine: EngineKind = None, workspace: Workspace = None
) -> None:
    """Say what would be computed and what not, and whether everything can be reached.

    Example: clv check --config company.yaml
    """
    from ..data import check as pipeline

    run = run_of("check", config, data=data, engine=engine, workspace=workspace)
    show(run, pipeline.run(run))


def import_(
    kind: Annotated[str, typer.Argument(help="zendesk, talkdesk, genesys, salesforce, shopify.")],
    src: Annotated[Path, typer.Argument(help="The export: a folder, or its only file.")],
    out: Annotated[Path, typer.Argument(help="Folder to write the contract's tables to.")],
    customer_by: Annotated[str | None, typer.Option(help="Such as email or id.")] = None,
    identities: Annotated[Path | None, typer.Option(help="CSV of key and customer_id.")] = None,
    timezone: Annotated[str, typer.Option(help="Of times without an offset.")] = "UTC",
    dates: Annotated[str | None, typer.Option(help="Order in 6/7/25: mdy or dmy.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the files, such as cp1252.")] = None,
    region: Annotated[str | None, typer.Option(help="Of local phone numbers: DE.")] = None,
    tables: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    config: Config = None,
) -> None:
    """Turn a vendor's export into tables of the contract.

    Example: clv import zendesk export company --customer-by email
    """
    from ..data import imports as pipeline

    run = run_of("import", config)
    from clv.sources.adapters import ImportOptions  # after the run: its switches come first

    wanted = tuple(name.strip() for name in tables.split(",") if name.strip())
    result = pipeline.run(
        run,
        kind=kind,
        source=src,
        out=out,
        options=ImportOptions(
            customer_by=customer_by,
            identities=identities,
            timezone=timezone,
            dates=dates,
            encoding=encoding,
            region=region,
            tables=wanted,
        ),
    )
    show(run, result)
