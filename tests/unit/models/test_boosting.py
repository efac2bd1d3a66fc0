import numpy as np
import pandas as pd
import pytest

from clv.errors import ModelError
from clv.models.trees.boosting import Booster, Encoding, Growth, Input, grow, vocabulary

INPUTS = Encoding(
    (
        Input("wait", "waits", "number", monotone=-1),
        Input("spend", "purchase_history", "number"),
        Input("plan", "customer", "category", categories=("basic", "gold")),
    )
)
GROWTH = Growth(trees=30, num_threads=1, min_data_in_leaf=10)


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "spend": rng.gamma(2, 10, n),
            "plan": rng.choice(["basic", "gold"], n),
            "wait": rng.random(n),
        }
    )
    return frame, frame["spend"].to_numpy() * (1 + frame["wait"].to_numpy())


def test_columns_are_found_by_name_and_unknown_is_nan():
    frame = pd.DataFrame(
        {"plan": ["gold", None, "silver"], "spend": [1.0, np.inf, 3.0], "wait": [0.1, 0.2, np.nan]}
    )
    matrix = INPUTS.matrix(frame)
    np.testing.assert_array_equal(matrix[:, 0], [0.1, 0.2, np.nan])
    np.testing.assert_array_equal(matrix[:, 1], [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(matrix[:, 2], [1.0, np.nan, 2.0])
    assert INPUTS.unseen(frame) == {"plan": 1}


def test_missing_and_wrong_columns_are_named():
    with pytest.raises(ModelError, match="missing column 'spend'"):
        INPUTS.matrix(pd.DataFrame({"wait": [1.0], "plan": ["gold"]}))
    with pytest.raises(ModelError, match="'wait' holds something that is not a number"):
        INPUTS.matrix(pd.DataFrame({"wait": ["long"], "spend": [1.0], "plan": ["gold"]}))


def test_vocabulary_is_by_frequency_then_name_and_bounded():
    assert vocabulary(pd.Series(["b", "a", "c", "c", None])) == ("c", "a", "b")
    assert len(vocabulary(pd.Series([f"w{k}" for k in range(99)]))) == 50


def test_constraints_follow_the_name_not_the_position():
    frame, label = rows()
    trees = grow(
        INPUTS.matrix(frame), label, INPUTS, GROWTH, objective="regression", constrained=True
    )
    probe = pd.DataFrame({"wait": np.linspace(0, 1, 40), "spend": 20.0, "plan": "gold"})
    assert (np.diff(trees.raw(INPUTS.matrix(probe))) <= 1e-12).all()
    free = grow(INPUTS.matrix(frame), label, INPUTS, GROWTH, objective="regression")
    assert (np.diff(free.raw(INPUTS.matrix(probe))) > 0).any()


def test_same_seed_same_text_for_one_and_two_threads():
    from dataclasses import replace

    frame, label = rows()
    texts = [
        grow(
            INPUTS.matrix(frame), label, INPUTS, replace(GROWTH, num_threads=n), objective="tweedie"
        ).raw(INPUTS.matrix(frame))
        for n in (1, 1, 2)
    ]
    np.testing.assert_array_equal(texts[0], texts[1])
    np.testing.assert_array_equal(texts[0], texts[2])


def test_text_is_all_there_is():
    frame, label = rows()
    matrix = INPUTS.matrix(frame)
    trees = grow(matrix, label, INPUTS, GROWTH, objective="tweedie")
    again = Booster(trees.text)
    np.testing.assert_array_equal(again.raw(matrix), trees.raw(matrix))
    np.testing.assert_allclose(again.contributions(matrix).sum(axis=1), again.raw(matrix))
    assert set(again.gains()) == {"wait", "spend", "plan"}


def test_offsets_are_not_predicted_again():
    frame, label = rows()
    offset = np.log(label)
    trees = grow(INPUTS.matrix(frame), label, INPUTS, GROWTH, objective="tweedie", offset=offset)
    assert np.abs(trees.raw(INPUTS.matrix(frame))).max() < 0.02


def test_nonsense_is_refused():
    with pytest.raises(ModelError, match="cannot be read"):
        Booster("no trees")
    with pytest.raises(ModelError, match="tweedie trees: LightGBM refused"):
        grow(INPUTS.matrix(rows(50)[0]), np.full(50, -1.0), INPUTS, GROWTH, objective="tweedie")


def test_a_constant_feature_and_empty_frames_are_harmless():
    frame, label = rows()
    frame["wait"] = 1.0
    trees = grow(INPUTS.matrix(frame), label, INPUTS, GROWTH, objective="tweedie")
    assert np.isfinite(trees.raw(INPUTS.matrix(frame))).all()
    empty = INPUTS.matrix(frame.head(0))
    assert trees.raw(empty).shape == (0,)
    assert trees.contributions(empty).shape == (0, 4)


def test_encoding_survives_json():
    import json

    assert Encoding.from_dict(json.loads(json.dumps(INPUTS.as_dict()))) == INPUTS
