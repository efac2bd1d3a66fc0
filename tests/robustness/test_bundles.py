"""Whatever a bundle holds: nothing of it is run, and it is refused with 4 or 6, or it is sound."""

import json
import os
import random
import re
import signal
import zipfile
from functools import partial

import pytest
from clv.pipelines.running import documents, edge

from clv.errors import ClvError
from clv.models.lifetime_value import LifetimeModel
from clv.registry import golden, tracking
from clv.registry.bundles import bundle
from clv.registry.digests import digests_of
from clv.registry.version import IMPORTED_FROM, Version
from tests.unit.registry.test_bundle import PARTS, forged, resized

BUNDLES = int(os.environ.get("CLV_TORTURE_BUNDLES", "400"))
"""How many broken bundles; `make torture` asks for 3,000."""

REFUSED = (4, 6)
SECONDS = 60
NUMBERS = (
    *("0", "-1", "1", "7", "-7", "99", "-99", "2147483647", "-2147483648", "4294967296", "1e308"),
    *("-1e308", "1e-320", "nan", "inf", "-inf", "", "x", "1e999", "0x10", "9" * 400, "1 1", "+5"),
)
VALUES = (None, True, [], {}, "", "x" * 5000, -1, 0, 10**400, 1e308, float("nan"), [[]], "\x00")


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Return a bundle whose entry would leave a file, the file, and a folder."""
    folder = tmp_path_factory.mktemp("bundles")
    model, ran = folder / "model", folder / "ran"
    tracking.save_pyfunc(LifetimeModel.load(data / "model"), model)
    (model / "entry.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    training = {"chosen": "blend", "interval_level": 0.9}
    given = bundle.Bundle(
        "models:/clv/1", digests_of(model), {"horizon_days": "90"}, {"backtest/blend/gini": 0.7},
        {"code_version": "0.1.0", "verified": "true"}, {"training.json": training},
    )  # fmt: skip
    bundle.write(folder / "whole.zip", model, given)
    return folder / "whole.zip", ran, folder


def in_text(draw, entries):
    """Change a number, a line or a word of the trees."""
    name = f"{PARTS}{draw.choice(['value.txt', 'churn.txt'])}"
    head, *rest = entries[name].decode().split("\nTree=")
    block = draw.randrange(len(rest)) if rest else 0
    lines = rest[block].split("\n") if rest else [""]
    row = draw.randrange(len(lines))
    kind = draw.choice(["number", "number", "number", "line", "twice", "cut", "swap", "frame"])
    if kind == "number" and "=" in lines[row]:
        field, _, content = lines[row].partition("=")
        items = content.split() or [""]
        items[draw.randrange(len(items))] = draw.choice(NUMBERS)
        lines[row] = f"{field}={' '.join(items)}"
    elif kind == "line":
        del lines[row]
    elif kind == "twice":
        lines.insert(row, lines[row])
    elif kind == "swap":
        other = draw.randrange(len(lines))
        lines[row], lines[other] = lines[other], lines[row]
    elif kind == "frame":
        head = re.sub(r"\d+", lambda match: draw.choice([match[0]] * 30 + list(NUMBERS)), head)
    text = "\nTree=".join([head, *rest[:block], "\n".join(lines), *rest[block + 1 :]])
    if kind == "cut":
        text = text[: draw.randrange(len(text))]
    if draw.random() < 0.8:
        text = resized(text)
    entries[name] = text.encode()


def places(value, path=()):
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, name)
            yield from places(item, (*path, name))


def in_json(name):
    """Return a change of one value of a document."""

    def change(draw, entries):
        document = json.loads(entries[name])
        path = draw.choice(list(places(document)))
        target = document
        for step in path[:-1]:
            target = target[step]
        number = isinstance(target[path[-1]], float)
        scaled = [target[path[-1]] * draw.choice([-1, 0, 1e-9, 1e9])] if number else []
        if draw.random() < 0.2 and isinstance(target, dict):
            del target[path[-1]]
        else:
            target[path[-1]] = draw.choice([*VALUES, *scaled])
        entries[name] = json.dumps(document).encode()

    return change


def in_names(draw, entries):
    """Move, add or lose a member."""
    name = draw.choice(list(entries))
    others = ["../x", "/etc/x", "model/x.pkl", f"{PARTS}x.txt", "model/entry.py", "x", name.upper()]
    kind = draw.choice(["lose", "move", "add"])
    content = entries.pop(name) if kind != "add" else b"x"
    if kind != "lose":
        entries[draw.choice(others)] = content


WITHIN = (
    in_text,
    in_text,
    in_text,
    in_json(f"{PARTS}model.json"),
    in_json("bundle.json"),
    in_names,
)


def in_bytes(draw, path):
    """Change the archive itself."""
    content = bytearray(path.read_bytes())
    for _ in range(draw.randrange(1, 5)):
        at = draw.randrange(len(content))
        # the directory at the end is where the sizes and names are
        at = draw.choice([at, len(content) - 1 - draw.randrange(min(600, len(content)))])
        gone = draw.choice([0, 1, 1, 4, 200])
        content[at : at + gone] = draw.randbytes(draw.choice([0, 1, 1, 4]))
    path.write_bytes(bytes(content))


def answer(path, folder):
    """Import a bundle's model in a process of its own, up to the first load; return its code."""
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(SECONDS)
            folder.mkdir()
            bundle.read(path, folder)
            golden.load(str(folder))
            code = 0
        except ClvError as error:
            code = error.exit_code
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def codes_of(whole, seeds):
    source, ran, folder = whole
    counts = {}
    for seed in seeds:
        draw = random.Random(seed)
        path = folder / f"{seed}.zip"
        if draw.random() < 0.25:
            path.write_bytes(source.read_bytes())
            in_bytes(draw, path)
        else:
            try:
                forged(source, path, partial(draw.choice(WITHIN), draw))
            except (KeyError, ValueError, TypeError, AttributeError):
                continue  # without a document there are no hashes to make fit
        code = answer(path, folder / f"{seed}")
        assert code in (0, *REFUSED), (seed, code)
        counts[code] = counts.get(code, 0) + 1
        path.unlink()
    assert not ran.exists()
    return counts


