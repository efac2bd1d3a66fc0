"""Money of any size in effects: a company in another unit has the same effects, in that unit."""

from __future__ import annotations

import pytest

from clv.effects.decisions.targets import build_targets
from clv.effects.design.exposure import CORE_BEHAVIOURS
from clv.effects.effects import estimate_effects
from clv.effects.estimators.study import EffectOptions
from clv.simulation import SimulationOptions
from clv.simulation.world import build_world
from tests.unit.effects.service import contact_frame, encoded

QUICK = EffectOptions(permutations=19)
SAME = 1e-6


@pytest.fixture(scope="module")
def contacts():
    world = build_world(SimulationOptions(customers=4_000, agents=100, seed=3))
    return contact_frame(world, 365)


def in_unit(contacts, unit):
    money = [name for name in contacts if name.startswith(("spend", "value"))]
    return encoded(contacts.assign(**{name: contacts[name] * unit for name in money}))


@pytest.fixture(scope="module")
def ours(contacts):
    return estimate_effects(in_unit(contacts, 1.0).exposure, CORE_BEHAVIOURS, QUICK)


@pytest.mark.parametrize("unit", [16_000.0, 0.01])
def test_effects_and_their_evidence_are_the_same(contacts, ours, unit):
    theirs = estimate_effects(in_unit(contacts, unit).exposure, CORE_BEHAVIOURS, QUICK)
    assert len(ours.effects) == len(theirs.effects) > 0
    told = 0
    for one, other in zip(ours.effects, theirs.effects, strict=True):
        assert one.headline == other.headline
        for left, right in zip(one.levels, other.levels, strict=True):
            assert (left.evidence, left.refused) == (right.evidence, right.refused)
            assert [c.passed for c in left.checks] == [c.passed for c in right.checks]
            for name in ("estimate", "low", "high"):
                mine, their = getattr(left, name), getattr(right, name)
                assert (mine is None) == (their is None)
                if mine is not None:
                    told += 1
                    assert their / unit == pytest.approx(mine, rel=SAME), (one, name)
    assert told > 5


def test_targets_are_the_same(contacts, ours):
    unit = 16_000.0
    theirs = estimate_effects(in_unit(contacts, unit).exposure, CORE_BEHAVIOURS, QUICK)
    pairs = [build_targets(found, cost)[0] for found, cost in ((ours, 0.5), (theirs, 0.5 * unit))]
    assert len(pairs[0]) == len(pairs[1]) > 0
    for one, other in zip(*pairs, strict=True):
        assert (one.behaviour, one.recommend) == (other.behaviour, other.recommend)
        for left, right in zip(one.curve, other.curve, strict=True):
            assert right.scale == pytest.approx(left.scale, rel=SAME)
            assert right.net / unit == pytest.approx(left.net, rel=SAME, abs=SAME)
