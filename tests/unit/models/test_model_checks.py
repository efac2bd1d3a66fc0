"""What LightGBM wrote is read; what was made to look like it is not."""

import copy
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.errors import ModelError
from clv.models.document_check import check_document
from clv.models.trees.boosting import Encoding, Growth, Input, grow
from clv.models.trees.tree_check import check_trees

WORDS = tuple("abcdefghij")
ENCODING = Encoding(
    (
        Input("spend", "purchase_history", "number"),
        Input("issue", "resolution", "category", 0, WORDS),
    )
)


def text_of(leaves=7, trees=4, objective="tweedie", seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(size=400), rng.integers(0, len(WORDS), 400)])
    rows[::5, 0] = np.nan
    label = np.exp(np.nan_to_num(rows[:, 0]) + np.sin(rows[:, 1]) + noise * rng.normal(size=400))
    if objective == "binary":
        label = (label > 1).astype(float)
    growth = Growth(trees=trees, leaves=leaves, min_data_in_leaf=5, feature_fraction=1.0, seed=seed)
    return grow(rows, label, ENCODING, growth, objective=objective).text


@pytest.fixture(scope="module")
def trees():
    text = text_of()
    assert "\ncat_boundaries=" in text
    return text


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([2, 3, 7, 31]),
    st.integers(1, 20),
    st.sampled_from(["tweedie", "binary"]),
    st.integers(0, 99),
    st.sampled_from([0.0, 1.0, 5.0]),
)
def test_what_lightgbm_writes_passes(leaves, trees, objective, seed, noise):
    check_trees(text_of(leaves, trees, objective, seed, noise), [0, 10], objective, "value.txt")


def set_field(name, change, tree=None):
    """Return a change of one field of a tree, its lengths in the frame kept right."""

    def changed(text):
        head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
        rest = text.partition("\nend of trees")[2]
        chosen = tree
        if chosen is None:
            chosen = next(k for k, block in enumerate(blocks) if f"\n{name}=" in block)
        lines = blocks[chosen].split("\n")
        place = next(k for k, line in enumerate(lines) if line.startswith(f"{name}="))
        lines[place] = f"{name}={change(lines[place].partition('=')[2].split())}"
        blocks[chosen] = "\n".join(lines)
        sizes = " ".join(str(len(f"Tree={block}\n".encode())) for block in blocks)
        head = re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", head)
        return "\nTree=".join([head, *blocks]) + "\nend of trees" + rest

    return changed


def first(value):
    return lambda items: " ".join([value, *items[1:]])


