"""A registered model: which one it is, and the model itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clv.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clv.models.lifetime_value import LifetimeModel

VERIFIED = "verified"
"""The tag of a version that scored golden rows in a fresh process."""


DIGESTS = "sha256"
"""The tag that holds the hash of every file of a version."""

IMPORTED_FROM = "imported_from"
SIGNED_BY = "signed_by"
"""Tags of a version that came as a bundle."""

CARRIED_TAGS = ("data_fingerprint", "feature_fingerprint", "code_version")
"""Tags that describe a training, and so go with its model to another store."""


HEADLINE = "1_headline/"
"""The figures that a person reads first: MLflow sorts by name."""

_NUMBER = re.compile(r"[0-9]{1,15}")


def number_of(text: object) -> int:
    """Return the number of a version as a store says it.

    Raises
    ------
    RegistryError
        When it is none.

    Examples
    --------
    >>> number_of("3")
    3
    """
    if _NUMBER.fullmatch(str(text)) is None:
        raise RegistryError(
            "registry: the store names a version by what is no number. Check the tracking address "
            "and what runs there."
        )
    return int(str(text))


@dataclass(frozen=True)
class Version:
    """One registered model.

    Attributes
    ----------
    name : str
        The registered model's name.
    number : int
        1, 2, 3 …
    run_id : str
        The training that made it.
    source : str
        Where its files lie.
    aliases : tuple of str
        ``challenger``, ``champion``, or none.
    tags : mapping of str to str
        Fingerprints, code version, content hashes.
    """

    name: str
    number: int
    run_id: str
    source: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, name: str, kept: Any, aliases: Mapping[str, int]) -> Version:
        """Return a version as MLflow keeps it, with the names that point at it.

        Parameters
        ----------
        name : str
            The registered model's.
        kept : mlflow.entities.model_registry.ModelVersion
            What the store holds.
        aliases : mapping of str to int
            The version that each name points at.
        """
        number = number_of(kept.version)
        own = tuple(sorted(alias for alias, theirs in aliases.items() if theirs == number))
        return cls(name, number, str(kept.run_id), str(kept.source), own, dict(kept.tags))

    @property
    def uri(self) -> str:
        """The address that names this version for ever."""
        return f"models:/{self.name}/{self.number}"

    def digests(self) -> dict[str, str]:
        """Return the hashes of its files as they were registered; empty where they are damaged.

        Raises
        ------
        RegistryError
            When there are none.
        """
        text = self.tags.get(DIGESTS)
        if text is None:
            raise RegistryError(
                f"registry: {self.uri} carries no content hashes; it was not registered by "
                "clv. Train one with `clv train`."
            )
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError, RecursionError):
            return {}

    @property
    def verified(self) -> bool:
        """Whether it scored golden rows in a fresh process."""
        return self.tags.get(VERIFIED) == "true"


@dataclass(frozen=True)
class LoadedModel:
    """A model and which version it is.

    Attributes
    ----------
    model : LifetimeModel
        Ready to predict.
    name : str
        The registered model's name.
    version : int
        What the address was resolved to, once.
    uri : str
        ``models:/<name>/<version>``.
    metrics : mapping of str to float
        What its training logged.
    """

    model: LifetimeModel
    name: str
    version: int
    uri: str
    metrics: Mapping[str, float]


class ChampionMovedError(RegistryError):
    """Another process moved the champion's name since it was read."""


@dataclass(frozen=True)
class RunFacts:
    """What a person reads of a run besides its figures.

    Attributes
    ----------
    name : str
        Such as ``train 2025-12-31 h180``.
    source : str
        What was run, such as ``clv train``.
    started_ms : int or None
        When it began, in milliseconds since 1970; None is now.
    dataset : mapping or None
        ``name``, ``digest`` (32 characters are kept) and ``profile`` (JSON-able) of the data.
    pictures : mapping of str to bytes
        By file name; beside the model's files, and no part of them.
    tags : mapping of str to str
    """

    name: str = ""
    source: str = ""
    started_ms: int | None = None
    dataset: Mapping[str, Any] | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def all_tags(self) -> dict[str, str]:
        """Return the tags, and those that MLflow's own pages show as the source."""
        if not self.source:
            return dict(self.tags)
        source = {"mlflow.source.name": self.source, "mlflow.source.type": "LOCAL"}
        return {**self.tags, **source}
