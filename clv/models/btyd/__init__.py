"""Buy-till-you-die models: one file a model, and what holds for all of them.

A new model is one file with a class that keeps to `base.PurchaseModel`, and its name below:
selection, backtest, settings and the contract tests follow from that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clv.models.btyd.beta_geo import BetaGeo
from clv.models.btyd.modified_beta_geo import ModifiedBetaGeo
from clv.models.btyd.pareto_nbd import ParetoNBD

if TYPE_CHECKING:
    from clv.models.btyd.base import PurchaseModel

__all__ = ["BTYD", "BetaGeo", "ModifiedBetaGeo", "ParetoNBD"]

BTYD: dict[str, PurchaseModel] = {
    model.name: model for model in (BetaGeo(), ModifiedBetaGeo(), ParetoNBD())
}
