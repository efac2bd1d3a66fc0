"""A fitted model on disk: LightGBM text and JSON, no pickle, no library but those of scoring."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from clv.errors import ModelError
from clv.models.calibration import Calibration
from clv.models.churn import ChurnModel
from clv.models.contributions import Centring
from clv.models.document_check import check_document
from clv.models.model_info import ModelInfo
from clv.models.prospects.prospects import Prospects
from clv.models.purchases import Purchases
from clv.models.season import SeasonalCorrection
from clv.models.trees.boosting import Booster, Encoding
from clv.models.trees.tree_check import check_trees
from clv.models.value import ValueModel

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 3
DOCUMENT = "model.json"
OBJECTIVES = {"value": "tweedie", "churn": "binary"}
MAX_BYTES = 2**28
"""Of one file; read_text() takes what there is."""


class Saved(Protocol):
    """What of a model is saved, and read back."""

    @property
    def info(self) -> ModelInfo:
        """What it was trained on."""

    @property
    def purchases(self) -> Purchases:
        """Purchases alone."""

    @property
    def value(self) -> ValueModel:
        """What trees add to them."""

    @property
    def churn(self) -> ChurnModel:
        """The chance of no further purchase."""

    @property
    def calibration(self) -> Calibration:
        """How forecasts were held to the past."""

    @property
    def seasonal(self) -> SeasonalCorrection:
        """The season's correction of the total."""

    @property
    def centring(self) -> Centring:
        """What contributions are measured from."""

    @property
    def prospects(self) -> Prospects | None:
        """People who have not bought."""


def model_texts(model: Saved) -> dict[str, str]:
    """Return ``model.json``, and ``value.txt`` and ``churn.txt`` where there are trees."""
    trees = {"value": model.value.trees, "churn": model.churn.trees}
    found = {f"{name}.txt": b.text for name, b in trees.items() if b is not None}
    document = {
        "format": FORMAT,
        "info": model.info.as_dict(),
        "purchases": model.purchases.as_dict(),
        "value": {
            "floor": model.value.floor,
            "level": model.value.level,
            "scale": model.value.scale,
            "clipped_share": model.value.clipped_share,
            "floored_share": model.value.floored_share,
        },
        "trees": {n: _digest(booster.text) for n, booster in trees.items() if booster is not None},
        "encoding": model.value.encoding.as_dict(),
        "calibration": model.calibration.as_dict(),
        "level": model.seasonal.as_dict(),
        "centring": asdict(model.centring),
        "prospects": None if model.prospects is None else model.prospects.as_dict(),
    }
    found[DOCUMENT] = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    return found


def read_parts(directory: Path, num_threads: int) -> dict[str, Any]:
    """Read a saved model as the arguments of ``LifetimeModel``.

    Raises
    ------
    ModelError
        When the directory holds no model, one of another format, one that was changed, or
        trees and numbers that no fit leaves behind: they are looked at before LightGBM, which
        believes its text, sees them.
    """
    document = _document(directory)
    try:
        return _parts(directory, document, num_threads)
    except (LookupError, TypeError, ValueError, AttributeError, OSError, ArithmeticError) as error:
        raise ModelError(
            f"model: {directory} is damaged ({type(error).__name__}); expected what "
            "LifetimeModel.save() wrote. Restore it, or train again."
        ) from error


def _parts(directory: Path, document: dict[str, Any], num_threads: int) -> dict[str, Any]:
    check_document(document, DOCUMENT)
    encoding = Encoding.from_dict(document["encoding"])
    categories = [len(column.categories) for column in encoding.inputs]
    trees: dict[str, Booster | None] = {"value": None, "churn": None}
    for name, digest in document["trees"].items():
        text = _text(directory / f"{name}.txt")
        if _digest(text) != digest:
            raise ModelError(
                f"model: {directory}/{name}.txt is cut off or was changed; expected the trees "
                "that LifetimeModel.save() wrote. Restore it, or train again."
            )
        check_trees(text, categories, OBJECTIVES[name], f"{name}.txt")
        trees[name] = Booster(text, num_threads=num_threads)
    return {
        "info": ModelInfo.from_dict(document["info"]),
        "purchases": Purchases.from_dict(document["purchases"]),
        "value": ValueModel(trees=trees["value"], encoding=encoding, **document["value"]),
        "churn": ChurnModel(trees["churn"], encoding),
        "calibration": Calibration.from_dict(document["calibration"]),
        "seasonal": SeasonalCorrection.from_dict(document["level"]),
        # models of the first versions were centred by group alone
        "centring": Centring(
            tuple(document["centring"]["ratios"]), tuple(document["centring"].get("features", ()))
        ),
        # models of the first versions gave everybody a first purchase: theirs is not read
        "prospects": Prospects.from_dict(saved) if (saved := document.get("prospects")) else None,
    }


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(
            f"model: {path} is larger than {MAX_BYTES:,} bytes; expected what "
            "LifetimeModel.save() wrote. Restore it, or train again."
        )
    return path.read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _document(directory: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(directory / DOCUMENT))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"model: {directory} holds no readable {DOCUMENT}; expected a directory that "
            "LifetimeModel.save() wrote."
        ) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ModelError(
            f"model: {directory}/{DOCUMENT} has another format than {FORMAT}, which this "
            "version reads. Train again, or load with the version that wrote it."
        )
    return found
