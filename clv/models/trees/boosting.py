"""Gradient boosting on feature frames: the door to lightgbm.

LightGBM sees one float64 matrix. Columns, categories and constraints are looked up by
feature name, never by position or pandas type; categories are codes of our own vocabulary,
with one reserved code for values unseen at training, which are counted.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from clv.errors import ModelError, listing
from clv.models.trees.tree_shap import GroupContributions, can_table, read_trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from clv.features.base import Feature

MAX_CATEGORIES = 50
ROWS_AT_ONCE = 200_000
T = TypeVar("T")


TWEEDIE_POWER = 1.5
"""Of the mean, in the variance of a value: between counts (1) and amounts (2)."""


@dataclass(frozen=True)
class Input:
    """One column that the trees see.

    Attributes
    ----------
    name, group, kind : str
        As declared by the feature.
    monotone : int
        The sign that the value model must give it; 0 leaves it free.
    categories : tuple of str
        The vocabulary, most frequent first; codes are positions. Empty for numbers.
    """

    name: str
    group: str
    kind: str
    monotone: int = 0
    categories: tuple[str, ...] = ()

    @property
    def unseen_code(self) -> int:
        """The code of a category that training never saw."""
        return len(self.categories)


@dataclass(frozen=True)
class Encoding:
    """How a feature frame becomes LightGBM's matrix.

    Attributes
    ----------
    inputs : tuple of Input
        In the order of the matrix.
    """

    inputs: tuple[Input, ...]

    @classmethod
    def learn(cls, features: Mapping[str, Feature], frame: pd.DataFrame) -> Encoding:
        """Take declarations, and the vocabulary of every category from the training frame."""
        inputs = []
        for feature in features.values():
            words: tuple[str, ...] = ()
            if feature.kind == "category":
                words = vocabulary(frame[feature.name])
            inputs.append(Input(feature.name, feature.group, feature.kind, feature.monotone, words))
        return cls(tuple(inputs))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the matrix."""
        return tuple(column.name for column in self.inputs)

    @property
    def groups(self) -> tuple[str, ...]:
        """The contribution group of each column."""
        return tuple(column.group for column in self.inputs)

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the frame as float64 of shape (rows, columns); unknown is nan.

        Raises
        ------
        ModelError
            When a column is missing or a number column holds something else.
        """
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise ModelError(
                f"features: missing column {listing(missing)}; the model was trained with "
                f"{len(self.names)} columns. Build the frame with build_feature_table()."
            )
        matrix = np.empty((len(frame), len(self.inputs)), dtype=np.float64)
        for position, column in enumerate(self.inputs):
            if column.kind == "category":
                matrix[:, position] = _codes(frame[column.name], column)
                continue
            try:
                matrix[:, position] = frame[column.name].to_numpy(dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise ModelError(
                    f"features: column {column.name!r} holds something that is not a number; "
                    "expected float64. Build the frame with build_feature_table()."
                ) from error
        matrix[~np.isfinite(matrix)] = np.nan
        return matrix

    def unseen(self, frame: pd.DataFrame) -> dict[str, int]:
        """Count the values of each category column that training never saw."""
        counts = {}
        for column in self.inputs:
            if column.kind == "category":
                codes = _codes(frame[column.name], column)
                counts[column.name] = int((codes == column.unseen_code).sum())
        return {name: count for name, count in counts.items() if count}

    def as_dict(self) -> dict[str, Any]:
        """Return the encoding as JSON-able values."""
        return {"inputs": [asdict(column) for column in self.inputs]}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Encoding:
        """Restore what ``as_dict`` returned."""
        return cls(
            tuple(
                Input(**{**column, "categories": tuple(column["categories"])})
                for column in saved["inputs"]
            )
        )


def vocabulary(values: pd.Series) -> tuple[str, ...]:
    """Return the values of a category column, most frequent first, at most 50."""
    counted = values.dropna().astype(str).value_counts()
    ordered = sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
    return tuple(str(word) for word, _ in ordered[:MAX_CATEGORIES])


def _codes(values: pd.Series, column: Input) -> np.ndarray:
    codes = {word: float(code) for code, word in enumerate(column.categories)}
    known = values.notna().to_numpy()
    found = values.astype(str).map(codes).to_numpy(dtype=np.float64)
    return np.where(known, np.where(np.isnan(found), column.unseen_code, found), np.nan)


@dataclass(frozen=True)
class Growth:
    """How trees are grown.

    Shallow on purpose: contributions of trees with at most nine leaves are looked up; those
    of deeper ones cost 30 times as much and more. Few columns per tree and few
    bins per column: on three companies' folds both ranked customers better, and took a third
    of the time, of 0.7 of the columns and 255 bins.
    """

    trees: int = 150
    leaves: int = 7
    learning_rate: float = 0.05
    min_data_in_leaf: int = 40
    lambda_l2: float = 5.0
    feature_fraction: float = 0.35
    bagging_fraction: float = 0.8
    max_bin: int = 63
    num_threads: int = 1
    seed: int = 0


class Booster:
    """LightGBM's trees, always as they are after a round trip through their text.

    Parameters
    ----------
    text : str
        LightGBM's own model format.
    num_threads : int
        Threads of predictions.
    """

    def __init__(self, text: str, *, num_threads: int = 1) -> None:
        import lightgbm

        self.text = text
        self.num_threads = num_threads
        self._lookups: dict[tuple[int, ...], GroupContributions | None] = {}
        try:
            self._trees = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise ModelError(f"model: the trees cannot be read: {error}") from error

    def raw(self, matrix: np.ndarray) -> np.ndarray:
        """Return the sum of leaves of shape (rows,), on the link's scale, without offset."""
        if not len(matrix):
            return np.empty(0)
        found = self._trees.predict(matrix, raw_score=True, num_threads=self.num_threads)
        return np.asarray(found, dtype=np.float64)

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """Return TreeSHAP values of shape (rows, columns + 1); the last one is E[raw]."""
        if not len(matrix):
            return np.empty((0, matrix.shape[1] + 1))
        found = self._trees.predict(matrix, pred_contrib=True, num_threads=self.num_threads)
        return np.asarray(found, dtype=np.float64)

    def _lookup(self, group_of: Sequence[int], groups: int) -> GroupContributions | None:
        """Return SHAP values as tables, made once; None where the trees are too deep for it."""
        key = tuple(group_of)
        if key not in self._lookups:
            trees = read_trees(self.text)
            tabled = can_table(trees)
            self._lookups[key] = GroupContributions(trees, key, groups) if tabled else None
        return self._lookups[key]

    def group_contributions(
        self, matrix: np.ndarray, group_of: Sequence[int], groups: int
    ) -> np.ndarray:
        """Return TreeSHAP values summed by group of columns, of shape (rows, groups + 1).

        The last one is E[raw].
        """
        if (lookup := self._lookup(group_of, groups)) is not None:
            return lookup(matrix)
        by_column = self.contributions(matrix)
        found = np.zeros((len(matrix), groups + 1))
        for column, group in enumerate(group_of):
            found[:, group] += by_column[:, column]
        found[:, -1] = by_column[:, -1]
        return found

    def gains(self) -> dict[str, float]:
        """Return each column's total gain."""
        gains = self._trees.feature_importance(importance_type="gain")
        return dict(zip(self._trees.feature_name(), map(float, gains), strict=True))


