"""A version that came as a bundle: its figures are its sender's, and no gate goes by them."""

import datetime as dt
from types import SimpleNamespace

import pytest
from clv.pipelines.learning import lifecycle

from clv.errors import GateError, ModelError
from clv.registry import Version

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
TODAY = NOW.date()


class Learned:
    """What a model says of itself; the real one is tested where bundles are."""

    def __init__(self, until):
        self.until = until

    def require_learned_by(self, day, where):
        if self.until > day:
            raise ModelError(f"{where}: says that it learned from days yet to come.")


@pytest.fixture
def promote(monkeypatch, tmp_path):
    """Promote a version of some tags; return how often the gate was asked."""
    asked = []
    monkeypatch.setattr(
        lifecycle,
        "_promoted",
        lambda *args: asked.append(args) or SimpleNamespace(checks=(), as_dict=dict),
    )

    def promote(tags, until=TODAY, **options):
        version = Version("clv", 3, "run", "source", (), tags)
        model = SimpleNamespace(model=SimpleNamespace(info=Learned(until)))
        registry = SimpleNamespace(
            name="clv", resolve=lambda _address: version, load=lambda _address: model
        )
        ctx = SimpleNamespace(
            registry=lambda: registry, started_at=NOW, workspace=tmp_path, documents=None
        )
        lifecycle.promote(ctx, **options)
        return len(asked)

    return promote


def test_claims_are_believed_only_where_the_user_says_so(promote):
    assert promote({}) == 1
    with pytest.raises(GateError, match="--trust-metrics") as caught:
        promote({"imported_from": "models:/clv/1"})
    assert caught.value.exit_code == 5
    with pytest.raises(GateError):
        promote({"imported_from": "models:/clv/1", "signed_by": "ana@example"})
    assert promote({"imported_from": "models:/clv/1"}, trust_metrics=True) == 2


def test_what_was_learned_from_days_to_come_is_no_champion(promote):
    tomorrow = TODAY + dt.timedelta(days=1)
    with pytest.raises(ModelError):
        promote({"imported_from": "models:/clv/1"}, tomorrow, trust_metrics=True)
