"""Run: what every pipeline is given, and the only place that knows console, clock and workspace.

Environment switches are set here, when the module is imported, before any heavy library is:
no telemetry, no row in an exception, no pickle, LightGBM's idle threads asleep.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import os
import sys
import time
import uuid
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clv.errors import StorageError
from clv.storage import PARTIAL, clean, folder, write_text

from . import interrupts
from .documents import READ
from .secrets import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from clv.company import Company
    from clv.engines.base import Engine
    from clv.notes import Note, OnProgress
    from clv.registry import Registry, Version

    from .settings import Settings

SWITCHES = {
    "DO_NOT_TRACK": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_SCHEMA_DETAILS": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # With MLflow's pauses: a server that is away for a minute is waited for, not for four.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_LOG_UV_FILES": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "OMP_WAIT_POLICY": "PASSIVE",
    # Sums in one order: the same bytes on any number of cores, and no idle spinning.
    "OPENBLAS_NUM_THREADS": "1",
}
for _name, _value in SWITCHES.items():
    os.environ.setdefault(_name, _value)


@dataclass(frozen=True)
class Result:
    """What a pipeline leaves behind.

    Attributes
    ----------
    command : str
        The command that ran.
    lines : tuple of str
        What it found, in sentences for the console.
    documents : dict of str to Path
        What it wrote, by name.
    notes : tuple of Note
        What was dropped, replaced, refused or skipped on the way.
    facts : dict
        The figures behind the lines, JSON-able.
    """

    command: str
    lines: tuple[str, ...] = ()
    documents: dict[str, Path] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


class Run:
    """One run of one command.

    Parameters
    ----------
    settings : Settings
        The company's settings.
    command : str
        Its name, for logs and manifests.
    console : rich.console.Console, optional
        Where people read; by default standard output. Where it is not a terminal, every
        event is one line of JSON instead.
    again : tuple of str
        The options by which another command reads the same company.
    """

    def __init__(
        self,
        settings: Settings,
        command: str,
        console: Console | None = None,
        again: tuple[str, ...] = (),
    ) -> None:
        self.settings = settings
        self.again = again
        self.command = command
        self.console = console or Console(highlight=False)
        self.started_at = dt.datetime.now(dt.UTC)
        self.run_id = f"{self.started_at:%Y%m%dT%H%M%S}-{command}-{uuid.uuid4().hex[:6]}"
        self.notes: list[Note] = []
        self.company: Company | None = None
        self._engine: Engine | None = None
        self._quiet_libraries()

    @property
    def engine(self) -> Engine:
        """The engine of this run, opened at its first use."""
        if self._engine is None:
            from clv.engines.connect import connect

            options = self.settings.engine
            self._engine = connect(
                options.kind,
                threads=options.threads,
                memory_limit=options.memory_limit,
                temp_directory=options.temp_directory,
                master=options.master,
            )
        return self._engine

    def registry(self) -> Registry:
        """Open the model registry: the settings' store, MLflow's own, or one in the workspace.

        Raises
        ------
        RegistryError
            When it cannot be reached.
        """
        from clv.registry import Registry
        from clv.registry.address import local_address

        options, uri = self.settings.registry, self._tracking_uri()
        if uri is None:
            local_address(self.workspace)  # refuses what no store can lie in
            self._own_workspace()
            return Registry.local(self.workspace, options.name)
        return Registry(uri, options.artifact_root, options.name)

    def reach_registry(self) -> None:
        """Fail at once, and not after the fitting, where nobody answers at the registry.

        Raises
        ------
        RegistryError
            When a store of the settings' or of MLflow's own does not answer.
        UsageError
            When the workspace cannot hold a store.
        """
        from clv.registry.address import local_address, reach

        uri = self._tracking_uri()
        if uri is None:
            local_address(self.workspace)
        else:
            reach(uri)

    def _tracking_uri(self) -> str | None:
        return self.settings.registry.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")

    def close(self) -> None:
        """Give back what the company and its engine hold."""
        if self.company is not None:
            self.company.close()
        if self._engine is not None:
            self._engine.close()
        self.company, self._engine = None, None

    @property
    def workspace(self) -> Path:
        """The folder that everything is written under."""
        return self.settings.workspace

    @property
    def folder(self) -> Path:
        """The run's own folder."""
        return self.workspace / "runs" / self.run_id

    def open(self) -> None:
        """Make the run's folder.

        Raises
        ------
        StorageError
            When the workspace cannot be written.
        """
        self._own_workspace()
        with disk_errors(self.workspace):
            if not self.folder.exists():  # once a run: what earlier ones left that were killed
                for place in self.workspace.glob("runs/*"):
                    clean(place, PARTIAL)
            folder(self.folder)

    def _own_workspace(self) -> None:
        """Make the workspace for this user alone; one that is there keeps its mode."""
        with disk_errors(self.workspace):
            folder(self.workspace)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[OnProgress]:
        """Show a step while it runs: a bar on a terminal, JSON lines elsewhere."""
        interrupts.check()
        began = time.perf_counter()
        if not self.console.is_terminal:
            self.event("step", title=title, state="started")
            yield lambda _step, _done, _total: None
        else:
            columns = (
                TextColumn("  {task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            with Progress(*columns, console=self.console, transient=True) as bar:
                task = bar.add_task(title, total=None)

                def advance(step: str, done: int, total: int) -> None:
                    bar.update(task, description=f"{title}: {step}", completed=done, total=total)

                yield advance
        seconds = time.perf_counter() - began
        if self.console.is_terminal:
            self.console.print(f"  [green]✓[/] {title} [dim]{seconds:.1f} s[/]")
        else:
            self.event("step", title=title, state="done", seconds=round(seconds, 3))

    def say(self, text: str) -> None:
        """Tell the user one sentence."""
        text = SECRETS.hide(text)
        if self.console.is_terminal:
            self.console.print(f"  {text}", markup=False, soft_wrap=True)
        else:
            self.event("found", text=text)

    def note(self, notes: Iterable[Note]) -> None:
        """Collect what a result wants said, once each, and show it."""
        for note in notes:
            if note in self.notes:
                continue
            self.notes.append(note)
            if self.console.is_terminal:
                text = SECRETS.hide(str(note))
                self.console.print(f"  · {text}", style="yellow", markup=False, soft_wrap=True)
            else:
                self.event("note", **note.as_dict())

    def event(self, kind: str, **fields: Any) -> None:
        """Write one line of JSON to where machines read."""
        shown = SECRETS.hide_all(fields)
        line = {"event": kind, "command": self.command, "run_id": self.run_id, **shown}
        self.console.file.write(json.dumps(line, default=str) + "\n")
        self.console.file.flush()

    def save(self, name: str, document: dict[str, Any], *, latest: bool = True) -> Path:
        """Write a document into the run's folder and, as the newest, into the workspace.

        Raises
        ------
        StorageError
            When the disk is full or the folder may not be written.
        """
        text = json.dumps(document, indent=1, ensure_ascii=False, default=str)
        self.open()
        with disk_errors(self.workspace):
            write_text(self.folder / name, text)
            if latest:
                write_text(self.workspace / name, text)
        return (self.workspace if latest else self.folder) / name

    def save_to(self, path: Path, document: dict[str, Any]) -> Path:
        """Write a document to a place of the user's own.

        Raises
        ------
        StorageError
            When it cannot be written.
        """
        with disk_errors(path):
            write_text(path, json.dumps(document, indent=1, ensure_ascii=False, default=str))
        return path

    def newest(self, name: str) -> dict[str, Any] | None:
        """Read the newest document of a name, or None where there is none.

        Raises
        ------
        DataError
            When it is no document.
        """
        path = self.workspace / name
        if not path.exists():
            return None
        return READ.read(path)

    def document(self, registry: Registry, version: Version, name: str) -> dict[str, Any]:
        """Read a document of a version's training.

        Raises
        ------
        RegistryError
            When the store has none of that name.
        """
        return READ.of_version(registry, version, name, self.workspace)

    def _quiet_libraries(self) -> None:
        """Keep other libraries' chatter off the console; errors still come as exceptions."""
        for name in (
            "mlflow",
            "alembic",
            "great_expectations",
            "altair",
            "fontTools",
            "weasyprint",
        ):
            logging.getLogger(name).setLevel(logging.ERROR)
        if not sys.warnoptions:
            warnings.simplefilter("ignore")


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an operating-system error into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written: {error.strerror or error}. "
            "Free some space, mend the permissions, or set `workspace` to another folder."
        ) from error
