"""A model's JSON, looked at before anything is computed from it.

What every fitted model has, in which range, and which lengths belong together. Fields that
are not listed are left to the constructors, which know their own names.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from clv.errors import ModelError
from clv.features.base import GROUPS
from clv.models.btyd import BTYD, gamma_gamma
from clv.models.btyd.results import Verdict
from clv.models.calendar.operational import BINS
from clv.models.options import MODELS
from clv.models.prospects.first_purchase import CANDIDATES, RATE, Inputs
from clv.models.prospects.people import KINDS
from clv.models.training.steps import BY_CUSTOMER, BY_CUTOFF, PRIOR, REASONS, UNCOMPARED
from clv.models.trees.boosting import MAX_CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Check = Callable[[Any], bool]

MAX_COLUMNS = 20_000
MAX_ITEMS = 100_000
MAX_CHARACTERS = 2_000
LARGEST = 1e30
"""Of an amount or a parameter: far beyond any money, and its square is still finite."""
MOST = 10**15
MAX_DAYS = 36_525
DECILE_CUTS = 9
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PARAMETERS = {name: model.parameters for name, model in BTYD.items()} | {
    "gamma_gamma": gamma_gamma.PARAMETERS
}


def number(low: float = -LARGEST, high: float = LARGEST) -> Check:
    """Return a check for a finite number of a range, ends included."""
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    )


def whole(low: int = 0, high: int = MOST) -> Check:
    """Return a check for a whole number of a range, ends included."""
    inside = number(low, high)
    return lambda value: isinstance(value, int) and inside(value)


def text(value: Any) -> bool:
    """Say whether something is a text that may be shown."""
    return isinstance(value, str) and len(value) <= MAX_CHARACTERS and value.isprintable()


def day(value: Any) -> bool:
    """Say whether something is an ISO date."""
    try:
        return isinstance(value, str) and bool(dt.date.fromisoformat(value))
    except ValueError:
        return False


def flag(value: Any) -> bool:
    """Say whether something is true or false."""
    return isinstance(value, bool)


def word(known: Iterable[str]) -> Check:
    """Return a check for a text that is among the known ones."""
    words = frozenset(known)
    return lambda value: isinstance(value, str) and value in words


def many(check: Check, most: int = MAX_ITEMS) -> Check:
    """Return a check for a list of at most so many items."""
    return lambda value: (
        isinstance(value, list) and len(value) <= most and all(check(item) for item in value)
    )


def rising(value: Any) -> bool:
    """Say whether something is a list of numbers that do not fall."""
    return many(number())(value) and value == sorted(value)


def named(check: Check) -> Check:
    """Return a check for texts to values."""
    return lambda value: (
        isinstance(value, dict)
        and len(value) <= MAX_ITEMS
        and all(text(name) and check(item) for name, item in value.items())
    )


_SHARE, _POSITIVE, _NOT_NEGATIVE = number(0, 1), number(1e-300), number(0)
_FIT: dict[str, Check] = {
    "model": word(_PARAMETERS),
    "parameters": named(_POSITIVE),
    "verdict": word(Verdict),
    "fallback": text,
    "detail": text,
    "customers": _NOT_NEGATIVE,
    "repeaters": _NOT_NEGATIVE,
    "purchases": _NOT_NEGATIVE,
}
_INPUT: dict[str, Check] = {
    "name": text,
    "group": word(GROUPS),
    "kind": word(["number", "category"]),
    "monotone": whole(-1, 1),
    "categories": many(text, MAX_CATEGORIES),
}
_NOTE: dict[str, Check] = {"code": text, "where": text, "count": whole(), "message": text}
_CHECKS: dict[str, dict[str, Check]] = {
    "info": {
        "horizon_days": whole(1, MAX_DAYS),
        "currency": text,
        "value_is_margin": flag,
        "discount_rate_annual": number(0, 1e3),
        "training_cutoff": day,
        "cutoffs": many(day),
        "customers": whole(),
        "rows": whole(),
        "features": many(text, MAX_COLUMNS),
        "categories": named(many(text, MAX_CATEGORIES)),
        "fingerprint": text,
        "btyd": lambda value: isinstance(value, dict),
        "blend_weight": _SHARE,
        "calibration": number(),
        "decile_cuts": lambda value: rising(value) and len(value) == DECILE_CUTS,
        "level": _SHARE,
        "model": word(MODELS),
        "seed": whole(),
        "cross_check": lambda value: isinstance(value, dict),
        "notes": many(lambda value: fits(value, _NOTE)),
    },
    "purchases": {
        "purchase": lambda value: fits(value, _FIT) and value["model"] in BTYD,
        "alive": lambda value: fits(value, _FIT) and value["model"] in BTYD,
        "spend": lambda value: fits(value, _FIT) and value["model"] == "gamma_gamma",
        "spend_slope": number(-100, 100),
        "spend_centre": number(-100, 100),
        "dependence": number(-1, 1),
    },
    "value": {
        "floor": _NOT_NEGATIVE,
        "level": number(),
        "scale": _POSITIVE,
        "clipped_share": _SHARE,
        "floored_share": _SHARE,
    },
    "encoding": {"inputs": many(lambda value: fits(value, _INPUT), MAX_COLUMNS)},
    "level": {
        "days": many(whole(1, dt.date.max.toordinal())),
        "log_ratios": many(number(-10, 10)),
        "trust": many(_SHARE),
        "reach_days": whole(0, 2 * MAX_DAYS),
    },
    "centring": {"ratios": lambda value: many(number())(value) and len(value) == len(GROUPS)},
}
_STEP: dict[str, Check] = {
    "name": text,
    "used": flag,
    "reason": word(REASONS),
    "loss": text,
    "unit": word([BY_CUSTOMER, BY_CUTOFF]),
    "tests": _NOT_NEGATIVE,
}
_CHOICES: dict[str, Check] = {
    "weight": _SHARE,
    "own_total": flag,
    "season": flag,
    "source": text,
    "steps": lambda value: many(_step)(value) and bool(value),
}
_CALIBRATION: dict[str, dict[str, Check]] = {
    "platt": {"intercept": number(), "slope": number(), "own": number()},
    "intervals": {
        "level": _SHARE,
        "edges": rising,
        "low": many(number()),
        "high": many(number()),
        "softening": _POSITIVE,
        "may_be_negative": flag,
    },
    "total": {
        "level": _SHARE,
        "spread": _NOT_NEGATIVE,
        "degrees": whole(0, MAX_ITEMS),
        "noise": _NOT_NEGATIVE,
    },
}
_CALENDAR: dict[str, Check] = {
    "intensity": lambda value: many(number(1e-3, 1e3), BINS)(value) and len(value) in (0, BINS),
    "spread": lambda value: many(number(0, 10), BINS)(value) and len(value) in (0, BINS),
    "horizon_days": whole(0, MAX_DAYS),
    "season": _SHARE,
    "weeks": whole(),
}
_BY_KIND = named(_NOT_NEGATIVE)
_PROSPECTS: dict[str, Check] = {
    "people": whole(),
    "rows": whole(),
    "buyers": whole(),
    "value": lambda value: _BY_KIND(value) and value.keys() == set(KINDS),
    "purchases": lambda value: _BY_KIND(value) and value.keys() == set(KINDS),
    "spend": lambda value: _BY_KIND(value) and value.keys() == set(KINDS),
}
_CHANCE: dict[str, Check] = {
    "inputs": lambda value: fits(
        value,
        {
            "words": many(lambda pair: many(text)(pair) and len(pair) == 2, MAX_COLUMNS),
            "centre": many(number()),
            "scale": many(_NOT_NEGATIVE),
        },
    ),
    "slopes": many(number(-100, 100)),
    "intercept": number(-100, 100),
    "rates": lambda value: named(_SHARE)(value) and value.keys() == set(KINDS),
    "used": word([RATE, *(candidate.columns for candidate in CANDIDATES)]),
    "ridge": _NOT_NEGATIVE,
    "losses": named(_NOT_NEGATIVE),
}


def check_document(document: Mapping[str, Any], where: str) -> None:
    """Refuse a model's JSON whose fields are not what a fitted model has.

    Raises
    ------
    ModelError
        Naming the field.
    """
    for part, checks in _CHECKS.items():
        _require(document.get(part), checks, part, where)
    calibration = document.get("calibration")
    _require(calibration, _CHOICES, "calibration", where)
    for part, checks in _CALIBRATION.items():
        _require(calibration[part], checks, f"calibration.{part}", where)  # type: ignore[index]
    _require(document, {"trees": _trees}, "", where)
    agreements = _agreements(document)
    # absent in models of the first versions, which knew no seasons of counts
    if (calendar := document["purchases"].get("calendar")) is not None:
        _require(calendar, _CALENDAR, "purchases.calendar", where)
    # null where nobody was to be learned from, absent in models of the first versions
    if (prospects := document.get("prospects")) is not None:
        _require(prospects, _PROSPECTS, "prospects", where)
        _require(prospects.get("chance"), _CHANCE, "prospects.chance", where)
        intervals = _CALIBRATION["intervals"]
        _require(prospects.get("intervals"), intervals, "prospects.intervals", where)
        agreements |= _prospects_agree(prospects, document["info"]["categories"])
    for name, agrees in agreements.items():
        if not agrees:
            raise _refused(name, where)


def fits(value: Any, checks: Mapping[str, Check]) -> bool:
    """Say whether something is a mapping whose fields pass their checks."""
    return isinstance(value, dict) and all(
        name in value and check(value[name]) for name, check in checks.items()
    )


def _require(value: Any, checks: Mapping[str, Check], part: str, where: str) -> None:
    if not isinstance(value, dict):
        raise _refused(part, where)
    for name, check in checks.items():
        if name not in value or not check(value[name]):
            raise _refused(f"{part}.{name}".lstrip("."), where)


def _trees(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= {"value", "churn"}
        and all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in value.values())
    )


def _step(value: Any) -> bool:
    """Say whether something is a step, with numbers just where it could be compared."""
    if not fits(value, _STEP):
        return False
    compared = [value.get(name) for name in ("without", "with_step", "gain", "needed")]
    if value["reason"] in UNCOMPARED or (value["reason"] == PRIOR and compared[0] is None):
        return compared == [None] * 4
    return all(map(number(), compared))


def _agreements(document: Mapping[str, Any]) -> dict[str, bool]:
    """Return what has to agree, by the field that is named where it does not."""
    inputs, info = document["encoding"]["inputs"], document["info"]
    names = [column["name"] for column in inputs]
    intervals, level = document["calibration"]["intervals"], document["level"]
    fits_of = [document["purchases"][name] for name in ("purchase", "alive", "spend")]
    words = {c["name"]: c["categories"] for c in inputs if c["kind"] == "category"}
    return {
        "info.features": info["features"] == names and len(set(names)) == len(names),
        "info.categories": info["categories"] == words,
        "encoding.inputs": all(
            len(set(c["categories"])) == len(c["categories"])
            and (c["kind"] == "category" or not c["categories"])
            for c in inputs
        ),
        "purchases": all(
            set(fit["parameters"]) == set(_PARAMETERS[fit["model"]]) for fit in fits_of
        )
        and fits_of[2]["parameters"]["q"] > 1,
        "calibration.intervals": _bins_agree(intervals),
        "level": len(level["days"]) == len(level["log_ratios"]) == len(level["trust"]),
        "level.days": level["days"] == sorted(set(level["days"])),
        # absent in models of the first versions
        "centring.features": many(number())(by_feature := document["centring"].get("features", []))
        and len(by_feature) in (0, len(names)),
    }


def _bins_agree(intervals: Mapping[str, Any]) -> bool:
    return len(intervals["low"]) == len(intervals["high"]) == len(intervals["edges"]) + 1


def _prospects_agree(
    prospects: Mapping[str, Any], categories: Mapping[str, Any]
) -> dict[str, bool]:
    chance = prospects["chance"]
    inputs = chance["inputs"]
    columns = Inputs.count(len(inputs["words"]))
    return {
        "prospects.intervals": _bins_agree(prospects["intervals"]),
        "prospects.chance.inputs": len(inputs["centre"]) == len(inputs["scale"]) == columns
        and all(name in categories for name, _ in inputs["words"]),
        "prospects.chance.slopes": len(chance["slopes"])
        == (0 if chance["used"] == RATE else columns),
    }


def _refused(name: str, where: str) -> ModelError:
    return ModelError(
        f"model: {where}: {name} is not what a fitted model has. Expected what "
        "LifetimeModel.save() wrote. Restore it, or train again."
    )
