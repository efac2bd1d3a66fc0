"""clv import: several vendors into one folder, and what comes out keeps the contract."""

from pathlib import Path

import pandas as pd
import pytest

SAMPLES = Path(__file__).parents[1] / "unit" / "sources" / "adapters" / "samples"


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


def test_what_cannot_be_read_is_quarantined_with_the_vendors_text(clv, tmp_path):
    export, company, workspace = (tmp_path / name for name in ("export", "company", "work"))
    export.mkdir()
    header = "Conversation ID,Media Type,Users,Date,Duration,Direction,ANI,Total Handle\n"
    rows = (
        "c1,voice,Jörg,3/6/25 07:00,60000,Inbound,0221 555010,5:03\n"
        "c2,voice,Jörg,3/6/25 08:00,60000,Inbound,+49221555010,five minutes\n"
    )
    (export / "interactions.csv").write_text(header + rows, encoding="cp1252")
    (company / "orders").mkdir(parents=True)
    orders = "order_id,customer_id,ordered_at,amount\no1,a,2025-01-01,5\n"
    (company / "orders" / "shop.csv").write_text(orders)
    told = (
        "--dates",
        "dmy",
        "--encoding",
        "cp1252",
        "--region",
        "DE",
        "--timezone",
        "Europe/Berlin",
    )
    seen = clv("import", "genesys", export, company, *told)
    assert seen.code == 0, seen.err
    seen = clv("validate", "--data", company, workspace=workspace)
    assert seen.code == 3
    assert "handle_seconds is no number" in seen.err
    (bad,) = (workspace / "quarantine").rglob("interactions.parquet")
    (row,) = pd.read_parquet(bad).to_dict("records")
    assert (row["interaction_id"], row["handle_seconds"]) == ("c2", "five minutes")
    imported = pd.read_parquet(company / "interactions" / "genesys.parquet")
    assert len(set(imported.customer_id)) == 1
    assert imported.started_at.tolist() == ["2025-06-03T05:00:00Z", "2025-06-03T06:00:00Z"]
    assert imported.handle_seconds.tolist() == ["303.0", "five minutes"]
