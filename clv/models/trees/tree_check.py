"""Trees as text, looked at before LightGBM reads them.

LightGBM believes its text: a child that is no node ends the process or never ends, a count
of 0 divides by it, a leaf of 1e308 is an infinite value. Here every line must be one that
LightGBM writes, every index must lead somewhere, and no sum of leaves may overflow.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import numpy as np

from clv.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_TEXT = 2**28
MAX_TREES = 100_000
MAX_LEAVES = 131_072
"""LightGBM's own limit."""
MAX_DEPTH = 512
"""TreeSHAP calls itself once a level, and its memory grows with the square of the depth."""
MAX_CODES = 4096
"""Codes of a category that a split may name; clv gives out at most 51."""
MAX_RISE = {"tweedie": 50.0, "binary": 200.0}
MAX_FALL = 200.0
"""How far the leaves of all trees may add up, on the scale of logarithms.

What trees of clv reach, the most and the least leaf of every tree: -5.7 and 6.0 for value with
150 trees (the demo, CDNOW, Online Retail), -38 and 16 with 1,000 trees on 800 customers; for churn
-7.3 and 5.7, and -20 and 20. More than exp(50) times a forecast is no model.
"""

_NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
_NUMBERS = re.compile(rf"(?:{_NUMBER}(?: {_NUMBER})*)?")
_INTEGERS = re.compile(r"(?:-?\d{1,18}(?: -?\d{1,18})*)?")
_PARAMETER = re.compile(r"\[[a-z0-9_]+: [^\[\]]*\]")
_IMPORTANCE = re.compile(r"[^=]+=\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_OBJECTIVES = {
    "tweedie": re.compile(r"tweedie(?: tweedie_variance_power:[\d.]+)?"),
    "binary": re.compile(r"binary sigmoid:1"),
}
_HEADER = {
    "version": re.compile(r"v4"),
    "num_class": re.compile(r"1"),
    "num_tree_per_iteration": re.compile(r"1"),
    "label_index": re.compile(r"0"),
    "max_feature_idx": re.compile(r"\d{1,6}"),
    "objective": re.compile(r".*"),
    "feature_names": re.compile(r".+"),
    "monotone_constraints": re.compile(r"-?[01](?: -?[01])*"),
    "feature_infos": re.compile(r"[-+:.\[\]\w]+(?: [-+:.\[\]\w]+)*"),
    "tree_sizes": _INTEGERS,
}
_OPTIONAL = {"monotone_constraints"}
_INTEGER_FIELDS = (
    "num_leaves",
    "num_cat",
    "split_feature",
    "decision_type",
    "left_child",
    "right_child",
    "leaf_count",
    "internal_count",
    "cat_boundaries",
    "cat_threshold",
    "is_linear",
)
_REAL_FIELDS = (
    "split_gain",
    "threshold",
    "leaf_value",
    "leaf_weight",
    "internal_value",
    "internal_weight",
    "shrinkage",
)
_OF_CATEGORIES = {"cat_boundaries", "cat_threshold"}
# A split of what is known from what is not has an infinite threshold.
_THRESHOLDS = re.compile(rf"(?:(?:{_NUMBER}|-?inf)(?: (?:{_NUMBER}|-?inf))*)?")
_FIELDS = (
    dict.fromkeys(_INTEGER_FIELDS, _INTEGERS)
    | dict.fromkeys(_REAL_FIELDS, _NUMBERS)
    | {"threshold": _THRESHOLDS}
)
_CATEGORICAL, _MISSING_NAN = 1, 2


