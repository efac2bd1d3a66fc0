"""Exact TreeSHAP of shallow trees, by looking it up.

The SHAP values of a tree depend on a row only through which of its k splits the row takes
to the left: 2^k patterns, 64 for a tree of seven leaves. They are computed once per pattern
(path-dependent TreeSHAP: Lundberg et al. 2020, Nature Machine Intelligence 2, algorithm 1,
here in closed form over a leaf's path), summed over the columns of a group, and looked up
for every row: the same numbers as LightGBM's ``pred_contrib`` for a fraction of its time.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_SPLITS = 8
"""A tree of more splits has more patterns than a byte can name."""

_BLOCK_ROWS = 8192
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_ZERO, _MISSING_NAN = 1, 2
_WORD_BITS = 32


@dataclass(frozen=True)
class Tree:
    """One tree, as LightGBM's text has it; nodes are counted from 0, leaves as ~node.

    Attributes
    ----------
    column, decision, left, right, cover : ndarray of int, shape (splits,)
        What is asked, how, where it leads, and how many training rows came by.
    threshold : ndarray of shape (splits,)
    leaf_value, leaf_cover : ndarray of shape (splits + 1,)
    categories : tuple of frozenset of int
        What goes left, of each categorical split.
    """

    column: np.ndarray
    decision: np.ndarray
    left: np.ndarray
    right: np.ndarray
    cover: np.ndarray
    threshold: np.ndarray
    leaf_value: np.ndarray
    leaf_cover: np.ndarray
    categories: tuple[frozenset[int], ...]

    def paths(self) -> list[list[tuple[int, bool]]]:
        """Return, for each leaf, the splits above it and whether it lies to their left."""
        found: list[list[tuple[int, bool]]] = [[] for _ in self.leaf_value]
        open_nodes: list[tuple[int, list[tuple[int, bool]]]] = [(0, [])] if self.column.size else []
        while open_nodes:
            node, above = open_nodes.pop()
            for child, is_left in ((self.left[node], True), (self.right[node], False)):
                path = [*above, (node, is_left)]
                if child < 0:
                    found[~child] = path
                else:
                    open_nodes.append((int(child), path))
        return found

    def share(self, node: int, *, is_left: bool) -> float:
        """Return the share of a split's training rows that went to a side."""
        child = int(self.left[node] if is_left else self.right[node])
        inside = self.leaf_cover[~child] if child < 0 else self.cover[child]
        return float(inside) / float(self.cover[node])


def read_trees(text: str) -> list[Tree]:
    """Read the trees of LightGBM's text format."""
    blocks = text.split("end of trees", 1)[0].split("\nTree=")[1:]
    return [
        _tree(dict(line.split("=", 1) for line in b.splitlines() if "=" in line)) for b in blocks
    ]


def _tree(fields: Mapping[str, str]) -> Tree:
    def numbers(name: str, kind: type) -> np.ndarray:
        return np.array(fields.get(name, "").split(), dtype=kind)

    bounds, words = numbers("cat_boundaries", int), numbers("cat_threshold", np.int64)
    categories = []
    for start, stop in itertools.pairwise(bounds):
        bits = [(int(word) >> bit) & 1 for word in words[start:stop] for bit in range(_WORD_BITS)]
        categories.append(frozenset(code for code, bit in enumerate(bits) if bit))
    return Tree(
        column=numbers("split_feature", int),
        decision=numbers("decision_type", int),
        left=numbers("left_child", int),
        right=numbers("right_child", int),
        cover=numbers("internal_count", int),
        threshold=numbers("threshold", float),
        leaf_value=numbers("leaf_value", float),
        leaf_cover=numbers("leaf_count", int),
        categories=tuple(categories),
    )


def can_table(trees: Sequence[Tree]) -> bool:
    """Say whether every tree is shallow enough, and takes no zero for a missing value."""
    return all(
        tree.column.size <= MAX_SPLITS and not np.any((tree.decision >> 2) == _MISSING_ZERO)
        for tree in trees
    )


