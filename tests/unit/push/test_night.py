"""A bad night, and back: files, database, lake and CRM as they were the night before."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from clv.engines.connect import connect
from clv.features.table import FeatureTable
from clv.push import make_destination, push
from clv.scoring import ScoringOptions, current, rollback, score_table
from clv.scoring.publish import SCORE_FILE
from clv.sinks import make_sinks
from tests.unit.push.crm import Crm, Server, certificate
from tests.unit.scoring.bent import AS_OF, FEATURES_USED, Bent, customers

pytest.importorskip("hubspot")


@pytest.fixture
def night(tmp_path, monkeypatch):
    """Return what scores with a version, what pushes, and what everything holds."""
    database = f"sqlite:///{tmp_path / 'crm.db'}"
    sinks = make_sinks(
        [{"kind": "sql", "url": database}, {"kind": "parquet", "folder": str(tmp_path / "lake")}]
    )
    out, people = tmp_path / "scores", customers(20)
    order = ScoringOptions("clv", 1, out, sinks=sinks)
    crm, (cert, secret) = Crm(people["customer_id"]), certificate(tmp_path)
    environment = {"HUBSPOT_ACCESS_TOKEN": "t", "REQUESTS_CA_BUNDLE": str(cert)}

    def score(version, people=people):
        with connect(threads=1) as engine:
            table = FeatureTable(engine, (engine.frame(people),), AS_OF, FEATURES_USED, ())
            return score_table(table, Bent(), replace(order, model_version=version))

    def send(server):
        options = {"address": f"https://localhost:{server.port}"}
        fields = {"clv": "clv", "model_version": "version"}
        return push(
            current(out) / SCORE_FILE,
            make_destination("hubspot", options | {"fields": fields}),
            tmp_path / "push.db",
            environment=environment,
            pause=lambda seconds: None,
        )

    def holds():
        engine = sa.create_engine(database)
        with engine.connect() as connection:
            tables = {
                name: sorted(map(repr, connection.execute(sa.text(f"select * from {name}"))))
                for name in sa.inspect(connection).get_table_names()
            }
        engine.dispose()
        lake = {path: path.read_bytes() for path in (tmp_path / "lake").rglob("*.parquet")}
        run = {path.name: path.read_bytes() for path in current(out).iterdir()}
        records = {customer: dict(fields) for customer, fields in crm.records.items()}
        return tables, lake, current(out).name, run, records

    with Server(crm, cert, secret) as server:
        yield score, lambda: send(server), holds, lambda: rollback(out, sinks=sinks)


def test_after_a_bad_night_and_a_rollback_everything_is_as_the_night_before(night):
    score, send, holds, take_back = night
    score(1)
    send()
    before = holds()
    score(2, customers(15))  # another model, and a quarter of the customers lost
    send()
    worse = holds()
    assert all(after != earlier for after, earlier in zip(worse, before, strict=True))
    take_back()
    send()
    assert holds() == before
