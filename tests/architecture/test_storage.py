"""Files are written and removed by clv/storage.py alone: whole, private, and never another's."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOOR = "clv/storage.py"
METHODS = {
    "write_text", "write_bytes", "touch", "mkdir", "unlink", "rmdir", "symlink_to", "hardlink_to",
    "rmtree", "remove_dir", "makedirs",
}  # fmt: skip
FROM_MODULES = {
    "os": {"open", "remove", "unlink", "rmdir", "removedirs", "rename", "renames", "replace",
           "mkdir", "makedirs", "link", "symlink", "truncate", "mkfifo"},
    "shutil": {"rmtree", "move", "copy", "copy2", "copyfile", "copytree", "make_archive",
               "unpack_archive"},
    "tempfile": {"mkdtemp", "mkstemp", "mktemp", "TemporaryDirectory", "NamedTemporaryFile",
                 "TemporaryFile", "SpooledTemporaryFile"},
}  # fmt: skip
TARGETS = {  # a writer of a library, and the place of what it writes to among its arguments
    "to_csv": 0, "to_parquet": 0, "to_json": 0, "to_pickle": 0, "to_excel": 0, "to_feather": 0,
    "ParquetWriter": 0, "write_table": 1, "write_csv": 1, "write_feather": 1,
    "write_pdf": 0, "ZipFile": 0, "dump": 1, "save_model": 0, "savefig": 0, "savetxt": 0,
}  # fmt: skip
OPENED = {"whole", "partial", "TableWriter"}
GIVEN = {
    ("clv/sinks/files.py", "ParquetWriter"): "is given an open file",
    ("clv/sinks/csv.py", "to_csv"): "writes through text of an open file",
    ("clv/sources/files.py", "ParquetWriter"): "the engine's own temporary folder",
    ("clv/engines/duckdb.py", "ParquetWriter"): "the engine's own temporary folder",
    ("pipelines/running/edge.py", "open"): "the null device, where nobody reads the error",
    ("clv/registry/golden.py", "to_parquet"): "a temporary folder, and the file in it named by it",
}
COPY = re.compile(r"\bcopy\b.*\bto\b", re.IGNORECASE | re.DOTALL)


def name_of(function):
    return getattr(function, "attr", getattr(function, "id", ""))


def mode_of(call, place):
    given = [k.value for k in call.keywords if k.arg == "mode"] + call.args[place : place + 1]
    return getattr(given[0], "value", "w") if given else "r"


def complaints(tree, module=""):
    """Return what a module does to files besides reading them."""
    handles = {
        item.optional_vars.id
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
        and isinstance(item.context_expr, ast.Call)
        and name_of(item.context_expr.func) in OPENED
    }
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name, method = name_of(call.func), isinstance(call.func, ast.Attribute)
        owner = getattr(call.func.value, "id", "") if method else ""
        writes = name in FROM_MODULES.get(owner, ())
        writes |= method and name in METHODS
        writes |= not method and name in {n for names in FROM_MODULES.values() for n in names} - {
            "open", "copy", "replace", "link", "move",
        }  # fmt: skip
        if name == "open" and owner not in ("os", "webbrowser", "archive", "ctx", "self"):
            writes |= any(letter in str(mode_of(call, 0 if method else 1)) for letter in "wax+")
        alone = method and len(call.args) == 1 and not call.keywords
        writes |= alone and name == "replace" and owner != "dataclasses"
        if alone and name == "rename":
            writes |= not isinstance(call.args[0], ast.Constant)
        if name in TARGETS and method and len(call.args) > TARGETS[name]:
            target = call.args[TARGETS[name]]
            zipped = name == "ZipFile" and mode_of(call, 1) == "r"
            engine = name == "to_parquet" and len(call.args) == 2
            opened = getattr(target, "id", None) in handles
            writes |= not (zipped or engine or opened)
        if writes and (module, name) not in GIVEN:
            found.append(f"{module}:{call.lineno}: {name}")
    for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
        words = "".join(str(getattr(part, "value", "")) for part in text.values)
        if COPY.match(words.strip()) and module != "clv/engines/duckdb.py":
            found.append(f"{module}:{text.lineno}: COPY")
    return found


def modules():
    for package in ("clv", "pipelines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix()


def test_one_module_writes_and_removes():
    found = []
    for module in modules():
        if module != DOOR:
            found += complaints(ast.parse((ROOT / module).read_text(encoding="utf-8")), module)
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "path.write_text(page)",
        "open(path, 'w')",
        "open(path, mode=how)",
        "path.open('ab')",
        "os.replace(a, b)",
        "shutil.rmtree(path)",
        "rmtree(path)",
        "path.unlink(missing_ok=True)",
        "staged.replace(target)",
        "staging.rename(target)",
        "frame.to_csv(path, mode='a')",
        "pq.write_table(table, path)",
        "HTML(string=page).write_pdf(path)",
        "zipfile.ZipFile(path, 'w')",
        "tempfile.mkdtemp()",
        "run(f'copy (select 1) to {place}')",
        "with whole(path) as file:\n    frame.to_csv(other)",
    ],
)
def test_another_way_of_writing_is_found(code):
    assert complaints(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        "with whole(path) as file:\n    frame.to_csv(file)",
        "text = frame.to_csv(index=False)",
        "path.open('rb')",
        "path.read_text()",
        "text.replace('a', 'b')",
        "series.rename('contacts')",
        "frame.rename(columns=names)",
        "engine.to_parquet(rows, path)",
        "write_text(path, page)",
        "zipfile.ZipFile(path)",
    ],
)
def test_reading_is_not(code):
    assert complaints(ast.parse(code)) == []
