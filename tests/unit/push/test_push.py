"""Pushes into CRMs that fail in every way that their vendors document."""

import datetime as dt
import json
import multiprocessing
import os
import random
import sqlite3
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.errors import LockError, SinkError, StorageError, UsageError
from clv.push import DESTINATIONS, Ledgers, PushOptions, make_destination, push
from clv.push.ledger import ledger
from clv.sinks import SCORES
from tests.unit.push.crm import Crm, Server, certificate

pytest.importorskip("hubspot")
pytest.importorskip("simple_salesforce")
pytest.importorskip("zenpy")

KINDS = tuple(DESTINATIONS)
DAY = dt.date(2025, 6, 30)
KILLS = int(os.environ.get("CLV_TORTURE_KILLS", "2"))
FIELDS = {"clv": "clv", "value_decile": "decile", "reason_1": "why", "as_of": "day"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def environment(machine, monkeypatch):
    cert = str(machine[0])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", cert)
    return {
        "REQUESTS_CA_BUNDLE": cert,
        "HUBSPOT_ACCESS_TOKEN": "hunter2",
        "ZENDESK_EMAIL": "a@example.org",
        "ZENDESK_API_TOKEN": "hunter2",
        "SALESFORCE_CLIENT_ID": "id",
        "SALESFORCE_CLIENT_SECRET": "hunter2",
        "CLV_PUSH_TOKEN": "hunter2",
    }


@pytest.fixture
def pushed(environment, machine, tmp_path, monkeypatch):
    """Return a function that pushes values into a CRM, as of a day."""

    def run(kind, crm, values, *, day=DAY, pause=lambda seconds: None, **options):
        scores = tmp_path / "scores.parquet"
        pq.write_table(table_of(values, day), scores)
        with Server(crm, *machine) as server:
            monkeypatch.setenv("ZENPY_FORCE_NETLOC", f"localhost:{server.port}")
            return push(
                scores,
                destination(kind, server.port),
                tmp_path / "push" / f"{kind}.db",
                environment=environment,
                pause=pause,
                options=PushOptions(**options),
            )

    return run


def destination(kind, port, **more):
    address = f"https://localhost:{port}"
    settings = {
        "hubspot": {"address": address, "batch": 7},
        "zendesk": {"subdomain": "acme", "batch": 7},
        "salesforce": {"address": address, "batch": 20, "look_seconds": 0},
        "rest": {"address": f"{address}/customers/{{customer_id}}", "under": "fields", "batch": 3},
    }[kind]
    made = make_destination(kind, {"fields": FIELDS, **settings, **more})
    # the port is another each time, and the CRM is the same
    return _Moved(made)


class _Moved:
    place = "the CRM"

    def __init__(self, made):
        self._made = made

    def __getattr__(self, name):
        return getattr(self._made, name)


def table_of(values, day=DAY):
    words = {pa.string(): "word", pa.int64(): 3, pa.float64(): 0.25, pa.bool_(): True}
    columns = {f.name: [words.get(f.type)] * len(values) for f in SCORES}
    columns |= {"customer_id": list(values), "as_of": [day] * len(values)}
    columns["clv"] = [float(value) for value in values.values()]
    return pa.table(columns, schema=SCORES)


def held(crm):
    """Return what the CRM holds of each customer it knows: the value, whatever its type."""
    values = {}
    for customer, fields in crm.records.items():
        value = fields.get("clv")
        values[customer] = None if value in (None, "") else float(value)
    return values


def people(n):
    return {f"c{k:03d}": 10.0 + k for k in range(n)}


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_changed_is_sent_and_who_is_gone_is_emptied(kind, pushed):
    crm, values = Crm(people(30)), people(30)
    first = pushed(kind, crm, values)
    assert (first.written, first.emptied, first.refused) == (30, 0, {})
    assert held(crm) == values
    assert pushed(kind, crm, values).counts.changed == 0
    # a later day and a value that moves by less than three digits change nothing
    later = {name: value * 1.00001 for name, value in values.items()}
    assert pushed(kind, crm, later, day=DAY + dt.timedelta(days=1)).counts.changed == 0
    moved = {**values, "c003": 77.0}
    del moved["c004"]
    second = pushed(kind, crm, moved)
    assert (second.written, second.emptied) == (1, 1)
    assert crm.written == 32
    assert held(crm) == {**moved, "c004": None}
    assert set(crm.records["c004"].values()) <= {None, ""}
    assert pushed(kind, crm, moved).counts.gone == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_counts_and_everything_sends_all(kind, pushed):
    crm, values = Crm(people(9)), people(9)
    assert pushed(kind, crm, values, dry_run=True).counts.changed == 9
    assert crm.calls == crm.logins == 0
    pushed(kind, crm, values)
    crm.records["c001"]["clv"] = "edited by hand"
    assert pushed(kind, crm, values).written == 0
    assert pushed(kind, crm, values, everything=True).written == 9
    assert held(crm) == values


@pytest.mark.parametrize("kind", KINDS)
def test_limits_failures_and_lost_answers_are_waited_out(kind, pushed):
    """Every fifth call fails before, or after, it did its work."""
    crm, values, waits = Crm(people(40), busy=0.12, lost=0.08, seed=3), people(40), []
    done = pushed(kind, crm, values, pause=waits.append)
    assert held(crm) == values
    assert (done.written, done.refused) == (40, {})
    assert waits
    assert max(waits) <= 300


@pytest.mark.parametrize("kind", KINDS)
def test_records_that_are_refused_are_named_and_tried_again(kind, pushed):
    values = people(40)
    refused = {f"c{k:03d}" for k in range(0, 40, 10)}
    crm = Crm(values, refused=refused)
    del crm.records["c005"]
    done = pushed(kind, crm, values)
    assert set(done.refused) == refused | {"c005"}
    assert sum(done.reasons.values()) == 5
    assert done.written == 35
    crm.refused, crm.records["c005"] = set(), {}
    again = pushed(kind, crm, values)
    assert (again.written, again.refused) == (5, {})
    assert held(crm) == values


def test_rows_that_can_be_nobodys_record_are_counted(pushed):
    long = "x" * 300
    done = pushed("rest", Crm(people(3)), {**people(3), long: 1.0, "a\0b": 2.0})
    assert (done.written, done.refused) == (3, {})
    assert done.unfit == {
        "customer_id is longer than 255 characters": 1,
        "customer_id holds a NUL": 1,
    }
    assert long not in json.dumps(done.as_dict())


@pytest.mark.parametrize("kind", ["hubspot", "zendesk"])
def test_a_call_that_is_refused_whole_is_halved_until_the_culprit_stands_alone(kind, pushed):
    values = people(20)
    done = pushed(kind, Crm(values, poison={"c011"}), values)
    assert set(done.refused) == {"c011"}
    assert done.written == 19
    assert "c011" not in json.dumps(done.as_dict())


def test_a_token_that_expires_midway_is_renewed_where_it_can_be(pushed):
    crm, values = Crm(people(60), lives=9), people(60)
    done = pushed("salesforce", crm, values)
    assert (done.written, done.refused) == (60, {})
    assert crm.logins > 1
    assert held(crm) == values


@pytest.mark.parametrize("kind", ["hubspot", "zendesk", "rest"])
def test_a_token_that_expires_midway_stops_the_push_which_goes_on_later(kind, pushed):
    crm, values = Crm(people(40), lives=5), people(40)
    with pytest.raises(SinkError, match="does not take the token") as caught:
        pushed(kind, crm, values)
    assert caught.value.exit_code == 7
    assert "hunter2" not in str(caught.value)
    there = crm.written
    assert there > 0
    crm.lives = None
    done = pushed(kind, crm, values)
    assert done.written <= 40 - there + 7
    assert held(crm) == values


@pytest.mark.parametrize("kind", KINDS)
def test_a_crm_that_is_away_ends_with_its_name(kind, pushed, environment, tmp_path):
    crm = Crm(people(5), busy=1.0)
    with pytest.raises(SinkError, match="push again, and it goes on") as caught:
        pushed(kind, crm, people(5))
    assert f"push {kind}" in str(caught.value)
    assert crm.written == 0


def test_credentials_that_are_not_taken_are_told(pushed):
    crm = Crm(people(5))
    crm.login_status = 401
    with pytest.raises(SinkError, match=r"push salesforce: .* gives no token \(HTTP 401"):
        pushed("salesforce", crm, people(5))


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_come_from_the_environment_alone(kind, tmp_path):
    scores = tmp_path / "scores.parquet"
    pq.write_table(table_of(people(2)), scores)
    with pytest.raises(UsageError, match=r"is not set; expected the CRM's credentials in the env"):
        push(scores, destination(kind, 9), tmp_path / "a.db", environment={}, pause=time.sleep)


def _push_slowly(kind, port, environment, scores, at):
    os.environ |= {"ZENPY_FORCE_NETLOC": f"localhost:{port}"}
    os.environ |= {"REQUESTS_CA_BUNDLE": environment["REQUESTS_CA_BUNDLE"]}
    push(scores, destination(kind, port), at, environment=environment, pause=lambda s: None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_that_is_killed_is_finished_by_the_next(kind, environment, machine, tmp_path):
    """Killed at random moments, then run once more: every record as wanted, none made twice."""
    chance, fork = random.Random(kind), multiprocessing.get_context("fork")
    values = people(30 if kind == "rest" else 80)
    crm = Crm(values, busy=0.05, lost=0.05, seed=1)
    scores, at = tmp_path / "scores.parquet", tmp_path / "push" / f"{kind}.db"
    with Server(crm, *machine) as server:
        job = (kind, server.port, environment, scores, at)
        for trial in range(KILLS):
            wanted = {name: value + trial for name, value in values.items()}
            del wanted[f"c{trial:03d}"]
            pq.write_table(table_of(wanted), scores)
            victim = fork.Process(target=_push_slowly, args=job)
            victim.start()
            time.sleep(chance.uniform(0.05, 0.5))
            victim.kill()
            victim.join()
            last = fork.Process(target=_push_slowly, args=job)
            last.start()
            last.join()
            assert last.exitcode == 0
            told = {name: value for name, value in held(crm).items() if value is not None}
            assert told == {name: float(f"{value:.3g}") for name, value in wanted.items()}
    assert crm.created == 0


@given(
    nights=st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 3), max_size=6),
        min_size=1,
        max_size=5,
    ),
    taken=st.lists(st.integers(0, 6), min_size=5, max_size=5),
)
@settings(deadline=None, max_examples=20)
def test_a_ledger_knows_what_was_taken_whatever_was_stopped(nights, taken, tmp_path_factory):
    """A CRM that takes some of each night's changes holds the last night once all are sent."""
    at = tmp_path_factory.mktemp("push") / "crm.db"
    crm = {}

    def night(values, most):
        with ledger(at, "a CRM") as known:
            known.plan((c, json.dumps({"v": v}), json.dumps({"v": v})) for c, v in values.items())
            changes = [c for batch in known.batches(2, {"v": None}) for c in batch]
            for change in changes[:most]:
                crm[change.customer_id] = change.fields["v"]
                known.keep([change.customer_id])
            return len(changes)

    for values, most in zip(nights, taken, strict=False):
        night(values, most)
    night(nights[-1], 99)
    assert {customer: value for customer, value in crm.items() if value} == nights[-1]
    assert night(nights[-1], 99) == 0