def grow(
    matrix: np.ndarray,
    label: np.ndarray,
    encoding: Encoding,
    growth: Growth,
    *,
    objective: str,
    offset: np.ndarray | None = None,
    constrained: bool = False,
) -> Booster:
    """Grow trees.

    Parameters
    ----------
    matrix : ndarray of shape (rows, columns)
    label : ndarray of shape (rows,)
    encoding : Encoding
        Names, categories and constraints of the columns.
    growth : Growth
        Size, pace, threads and seed.
    objective : str
        LightGBM's name: ``tweedie``, ``binary``, ``regression``.
    offset : ndarray of shape (rows,), optional
        On the link's scale; no tree predicts it again.
    constrained : bool
        Hold columns to their declared signs.

    Raises
    ------
    ModelError
        When LightGBM refuses the data.
    """
    import lightgbm

    kinds = [position for position, c in enumerate(encoding.inputs) if c.kind == "category"]
    data = lightgbm.Dataset(
        matrix,
        label=label,
        init_score=offset,
        feature_name=list(encoding.names),
        categorical_feature=kinds,
        free_raw_data=True,
    )
    parameters = _parameters(growth, objective, len(label))
    if constrained and any(column.monotone for column in encoding.inputs):
        parameters["monotone_constraints"] = [column.monotone for column in encoding.inputs]
    try:
        trees = lightgbm.train(parameters, data, num_boost_round=growth.trees)
    except lightgbm.basic.LightGBMError as error:
        raise ModelError(f"{objective} trees: LightGBM refused the data: {error}") from error
    return Booster(trees.model_to_string(), num_threads=growth.num_threads)


def side_by_side(calls: Sequence[Callable[[Growth], T]], growth: Growth, rows: int) -> Iterator[T]:
    """Call functions that grow trees, several at once where each is small; results in order.

    Threads within one growth wait for each other at every split, which on a company of
    20,000 customers costs all that they save; whole growths beside each other do not. Trees
    do not depend on how the threads were shared.

    Parameters
    ----------
    calls : sequence of callable
        Each takes the ``Growth`` that it may use.
    growth : Growth
        Its ``num_threads`` are shared.
    rows : int
        That one call holds in memory.

    Yields
    ------
    object
        What each call returned.
    """
    at_once = max(min(growth.num_threads, len(calls), ROWS_AT_ONCE // max(rows, 1)), 1)
    share = replace(growth, num_threads=growth.num_threads // at_once)
    if at_once == 1:
        yield from (call(share) for call in calls)
        return
    pool = ThreadPoolExecutor(at_once)
    try:
        for found in [pool.submit(call, share) for call in calls]:
            yield found.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _parameters(growth: Growth, objective: str, rows: int) -> dict[str, object]:
    power = {"tweedie_variance_power": TWEEDIE_POWER} if objective == "tweedie" else {}
    return {
        "objective": objective,
        "num_leaves": growth.leaves,
        "learning_rate": growth.learning_rate,
        "min_data_in_leaf": max(min(growth.min_data_in_leaf, rows // 10), 1),
        "lambda_l2": growth.lambda_l2,
        "feature_fraction": growth.feature_fraction,
        "bagging_fraction": growth.bagging_fraction,
        "bagging_freq": 1,
        "cat_smooth": 20.0,
        "deterministic": True,
        "force_col_wise": True,
        "max_bin": growth.max_bin,
        "num_threads": growth.num_threads,
        "seed": growth.seed,
        "verbosity": -1,
        **power,
    }