def test_broken_bundles_are_refused_and_nothing_in_them_runs(whole):
    counts = codes_of(whole, range(60))
    assert counts[4] > 10
    assert counts[6] > 10


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(4))
def test_many_broken_bundles(shard, whole):
    counts = codes_of(whole, range(1000 * (shard + 1), 1000 * (shard + 1) + BUNDLES // 4))
    assert counts[4] > 0
    assert counts[6] > 0


def test_the_whole_bundle_is_taken(whole):
    source, ran, folder = whole
    assert answer(source, folder / "taken") == 0
    with zipfile.ZipFile(source) as archive:
        assert b"open(" in archive.read("model/entry.py")
    assert not ran.exists()


def test_a_document_of_a_store_that_cannot_be_used_is_a_defect_only_where_it_is_ours(
    monkeypatch, capsys, tmp_path
):
    """Others may have written anything into a store; a training of one's own has not."""

    class Store:
        def document(self, _version, _name):
            return {"rows": "many"}

    run = tmp_path / "runs" / "1"
    run.mkdir(parents=True)
    ours = documents.digests_of({"profile.json": {"rows": "many"}})
    for tags, written, code in (
        ({"imported_from": "x"}, ours, 6),
        ({}, {}, 6),
        ({}, documents.digests_of({"profile.json": {"rows": 1}}), 6),
        ({}, ours, 1),
    ):
        (run / documents.REGISTERED).write_text(json.dumps(written))
        monkeypatch.setattr(edge, "READ", documents.Documents())
        version = Version("clv", 3, "r", "s", (), tags)

        def command(version=version, **_options):
            return int(edge.READ.of_version(Store(), version, "profile.json", tmp_path)["rows"])

        assert edge._guarded(command, debug=False) == code
        assert ("profile.json of models:/clv/3" in capsys.readouterr().err) == (code == 6)
    assert documents.IMPORTED_FROM == IMPORTED_FROM
