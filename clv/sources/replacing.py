"""The tables of an import, replaced together: what is killed leaves all the old or all the new.

New files are written into a folder beside the tables, then one file decides: from then on
the new tables are the tables, and those that the import does not make are gone. Moving them
takes moments; who comes next, an import or a reader, completes what a killed process began.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from clv.errors import SourceError, StorageError, UsageError
from clv.schema import SCHEMA
from clv.storage import (
    FileLocked,
    marked,
    remove_empty,
    remove_file,
    remove_folder,
    replace_file,
    write_text,
)
from clv.storage import folder as make_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

FOLDERS = (*SCHEMA, "identities")
"""What an import may write: the contract's tables, and the keys by which people are told."""

STAGE = ".clv-import-"
DECISION, RECORD = "decision.json", "record.json"
WAIT_SECONDS = 10.0
"""How long a reader waits for another process that is moving files."""


class Replacement:
    """Files of one name in the folders of tables, written one by one and replaced together.

    As a context: leaving it without ``decide`` leaves the old files as they were.

    Parameters
    ----------
    folder : pathlib.Path
        The tables' folders lie in it.
    name : str
        Of the files, such as ``zendesk``: other files are not touched.

    Raises
    ------
    LockError
        When another process replaces the same files.
    StorageError
        When nothing can be written there.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> place = pathlib.Path(tempfile.mkdtemp())
    >>> with Replacement(place, "shop") as new:
    ...     write_text(new.path("orders"), "rows")
    ...     new.decide({})
    >>> sorted(path.relative_to(place).as_posix() for path in place.rglob("*shop.[jp]*"))
    ['import-shop.json', 'orders/shop.parquet']
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._stage = folder / f"{STAGE}{name}"
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(_lock(self._stage))
        try:
            _complete(self._stage)
            self._check_held()
            remove_folder(self._stage)
            marked(self._stage)
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._held:
            if (self._stage / DECISION).exists():
                _complete(self._stage)  # what interrupts the moving does not stop it
            else:
                remove_folder(self._stage)

    def _check_held(self) -> None:
        """Refuse to replace files that no import wrote, whatever they are called."""
        strange = [t for t in earlier(self.folder, self.name) if t not in _recorded(self.record)]
        if strange:
            place = self.folder / strange[0] / f"{self.name}.parquet"
            raise UsageError(
                f"{place}: is there, and {self.record.name} says of no import that wrote it; it is "
                "left as it is. Give it another name, or import into another folder."
            )

    def path(self, table: str) -> Path:
        """Return where to write a table of the contract.

        Raises
        ------
        UsageError
            When there is a file where its folder is to be.
        """
        place = self.folder / table
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place}: is a file; expected a folder, or nothing, to write into.")
        return self._stage / f"{table}.parquet"

    @property
    def record(self) -> Path:
        """Where the record of what was done will stand."""
        return self.folder / f"import-{self.name}.json"

    def decide(self, record: dict[str, Any]) -> None:
        """Replace the files by those written, and remove the others of the name.

        Parameters
        ----------
        record : dict
            What was done, as JSON.
        """
        made = [table for table in FOLDERS if (self._stage / f"{table}.parquet").exists()]
        text = json.dumps(record, indent=1, ensure_ascii=False, default=str)
        write_text(self._stage / RECORD, text)
        write_text(self._stage / DECISION, json.dumps({"tables": made}))
        _complete(self._stage)


def earlier(folder: Path, name: str) -> list[str]:
    """Return the tables that hold a file of a name."""
    return [table for table in FOLDERS if (folder / table / f"{name}.parquet").exists()]


def _recorded(record: Path) -> set[str]:
    """Return the tables that an import says it made."""
    try:
        said = json.loads(record.read_text(encoding="utf-8"))
        return {*said["rows"], FOLDERS[-1]}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return set()


def imports_of(folder: Path, table: str) -> set[str]:
    """Return the names of the imports whose files a table's folder holds, if it holds no other."""
    place = folder / table
    held = {path.name for path in place.iterdir()} if place.is_dir() else set()
    known = {
        f"{path.stem.removeprefix('import-')}.parquet" for path in folder.glob("import-*.json")
    }
    return {name.removesuffix(".parquet") for name in held} if held <= known else set()


def complete(folder: Path) -> None:
    """Complete what a killed import had decided, before its tables are read.

    Raises
    ------
    LockError
        When another process does so, and does not come to an end.
    SourceError
        When this user may not write there.
    """
    for stage in sorted(folder.glob(f"{STAGE}*")):
        if not (stage / DECISION).exists():
            continue
        try:
            with _lock(stage, WAIT_SECONDS):
                _complete(stage)
        except StorageError as error:
            raise SourceError(
                f"{folder}: an import was cut off while its tables were replaced, and cannot be "
                f"completed: {error} Run the import again as a user who may write there."
            ) from error


def _lock(stage: Path, wait_seconds: float = 0.0) -> FileLocked:
    return FileLocked(stage.with_name(f"{stage.name}.lock"), "import", wait_seconds)


def _complete(stage: Path) -> None:
    """Move what is decided and not yet moved; again, if that is interrupted, does no harm."""
    if not (stage / DECISION).exists():
        return
    name, folder = stage.name.removeprefix(STAGE), stage.parent
    tables = json.loads((stage / DECISION).read_text(encoding="utf-8"))["tables"]
    for table in FOLDERS:
        staged, target = stage / f"{table}.parquet", folder / table / f"{name}.parquet"
        if staged.exists():
            make_folder(target.parent)
            replace_file(staged, target)
        elif table not in tables and target.exists():
            remove_file(target)
            remove_empty(target.parent)
    if (stage / RECORD).exists():
        replace_file(stage / RECORD, folder / f"import-{name}.json")
    remove_folder(stage)