def check_trees(text: str, categories: Sequence[int], objective: str, where: str) -> None:
    r"""Refuse a text that LightGBM did not write for these columns.

    Parameters
    ----------
    text : str
        LightGBM's model format.
    categories : sequence of int
        For each column how many categories it has; 0 for a number.
    objective : {"tweedie", "binary"}
        What the trees predict.
    where : str
        Which text it is, for the message.

    Raises
    ------
    ModelError
        Naming the tree, or the line of the frame around them.

    Examples
    --------
    >>> check_trees("tree\nversion=v9", [0], "tweedie", "value.txt")
    Traceback (most recent call last):
    clv.errors.ModelError: model: value.txt: its version is not what LightGBM writes. Expected ...
    """
    if len(text) > MAX_TEXT:
        raise _refused(where, f"is longer than {MAX_TEXT:,} characters")
    lines = text.split("\n")
    if not all(line.isprintable() for line in lines):
        raise _refused(where, "holds characters that cannot be printed")
    head, *trees = text.partition("\nend of trees\n")[0].split("\nTree=")
    rest = text.partition("\nend of trees\n")[2]
    header = _header(head, objective, where)
    _check_frame(header, trees, rest, len(categories), where)
    low = high = 0.0
    for position, tree in enumerate(trees):
        leaves = _check_tree(tree, position, categories, f"{where}, tree {position}")
        low, high = low + float(leaves.min()), high + float(leaves.max())
    if not (low > -MAX_FALL and high < MAX_RISE[objective]):
        raise _refused(where, f"its leaves may add up to {low:.3g} or {high:.3g}")


def _header(head: str, objective: str, where: str) -> dict[str, str]:
    first, *lines = head.rstrip("\n").split("\n")
    header = _pairs(lines, _HEADER, _OPTIONAL, where)
    if first != "tree" or not _OBJECTIVES[objective].fullmatch(header["objective"]):
        raise _refused(where, f"is not about {objective} trees")
    return header


def _check_frame(
    header: Mapping[str, str], trees: Sequence[str], rest: str, columns: int, where: str
) -> None:
    """Hold what stands around the trees against the columns and the trees' lengths."""
    names = header["feature_names"].split(" ")
    infos = header["feature_infos"].split(" ")
    constraints = header.get("monotone_constraints", "0 " * columns).split()
    counted = {int(header["max_feature_idx"]) + 1, len(names), len(infos), len(constraints)}
    if counted != {columns}:
        raise _refused(where, f"is about {max(counted)} columns; the model has {columns}")
    if not 0 < len(trees) <= MAX_TREES:
        raise _refused(where, f"holds {len(trees):,} trees")
    sizes = [len(f"Tree={tree}\n".encode()) for tree in trees]
    if sizes != [int(size) for size in header["tree_sizes"].split()]:
        raise _refused(where, "its tree_sizes are not those of its trees")
    wanted = "feature_importances:"
    for line in rest.split("\n"):
        if line in ("feature_importances:", "parameters:", "end of parameters"):
            wanted = line
            continue
        kind = _PARAMETER if wanted == "parameters:" else _IMPORTANCE
        if line and line != "pandas_categorical:null" and not kind.fullmatch(line):
            raise _refused(where, "has a line after its trees that LightGBM does not write")


def _check_tree(text: str, position: int, categories: Sequence[int], where: str) -> np.ndarray:
    """Check one tree and return its leaves."""
    number, *lines = text.rstrip("\n").split("\n")
    if number != str(position):
        raise _refused(where, "is not where its number says")
    fields = _pairs(lines, _FIELDS, _OF_CATEGORIES, where)
    whole = {name: np.array(fields.get(name, "").split(), np.int64) for name in _INTEGER_FIELDS}
    real = {name: np.array(fields[name].split(), np.float64) for name in _REAL_FIELDS}
    if [whole[name].size for name in ("num_leaves", "num_cat", "is_linear")] != [1, 1, 1]:
        raise _refused(where, "does not say how many leaves it has")
    leaves, kinds = int(whole["num_leaves"][0]), int(whole["num_cat"][0])
    if not 1 <= leaves <= MAX_LEAVES or whole["is_linear"][0]:
        raise _refused(where, f"has {leaves:,} leaves, or leaves that are no constants")
    if not all(np.isfinite(values).all() for name, values in real.items() if name != "threshold"):
        raise _refused(where, "holds a number that is not finite")
    _check_lengths(whole, real, leaves, where)
    if leaves > 1:
        _check_splits(whole, categories, where)
        _check_shape(whole, leaves, where)
    _check_categories(whole, real["threshold"], kinds, where)
    return real["leaf_value"]


def _check_lengths(
    whole: Mapping[str, np.ndarray], real: Mapping[str, np.ndarray], leaves: int, where: str
) -> None:
    splits = leaves - 1
    of_splits = [whole[n] for n in ("split_feature", "decision_type", "left_child", "right_child")]
    of_splits += [real[n] for n in ("split_gain", "threshold", "internal_value", "internal_weight")]
    of_splits.append(whole["internal_count"])
    alone = leaves == 1 and not real["leaf_weight"].size
    right = (
        all(values.size == splits for values in of_splits)
        and real["leaf_value"].size == whole["leaf_count"].size == leaves
        and (alone or real["leaf_weight"].size == leaves)
        and real["shrinkage"].size == 1
    )
    if not right:
        raise _refused(where, f"has lists of other lengths than its {leaves:,} leaves ask for")


