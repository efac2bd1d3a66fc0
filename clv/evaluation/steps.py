"""The steps of a forecast beside leaving each out, and what every fold chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.models.calibration import Calibration
    from clv.models.training.folds import Folds


def steps_document(
    folds: Folds, final: Calibration, known: Mapping[str, Calibration]
) -> list[dict[str, Any]]:
    """Return every step of the forecast beside leaving it out, and what each fold chose."""
    by_fold = {fold.as_of: (*fold.steps, *known[fold.as_of].steps) for fold in folds.reported}
    return [
        {
            **step.as_dict(),
            "by_fold": {
                as_of: other.used
                for as_of, steps in by_fold.items()
                for other in steps
                if other.name == step.name
            },
        }
        for step in (*folds.forecasts.steps, *final.steps)
    ]
