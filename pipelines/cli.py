"""The command line: `clv COMMAND`, each a few lines over the pipeline of the same name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from .commands.data import check, import_, init, simulate, validate
from .commands.experiment import experiment_app
from .commands.explaining import attribute, explain, report
from .commands.learning import backtest, promote, rollback, train
from .commands.models import models_app
from .commands.options import Config, Out, run_of, show
from .commands.serving import erase, monitor, push, score, scores_diff, scores_rollback
from .running import edge

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
    from . import demo as pipeline

    workspace = out or Path("clv-out/demo")
    data = workspace / pipeline.COMPANY
    run = run_of("demo", config or pipeline.CONFIG, workspace=workspace, data=data, seed=seed)
    show(run, pipeline.run(run, customers=customers))


COMMANDS: tuple[tuple[typer.Typer, str, Callable[..., None]], ...] = (
    (app, "init", init),
    (app, "simulate", simulate),
    (app, "validate", validate),
    (app, "check", check),
    (app, "train", train),
    (app, "backtest", backtest),
    (app, "score", score),
    (app, "attribute", attribute),
    (app, "report", report),
    (app, "promote", promote),
    (app, "rollback", rollback),
    (app, "import", import_),
    (app, "monitor", monitor),
    (app, "push", push),
    (app, "erase", erase),
    (app, "explain", explain),
    (scores_app, "diff", scores_diff),
    (scores_app, "rollback", scores_rollback),
)
for _app, _name, _command in COMMANDS:
    _app.command(_name)(_command)


def main() -> None:
    """Run the command line; an error is one line and an exit code."""
    sys.exit(edge.run(app))
