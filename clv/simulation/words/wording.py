"""The sentences of the synthetic company: TOML files, with choices spelled out.

The wording was written without sight of any phrase list, so that what a list finds in it
says something about the list.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LANGUAGES = ("en", "de")
_CHOICE = re.compile(r"\[([^\]]*)\]")


def spelled_out(template: str) -> list[str]:
    """Return every sentence of a template with choices.

    Examples
    --------
    >>> spelled_out("[Hi|Hello] {name}[|!]")
    ['Hi {name}', 'Hi {name}!', 'Hello {name}', 'Hello {name}!']
    """
    pieces = _CHOICE.split(template)
    choices = [piece.split("|") if place % 2 else [piece] for place, piece in enumerate(pieces)]
    return [" ".join("".join(parts).split()) for parts in itertools.product(*choices)]


@dataclass(frozen=True)
class Pool:
    """Sentences of one intent.

    Attributes
    ----------
    sentences : ndarray of shape (s,)
        All sentences, template by template.
    first, count : ndarray of shape (t,)
        Where each template's sentences begin, and how many it has.
    slots : bool
        Whether any sentence is to be filled in.
    """

    sentences: NDArray[np.object_]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    slots: bool

    @classmethod
    def of(cls, templates: list[str]) -> Pool:
        """Spell templates out."""
        lists = [spelled_out(template) for template in templates]
        count = np.array([len(sentences) for sentences in lists])
        sentences = np.array(list(itertools.chain.from_iterable(lists)), dtype=object)
        slots = any("{" in template for template in templates)
        return cls(sentences, np.cumsum(count) - count, count, slots)

    def draw(self, size: int, rng: np.random.Generator) -> NDArray[np.object_]:
        """Draw sentences: every template as likely, then every choice."""
        template = rng.integers(self.count.size, size=size)
        within = np.floor(rng.random(size) * self.count[template]).astype(np.int64)
        return self.sentences[self.first[template] + within]


@dataclass(frozen=True)
class Wording:
    """The wording of one language.

    Attributes
    ----------
    pools : mapping of str to Pool
        By intent, dotted: ``agent.warm.upset``.
    first_names, last_names : tuple of str
        Invented; empty in languages that share the English ones.
    """

    pools: Mapping[str, Pool]
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            found[prefix + key] = value
    return found


def load_wording(language: str) -> Wording:
    """Read the wording of a language."""
    file = resources.files("clv.simulation.words") / f"wording_{language}.toml"
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    return Wording(
        pools={name: Pool.of(templates) for name, templates in _flat(table).items()},
        first_names=tuple(table.get("first_names", "").split()),
        last_names=tuple(table.get("last_names", "").split()),
    )


def warm_sentences(language: str = "en") -> tuple[str, ...]:
    """Return every warm agent sentence, choices spelled out, slots unfilled.

    Examples
    --------
    >>> len(warm_sentences()) > 150
    True
    """
    pools = load_wording(language).pools
    warm = [pool.sentences for name, pool in pools.items() if name.startswith("agent.warm.")]
    return tuple(np.concatenate(warm))
