"""What predicts outcomes and behaviours from controls: ridge, or LightGBM on what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.effects.estimators.residuals import ridge

if TYPE_CHECKING:
    from clv.effects.design.exposure import Codes, Floats
    from clv.effects.estimators.residuals import Learner
    from clv.effects.estimators.study import EffectOptions


def boosted(seed: int) -> Learner:
    """Return a learner that puts shallow trees on what ridge leaves, out of fold."""
    from clv.models.trees.boosting import Encoding, Growth, Input, grow

    growth = Growth(trees=100, leaves=15, learning_rate=0.06, min_data_in_leaf=50, seed=seed)

    def predict(features: Floats, targets: Floats, folds: Codes) -> Floats:
        predicted = ridge(features, targets, folds)
        names = tuple(Input(f"x{number}", "", "number") for number in range(features.shape[1]))
        encoding = Encoding(names)
        for fold in range(int(folds.max(initial=0)) + 1):
            held = folds == fold
            for column in range(targets.shape[1]):
                rest = targets[~held, column] - predicted[~held, column]
                trees = grow(features[~held], rest, encoding, growth, objective="regression")
                predicted[held, column] += trees.raw(features[held])
        return predicted

    return predict


def learner_of(options: EffectOptions) -> Learner:
    """Return the learner that the options name."""
    return boosted(options.seed) if options.nuisance == "boosted" else ridge
