"""Reading an experiment: was it randomised as planned, what did it do, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.errors import UsageError
from clv.experiments.assign import CONTROL
from clv.experiments.compare import (
    always_valid_half_width,
    cross_fitted,
    difference,
    holm,
    influence,
    sample_ratio_p,
    wald,
)
from clv.experiments.results import Comparison, Moved, ReadOut
from clv.notes import Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clv.experiments.compare import Codes, Floats, Predictor

MIN_ARM = 30
MIN_RATIO_P = 0.001
WINSOR_SHARE = 0.995
CLEAR_SHIFT = 5.0
"""Standard errors by which an arm must have moved a behaviour to be read per unit of it."""


@dataclass(frozen=True)
class ReadOptions:
    """How an experiment is read.

    Attributes
    ----------
    level : float
        Of the intervals.
    shares : mapping of str to float or None
        Planned shares of the arms; equal where None.
    planned : int or None
        Customers at the end; set it to peek before, with an interval that always holds.
    folds, seed : int
        Of the cross-fitted covariate.
    unit : str
        What was randomised.
    segment : str or None
        A column of subgroups known before assignment.
    """

    level: float = 0.95
    shares: Mapping[str, float] | None = None
    planned: int | None = None
    folds: int = 5
    seed: int = 0
    unit: str = "customer"
    segment: str | None = None


def read(
    experiment: str,
    rows: pd.DataFrame,
    *,
    covariates: Sequence[str] = (),
    features: Sequence[str] = (),
    predictor: Predictor | None = None,
    behaviours: Sequence[str] = (),
    options: ReadOptions | None = None,
) -> ReadOut:
    """Read an experiment.

    Parameters
    ----------
    experiment : str
        Its name.
    rows : DataFrame
        One row per customer, or per contact where contacts or agents were randomised:
        ``unit_id``, ``arm``, ``outcome``, and the columns named below; ``cluster`` where rows
        belong together.
    covariates : sequence of str
        Columns known before assignment, for CUPED; predicted lifetime value is the one.
    features : sequence of str
        Columns known before assignment that ``predictor`` predicts the outcome from.
    predictor : callable, optional
        For MLRATE: features, outcome and folds to out-of-fold predictions.
    behaviours : sequence of str
        Sums of a behaviour over the customer's contacts: was it moved, and at what worth.
    options : ReadOptions, optional
        Level, unit, subgroups, planned shares, peeking.

    Raises
    ------
    UsageError
        Without a control arm, or with an arm too small to read.
    """
    options = options or ReadOptions()
    segment = options.segment
    held, notes = _complete(rows, [*covariates, *features])
    counts = {str(arm): int(count) for arm, count in held["arm"].value_counts().items()}
    if CONTROL not in counts or len(counts) < 2 or min(counts.values()) < MIN_ARM:
        raise UsageError(
            f"experiment {experiment}: arms {counts}; expected '{CONTROL}' and another, with at "
            f"least {MIN_ARM} each."
        )
    arms = sorted(arm for arm in counts if arm != CONTROL)
    ratio = _ratio(held, counts, options)
    comparisons = [
        one
        for arm in arms
        for one in _compare(_pair(held, arm), arm, covariates, features, predictor, options)
    ]
    return ReadOut(
        experiment=experiment,
        unit=options.unit,
        customers=dict(sorted(counts.items())),
        sample_ratio_p=ratio,
        trusted=ratio >= MIN_RATIO_P,
        level=options.level,
        comparisons=tuple(comparisons),
        subgroups=_subgroups(held, arms, segment, covariates, options) if segment else (),
        moved=tuple(
            _moved(_pair(held, arm), arm, name, covariates) for arm in arms for name in behaviours
        ),
        notes=notes,
    )


def _complete(rows: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    """Fill unknown covariates with their median: dropping rows could undo the randomisation."""
    held, notes = rows.copy(), []
    for column in dict.fromkeys(columns):
        unknown = int(held[column].isna().sum())
        if unknown:
            notes.append(Note("filled", f"experiment.{column}", unknown, "unknown; median taken"))
            held[column] = held[column].fillna(held[column].median()).fillna(0.0)
    return held, tuple(notes)


def _ratio(rows: pd.DataFrame, counts: Mapping[str, int], options: ReadOptions) -> float:
    """Test arm sizes, counted in what was randomised."""
    units = rows.drop_duplicates("unit_id")
    by_arm = units["arm"].value_counts()
    shares = options.shares or dict.fromkeys(counts, 1.0)
    names = sorted(shares)
    return sample_ratio_p(
        np.array([float(by_arm.get(name, 0)) for name in names]),
        np.array([shares[name] for name in names]),
    )


def _pair(rows: pd.DataFrame, arm: str) -> pd.DataFrame:
    return rows[rows["arm"].isin([CONTROL, arm])]


def _parts(
    rows: pd.DataFrame, arm: str, covariates: Sequence[str]
) -> tuple[Floats, Floats, Floats | None, Codes | None]:
    outcome: Floats = rows["outcome"].to_numpy(np.float64)
    treated: Floats = (rows["arm"] == arm).to_numpy().astype(np.float64)
    known: Floats | None = rows[list(covariates)].to_numpy(np.float64) if covariates else None
    cluster: Codes | None = None
    if "cluster" in rows:
        cluster = pd.factorize(rows["cluster"], sort=True)[0].astype(np.int64)
    return outcome, treated, known, cluster


def _compare(
    rows: pd.DataFrame,
    arm: str,
    covariates: Sequence[str],
    features: Sequence[str],
    predictor: Predictor | None,
    options: ReadOptions,
) -> list[Comparison]:
    """Compare one arm with control by every method that the columns allow."""
    outcome, treated, known, cluster = _parts(rows, arm, covariates)
    found = [("plain", difference(outcome, treated, None, cluster))]
    if known is not None:
        found.append(("cuped", difference(outcome, treated, known, cluster)))
    if predictor is not None and features:
        matrix = rows[list(features)].to_numpy(np.float64)
        guess = cross_fitted(matrix, outcome, predictor, options.folds, options.seed)
        both = guess[:, None] if known is None else np.column_stack([guess, known])
        found.append(("mlrate", difference(outcome, treated, both, cluster)))
    held = np.minimum(outcome, np.quantile(outcome, WINSOR_SHARE))
    found.append(("winsorised", difference(held, treated, known, cluster)))
    comparisons = []
    for method, one in found:
        low, high = one.interval(options.level)
        comparisons.append(
            Comparison(arm, method, one.estimate, low, high, one.standard_error, one.p_value)
        )
    if options.planned is not None and cluster is None:
        values = influence(outcome, treated, None if known is None else known[:, 0])
        half = always_valid_half_width(values, options.level, options.planned)
        mean = float(values.mean())
        error = float(values.std() / np.sqrt(len(values)))
        outside = abs(mean) > half
        comparisons.append(
            Comparison(
                arm, "always-valid", mean, mean - half, mean + half, error,
                1 - options.level if outside else 1.0,
            )
        )  # fmt: skip
    return comparisons


def _subgroups(
    rows: pd.DataFrame,
    arms: Sequence[str],
    segment: str,
    covariates: Sequence[str],
    options: ReadOptions,
) -> tuple[Mapping[str, Any], ...]:
    """Compare within subgroups; p-values are adjusted for how many were looked at."""
    found: list[dict[str, Any]] = []
    for arm in arms:
        for name, part in _pair(rows, arm).groupby(segment, sort=True):
            outcome, treated, known, cluster = _parts(part, arm, covariates)
            if min(treated.sum(), (1 - treated).sum()) < MIN_ARM:
                continue
            one = difference(outcome, treated, known, cluster)
            low, high = one.interval(options.level)
            found.append(
                {
                    "arm": arm, "segment": str(name), "customers": len(part),
                    "estimate": one.estimate, "low": low, "high": high, "p_value": one.p_value,
                }
            )  # fmt: skip
    adjusted = holm(np.array([row["p_value"] for row in found]))
    return tuple(
        {**row, "adjusted_p_value": float(p)} for row, p in zip(found, adjusted, strict=True)
    )


def _moved(rows: pd.DataFrame, arm: str, behaviour: str, covariates: Sequence[str]) -> Moved:
    """Return the shift of a behaviour, and the outcome per unit where it is beyond doubt."""
    outcome, treated, known, cluster = _parts(rows, arm, covariates)
    moved = rows[behaviour].fillna(0.0).to_numpy(np.float64)
    shift = difference(moved, treated, known, cluster)
    sure = 0 < CLEAR_SHIFT * shift.standard_error <= abs(shift.estimate)
    slope = wald(outcome, moved, treated, known, cluster) if sure else None
    return Moved(behaviour, arm, shift, slope)