def shap_by_pattern(tree: Tree) -> tuple[dict[int, np.ndarray], float]:
    """Return each column's SHAP value for every pattern, and the tree's mean.

    Bit ``splits − 1 − k`` of a pattern says that split k is taken to the left. Along the path
    to a leaf, column j is followed (o_j = 1) or not, and z_j of the training rows follow it; the
    leaf's value v gives column j
    v (o_j − z_j) Σ_S |S|! (d − |S| − 1)! / d! Π_{i in S} o_i Π_{i not in S} z_i.
    """
    splits = tree.column.size
    weights = tree.leaf_cover / max(float(tree.leaf_cover.sum()), 1.0)
    if not splits:
        return {}, float(tree.leaf_value[0])
    patterns = np.arange(2**splits)
    goes_left = [(patterns >> (splits - 1 - k)) & 1 == 1 for k in range(splits)]
    values: dict[int, np.ndarray] = {}
    for value, path in zip(tree.leaf_value, tree.paths(), strict=True):
        follows: dict[int, np.ndarray] = {}
        shares: dict[int, float] = {}
        for node, is_left in path:
            column = int(tree.column[node])
            there = goes_left[node] == is_left
            follows[column] = follows.get(column, True) & there
            shares[column] = shares.get(column, 1.0) * tree.share(node, is_left=is_left)
        for column, there in follows.items():
            others = [(follows[c].astype(float), shares[c]) for c in follows if c != column]
            gain = value * (there - shares[column]) * _weighed(others, len(follows), patterns.size)
            values[column] = values.get(column, 0.0) + gain
    return values, float(weights @ tree.leaf_value)


def _weighed(others: Sequence[tuple[np.ndarray, float]], depth: int, patterns: int) -> np.ndarray:
    """Return the sum over sets of the other columns, by the coefficients of Π (o t + z)."""
    coefficients = [np.ones(patterns)]
    for follows, share in others:
        up = [c * follows for c in coefficients]
        stay = [c * share for c in coefficients]
        between = [a + b for a, b in zip(stay[1:], up[:-1], strict=True)]
        coefficients = [stay[0], *between, up[-1]]
    whole = math.factorial(depth)
    factors = [math.factorial(k) * math.factorial(depth - k - 1) / whole for k in range(depth)]
    return np.asarray(sum(f * c for f, c in zip(factors, coefficients, strict=True)))


@dataclass(frozen=True)
class _Lookup:
    """A tree with its table by group: the splits' questions, and what each pattern gives."""

    tree: Tree
    groups: tuple[int, ...]
    tables: tuple[np.ndarray, ...]


class GroupContributions:
    """SHAP values of trees, summed by group of columns.

    Parameters
    ----------
    trees : sequence of Tree
    group_of : sequence of int
        The group of each column, counted from 0.
    groups : int
        How many groups there are.
    """

    def __init__(self, trees: Sequence[Tree], group_of: Sequence[int], groups: int) -> None:
        self.groups = groups
        self.mean = 0.0
        self._lookups = []
        for tree in trees:
            by_column, mean = shap_by_pattern(tree)
            self.mean += mean
            by_group: dict[int, np.ndarray] = {}
            for column, values in by_column.items():
                group = group_of[column]
                by_group[group] = by_group.get(group, 0.0) + values
            self._lookups.append(_Lookup(tree, tuple(by_group), tuple(by_group.values())))
        self._columns = sorted({int(c) for tree in trees for c in tree.column})

    def __call__(self, matrix: np.ndarray) -> np.ndarray:
        """Return what each group adds, of shape (rows, groups + 1); the last one is the mean."""
        found = np.zeros((self.groups + 1, len(matrix)))
        found[-1] = self.mean
        for start in range(0, len(matrix), _BLOCK_ROWS):
            block = matrix[start : start + _BLOCK_ROWS]
            self._add(block, found[:, start : start + _BLOCK_ROWS])
        return np.ascontiguousarray(found.T)

    def _add(self, block: np.ndarray, found: np.ndarray) -> None:
        values = {c: np.ascontiguousarray(block[:, c]) for c in self._columns}
        pattern = np.empty(len(block), np.uint8)
        for lookup in self._lookups:
            if not lookup.groups:
                continue
            pattern[:] = 0
            for node in range(lookup.tree.column.size):
                np.add(pattern, pattern, out=pattern)
                goes_left = _goes_left(lookup.tree, node, values[int(lookup.tree.column[node])])
                np.add(pattern, goes_left.view(np.uint8), out=pattern)
            places = pattern.astype(np.intp)
            for group, table in zip(lookup.groups, lookup.tables, strict=True):
                found[group] += table[places]


def _goes_left(tree: Tree, node: int, values: np.ndarray) -> np.ndarray:
    """Answer a split's question for every row, as LightGBM does (tree.h, Decision)."""
    decision = int(tree.decision[node])
    missing_is_nan = decision >> 2 == _MISSING_NAN
    if decision & _CATEGORICAL:
        wanted = tree.categories[int(tree.threshold[node])]
        return np.isin(values, np.array(sorted(wanted), float))
    threshold = tree.threshold[node]
    if missing_is_nan:
        # A comparison with nan is false, whichever way round it is asked.
        return ~(values > threshold) if decision & _DEFAULT_LEFT else values <= threshold
    left = values <= threshold
    return left | np.isnan(values) if threshold >= 0 else left
