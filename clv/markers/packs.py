"""The packs that come with clv, and a company's own additions to them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from clv.errors import SettingsError
from clv.markers.base import MARKER_GROUPS, Pack, read_pack


def load_pack(own: str | Path | None = None, language: str = "en") -> Pack:
    """Load the pack of a language, extended and overridden by a company's own file.

    Parameters
    ----------
    own : str or pathlib.Path, optional
        A TOML file in the same form; entries with a known id override its fields, others
        are added.
    language : str
        The language of the pack.

    Raises
    ------
    SettingsError
        When there is no pack for the language, the file cannot be read, or an entry is not
        as it must be.

    Examples
    --------
    >>> pack = load_pack()
    >>> pack["apology"].found("I'm sorry about the delay."), pack["apology"].found("Sorry, but no.")
    (True, False)
    """
    shipped = _shipped(language)
    if own is None:
        return _read(language)
    try:
        document = tomllib.loads(Path(own).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{own}: the marker pack cannot be read: {error}.") from error
    return read_pack([*shipped, (str(own), document)])


@cache
def _read(language: str) -> Pack:
    return read_pack(_shipped(language))


def _shipped(language: str) -> list[tuple[str, dict[str, Any]]]:
    folder = resources.files("clv.markers") / f"pack_{language}"
    if not folder.is_dir():
        raise SettingsError(f"markers: there is no pack for the language {language!r}; found 'en'.")
    names = ("pack", *MARKER_GROUPS)
    return [
        (f"pack_{language}/{name}.toml", tomllib.loads((folder / f"{name}.toml").read_text()))
        for name in names
    ]
