"""What a bundle says of its model's training: claims of whoever exported it.

They are kept, where they are of the kind that a training logs, since reports and the gate
read them; tags that only this store may give are never taken over.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from clv.errors import RegistryError
from clv.registry.version import CARRIED_TAGS, HEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_ITEMS = 5_000
MAX_CHARACTERS = 6_000
LARGEST = 1e30
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. /-]{0,249}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DOCUMENT = re.compile(r"[a-z0-9_]{1,60}\.json")
_METRIC_GROUPS = ("backtest/", "blend/", "btyd/", "contributions/", "coverage/", HEADLINE)
"""What a training logs; the registry's own figures have other names."""


def check(record: Mapping[str, Any]) -> None:
    """Refuse a record whose fields are of another kind than an export writes.

    Raises
    ------
    RegistryError
        Naming the field.
    """
    kinds: dict[str, Callable[[Any, Any], bool]] = {
        "digests": lambda name, value: _matches(_DIGEST, value) and _words(name),
        "parameters": lambda name, value: _key(name) and _words(value),
        "metrics": lambda name, value: _key(name) and _number(value),
        "tags": lambda name, value: _key(name) and isinstance(value, str),
        "documents": lambda name, value: is_document(name) and isinstance(value, dict),
    }
    if not _words(record["source"]):
        raise RegistryError("its source is not what an export writes")
    for field, fits in kinds.items():
        value = record[field]
        right = isinstance(value, dict) and len(value) <= MAX_ITEMS
        if not right or not all(fits(name, item) for name, item in value.items()):
            raise RegistryError(f"its {field} are not what an export writes")
    training = record["documents"].get("training.json")
    if training is not None:
        training_facts(training)


def training_facts(document: Mapping[str, Any]) -> tuple[str, float]:
    """Return which model a training chose and the level of its intervals.

    Raises
    ------
    RegistryError
        When its document does not say.
    """
    chosen: Any = document.get("chosen")
    level: Any = document.get("interval_level")
    if not _key(chosen) or not (_number(level) and 0 < level < 1):
        raise RegistryError(
            "registry: training.json does not say which model was chosen and at which level. "
            "Train again, or choose another version."
        )
    return chosen, float(level)


def carried_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return those tags that describe a training, and none that a store gives."""
    return {name: tags[name] for name in CARRIED_TAGS if name in tags and _words(tags[name])}


def carried_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return those metrics that a training logs."""
    return {name: v for name, v in metrics.items() if name.startswith(_METRIC_GROUPS)}


def is_document(name: object) -> bool:
    """Say whether something is the name of a document that a training logs.

    Examples
    --------
    >>> is_document("training.json"), is_document("../training.json")
    (True, False)
    """
    return _matches(_DOCUMENT, name)


def _key(name: object) -> bool:
    """Say whether something may name a parameter, a metric or a tag."""
    return _matches(_KEY, name) and not {"", ".", ".."} & set(str(name).split("/"))


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _words(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_CHARACTERS and value.isprintable()


def _number(value: Any) -> bool:
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    return whole and abs(value) <= LARGEST and not math.isnan(value)