CRAFTED = {
    "endless loop": set_field("left_child", first("0")),
    "a child that is no node": set_field("left_child", first("99")),
    "a leaf that is none": set_field("right_child", first("-99")),
    "two ways to one leaf": set_field("right_child", lambda items: " ".join(["-1"] * len(items))),
    "division by zero": set_field("internal_count", first("0")),
    "a leaf without rows": set_field("leaf_count", first("0")),
    "negative rows": set_field("leaf_count", first("-5")),
    "more rows than above": set_field("leaf_count", first("999999")),
    "leaves of 1e308": set_field("leaf_value", first("1e308")),
    "leaves of -1e308": set_field("leaf_value", first("-1e308")),
    "leaves of nan": set_field("leaf_value", first("nan")),
    "leaves beyond double": set_field("leaf_value", first("1e999")),
    "an infinite leaf": set_field("leaf_value", first("inf")),
    "a threshold that is no number": set_field("threshold", first("nan")),
    "a column that is not there": set_field("split_feature", first("7")),
    "a column before the first": set_field("split_feature", first("-1")),
    "a decision unknown": set_field("decision_type", first("64")),
    "a number as category": set_field("decision_type", lambda items: " ".join("1" for _ in items)),
    "a set of categories that ends early": set_field("cat_boundaries", lambda items: "0 900"),
    "a set of categories backwards": set_field("cat_boundaries", lambda items: "1 0"),
    "categories beyond the words": set_field("cat_threshold", lambda items: ""),
    "fewer leaves than said": set_field("num_leaves", lambda items: "5"),
    "a million leaves": set_field("num_leaves", lambda items: "1000000"),
    "more leaves than memory": set_field("num_leaves", lambda items: "99999999999"),
    "linear leaves": set_field("is_linear", lambda items: "1"),
    "a tree that is left out": lambda text: text.replace("Tree=1", "Tree=3", 1),
    "sizes that lie": lambda text: re.sub(r"tree_sizes=\d+", "tree_sizes=9", text),
    "sizes beyond the end": lambda text: re.sub(r"tree_sizes=\d+", "tree_sizes=999999", text),
    "many classes": lambda text: text.replace("num_class=1", "num_class=9", 1),
    "another objective": lambda text: text.replace("objective=tweedie", "objective=lambdarank", 1),
    "a hundred columns": lambda text: text.replace("max_feature_idx=1", "max_feature_idx=99", 1),
    "a field twice": lambda text: text.replace("\nnum_cat", "\nnum_leaves=7\nnum_cat", 1),
    "a field unknown": lambda text: text.replace("\nnum_cat", "\nx=7\nnum_cat", 1),
    "a line without a field": lambda text: text.replace("\nnum_cat", "\nwords\nnum_cat", 1),
    "no trees": lambda text: text.replace("\nTree=", "\nNone="),
    "cut off": lambda text: text[: len(text) // 2],
    "nothing": lambda text: "",
    "a line break of another kind": lambda text: text.replace("leaf_value=", "leaf_value=1\x0b", 1),
    "a parameter that is code": lambda text: text.replace("[boosting: gbdt]", "__import__('os')"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_trees_are_refused_before_lightgbm_sees_them(name, trees):
    changed = CRAFTED[name](trees)
    assert changed != trees
    with pytest.raises(ModelError) as caught:
        check_trees(changed, [0, 10], "tweedie", "value.txt")
    assert "\n" not in str(caught.value)


def test_leaves_that_add_up_to_infinity_are_refused(trees):
    changed = trees
    for tree in range(4):
        changed = set_field("leaf_value", first("200"), tree)(changed)
    with pytest.raises(ModelError, match="add up"):
        check_trees(changed, [0, 10], "tweedie", "value.txt")


@pytest.fixture(scope="module")
def document(model_with, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checked")
    model_with.save(folder)
    return json.loads((folder / "model.json").read_text())


def places(value, path=()):
    """Yield the path of every value of a document that has a rule of its own."""
    free = path[:2] in {("info", "btyd"), ("info", "cross_check")} or path == ("format",)
    if free or path[-1:] == ("log_likelihood",):
        return
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for position, item in enumerate(value[:1]):
            yield from places(item, (*path, position))
    else:
        yield path


NASTY = ("x" * 3000, "a\x00b", 10**400, -1e300, float("nan"), float("inf"), None, [], {}, [[]])


def put(document, path, value):
    changed = copy.deepcopy(document)
    target = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed


def test_a_fitted_model_passes(document):
    check_document(document, "model.json")


def test_every_field_of_a_document_is_held(document):
    checked = 0
    for path in places(document):
        for value in NASTY:
            with pytest.raises(ModelError, match=r"model\.json") as caught:
                check_document(put(document, path, value), "model.json")
            assert "\n" not in str(caught.value)
            checked += 1
    assert checked > 400


LISTS = {
    "a decile too few": (("info", "decile_cuts"), lambda v: v[:-1]),
    "deciles that fall": (("info", "decile_cuts"), lambda v: v[::-1]),
    "an interval too many": (("calibration", "intervals", "low"), lambda v: [*v, 1.0]),
    "a ratio too few": (("centring", "ratios"), lambda v: v[1:]),
    "a feature's ratio too few": (("centring", "features"), lambda v: v[1:]),
    "a column twice": (("encoding", "inputs"), lambda v: [*v, v[0]]),
    "features in another order": (("info", "features"), lambda v: v[::-1]),
    "a parameter missing": (("purchases", "purchase", "parameters"), lambda v: {"r": v["r"]}),
    "a spend of infinite mean": (("purchases", "spend", "parameters"), lambda v: {**v, "q": 0.5}),
    "trees elsewhere": (("trees",), lambda v: {"../../x": "0" * 64}),
    "a day without its level": (("level", "days"), lambda v: [*v, 800_000]),
    "a gain that nothing was compared for": (
        ("calibration", "steps"),
        lambda v: [{**v[0], "reason": "too_few_tests"}],
    ),
    "no steps": (("calibration", "steps"), lambda v: []),
}


@pytest.mark.parametrize("name", LISTS)
def test_lengths_and_orders_that_do_not_agree_are_refused(name, document):
    path, change = LISTS[name]
    target = document
    for step in path:
        target = target[step]
    with pytest.raises(ModelError, match=r"model\.json"):
        check_document(put(document, path, change(copy.deepcopy(target))), "model.json")
