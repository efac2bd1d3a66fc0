"""Published score runs without a customer: rows go, hashes follow, the current run buries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from clv.erasure import contents
from clv.scoring import publish
from clv.scoring.unfinished import FOLDER as UNFINISHED
from clv.scoring.unfinished import RECORD
from clv.sinks.files import add_tombstones
from clv.storage import remove_folder, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from clv.erasure.people import People
    from clv.sinks import Sink

ERASING = "erasing"
"""Set in a manifest while files and hashes may differ; a rerun then makes them agree."""


def run_folders(out: Path) -> list[Path]:
    """Return the runs below a folder of scores, the current one last: it knows who is new."""
    found = [path.parent for path in (out / publish.RUNS).glob(f"*/{publish.MANIFEST}")]
    current = publish.runs(out)[:1]
    return sorted(found, key=lambda run: (run.name in current, run.name))


def discard_unfinished(out: Path) -> int:
    """Remove what a scoring that did not end has left; the next one begins anew."""
    kept = out / UNFINISHED
    removed = [remove_folder(kept, RECORD) or remove_folder(kept), publish.discard_staged(out)]
    return sum(removed)


def bury(run: Path, people: People) -> None:
    """Add the customers of a run to its tombstones, so that sinks and CRMs empty their fields."""
    scores = pq.read_table(run / publish.SCORE_FILE, columns=["customer_id", "as_of"])
    gone = [c for c in scores["customer_id"].to_pylist() if people.named(c)]
    if not gone:
        return
    add_tombstones(run / publish.TOMBSTONE_FILE, gone, scores["as_of"][0].as_py())


def erase_run(
    run: Path, people: People, sinks: Sequence[Sink], *, tombstones: bool
) -> dict[str, int]:
    """Take customers out of every file of a run, and make its manifest true again.

    Parameters
    ----------
    run : pathlib.Path
    people : People
    sinks : sequence of Sink
        Write their files of the current run anew, with its tombstones; none for older runs.
    tombstones : bool
        Keep ids in the tombstones of this run.

    Returns
    -------
    dict of str to int
        What was taken out, by file.
    """
    held = dict(_held(run, people, tombstones=tombstones))
    said = publish.manifest(run)
    if not held and ERASING not in said:
        return {}
    whole_before = ERASING in said or publish.intact(run)
    if whole_before:
        publish.write_json(run / publish.MANIFEST, {**said, ERASING: True})
    if tombstones and publish.SCORE_FILE in held:
        bury(run, people)
    for name in held:
        _purge(run / name, people, write=True, tombstones=tombstones)
    files = dict(said["files"])
    gone = run / publish.TOMBSTONE_FILE
    for sink in sinks:
        report = sink.write(run / publish.SCORE_FILE, run, gone if gone.exists() else None)
        files |= {name: {} for name in report.files}
    if whole_before:
        publish.write_json(run / publish.MANIFEST, _true_again(run, said, files, held))
    return held


def _true_again(
    run: Path, said: Mapping[str, object], files: Mapping[str, object], held: Mapping[str, int]
) -> dict[str, object]:
    names = [*files, *([publish.TOMBSTONE_FILE] if (run / publish.TOMBSTONE_FILE).exists() else [])]
    paths = [run / name for name in sorted(dict.fromkeys(names)) if (run / name).is_file()]
    entries = {p.name: {"bytes": p.stat().st_size, "sha256": sha256_of(p)} for p in paths}
    before = said.get("erased", 0)
    erased = held.get(publish.SCORE_FILE, 0) + (before if isinstance(before, int) else 0)
    kept = {key: value for key, value in said.items() if key != ERASING}
    return {**kept, "files": entries, "erased": erased}


def _held(run: Path, people: People, *, tombstones: bool) -> Iterator[tuple[str, int]]:
    for path in sorted(run.iterdir()):
        if path.name == publish.MANIFEST or not path.is_file():
            continue
        if tombstones and is_tombstone_file(path):
            continue
        found = _purge(path, people, write=False, tombstones=tombstones)
        if found:
            yield path.name, found


def is_tombstone_file(path: Path) -> bool:
    """Say whether a file holds customers only so that others forget them."""
    return "tombstones" in path.name


def _purge(path: Path, people: People, *, write: bool, tombstones: bool) -> int:
    if path.suffix == ".jsonl":
        return contents.lines(path, people, write=write, spare=tombstones)
    return contents.KINDS.get(path.suffix, contents.other)(path, people, write=write)
