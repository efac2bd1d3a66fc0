"""Five trainings and five scorings at once on a fresh store: all come to their end."""

import pytest

from clv.registry import Registry
from clv.scoring import runs
from tests.robustness.test_killed import check_names, contents

pytestmark = pytest.mark.slow
TOGETHER = 5


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_trainings_and_scorings_at_once(kind, victims, tmp_path, request):
    training, scoring = victims("train"), victims("score")
    store = tmp_path / "store" if kind == "sqlite" else request.getfixturevalue("postgres")
    days = [f"2025-0{month}-28" for month in range(1, TOGETHER)]
    for seed in range(1, TOGETHER):
        training.begin(store, seed, "&")
    for day in days:
        scoring.begin(tmp_path / "out", day, "&")
    scored = scoring.run(tmp_path / "out", "2025-05-28").split(";")
    trained = training.run(store, 0).split(";")
    assert [answer[:4] for answer in [*scored, *trained]] == ["done"] * 2 * TOGETHER
    registry = Registry.local(store) if kind == "sqlite" else Registry(store)
    versions = registry.versions()
    assert [version.number for version in versions] == [5, 4, 3, 2, 1]
    assert all(version.verified for version in versions)
    assert registry.alias("challenger").number == TOGETHER
    check_names(registry)
    moves = registry.history()
    assert len(moves) == TOGETHER
    assert {move.version for move in moves} == {1, 2, 3, 4, 5}
    chain = [move.previous for move in moves[1:]]
    assert chain == [move.version for move in moves[:-1]]
    assert len(runs(tmp_path / "out")) == TOGETHER
    assert contents(tmp_path / "out")
