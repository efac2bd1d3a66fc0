"""`clv simulate`: the options of the synthetic company reach it, and wrong ones are one line."""

import json

COMPANY = "agents: 12\nyears: 2\ntranscripts: false\n"


def planted(tmp_path, text):
    path = tmp_path / "effects.yaml"
    path.write_text(COMPANY + text)
    return path


def test_half_life_and_effects_reach_the_company(clv, tmp_path):
    file = planted(tmp_path, "effects: {empathy: 0.5}\n")
    by_month = {}
    for name, words in (("stays", ()), ("fades", ("--half-life-days", "60"))):
        ended = clv("simulate", tmp_path / name, "--customers", "200", "--effects", file, *words)
        assert ended.code == 0, ended.err
        truth = json.loads((tmp_path / name / "truth.json").read_text())
        by_month[name] = truth["per_contact"]["effects"][0]["by_month"]
    assert by_month["fades"][-1] < by_month["fades"][0] / 4
    assert by_month["stays"][-1] > by_month["stays"][0] / 4


def test_wrong_options_are_one_line_and_exit_2(clv, tmp_path):
    for text, told in (
        ("effects: {empaty: 0.5}\n", "empaty is none of the effects"),
        ("agnets: 3\n", "agnets is none of the options"),
        ("effects: {half_life_days: -1}\n", "half_life_days is -1"),
    ):
        ended = clv("simulate", tmp_path / "x", "--effects", planted(tmp_path, text))
        assert ended.code == 2
        assert told in ended.err
        assert len(ended.err.strip().splitlines()) == 1
        assert not (tmp_path / "x").exists()
