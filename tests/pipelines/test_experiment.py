"""`clv experiment`: sized on the past, dealt once, read with its warnings, and level 3."""

import json
import shlex

import pandas as pd
import pytest

from clv.simulation import SimulationOptions, simulate

USAGE, DATA, GATE = 2, 3, 5
DAYS = ("--horizon-days", 180)


@pytest.fixture(scope="module")
def trial_company(tmp_path_factory):
    """A company whose every customer is in an experiment, without words."""
    options = SimulationOptions(
        customers=700,
        years=2,
        horizon_days=180,
        agents=12,
        seed=5,
        transcripts=False,
        experiment_share=1.0,
    )
    place = tmp_path_factory.mktemp("trial")
    simulate(options).write(place)
    return place


@pytest.fixture(scope="module")
def lossy_company(trial_company, tmp_path_factory):
    """The same company, whose log lost every third coached customer."""
    place = tmp_path_factory.mktemp("lossy")
    for path in trial_company.glob("*.parquet"):
        if path.stem != "assignments":
            (place / path.name).symlink_to(path)
    log = pd.read_parquet(trial_company / "assignments.parquet")
    coached = log.index[log["arm"] == "coached"]
    log.drop(index=coached[::3]).to_parquet(place / "assignments.parquet", index=False)
    return place


def test_design_sizes_on_the_past_and_says_what_a_size_finds(trial_company, clv, tmp_path):
    seen = clv("experiment", "design", "--effect", 30, "--data", trial_company, *DAYS)
    assert seen.code == 0, seen.err
    sized = json.loads((tmp_path / "out" / "experiment-design.json").read_text("utf-8"))
    assert f"{sized['units_per_arm']:,} customers per arm find a difference of 30.00" in seen.out
    assert 0.05 < sized["covariate_share"] < 0.9


def test_assign_balances_past_value_and_never_deals_twice(trial_company, clv, tmp_path):
    log = tmp_path / "log.csv"
    arms = ("--arm", "control=0.75", "--arm", "warm=0.25", "--data", trial_company, "--log", log)
    seen = clv("experiment", "assign", "warmth", "--units", 400, *arms)
    assert seen.code == 0, seen.err
    assert "400 customers assigned: control " in seen.out
    first = pd.read_csv(log)
    assert first["unit_id"].is_unique
    assert abs((first["arm"] == "warm").sum() - 100) <= 5
    orders = pd.read_parquet(trial_company / "orders.parquet")
    spent = first["unit_id"].map(orders.groupby("customer_id")["amount"].sum()).fillna(0.0)
    by_arm = spent.groupby(first["arm"])
    error = (by_arm.var() / by_arm.count()).sum() ** 0.5
    assert abs(by_arm.mean().diff().iloc[-1]) < 2.5 * error
    again = clv("experiment", "assign", "warmth", "--units", 10, *arms)
    assert again.code == USAGE
    assert "was assigned before" in again.err
    assert pd.read_csv(log).equals(first)


