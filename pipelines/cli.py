"""The command line: `clv COMMAND`, each a few lines over the pipeline of the same name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines import edge
from pipelines.experiment_cli import experiment_app
from pipelines.models_cli import models_app
from pipelines.options import AsOf, Config, Cutoff, Data, EngineKind, Horizon, Model, Out, Workspace
from pipelines.options import run_of as _run
from pipelines.options import show as _show

app = typer.Typer(
    name="clv",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Start with: clv demo",
)
scores_app = typer.Typer(no_args_is_help=True, help="Published score tables: compare, roll back.")
app.add_typer(scores_app, name="scores")
app.add_typer(experiment_app, name="experiment")
app.add_typer(models_app, name="models")


def _version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        typer.echo(f"clv {metadata.version('clv')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Show the version."),
    ] = False,
) -> None:
    """Say what your customers will be worth, and what your support service does to that worth."""


@app.command()
def demo(
    out: Out = None,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the company.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    config: Config = None,
) -> None:
    """Run the whole product on a synthetic company.

    Example: clv demo --out demo --customers 5000
    """
    from pipelines import demo as pipeline

    workspace = out or Path("clv-out/demo")
    data = workspace / pipeline.COMPANY
    run = _run("demo", config or pipeline.CONFIG, workspace=workspace, data=data, seed=seed)
    _show(run, pipeline.run(run, customers=customers))


@app.command()
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
    from pipelines import simulate as pipeline

    run = _run("simulate", None, seed=seed)
    shown = pipeline.run(
        run, out=out, customers=customers, effects=effects, half_life_days=half_life_days
    )
    _show(run, shown)


@app.command()
def validate(
    config: Config = None, data: Data = None, engine: EngineKind = None, workspace: Workspace = None
) -> None:
    """Check the tables; write data quality report and quarantine.

    Example: clv validate --data company
    """
    from pipelines import validate as pipeline

    run = _run("validate", config, data=data, engine=engine, workspace=workspace)
    _show(run, pipeline.run(run))


@app.command()
def check(
    config: Config = None, data: Data = None, engine: EngineKind = None, workspace: Workspace = None
) -> None:
    """Say what would be computed and what not, and whether everything can be reached.

    Example: clv check --config company.yaml
    """
    from pipelines import check as pipeline

    run = _run("check", config, data=data, engine=engine, workspace=workspace)
    _show(run, pipeline.run(run))


@app.command()
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
    from pipelines import train as pipeline

    run = _run(
        "train",
        config,
        data=data,
        as_of=as_of,
        training__horizon_days=horizon_days,
        engine=engine,
        workspace=workspace,
    )
    _show(run, pipeline.run(run, promote=promote))


@app.command()
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
    from pipelines import backtest as pipeline

    run = _run(
        "backtest", config, data=data, training__folds=folds, engine=engine, workspace=workspace
    )
    _show(run, pipeline.run(run))


@app.command()
def score(
    config: Config = None,
    data: Data = None,
    as_of: AsOf = None,
    model: Model = None,
    out: Out = None,
    dry_run: Annotated[bool, typer.Option(help="Publish nothing.")] = False,
    engine: EngineKind = None,
    workspace: Workspace = None,
) -> None:
    """Score every customer and publish the table.

    Example: clv score --data company --as-of 2025-06-30
    """
    from pipelines import score as pipeline

    run = _run("score", config, data=data, as_of=as_of, engine=engine, workspace=workspace)
    _show(run, pipeline.run(run, model=model, out=out, dry_run=dry_run))


@app.command()
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
    from pipelines import attribute as pipeline

    run = _run(
        "attribute",
        config,
        data=data,
        as_of=as_of,
        attribution__experiments=None if experiments is None else (experiments,),
        engine=engine,
        workspace=workspace,
    )
    _show(run, pipeline.run(run, horizon_days=horizon_days, model=model, out=out))


@app.command()
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
    from pipelines import report as pipeline

    run = _run("report", config, data=data, workspace=workspace)
    _show(run, pipeline.run(run, model=model, out=out, pdf=pdf))


@app.command()
def promote(
    version: Annotated[str | None, typer.Argument(help="By default the challenger.")] = None,
    why: Annotated[str, typer.Option(help="Kept with the version.")] = "",
    config: Config = None,
    workspace: Workspace = None,
) -> None:
    """Make a version champion, if the gate passes.

    Example: clv promote 3 --why "beats the champion on all folds"
    """
    from pipelines import lifecycle

    run = _run("promote", config, workspace=workspace)
    _show(run, lifecycle.promote(run, version=version, why=why))


@app.command()
def rollback(
    why: Annotated[str, typer.Option(help="Kept with the version.")] = "",
    config: Config = None,
    workspace: Workspace = None,
) -> None:
    """Restore the champion before this one.

    Example: clv rollback --why "scores drifted"
    """
    from pipelines import lifecycle

    run = _run("rollback", config, workspace=workspace)
    _show(run, lifecycle.rollback(run, why=why))


@app.command("import")
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
    from pipelines import imports as pipeline

    run = _run("import", config)
    wanted = tuple(name.strip() for name in tables.split(",") if name.strip())
    result = pipeline.run(
        run,
        kind=kind,
        source=src,
        out=out,
        customer_by=customer_by,
        identities=identities,
        timezone=timezone,
        dates=dates,
        encoding=encoding,
        region=region,
        tables=wanted,
    )
    _show(run, result)


@app.command()
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
    from pipelines import monitor as pipeline

    run = _run("monitor", config, data=data, engine=engine, workspace=workspace)
    result = pipeline.run(run, scores=scores)
    _show(run, result)
    pipeline.require(run, result)


@app.command()
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
    from pipelines import erase as pipeline

    run = _run("erase", config, workspace=workspace)
    result = pipeline.run(
        run,
        ids=ids or [],
        file=file,
        search=verify,
        tombstones=tombstones,
        scores=scores,
        also=also or [],
    )
    _show(run, result)


@app.command()
def explain(
    interaction_id: Annotated[str, typer.Argument(help="The contact.")],
    config: Config = None,
    data: Data = None,
    workspace: Workspace = None,
) -> None:
    """Show the behaviours found in one contact, in redacted text.

    Example: clv explain i000123 --data company
    """
    from pipelines import explain as pipeline

    run = _run("explain", config, data=data, workspace=workspace)
    _show(run, pipeline.run(run, interaction_id=interaction_id))


@scores_app.command("diff")
def scores_diff(config: Config = None, workspace: Workspace = None) -> None:
    """Compare the current score table with the one before it.

    Example: clv scores diff
    """
    from pipelines import scores

    run = _run("scores diff", config, workspace=workspace)
    _show(run, scores.diff(run))


@scores_app.command("rollback")
def scores_rollback(config: Config = None, workspace: Workspace = None) -> None:
    """Make the score table before the current one current again.

    Example: clv scores rollback
    """
    from pipelines import scores

    run = _run("scores rollback", config, workspace=workspace)
    _show(run, scores.rollback(run))


def main() -> None:
    """Run the command line; an error is one line and an exit code."""
    sys.exit(edge.run(app))
