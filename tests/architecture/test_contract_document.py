"""docs/data-contract.md says what clv/schema.py declares."""

import re
from pathlib import Path

import pytest

from clv.schema import SCHEMA

TEXT = (Path(__file__).parents[2] / "docs" / "data-contract.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", SCHEMA.values(), ids=lambda table: table.name)
def test_every_column_stands_under_its_table_and_no_other(table):
    section = re.search(rf"^## {table.name}\b.*?(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)`", section[0], re.MULTILINE) == [c.name for c in table.columns]
    for column in table.columns:
        assert column.doc in section[0]
