"""Exports in the vendors' documented formats equal a reading by pandas that shares no code.

Each folder of ``samples/public`` is one export with the oddities of its name. What is read
here, cell by cell in plain Python, is what ``clv import`` must make: rows, money, seconds, times.
"""

import datetime as dt
import json
import re
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from clv.engines.duckdb import DuckDBEngine
from clv.sources.adapters import ADAPTERS, ImportOptions, convert

PUBLIC = Path(__file__).parent / "samples" / "public"
NOTHING = {"", "n/a", "-"}
CSV = {"sep": ",", "encoding": "utf-8"}
EXPORTS = {
    "genesys/1_default_columns": (CSV, {"timezone": "America/New_York"}),
    "genesys/2_clocks_cp1252": ({"sep": ";", "encoding": "cp1252"}, {"timezone": "Europe/Berlin"}),
    "genesys/3_thousands": (CSV, {}),
    "genesys/4_utf16_day_first": (
        {"sep": "\t", "encoding": "utf-16"},
        {"timezone": "Europe/Prague"},
    ),
    "genesys/5_addresses": (CSV, {}),
    "genesys/6_two_months": (CSV, {"timezone": "Asia/Kolkata"}),
    "talkdesk/1_page": ({}, {}),
    "talkdesk/2_pages_that_overlap": ({}, {}),
    "talkdesk/3_csv": (CSV, {}),
    "talkdesk/4_csv_clocks": (CSV, {"timezone": "Europe/Lisbon"}),
    "talkdesk/5_lines": ({}, {}),
    "talkdesk/6_spreadsheet": ({"sep": ";", "encoding": "cp1252"}, {"timezone": "America/Chicago"}),
    "shopify/1_orders_and_transactions": (CSV, {}),
    "shopify/2_two_months": (CSV, {}),
    "shopify/3_two_shops": (CSV, {}),
    "shopify/4_two_shops_without_id": (CSV, {}),
    "shopify/5_cells": (CSV, {}),
    "shopify/6_spreadsheet": ({"sep": ";", "encoding": "cp1252"}, {"timezone": "Europe/Berlin"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as opened:
        yield opened


def cell(text):
    text = "" if text is None or text != text else str(text).strip()
    return None if text.lower() in NOTHING else text


def number(text):
    """A number, or the text."""
    bare = (
        re.sub(r"[,']", "", text) if re.fullmatch(r"-?\d{1,3}([,']\d{3})+(\.\d+)?", text) else text
    )
    return float(bare) if re.fullmatch(r"-?\d+(\.\d+)?", bare) else text


def seconds(text, per_second=1):
    text = cell(text)
    if text is None:
        return None
    if re.fullmatch(r"(\d+:)?\d+:\d\d(\.\d+)?", text):
        total = Decimal(0)
        for part in text.split(":"):
            total = total * 60 + Decimal(part)
        return float(total)
    value = number(text)
    return value if isinstance(value, str) else round(value / per_second, 3)


def sum_of(*parts):
    bad = next((part for part in parts if isinstance(part, str)), None)
    return bad or (None if None in parts else round(sum(parts), 3))


def moment(text, zone="UTC", day_first=False):
    """A time, or the text."""
    text = cell(text)
    if text is None:
        return None
    slashes = "%d/%m" if day_first else "%m/%d"
    dates = ("%Y-%m-%d", f"{slashes}/%y", f"{slashes}/%Y", "%d.%m.%Y")
    clocks = ("T%H:%M:%SZ", "T%H:%M:%S.%fZ", "T%H:%M:%S%z", " %H:%M:%S %z", " %H:%M:%S", " %H:%M",
              " %I:%M %p", " %I:%M:%S %p", ", %H:%M")  # fmt: skip
    for form in (date + clock for date in dates for clock in clocks):
        try:
            at = dt.datetime.strptime(text, form)  # noqa: DTZ007 (some forms have an offset)
        except ValueError:
            continue
        if at.tzinfo is None:
            at = at.replace(tzinfo=dt.UTC if form.endswith("Z") else ZoneInfo(zone), fold=1)
        return at.astimezone(dt.UTC).replace(microsecond=0)
    return text


def yes_no(text):
    text = cell(text)
    word = re.sub(r" \(.*\)", "", text or "").lower()
    whole = int(word) if word.isdigit() else {"yes": 1, "true": 1, "no": 0, "false": 0}.get(word)
    return text if whole is None else whole


def frames(folder, prefix, options):
    """Each file of an export as a frame of text."""
    for path in sorted(folder.iterdir()):
        if not path.name.lower().startswith(prefix):
            continue
        if path.suffix == ".csv":
            encoding = (
                "utf-8-sig" if path.read_bytes()[:3] == b"\xef\xbb\xbf" else options["encoding"]
            )
            yield pd.read_csv(
                path, dtype=str, keep_default_na=False, **{**options, "encoding": encoding}
            )
        else:
            text = path.read_text()
            whole = path.suffix == ".json"
            objects = json.loads(text)["entries"] if whole else map(json.loads, text.splitlines())
            yield pd.DataFrame(
                [{k: None if v is None else str(v) for k, v in one.items()} for one in objects]
            )


def newest(rows, key, age):
    """Of rows with the same key the last by age."""
    return list({row[key]: row for row in sorted(rows, key=age)}.values())


def genesys(folder, options, zone="UTC"):
    rows = [
        r for frame in frames(folder, "interactions", options) for r in frame.to_dict("records")
    ]
    day_first = "day_first" in folder.name
    lasted = lambda row: seconds(row["Duration"], 1000)  # noqa: E731
    rows = newest(rows, "Conversation ID", lambda row: (str(type(lasted(row))), lasted(row)))
    for row in rows:
        get = row.get
        outbound = row["Direction"] == "Outbound"
        line = re.sub(
            r"ext.*|\D",
            "",
            re.sub("[@;].*|\\(0\\)", "", row["DNIS"] if outbound else row["ANI"] or row["Remote"]),
        )
        if row["Direction"] == "Internal" or not line:
            continue
        start, length = moment(row["Date"], zone, day_first), lasted(row)
        end = length if isinstance(length, str) else start + dt.timedelta(seconds=int(length))
        talk, hold, wrap = (seconds(get(f"Total {n}"), 1000) for n in ("Talk", "Hold", "ACW"))
        handle = seconds(get("Total Handle"), 1000)
        handle = sum_of(talk, hold, wrap) if handle is None else handle
        busy = (handle, hold, wrap, end) if row["Users"] else (None,) * 4
        yield (
            row["Conversation ID"], line.removeprefix("00"), start, end,
            seconds(get("Total Queue"), 1000), *busy, yes_no(get("Transferred")),
        )  # fmt: skip


def talkdesk(folder, options, zone="UTC"):
    rows = [r for frame in frames(folder, "calls", options) for r in frame.to_dict("records")]
    rows = newest(
        rows,
        "call_id",
        lambda row: (str(moment(row["end_at"], zone)), sum(map(bool, map(cell, row.values())))),
    )
    for row in rows:
        start, end = moment(row["start_at"], zone), moment(row["end_at"], zone)
        talk, hold, wait, gone = (
            seconds(row[f"{name}_time"]) for name in ("talk", "hold", "wait", "abandon")
        )
        answered = row["type"].lower() in ("inbound", "outbound")
        busy = (sum_of(talk, hold), hold, None, end) if answered else (None,) * 4
        line = re.sub(r"\D", "", row["contact_phone_number"])
        yield (
            row["call_id"],
            line,
            start,
            end,
            wait if answered else gone,
            *busy,
            yes_no(row["is_transfer"]),
        )


def shopify(folder, options, zone="UTC"):
    rank = ["pending", "authorized", "voided", "paid", "partially_refunded", "refunded"]
    rows = [
        r for f in frames(folder, "orders", options) for r in f.to_dict("records") if r["Total"]
    ]
    for row in rows:
        row["key"] = row.get("Id") or (row["Name"], row["Created at"], row["Email"])
    back = lambda row: number(row["Refunded Amount"])  # noqa: E731
    rows = newest(
        rows,
        "key",
        lambda row: (rank.index(row["Financial Status"]), str(type(back(row))), back(row)),
    )
    paid_back = [t for f in frames(folder, "transactions", options) for t in f.to_dict("records")]
    paid_back = {
        tuple(t.values()): t for t in paid_back if (t["Kind"], t["Status"]) == ("refund", "success")
    }
    for row in rows:
        if rank.index(row["Financial Status"]) < 3 or not row["Email"]:
            continue
        at = moment(row["Created at"], zone)
        shared = sum(other["Name"] == row["Name"] for other in rows) > 1
        name = row["Name"]
        if shared:
            name += "/" + (row.get("Id") or at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        total, tax, ship = (number(cell(row[c]) or "0") for c in ("Total", "Taxes", "Shipping"))
        net = next((v for v in (total, tax, ship) if isinstance(v, str)), None)
        net = net or round(total - tax - ship, 4)
        yield name, row["Email"].lower(), None, at, net, row["Currency"]
        own = [
            (moment(t["Created At"], zone), abs(number(t["Amount"])))
            for t in paid_back.values()
            if (t["Order"] == row["Id"] if "Order" in t else t["Name"] == row["Name"])
        ]
        rest = back(row) if isinstance(back(row), str) else back(row) - sum(m for _, m in own)
        if isinstance(rest, str) or rest > 0.005:
            own.append((moment(row["Cancelled at"], zone) or at, rest))
        for place, (when, money) in enumerate(
            sorted(own, key=lambda r: (str(r[0]), r[1])), start=1
        ):
            amount = money if isinstance(money, str) else net
            amount = amount if isinstance(amount, str) else round(-money * net / total, 4)
            yield (
                f"{name}-refund-{place}",
                row["Email"].lower(),
                name,
                when,
                amount,
                row["Currency"],
            )


READINGS = {"genesys": genesys, "talkdesk": talkdesk, "shopify": shopify}
COLUMNS = {
    "interactions": (
        "interaction_id", "key", "started_at", "ended_at", "wait_seconds", "handle_seconds",
        "hold_seconds", "wrap_seconds", "resolved_at", "transfers",
    ),
    "orders": ("order_id", "key", "refund_of", "ordered_at", "amount", "currency"),
}  # fmt: skip


def imported(path, table):
    """An imported table in Python's own types; text that is neither number nor time stays."""
    rows = pd.read_parquet(path)
    for name in COLUMNS[table]:
        if name not in rows:
            rows[name] = None
    for row in rows[list(COLUMNS[table])].to_dict("records"):
        made = []
        for name, value in row.items():
            value = None if pd.isna(value) else value
            if value is not None and name.endswith("_at"):
                value = moment(value)
            elif value is not None and (
                name.endswith("_seconds") or name in ("amount", "transfers")
            ):
                value = number(value)
            made.append(value)
        yield tuple(made)


@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_is_what_pandas_reads(engine, export, tmp_path, monkeypatch):
    options, said = EXPORTS[export]
    kind = export.partition("/")[0]
    # The key instead of its pseudonym, so that people can be compared.
    monkeypatch.setattr("clv.sources.exports.people.pseudonym", lambda value: value)
    made = convert(engine, ADAPTERS[kind], PUBLIC / export, tmp_path, options=ImportOptions(**said))
    table = "orders" if kind == "shopify" else "interactions"
    path = made.tables[table]
    frame = pd.read_parquet(path).rename(columns={"customer_id": "key"})
    frame.to_parquet(path)
    expected = list(READINGS[kind](PUBLIC / export, options, said.get("timezone", "UTC")))
    assert sorted(imported(path, table), key=str) == sorted(expected, key=str)


def test_there_are_six_of_each():
    folders = {str(path.relative_to(PUBLIC)) for path in PUBLIC.glob("*/*")}
    assert {f for f in folders if f.partition("/")[0] in READINGS} == set(EXPORTS)
    assert all(sum(name.startswith(kind) for name in EXPORTS) == 6 for kind in READINGS)
