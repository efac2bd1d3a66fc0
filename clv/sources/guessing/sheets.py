"""Sheets of a folder: every file, sheet of a workbook and member of an archive, with a sample.

What lies in an archive or a workbook is written beside the imported tables as files of its own,
within limits: an archive that unpacks to a thousand times its size is refused by name, and no
name of a member ever becomes a path.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import json
import re
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from clv.errors import DataError, SourceError, listing
from clv.foreign import json_of
from clv.sources.csv_files import sniff_delimiter
from clv.sources.exports.encodings import encoding_of
from clv.storage import marked, remove_folder, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MOST_FILES = 1_000
MOST_BYTES = 8 * 2**30
MOST_RATIO = 200
SMALL_BYTES = 64 * 2**20
"""Members up to this size are unpacked whatever their ratio: text of one letter packs well."""

HEAD_BYTES = 2**20
SAMPLE_ROWS = 200
TEXTS, OBJECTS = (".csv", ".tsv", ".txt"), (".json", ".jsonl", ".ndjson")
BOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MEMBER = re.compile(
    r'\s*\{\s*(?:"[^"]*"\s*:\s*(?:"[^"]*"|[-+0-9.eE]+|null|true|false)\s*,\s*)*"([^"]*)"\s*:\s*\[\s*'
)


@dataclass(frozen=True)
class Sheet:
    """One table of a folder, as far as its head tells.

    Attributes
    ----------
    name : str
        For people: the file's, and the sheet's or member's in it.
    path : pathlib.Path
        Where it can be read.
    kind : {"csv", "json", "parquet"}
    columns : tuple of str
    rows : tuple of dict
        Of the head, cells as text.
    encoding : str
        Of CSV.
    """

    name: str
    path: Path
    kind: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    encoding: str = "utf-8"

    def cells(self, column: str) -> list[str]:
        """Return the cells of a column that hold something."""
        return [cell for row in self.rows if (cell := row.get(column, "").strip())]


def sheets_of(place: Path, stage: Path) -> tuple[list[Sheet], dict[str, str]]:
    """Return the sheets of a folder, or of a file, and why others are none.

    Parameters
    ----------
    place : pathlib.Path
    stage : pathlib.Path
        Where to write what lies in archives and workbooks; what else lies in its folder is ours,
        and no export.

    Raises
    ------
    SourceError
        When there is no such place, it holds too many files, or an archive is no honest one.
    """
    if not place.exists():
        raise SourceError(f"init: no folder or file at {place}; expected a company's exports.")
    remove_folder(stage)
    paths = [place] if place.is_file() else _files(place, stage)
    sheets: list[Sheet] = []
    others: dict[str, str] = {}
    for path in paths:
        shown = path.name if path == place else path.relative_to(place).as_posix()
        for name, part in _unpacked(path, shown, stage):
            try:
                sheet = _sheet(part, name)
            except (DataError, ValueError, OSError, pa.ArrowException, RecursionError) as error:
                others[name] = f"cannot be read: {type(error).__name__}"
                continue
            if sheet is None:
                others[name] = "is no table"
            else:
                sheets.append(sheet)
    return sheets, others


def _files(place: Path, stage: Path) -> list[Path]:
    found = []
    for path in sorted(place.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
        ours = stage.parent.absolute() in path.absolute().parents
        if hidden or ours or path.is_symlink() or not path.is_file():
            continue
        found.append(path)
        if len(found) > MOST_FILES:
            raise SourceError(
                f"init: {place} holds more than {MOST_FILES:,} files; expected exports. Name the "
                "folder that holds them alone."
            )
    return found


def _unpacked(path: Path, shown: str, stage: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that a file is, or holds."""
    low = path.name.lower()
    if low.endswith(BOOKS):
        _check_archive(path, shown)
        yield from _book(path, shown, stage)
    elif low.endswith(".zip"):
        with _archive(path, shown) as archive:
            for member in _members(archive, shown):
                target = _target(stage, f"{shown}-{member.filename}")
                with archive.open(member) as source, whole(target) as out:
                    shutil.copyfileobj(source, out, HEAD_BYTES)
                if target.suffix.lower() in BOOKS:
                    _check_archive(target, shown)
                    yield from _book(target, f"{shown}/{member.filename}", stage)
                else:
                    yield f"{shown}/{member.filename}", target
    else:
        yield shown, path