def test_a_ledger_is_of_one_crm_and_one_push_at_a_time(tmp_path):
    at = tmp_path / "crm.db"
    with ledger(at, "one"), pytest.raises(LockError), ledger(at, "one"):
        pass
    wrong = "tells what one holds, and the settings name two"
    with pytest.raises(StorageError, match=wrong), ledger(at, "two"):
        pass
    assert oct(at.stat().st_mode)[-3:] == "600"


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path):
    at = tmp_path / "theirs.db"
    connection = sqlite3.connect(at)
    connection.execute("create table held (customer_id text)")
    connection.commit()
    connection.close()
    with pytest.raises(StorageError, match="is no ledger of clv"), ledger(at, "x"):
        pass
    at.write_bytes(b"nothing of the kind" * 100)
    with (
        pytest.raises(StorageError, match="or move it away, and everything is sent again"),
        ledger(at, "x"),
    ):
        pass


def test_an_erasure_leaves_the_id_until_the_crm_is_emptied(pushed, tmp_path):
    crm, values = Crm(people(4)), people(4)
    pushed("rest", crm, values)
    ledgers = Ledgers(tmp_path / "push")
    assert ledgers.forget(["c001"], write=False, tombstones=True) != {}
    ledgers.forget(["c001"], write=True, tombstones=True)
    assert ledgers.forget(["c001"], write=False, tombstones=True) == {}
    del values["c001"]
    assert pushed("rest", crm, values).emptied == 1
    assert held(crm)["c001"] is None
    assert ledgers.forget(["c001"], write=False, tombstones=False) == {}
    assert all(b"c001" not in path.read_bytes() for path in ledgers.holds)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("fax", {}, "'fax' is not known; expected one of salesforce"),
        ("hubspot", {"batch": 5000}, "a whole number from 1 to 100"),
        ("hubspot", {"colour": "red"}, "'colour' is no setting; expected id_property, fields"),
        ("zendesk", {}, "'subdomain' is not set"),
        ("rest", {"address": "http://crm/{customer_id}"}, "expected https"),
        ("rest", {"address": "https://crm/x"}, "{customer_id} in it"),
        ("rest", {"address": "https://crm/{customer_id}", "method": "DELETE"}, "PATCH, PUT"),
    ],
)
def test_settings_that_cannot_be_are_refused(kind, options, words):
    with pytest.raises(UsageError) as caught:
        make_destination(kind, options)
    assert words in str(caught.value)
