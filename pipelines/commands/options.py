"""What commands share: their common options, opening a run, and showing its result."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clv.errors import UsageError

if TYPE_CHECKING:
    from ..running.run import Result, Run

Config = Annotated[Path | None, typer.Option(help="Settings file (YAML); see example.yaml.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the contract's tables.")]
EngineKind = Annotated[str | None, typer.Option("--engine", help="duckdb or spark.")]
AsOf = Annotated[str | None, typer.Option(help="Last day that is known, such as 2025-06-30.")]
Cutoff = Annotated[
    str | None, typer.Option(help="Last day with its horizon after it, such as 2024-12-31.")
]
Horizon = Annotated[int | None, typer.Option(help="Days that a value covers.")]
Model = Annotated[str | None, typer.Option(help="Such as models:/clv@champion.")]
Out = Annotated[Path | None, typer.Option(help="Where to write.")]
Workspace = Annotated[Path | None, typer.Option(help="Folder for everything written.")]


def run_of(command: str, config: Path | None, **flags: Any) -> Run:
    """Open a run: settings first, so that a misspelt key costs no import."""
    from ..running.run import Run
    from ..running.settings_file import load_settings

    if flags.get("as_of") is not None:
        flags["as_of"] = _day(flags["as_of"])
    data = flags.pop("data", None)
    flags["engine__kind"] = flags.pop("engine", None)
    if data is not None:
        flags["sources__folder"] = str(data)
    named = (("--config", config), ("--data", data))
    again = tuple(part for flag, path in named if path for part in (flag, str(path)))
    return Run(load_settings(config, **flags), command, again=again)


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of {text!r} is no date; expected YYYY-MM-DD.") from None


def show(run: Run, result: Result) -> None:
    """Tell what was found and where it lies."""
    for line in result.lines:
        run.say(line)
    for name, path in result.documents.items():
        run.say(f"{name}: {path}")
    run.close()
