"""clv import: several vendors into one folder, and what comes out keeps the contract."""

from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[1] / "unit" / "data" / "adapters" / "samples"


def test_a_shop_and_its_help_desk_make_one_company(clv, tmp_path):
    company = tmp_path / "company"
    for kind in ("shopify", "zendesk"):
        seen = clv("import", kind, SAMPLES / kind, company)
        assert seen.code == 0, seen.err
        assert f"clv validate --data {company}" in seen.out
    seen = clv("validate", "--data", company)
    assert seen.code == 0, seen.err
    for line in ("orders: 6 of 6", "interactions: 3 of 3", "messages: 4 of 4", "customers: 2 of 2"):
        assert f"{line} rows accepted" in seen.out


@pytest.mark.slow
def test_contacts_of_several_vendors_add_up(clv, tmp_path):
    company = tmp_path / "company"
    for kind in ("shopify", "talkdesk", "genesys", "salesforce"):
        some = ("--tables", "interactions,messages,agents") if kind == "salesforce" else ()
        assert clv("import", kind, SAMPLES / kind, company, *some).code == 0
    seen = clv("validate", "--data", company)
    assert seen.code == 0, seen.err
    assert "quarantined" not in seen.out
    assert "interactions: 10 of 10 rows accepted" in seen.out


def test_a_vendor_that_is_not_known(clv, tmp_path):
    seen = clv("import", "zendsk", tmp_path, tmp_path / "out")
    assert seen.code == 2
    assert "expected one of 'zendesk'" in seen.err
