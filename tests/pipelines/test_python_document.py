"""What docs/python.md says is typed gives what it says, on CDNOW and on a simulated company."""

from pathlib import Path

import pytest

from tests.documents import failures


@pytest.mark.slow
def test_every_block_gives_what_it_says():
    assert failures(Path(__file__).parents[2] / "docs" / "python.md") == ""
