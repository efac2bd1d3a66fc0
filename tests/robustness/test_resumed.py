"""A scoring run killed between two chunks is gone on with, to the same bytes."""

import datetime as dt
import signal
import subprocess
import sys
from pathlib import Path

from clv.models.lifetime_value import LifetimeModel
from tests.robustness import victim
from tests.robustness.test_killed import AFTER, BEFORE, contents

FINISHED = 100

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.robustness import victim
def dying(step, done, total):
    if (step, done) == ("customers", int(sys.argv[4])):
        os.kill(os.getpid(), signal.SIGKILL)
victim.score_once(Path(sys.argv[1]), sys.argv[2], sys.argv[3], on_progress=dying)
"""


def test_the_rerun_uses_the_finished_chunks(data, tmp_path, monkeypatch):
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    for place in (out, fresh):
        victim.score_once(data, place, BEFORE)
    before = contents(out)
    words = [str(data), str(out), AFTER, str(FINISHED)]
    command = [sys.executable, "-W", "ignore", "-c", KILLED, *words]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, check=False, cwd=root).returncode == -signal.SIGKILL
    assert contents(out) == before

    asked = []
    predict = LifetimeModel.predict
    monkeypatch.setattr(
        LifetimeModel,
        "predict",
        lambda model, rows: asked.append(len(rows)) or predict(model, rows),
    )
    result = victim.score_once(data, out, AFTER)
    assert sum(asked) == result.customers - FINISHED > 0
    assert {"resumed": FINISHED}.items() <= {n.code: n.count for n in result.notes}.items()
    assert result.as_of == dt.date.fromisoformat(AFTER)
    victim.score_once(data, fresh, AFTER)
    assert contents(out) == contents(fresh)
    assert not (out / ".unfinished").exists()