def test_assign_takes_ids_from_a_file(clv, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("i1\n\ni2\ni3\ni4\n", encoding="utf-8")
    seen = clv("experiment", "assign", "Call back", "--unit", "interaction", "--ids", ids)
    assert seen.code == 0, seen.err
    assert sorted(pd.read_csv(tmp_path / "out" / "assignments.csv")["unit_id"]) == [
        "i1", "i2", "i3", "i4",
    ]  # fmt: skip


def test_read_holds_every_method_and_enters_the_effects(trial_company, clv, tmp_path):
    seen = clv(
        "experiment", "read", "empathy_coaching", "--data", trial_company, *DAYS,
        "--segment", "segment", "--planned", 700,
    )  # fmt: skip
    assert seen.code == 0, seen.err
    found = json.loads((tmp_path / "out" / "experiment-empathy_coaching.json").read_text("utf-8"))
    methods = {one["method"]: one for one in found["comparisons"]}
    assert list(methods) == ["plain", "cuped", "mlrate", "winsorised", "always-valid"]
    for name in ("plain", "cuped", "mlrate", "always-valid"):
        assert methods[name]["low"] < 0 < methods[name]["high"]  # 700 customers see no coaching
    assert methods["cuped"]["standard_error"] < methods["plain"]["standard_error"]
    assert {row["behaviour"] for row in found["moved"]} >= {"handle_seconds", "fcr"}
    assert all(row["adjusted_p_value"] >= row["p_value"] for row in found["subgroups"])
    # Nothing but noise moved handle time: give the read-out a clear shift, and it is level 3.
    for row in found["moved"]:
        if row["behaviour"] == "fcr":
            row["slope"] = {"estimate": 50.0, "standard_error": 10.0, "degrees": 900.0}
    folder = tmp_path / "read-outs"
    folder.mkdir()
    (folder / "experiment-a.json").write_text(json.dumps(found), encoding="utf-8")
    seen = clv(
        "attribute", "--data", trial_company, *DAYS, "--experiments", folder
    )  # fmt: skip
    assert seen.code == 0, seen.err
    effects = json.loads((tmp_path / "out" / "attribution.json").read_text("utf-8"))["effects"]
    fcr = next(one for one in effects if one["behaviour"] == "fcr")
    assert fcr["headline"] == "experimental"
    level = fcr["levels"][-1]
    assert [check["name"] for check in level["checks"]] == ["sample_ratio", "only_channel"]
    # +10 points on a contact, at 50 a resolved one.
    assert fcr["per_contact"] == pytest.approx(5.0)
    # What agents could not tell, the experiment decides: its level, and a step that pays.
    document = json.loads((tmp_path / "out" / "attribution.json").read_text("utf-8"))
    target = next(one for one in document["targets"] if one["behaviour"] == "fcr")
    assert (target["evidence"], target["recommend"]) == ("experimental", "raise")
    assert target["grade"] in ("proven", "likely")
    assert target["step"]["probability"] > 0.95
    assert "Raise first-contact resolution from" in seen.out
    assert {row["behaviour"] for row in document["refused"]} == {"handle_seconds", "empathy"}


def test_an_open_question_comes_with_a_command_that_runs(trial_company, clv, tmp_path, monkeypatch):
    seen = clv("experiment", "read", "empathy_coaching", "--data", trial_company, *DAYS)
    path = tmp_path / "out" / "experiment-empathy_coaching.json"
    found = json.loads(path.read_text("utf-8"))
    for row in found["moved"]:
        if row["behaviour"] == "fcr":
            row["slope"] = {"estimate": 1.0, "standard_error": 400.0, "degrees": 900.0}
    path.write_text(json.dumps(found), encoding="utf-8")
    monkeypatch.setenv("CLV__DECISIONS__BRIEFING_MINUTES", "0")
    monkeypatch.setenv("CLV__DECISIONS__PRIOR_SHARE", "1")
    monkeypatch.setenv("CLV__DECISIONS__LOSS_RATIO", "9")
    seen = clv("attribute", "--data", trial_company, *DAYS, "--experiments", path)
    assert seen.code == 0, seen.err
    document = json.loads((tmp_path / "out" / "attribution.json").read_text("utf-8"))
    target = next(one for one in document["targets"] if one["behaviour"] == "fcr")
    assert target["grade"] == "open"
    plan = target["experiment"]
    assert plan["net_value"] == pytest.approx(plan["value"] - plan["cost"])
    assert plan["command"] in seen.out
    ran = clv(*shlex.split(plan["command"])[1:])
    assert ran.code == 0, ran.err
    sized = json.loads((tmp_path / "out" / "experiment-design.json").read_text("utf-8"))
    assert (sized["unit"], sized["units_per_arm"]) == (plan["unit"], plan["units_per_arm"])
    # As many agents as the first page says: both count an agent's contacts in those weeks.
    assert plan["agents_per_arm"] > 0
    assert (sized["weeks"], sized["clusters_per_arm"]) == (plan["weeks"], plan["agents_per_arm"])


def test_arms_that_lost_customers_stop_it_and_are_written_down(lossy_company, clv, tmp_path):
    seen = clv("experiment", "read", "empathy_coaching", "--data", lossy_company, *DAYS)
    assert seen.code == GATE
    assert "not as large as planned" in seen.err
    found = json.loads((tmp_path / "out" / "experiment-empathy_coaching.json").read_text("utf-8"))
    assert found["trusted"] is False


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("design",), USAGE, "give either --effect or --per-arm"),
        (("design", "--per-arm", "9", "--weeks", "4"), USAGE, "expected it with --unit agent"),
        (("design", "--effect", 5, "--unit", "queue"), USAGE, "unit is 'queue'"),
        (("assign", "x", "--arm", "warm", "--arm", "cold"), USAGE, "'control' among them"),
        (("assign", "x", "--arm", "control=most"), USAGE, "expected control=0.5"),
        (("assign", "x", "--unit", "interaction"), USAGE, "expected --ids FILE"),
        (("assign", "///"), USAGE, "expected letters or digits"),
        (("assign", "x", "--ids", "nowhere.txt"), 9, "nowhere.txt: cannot be read"),
    ],
)
def test_bad_input_is_one_line(words, code, message, trial_company, clv):
    seen = clv("experiment", *words, "--data", trial_company)
    assert seen.code == code
    assert message in seen.err
    assert seen.err.count("\n") == 1


def test_a_file_that_is_no_read_out(trial_company, clv, tmp_path):
    path = tmp_path / "experiment-a.json"
    path.write_text('{"comparisons": 3}', encoding="utf-8")
    seen = clv("attribute", "--data", trial_company, *DAYS, "--experiments", path)
    assert seen.code == DATA
    assert "is no read-out" in seen.err
