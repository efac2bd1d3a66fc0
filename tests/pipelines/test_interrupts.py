"""Asked to end: 130, whatever a library made of it, and nothing temporary stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clv.pipelines.running import interrupts

BUSY = """
import sys, clv.pipelines.running.run
from clv.engines.connect import connect
from clv.pipelines import cli
from clv.pipelines.running import interrupts
def busy(*_, **__):
    with connect(threads=1) as engine:
        sys.stdout.write("busy\\n"); sys.stdout.flush()
        engine.run("create table x as select max(sin(a.range) * b.range) "
                   "from range(1000000) a, range(1000000) b")
import clv.pipelines.data.check
clv.pipelines.data.check.run = busy
sys.argv = ["clv", "check", "--workspace", sys.argv[1]]
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_query_of_the_engine_is_interrupted(number, tmp_path):
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", BUSY, str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        preexec_fn=lambda: signal.signal(
            number, signal.SIG_DFL
        ),  # whoever runs the tests may ignore it
    )
    assert process.stdout.readline() == "busy\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (
        130,
        "clv: interrupted; nothing half-written was published.\n",
    )
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_interrupt_that_was_lost_in_a_callback_comes_at_the_next_step():
    with interrupts.heeded():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            assert interrupts.asked()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with interrupts.heeded():
        interrupts.check()
