"""Pictures show their facts, follow the theme, and say what they lack."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from clv import plots
from clv.btyd import BetaGeo
from clv.btyd.pictures import PurchasePlots, customer_facts, map_facts, tracking_facts
from clv.errors import DataError, UsageError
from clv.models.btyd import BTYD
from clv.models.btyd.base import expected_new_customer
from clv.plots.picture import SHADES, THEMES

BG = {"r": 0.243, "alpha": 4.414 * 7, "a": 0.793, "b": 2.426}
"""Fader, Hardie & Lee (2005), CDNOW, time in days."""


def facts_of():
    """Return, by function, facts that it draws."""
    share, tenths = np.linspace(0.05, 0.95, 10), np.arange(1, 11)
    curve = pd.DataFrame({"at": [240.0, 300.0, 360.0], "net": [-1.0, 0.0, 0.5]})
    cells = map_facts("bg_nbd", BG, 90, 4, 30)
    return {
        "calibration": pd.DataFrame(
            {"predicted": share, "observed": share, "low": share - 0.05, "high": share + 0.05}
        ).assign(customers=40),
        "tracking": pd.DataFrame(
            {"day": ["2025-01-31", "2025-02-28"], "predicted": [9.0, 12.0], "actual": [8.0, 13.0]}
        ),
        "gains": pd.DataFrame(
            {"customers": [0, 0.5, 1], "value": [0, 0.8, 1.0], "series": ["model"] * 3}
        ),
        "lift": pd.DataFrame({"decile": tenths, "lift": tenths / 5.5}),
        "deciles": pd.DataFrame({"decile": tenths, "predicted": tenths * 9.0, "actual": tenths}),
        "skill": pd.DataFrame(
            {"model": ["a", "b"], "mean": [0.6, 0.5], "low": [0.5, 0.4], "high": [0.7, 0.6]}
        ).assign(metric="Gini"),
        "frequency_recency": cells,
        "p_alive": cells,
        "customer_curve": customer_facts("bg_nbd", BG, [0, 9, 20], 30, 10),
        "waterfall": pd.DataFrame(
            {"part": ["typical", "tone", "waits", "clv"], "amount": [10.0, 3.0, -1.0, 12.0]}
        ),
        "values": pd.DataFrame({"low": [0.0, 5.0], "high": [5.0, 10.0], "customers": [9, 4]}),
        "forest": pd.DataFrame(
            {"name": ["tone", "tone"], "evidence": ["adjusted", "experimental"]}
        ).assign(estimate=1.0, low=0.5, high=1.5),
        "effect_curve": pd.DataFrame({"time": [-1, 0, 1], "estimate": [0.0, 0.1, 0.4]}).assign(
            low=-0.2, high=0.6
        ),
        "target_curve": curve.assign(low=curve["net"] - 1, high=curve["net"] + 1),
        "contributions": pd.DataFrame(
            {"label": ["Tone"], "mean_abs": [1.0], "mean_bottom": [-2.0], "mean_top": [3.0]}
        ),
    }


def drawn_with(name, facts):
    """Return the picture of facts, with what its function asks for besides."""
    more = {"current": 300.0, "suggested": 360.0} if name == "target_curve" else {}
    return getattr(plots, name)(facts, **more)


@pytest.mark.parametrize("name", facts_of())
def test_no_axis_says_a_number_twice(name):
    svg = drawn_with(name, facts_of()[name]).svg("light")
    groups = re.findall(r'class="mark-text role-axis-label"[^>]*>(.*?)</g>', svg, re.DOTALL)
    assert groups
    for group in groups:
        labels = re.findall(r"<text[^>]*>([^<]+)</text>", group)
        assert len(labels) == len(set(labels)), labels


MORE = {"target_curve": {"current": 300.0, "suggested": 330.0, "unit": "seconds"}}


@pytest.fixture(scope="module")
def pictures():
    return {
        name: getattr(plots, name)(facts, **MORE.get(name, {}))
        for name, facts in facts_of().items()
    }


def test_every_public_picture_is_tried():
    assert set(facts_of()) == set(plots.__all__) - {"Picture"}


@pytest.mark.parametrize("name", facts_of())
def test_a_picture_is_svg_with_words_and_the_colours_of_its_theme(name, pictures):
    picture = pictures[name]
    for theme in ("light", "dark"):
        text = picture.svg(theme)
        root = ElementTree.fromstring(text)
        assert root.find("{http://www.w3.org/2000/svg}title").text == picture.title
        colours = set(re.findall(r"#[0-9a-f]{6}\b", text.lower()))
        assert colours <= {colour.lower() for colour in THEMES[theme].values()}
    both = picture.svg()
    assert "prefers-color-scheme:dark" in both
    assert not re.search(r'(?:fill|stroke)="#', both)
    assert picture.svg() == both
    assert len(picture.to_frame()) == len(picture.facts) > 0
    assert repr(picture).startswith("<Picture ")


@pytest.mark.parametrize("name", facts_of())
def test_facts_that_lack_a_column_or_rows_are_refused_by_name(name):
    facts = facts_of()[name]
    draw = getattr(plots, name)
    with pytest.raises(DataError, match=f"{name}: there is no row"):
        draw(facts.head(0), **MORE.get(name, {}))
    for column in {"predicted", "estimate", "amount", "lift", "low"} & set(facts.columns):
        with pytest.raises(DataError, match=f"{name}: the facts have no column {column}"):
            draw(facts.drop(columns=column), **MORE.get(name, {}))


def test_a_picture_is_saved_by_its_ending(pictures, tmp_path):
    picture = pictures["waterfall"]
    assert picture.save(tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in picture.save(str(tmp_path / "w.svg"), "dark").read_text()
    page = picture.save(tmp_path / "w.html").read_text()
    assert "<table" in page
    assert 'lang="en"' in page
    stored = json.loads(picture.save(tmp_path / "w.json").read_text())
    assert stored["$schema"].endswith(".json")
    assert picture.to_altair("dark").to_dict()["title"]["text"] == picture.title
    with pytest.raises(UsageError, match=r"expected one of \.svg"):
        picture.save(tmp_path / "w.gif")
    with pytest.raises(UsageError, match="say light or dark"):
        picture.save(tmp_path / "w.png", "auto")
    with pytest.raises(UsageError, match="theme 'blue' is not known"):
        picture.svg("blue")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".html", ".json", ".png", ".svg"]


def test_what_a_company_wrote_is_text(tmp_path):
    facts = facts_of()["waterfall"].replace("tone", "<script>alert(1)</script>")
    picture = plots.waterfall(facts, title="<b>a & b</b>")
    ElementTree.fromstring(picture.svg("light"))
    assert "<script>" not in picture.save(tmp_path / "p.html").read_text()


def test_the_shades_of_a_map_run_from_the_page_to_the_accent():
    for theme in THEMES.values():
        lightness = [sum(int(theme[s][at : at + 2], 16) for at in (1, 3, 5)) for s in SHADES]
        assert lightness in (sorted(lightness), sorted(lightness, reverse=True))


def test_a_map_holds_only_histories_that_can_be():
    facts = map_facts("bg_nbd", BG, 90, 5, 60)
    known = facts.dropna()
    assert ((known["frequency"] == 0) == (known["recency_days"] == 0)).all()
    at_end = known[known["recency_days"] == 60]
    assert at_end["expected_purchases"].is_monotonic_increasing
    assert known["p_alive"].between(0, 1).all()
    with pytest.raises(UsageError, match="at least 1"):
        map_facts("bg_nbd", BG, 90, 0, 60)


@pytest.mark.parametrize("model", BTYD)
def test_a_customers_curve_goes_on_where_the_past_ends(model):
    parameters = dict.fromkeys(BTYD[model].parameters, 1.0)
    parameters |= dict.fromkeys(BTYD[model].times, 30.0)
    facts = customer_facts(model, parameters, [3, 3, 40], 60, 30)
    assert facts["bought"].sum() == 3
    today = facts[facts["day"] == 60].iloc[0]
    assert today["purchases"] == today["expected"] == 3
    assert facts["expected"].dropna().is_monotonic_increasing
    x, t_x, t = np.array([2.0]), np.array([40.0]), np.array([60.0])
    assert today["p_alive"] == pytest.approx(BTYD[model].p_alive(parameters, x, t_x, t)[0])
    with pytest.raises(UsageError, match="today is day 60"):
        customer_facts(model, parameters, [61], 60, 30)


def test_tracking_is_the_sum_of_customers_expectations():
    first, repeats = [0, 5, 5], [2, 9, 9, 12]
    facts = tracking_facts("bg_nbd", BG, first, repeats)
    assert facts["actual"].tolist()[-1] == 4
    assert facts["day"].tolist()[-1] == 12
    ends = expected_new_customer(BTYD["bg_nbd"], BG, np.array([12.0, 7.0]))
    assert facts["predicted"].iloc[-1] == pytest.approx(ends[0] + 2 * ends[1])
    drawn = PurchasePlots("bg_nbd", BG).tracking(first, repeats)
    assert set(drawn.facts["series"]) == {"forecast", "actual"}


def test_an_estimator_draws_in_days_whatever_its_unit():
    rng = np.random.default_rng(0)
    weeks = pd.DataFrame({"frequency": rng.poisson(2.0, 400).astype(float), "T": 40.0})
    weeks["recency"] = np.where(weeks["frequency"] > 0, rng.uniform(1, 40, 400).round(), 0.0)
    days = weeks.assign(recency=weeks["recency"] * 7, T=weeks["T"] * 7)
    maps = [
        BetaGeo(unit).fit(rows).plot.p_alive(5, 280).facts["p_alive"]
        for unit, rows in ((7, weeks), (1, days))
    ]
    np.testing.assert_allclose(*maps, rtol=1e-3, atol=1e-6)
