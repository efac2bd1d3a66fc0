"""The command line of `clv models`: export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Config, Model, Workspace, run_of, show

models_app = typer.Typer(no_args_is_help=True, help="Models as files: export, import.")


@models_app.command("export")
def models_export(
    out: Annotated[Path, typer.Argument(help="File to write, such as clv-3.zip.")],
    model: Model = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Private Ed25519 key to sign it with.")
    ] = None,
    config: Config = None,
    workspace: Workspace = None,
) -> None:
    """Write a registered model as one file, with the hashes of its parts.

    Example: clv models export champion.zip --sign clv-key
    """
    from ..learning import models

    run = run_of("models export", config, workspace=workspace)
    show(run, models.export(run, out=out, model=model, sign=sign))


@models_app.command("import")
def models_import(
    bundle: Annotated[Path, typer.Argument(help="What `clv models export` wrote.")],
    trusted: Annotated[
        Path | None,
        typer.Option(metavar="KEYS", help="Public keys, one a line; one of them must have signed."),
    ] = None,
    config: Config = None,
    workspace: Workspace = None,
) -> None:
    """Register a model from a file as challenger, its hashes and predictions compared.

    Example: clv models import champion.zip --trusted keys.pub
    """
    from ..learning import models

    run = run_of("models import", config, workspace=workspace)
    show(run, models.import_(run, bundle=bundle, trusted=trusted))
