import numpy as np
import pandas as pd
import pytest

from clv.errors import ModelError
from clv.models.training.guards import find_leaks, guard_leaks


def customers(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=n)
    label = (quality + rng.normal(size=n) > 0.5).astype(float)
    frame = pd.DataFrame(
        {
            "tenure": quality + rng.normal(size=n),
            "spend": quality * 2 + rng.normal(size=n) * 3,
            "plan": np.where(quality + rng.normal(size=n) > 0, "gold", None),
        }
    )
    return frame, label


def test_honest_features_pass():
    frame, label = customers()
    assert find_leaks(frame, label) == ()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_outcome_itself_is_found(sign):
    frame, label = customers()
    frame["later"] = sign * label + np.random.default_rng(1).normal(0, 0.01, len(label))
    (leak,) = find_leaks(frame, label)
    assert leak.feature == "later"
    assert leak.alone > 0.99


def test_a_reason_that_only_leavers_have_is_found():
    frame, label = customers()
    frame["reason"] = np.where(label > 0, "competitor", None)
    frame["score"] = np.where(label > 0, 3.0, np.nan)
    assert {leak.feature for leak in find_leaks(frame, label)} == {"reason", "score"}


def test_a_score_written_from_the_outcome_is_found_below_the_limit():
    frame, label = customers()
    rng = np.random.default_rng(2)
    frame["risk"] = label + rng.normal(0, 0.33, len(label))
    (leak,) = find_leaks(frame, label)
    assert leak.feature == "risk"
    assert leak.alone < 0.99
    assert leak.others is not None
    assert leak.alone > leak.others


def test_the_error_names_feature_and_override_and_the_override_works():
    frame, label = customers()
    frame["later"] = label
    with pytest.raises(ModelError, match=r"'later'.*AUC 1\.000.*training\.allow_leaks"):
        guard_leaks(frame, label)
    guard_leaks(frame, label, allow=["later"])


def test_money_is_split_at_its_median():
    frame, _ = customers()
    money = np.maximum(frame["spend"].to_numpy(), 0) * 10 + 1
    frame["next_quarter"] = money
    found = {leak.feature for leak in find_leaks(frame[["tenure", "next_quarter"]], money)}
    assert found == {"next_quarter"}


def test_one_class_has_nothing_to_leak():
    frame, _ = customers(200)
    assert find_leaks(frame, np.zeros(200)) == ()


def test_the_telco_set_stops_on_its_scores(realdata):
    rows = pd.read_parquet(next((realdata / "telco_ibm_v11").glob("*.parquet")))
    names = {name.lower().replace("_", " "): name for name in rows.columns}
    label = rows[names["churn value"]] if "churn value" in names else rows[names["churn label"]]
    label = label.replace({"Yes": 1, "No": 0}).astype(float).to_numpy()
    outcome = {"churn value", "churn label", "customer status", "churn category", "churn reason"}
    kept = [name for lower, name in names.items() if lower not in outcome | {"customer id"}]
    with pytest.raises(ModelError) as raised:
        guard_leaks(rows[kept], label)
    assert names["satisfaction score"] in str(raised.value)
    assert names["churn score"] in str(raised.value)
    innocent = [
        name for name in kept if name not in (names["satisfaction score"], names["churn score"])
    ]
    guard_leaks(rows[innocent], label)
