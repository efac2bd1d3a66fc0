"""The documents for those who come from other libraries say what their reader will see."""

from pathlib import Path

import pytest

from tests.documents import failures

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", ["from-lifetimes", "from-pymc-marketing"])
def test_every_block_gives_what_it_says(name):
    assert failures(DOCS / f"{name}.md") == ""