def _check_splits(whole: Mapping[str, np.ndarray], categories: Sequence[int], where: str) -> None:
    """Check what is asked of a row: of a column that is there, in a way that fits its kind."""
    column, decision = whole["split_feature"], whole["decision_type"]
    if column.min() < 0 or column.max() >= len(categories):
        raise _refused(where, "asks for a column that the model does not have")
    if decision.min() < 0 or (decision >> 2).max() > _MISSING_NAN:
        raise _refused(where, "decides in a way that LightGBM does not know")
    categorical = (decision & _CATEGORICAL).astype(bool)
    if not np.array_equal(categorical, np.array(categories)[column] > 0):
        raise _refused(where, "takes a category for a number, or a number for a category")


def _check_shape(whole: Mapping[str, np.ndarray], leaves: int, where: str) -> None:
    """Walk the tree from its root: every node and leaf once, and no more rows than above."""
    left, right = whole["left_child"], whole["right_child"]
    inner, outer = whole["internal_count"], whole["leaf_count"]
    children = np.concatenate([left, right])
    expected = np.concatenate([np.arange(1, leaves - 1), ~np.arange(leaves)])
    if not np.array_equal(np.sort(children), np.sort(expected)):
        raise _refused(where, "leads to a node twice, or to none")
    if inner.min() < 1 or outer.min() < 1:
        raise _refused(where, "has a node that no row came by")
    depth = 0
    level = [0]
    seen = 0
    while level:
        depth, seen = depth + 1, seen + len(level)
        nodes = np.array(level)
        below = np.concatenate([left[nodes], right[nodes]])
        counts = np.where(below < 0, outer[np.maximum(~below, 0)], inner[np.maximum(below, 0)])
        if depth > MAX_DEPTH or (counts > np.tile(inner[nodes], 2)).any():
            raise _refused(
                where, f"is deeper than {MAX_DEPTH}, or a node has more rows than the one above"
            )
        level = [int(child) for child in below if child >= 0]
    if seen != leaves - 1:
        raise _refused(where, "has nodes that its root does not lead to")


def _check_categories(
    whole: Mapping[str, np.ndarray],
    threshold: np.ndarray,
    kinds: int,
    where: str,
) -> None:
    """Check the sets of categories: each split's place among them, and each set's size."""
    bounds, words = whole["cat_boundaries"], whole["cat_threshold"]
    categorical = (whole["decision_type"] & _CATEGORICAL).astype(bool)
    places = threshold[categorical]
    if not kinds:
        right = not bounds.size and not words.size and not places.size
    else:
        widths = [stop - start for start, stop in itertools.pairwise(bounds)]
        right = (
            len(widths) == kinds == places.size
            and bounds[0] == 0
            and bounds[-1] == words.size
            and all(0 < width <= MAX_CODES // 32 for width in widths)
            and bool(np.isin(places, np.arange(kinds)).all())
            and bool(((words >= 0) & (words < 2**32)).all())
        )
    if not right:
        raise _refused(where, "has sets of categories that its splits do not fit")


def _pairs(
    lines: Sequence[str], kinds: Mapping[str, re.Pattern[str]], optional: set[str], where: str
) -> dict[str, str]:
    """Read ``name=content`` lines: each name once, known, and its content of its kind."""
    pairs: dict[str, str] = {}
    for line in lines:
        name, equals, content = line.partition("=")
        if not equals or name not in kinds or name in pairs or not kinds[name].fullmatch(content):
            known = name if name in kinds else "frame"
            raise _refused(where, f"its {known} is not what LightGBM writes")
        pairs[name] = content
    if missing := kinds.keys() - pairs.keys() - optional:
        raise _refused(where, f"lacks {min(missing)}")
    return pairs


def _refused(where: str, why: str) -> ModelError:
    return ModelError(
        f"model: {where}: {why}. Expected trees as LightGBM wrote them, which are not run "
        "otherwise. Restore the model, or train again."
    )