def _archive(path: Path, shown: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(
            f"init: {listing([shown])} is no archive that can be read: {type(error).__name__}. "
            "Write it again, or move it away."
        ) from None


def _members(archive: zipfile.ZipFile, shown: str) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, unless they are too many, too large, or a bomb."""
    held = [m for m in archive.infolist() if not m.is_dir()]
    packed = sum(m.compress_size for m in held) or 1
    size = sum(m.file_size for m in held)
    bomb = size > SMALL_BYTES and size > MOST_RATIO * packed
    if len(held) > MOST_FILES or size > MOST_BYTES or bomb:
        raise SourceError(
            f"init: {listing([shown])} holds {len(held):,} files that unpack to {size:,} bytes "
            f"from {packed:,}; expected at most {MOST_FILES:,} files, {MOST_BYTES:,} bytes and "
            f"{MOST_RATIO} times its size. Unpack it yourself if it is meant, or move it away."
        )
    if any(m.flag_bits & 1 for m in held):
        raise SourceError(f"init: {listing([shown])} has a password. Unpack it, or move it away.")
    plain = (*TEXTS, *OBJECTS, *BOOKS, ".parquet", ".gz")
    return [m for m in held if m.filename.lower().endswith(plain)]


def _check_archive(path: Path, shown: str) -> None:
    """Refuse a workbook that is a bomb; an old one is no archive, and cannot be one."""
    if zipfile.is_zipfile(path):
        with _archive(path, shown) as archive:
            _members(archive, shown)


def _target(stage: Path, name: str) -> Path:
    """Return a new path of the stage for what has a name, which never leads out of it."""
    marked(stage)
    number = sum(1 for _ in stage.iterdir())
    return stage / f"{number:03}-{_NO_NAME.sub('_', name)[-80:]}"


def _book(path: Path, shown: str, stage: Path) -> Iterator[tuple[str, Path]]:
    """Write the sheets of a workbook as CSV; empty ones are none."""
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        for sheet in book.sheet_names:
            rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=True)
            if len(rows) > 1:
                target = _target(stage, f"{shown}-{sheet}.csv")
                _write(target, ([_cell_text(cell) for cell in row] for row in rows))
                yield f"{shown}/{sheet}", target
    except (python_calamine.CalamineError, OSError) as error:
        raise SourceError(
            f"init: {listing([shown])} is no workbook that can be read: {type(error).__name__}. "
            "Save it again, or move it away."
        ) from None


def _write(target: Path, rows: Iterable[Sequence[str]]) -> None:
    with whole(target) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)


def _cell_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return cell.isoformat(sep=" ") if isinstance(cell, dt.datetime) else cell.isoformat()
    return str(cell)


def _sheet(path: Path, name: str) -> Sheet | None:
    """Read the head of a file."""
    low = path.name.lower().removesuffix(".gz")
    if low.endswith((".parquet", ".pq")):
        return _of_parquet(path, name)
    if low.endswith(OBJECTS):
        return _of_json(path, name)
    return _of_csv(path, name) if low.endswith(TEXTS) else None


def _of_parquet(path: Path, name: str) -> Sheet:
    with pq.ParquetFile(path) as file:
        columns = tuple(file.schema_arrow.names)
        batch = next(file.iter_batches(SAMPLE_ROWS), None)
    rows = [] if batch is None else batch.to_pylist()
    return Sheet(name, path, "parquet", columns, tuple(map(texts, rows)))


def _head(path: Path) -> bytes:
    with pa.input_stream(str(path)) as file:  # which unpacks gzip by itself
        return bytes(file.read(HEAD_BYTES))


def _of_csv(path: Path, name: str) -> Sheet | None:
    encoding = encoding_of(path)
    text = _head(path).decode(encoding, errors="replace").removeprefix("\ufeff")
    header = io.StringIO(text, newline=None).readline()
    mark = sniff_delimiter(header)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    columns = next(lines, [])
    if len(columns) < 2:
        return None
    rows = []
    with suppress(csv.Error):  # the head may end in the middle of a cell
        for row in lines:
            if len(row) == len(columns):
                rows.append(dict(zip(columns, row, strict=True)))
            if len(rows) == SAMPLE_ROWS:
                break
    return Sheet(name, path, "csv", tuple(columns), tuple(rows), encoding)


def _of_json(path: Path, name: str) -> Sheet | None:
    encoding = encoding_of(path)
    text = _head(path).decode(encoding, errors="replace").removeprefix("\ufeff")
    objects = _objects(text)
    keys = dict.fromkeys(key for each in objects for key in each)
    rows = tuple(map(texts, objects))
    return Sheet(name, path, "json", tuple(keys), rows, encoding) if keys else None


def flattened(sheet: Sheet, stage: Path) -> Sheet:
    """Write the objects of JSON as a CSV file, what lies within them as JSON.

    Raises
    ------
    SourceError
        When the file is larger than is held in memory at once, or breaks off.
    """
    with pa.input_stream(str(sheet.path)) as file:
        raw = bytes(file.read(SMALL_BYTES + 1))
    if len(raw) > SMALL_BYTES:
        raise SourceError(
            f"init: {listing([sheet.name])} is JSON of more than {SMALL_BYTES:,} bytes, and of no "
            "vendor that is known; expected Parquet or CSV of that size. Write it so."
        )
    try:
        objects = _all_objects(raw.decode(sheet.encoding).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"init: {listing([sheet.name])} cannot be read as JSON: {type(error).__name__}. "
            "Expected one object a line, or an array of objects. Export it again."
        ) from None
    columns = tuple(dict.fromkeys(key for each in objects for key in each))
    target = _target(stage, f"{sheet.name}.csv")
    cells = ([row.get(name, "") for name in columns] for row in map(texts, objects))
    _write(target, (columns, *cells))
    return dataclasses.replace(sheet, path=target, kind="csv", columns=columns, encoding="utf-8")


def _all_objects(text: str) -> list[dict[str, Any]]:
    """Return all objects of JSON, or refuse it: none is lost to an end that breaks off."""
    try:
        whole_text = json_of(text)
    except ValueError:
        return [json_of(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole_text, dict):
        lists = [v for v in whole_text.values() if isinstance(v, list) and v]
        whole_text = lists[0] if len(lists) == 1 and isinstance(lists[0][0], dict) else [whole_text]
    return [each for each in whole_text if isinstance(each, dict)]


def _objects(text: str) -> list[dict[str, Any]]:
    """Return the first objects of JSON: one a line, an array of them, or a page that holds it."""
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    page = _MEMBER.match(text)
    first = text.partition("\n")[0]
    with suppress(ValueError):
        value = json_of(first)
        lists = [v for v in value.values() if isinstance(v, list)] if type(value) is dict else []
        objects = [v for v in lists if v and isinstance(v[0], dict)]
        if type(value) is dict and not (page and objects and len(value) <= 8):
            page = None  # an object a line, whatever lies in it
    place = page.end() if page else len(text) - len(text.lstrip())
    if text[place : place + 1] == "[":
        place += 1
    while len(found) < SAMPLE_ROWS:
        while text[place : place + 1] in tuple(" \t\r\n,"):
            place += 1
        try:
            value, place = decoder.raw_decode(text, place)
        except ValueError:
            break
        if isinstance(value, dict):
            found.append(value)
    return found


def texts(row: dict[str, Any]) -> dict[str, str]:
    """Return cells as text: lists and objects as JSON, nothing as nothing."""
    return {
        str(key): ""
        if cell is None
        else json.dumps(cell, default=str)
        if isinstance(cell, list | dict)
        else str(cell)
        for key, cell in row.items()
    }
