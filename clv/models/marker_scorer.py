"""A company's own labels on its own conversations: a calibrated classifier on markers.

Rules count behaviours that anybody may audit. Where a company has labelled turns or contacts
(``empathic``, ``resolved``, whatever its quality team judges), a logistic regression or LightGBM
learns how much each marker says about its label. Everything that is reported is out of fold, with
whole conversations in one fold, and beside what the best single rule and all rules together say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from clv.errors import ModelError, UsageError, listing
from clv.models.trees.boosting import Booster, Encoding, Growth, Input, grow
from clv.models.trees.tree_check import check_trees
from clv.storage import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_LABELS = 500
MIN_EACH = 50
FILE = "marker_scorer.json"
FORMAT = 1


@dataclass(frozen=True)
class ScorerOptions:
    """How a scorer is trained.

    Attributes
    ----------
    learner : {"logistic", "boosted"}
        Logistic regression, which can be read, or LightGBM, which finds what goes together.
    folds, seed : int
        Of the cross-validation, by conversation.
    min_labels : int
        Fewer are refused: a classifier of them is worse than the rules.
    """

    learner: Literal["logistic", "boosted"] = "logistic"
    folds: int = 5
    seed: int = 0
    min_labels: int = MIN_LABELS


@dataclass(frozen=True)
class ScorerReport:
    """How good the scorer is on conversations that it never saw, beside the rules.

    Attributes
    ----------
    rows, conversations, positives : int
        Labelled.
    auc, brier : float
        Of the calibrated scorer, out of fold.
    rule : str
        The marker that alone ranks best, chosen in each fold's training part; the most
        frequent choice.
    rule_auc : float
        Of those choices, out of fold.
    any_auc : float
        Of the number of markers found.
    base_brier : float
        Of the label's mean.
    lift, low, high : float
        ``auc`` less the better of the two rules, and its 95 % interval (bootstrap over
        conversations).
    calibration_error : float
        Mean distance of predicted and observed share over ten equal groups.
    """

    rows: int
    conversations: int
    positives: int
    auc: float
    brier: float
    rule: str
    rule_auc: float
    any_auc: float
    base_brier: float
    lift: float
    low: float
    high: float
    calibration_error: float

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Curve:
    """Platt's calibration: probability = 1 / (1 + exp(−(slope × score + offset)))."""

    slope: float
    offset: float

    def __call__(self, scores: Floats) -> Floats:
        """Return probabilities of shape (rows,)."""
        steps = np.clip(self.slope * scores + self.offset, -35, 35)
        return np.asarray(1 / (1 + np.exp(-steps)), dtype=np.float64)


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on standardised markers, as numbers."""

    mean: Floats
    scale: Floats
    weights: Floats
    offset: float

    def raw(self, matrix: Floats) -> Floats:
        """Return log-odds of shape (rows,)."""
        return np.asarray((matrix - self.mean) / self.scale @ self.weights + self.offset)


@dataclass(frozen=True)
class MarkerScorer:
    """A calibrated classifier on markers.

    Attributes
    ----------
    markers : tuple of str
        The columns that it reads.
    pack_digest : str
        Of the pack that counted them; another pack's counts are refused.
    model : Logistic or Booster
        Log-odds of a matrix.
    curve : Curve
        From log-odds to a probability.
    report : ScorerReport
        Out of fold, beside the rules.

    Examples
    --------
    Turns labelled by hand, each with its conversation and its markers:

    >>> rng = np.random.default_rng(0)
    >>> found = pd.DataFrame(rng.random((600, 2)) < 0.4, columns=["sympathy", "refusal"])
    >>> said = found["sympathy"] & ~found["refusal"]
    >>> label = np.where(rng.random(600) < 0.1, ~said, said).astype(float)
    >>> chats = [f"chat{n // 3}" for n in range(600)]
    >>> scorer = MarkerScorer.fit(found, label, chats, pack_digest="1f")
    >>> scorer.report.auc > scorer.report.rule_auc
    True
    >>> scorer.predict(found.head(2), pack_digest="1f").shape
    (2,)
    """

    markers: tuple[str, ...]
    pack_digest: str
    model: Logistic | Booster
    curve: Curve
    report: ScorerReport

    @classmethod
    def fit(
        cls,
        markers: pd.DataFrame,
        label: Sequence[float] | Floats,
        conversation: Sequence[str],
        *,
        pack_digest: str,
        options: ScorerOptions | None = None,
    ) -> MarkerScorer:
        """Train on labelled turns or contacts.

        Parameters
        ----------
        markers : DataFrame, shape (rows, columns)
            Flags of turns (``ContactMarkers.turns``), or hits or shares of contacts
            (``ContactMarkers.contacts``); unknown counts as not found.
        label : sequence of float, length rows
            1 or 0, as people judged.
        conversation : sequence of str, length rows
            ``interaction_id``: its rows are never both trained on and tested on.
        pack_digest : str
            ``pack.digest``.
        options : ScorerOptions, optional
            Learner, folds, seed.

        Raises
        ------
        UsageError
            When labels are not 0 or 1, too few, nearly all alike, or of too few
            conversations.
        """
        options = options or ScorerOptions()
        target = np.asarray(label, dtype=np.float64)
        groups = pd.factorize(np.asarray(conversation, dtype=object))[0]
        _check(markers, target, groups, options)
        matrix = _matrix(markers, tuple(map(str, markers.columns)))
        names = tuple(map(str, markers.columns))
        folds = list(
            StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed).split(
                matrix, target, groups
            )
        )
        raw, chosen, rule = np.zeros(len(target)), [], np.zeros(len(target))
        for kept, held in folds:
            raw[held] = _fitted(matrix[kept], target[kept], names, options).raw(matrix[held])
            best, sign = _best_rule(matrix[kept], target[kept])
            chosen.append(names[best])
            rule[held] = sign * matrix[held, best]
        scores = np.zeros(len(target))
        for kept, held in folds:
            scores[held] = _calibrated(raw[kept], target[kept])(raw[held])
        most = max(sorted(set(chosen)), key=chosen.count)
        report = _report(target, groups, scores, rule, (matrix > 0).sum(axis=1), most, options)
        model = _fitted(matrix, target, names, options)
        return cls(names, pack_digest, model, _calibrated(raw, target), report)

    def predict(self, markers: pd.DataFrame, *, pack_digest: str) -> Floats:
        """Return probabilities of shape (rows,).

        Raises
        ------
        ModelError
            When a column is missing, or another pack counted.
        """
        missing = [name for name in self.markers if name not in markers.columns]
        if missing:
            raise ModelError(
                f"markers: missing column {listing(missing)}; the scorer reads "
                f"{len(self.markers)} markers. Count them with the pack it was trained on."
            )
        if pack_digest != self.pack_digest:
            raise ModelError(
                f"markers: counted by the pack {pack_digest}; the scorer was trained on "
                f"{self.pack_digest}. Train it again on the new pack's markers."
            )
        return self.curve(self.model.raw(_matrix(markers, self.markers)))

    def save(self, directory: str | Path) -> None:
        """Write the scorer as JSON, LightGBM's trees as their own text in it; no pickle."""
        directory = Path(directory)
        model: dict[str, Any]
        if isinstance(self.model, Booster):
            model = {"trees": self.model.text}
        else:
            model = {
                "mean": self.model.mean.tolist(),
                "scale": self.model.scale.tolist(),
                "weights": self.model.weights.tolist(),
                "offset": self.model.offset,
            }
        document = {
            "format": FORMAT,
            "markers": list(self.markers),
            "pack_digest": self.pack_digest,
            "model": model,
            "curve": [self.curve.slope, self.curve.offset],
            "report": self.report.as_dict(),
        }
        write_text(directory / FILE, json.dumps(document, indent=1))

    @classmethod
    def load(cls, directory: str | Path) -> MarkerScorer:
        """Read a scorer that ``save`` wrote.

        Raises
        ------
        ModelError
            When there is none, or it is of another format.
        """
        directory = Path(directory)
        try:
            saved = json.loads((directory / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{directory / FILE}: the scorer cannot be read: {error}.") from error
        if saved.get("format") != FORMAT:
            raise ModelError(
                f"{directory / FILE}: the format is {saved.get('format')!r}; expected {FORMAT}. "
                "Train the scorer again."
            )
        held = saved["model"]
        model: Logistic | Booster
        if "trees" in held:
            check_trees(held["trees"], [0] * len(saved["markers"]), "binary", FILE)
            model = Booster(held["trees"])
        else:
            mean, scale, weights = (np.array(held[k]) for k in ("mean", "scale", "weights"))
            model = Logistic(mean, scale, weights, held["offset"])
        return cls(
            tuple(saved["markers"]),
            saved["pack_digest"],
            model,
            Curve(*saved["curve"]),
            ScorerReport(**saved["report"]),
        )


def _check(markers: pd.DataFrame, target: Floats, groups: Any, options: ScorerOptions) -> None:
    if not np.isin(target, (0.0, 1.0)).all():
        raise UsageError("labels: found something else than 0 and 1; expected one of them a row.")
    if len(markers) != len(target) or len(groups) != len(target):
        raise UsageError(
            f"labels: {len(target)} labels of {len(groups)} rows for {len(markers)} rows of "
            "markers; expected as many of each."
        )
    fewest = int(min(target.sum(), len(target) - target.sum()))
    conversations = int(groups.max(initial=-1)) + 1
    if len(target) < options.min_labels or fewest < MIN_EACH or conversations < 2 * options.folds:
        raise UsageError(
            f"labels: {len(target)} rows of {conversations} conversations, {fewest} of the rarer "
            f"label; expected {options.min_labels} rows, {MIN_EACH} of each label and "
            f"{2 * options.folds} conversations or more. Label more, or keep to the rules."
        )


def _matrix(markers: pd.DataFrame, names: tuple[str, ...]) -> Floats:
    frame = markers[list(names)].astype("Float64").fillna(0.0)
    return np.asarray(frame.to_numpy(dtype=np.float64))


def _fitted(
    matrix: Floats, target: Floats, names: tuple[str, ...], options: ScorerOptions
) -> Logistic | Booster:
    if options.learner == "boosted":
        encoding = Encoding(tuple(Input(name, "", "number") for name in names))
        growth = Growth(trees=100, min_data_in_leaf=20, feature_fraction=0.7, seed=options.seed)
        return grow(matrix, target, encoding, growth, objective="binary")
    mean, scale = matrix.mean(axis=0), matrix.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    fit = LogisticRegression(max_iter=1_000).fit((matrix - mean) / scale, target)
    return Logistic(mean, scale, fit.coef_[0], float(fit.intercept_[0]))


def _calibrated(raw: Floats, target: Floats) -> Curve:
    """Fit Platt's curve to scores out of fold."""
    fit = LogisticRegression(C=1e6, max_iter=1_000).fit(raw[:, None], target)
    return Curve(float(fit.coef_[0, 0]), float(fit.intercept_[0]))


def _best_rule(matrix: Floats, target: Floats) -> tuple[int, float]:
    """Return the column that ranks best alone, and the sign in which it does."""
    ranks = np.array([roc_auc_score(target, column) for column in matrix.T])
    best = int(np.argmax(np.abs(ranks - 0.5)))
    return best, 1.0 if ranks[best] >= 0.5 else -1.0


def _report(
    target: Floats,
    groups: Any,
    scores: Floats,
    rule: Floats,
    number: Floats,
    most: str,
    options: ScorerOptions,
) -> ScorerReport:
    auc, rule_auc, any_auc = (roc_auc_score(target, by) for by in (scores, rule, number))
    better = rule if rule_auc >= any_auc else number
    rng = np.random.default_rng(options.seed)
    members = [np.flatnonzero(groups == code) for code in range(int(groups.max()) + 1)]
    lifts = []
    for _ in range(200):
        drawn = np.concatenate([members[n] for n in rng.integers(len(members), size=len(members))])
        if 0 < target[drawn].sum() < len(drawn):
            mine, theirs = (roc_auc_score(target[drawn], by[drawn]) for by in (scores, better))
            lifts.append(mine - theirs)
    low, high = np.quantile(lifts, (0.025, 0.975))
    tenths = np.array_split(np.argsort(scores, kind="stable"), 10)
    gaps = [abs(scores[rows].mean() - target[rows].mean()) for rows in tenths if len(rows)]
    return ScorerReport(
        rows=len(target),
        conversations=len(members),
        positives=int(target.sum()),
        auc=float(auc),
        brier=float(brier_score_loss(target, scores)),
        rule=most,
        rule_auc=float(rule_auc),
        any_auc=float(any_auc),
        base_brier=float(target.mean() * (1 - target.mean())),
        lift=float(auc - max(rule_auc, any_auc)),
        low=float(low),
        high=float(high),
        calibration_error=float(np.mean(gaps)),
    )
