"""Reading settings: a YAML file, the environment over it, and flags over both."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)
from pydantic_settings import (
    SettingsError as SourceOfSettingsError,
)

from clv.errors import NAMED_CHARACTERS, SettingsError
from clv.masking import kind_of

from .documents import MAX_VALUES, finite
from .secrets import SECRETS, SECTIONS
from .settings import Settings

_UNFIT = (AttributeError, KeyError, TypeError)


def load_settings(path: Path | None = None, **flags: Any) -> Settings:
    """Read the settings file and lay flags over it.

    Parameters
    ----------
    path : Path, optional
        A YAML file; without one the defaults hold.
    **flags
        Values from the command line, by dotted key with ``__`` for the dot
        (``training__horizon_days=90``); None means not given.

    Raises
    ------
    SettingsError
        When the file cannot be read, or says something that is no setting.
    """
    document = read_yaml(path) if path else {}
    given = _nested(flags)
    SECRETS.learn(document)
    SECRETS.learn(given)
    SECRETS.learn_environment()

    class Layered(Settings):
        """Flags over the environment over the file."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the overridden signature)
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, document)

    try:
        return Layered(**given)
    except ValidationError as error:
        raise SettingsError(_explain(error, str(path) if path else "settings")) from None
    except SourceOfSettingsError as error:
        name = re.search(r'field "(\w+)"', str(error))
        where = f"CLV__…{name[1].upper()}" if name else "CLV__…"
        raise SettingsError(
            f"settings: the environment variable {where} is not JSON. Expected JSON where a "
            "setting has several values, such as CLV__TRAINING='{\"horizon_days\": 180}'."
        ) from None


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(error, OverflowError):
        return f"its aliases name more than {MAX_VALUES:,} values, or themselves"
    return "a value in it can be no number or date, or it is nested too deep"


def _nested(flags: dict[str, Any]) -> dict[str, Any]:
    """Turn ``section__key`` into sections, leaving out what was not given."""
    document: dict[str, Any] = {}
    for key, value in flags.items():
        if value is not None:
            *sections, name = key.split("__")
            target = document
            for section in sections:
                target = target.setdefault(section, {})
            target[name] = value
    return document


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of sections and keys; a mistake in it is one line that names it.

    Raises
    ------
    SettingsError
        When it cannot be read, is no YAML, or holds no sections.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        finite(document)
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read: {error.strerror}. Expected a YAML file of settings; "
            "see pipelines/config/example.yaml for every one of them."
        ) from None
    # A tag on a value that it does not fit breaks PyYAML's constructors in several ways.
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, *_UNFIT) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        at = "" if line is None else f", line {line + 1}"
        raise SettingsError(
            f"{path}{at}: is not YAML: {getattr(error, 'problem', None) or _why(error)}. "
            "Mend the line, or compare with pipelines/config/example.yaml."
        ) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise SettingsError(
            f"{path}: holds a {type(document).__name__}; expected sections and keys."
        )
    if strange := [key for key in document if not isinstance(key, str)]:
        raise SettingsError(
            f"{path}: {kind_of(strange[0])} stands where a section's name is expected, such as "
            "`training`; see pipelines/config/example.yaml for every one of them."
        )
    return document


def _explain(error: ValidationError, where: str) -> str:
    """Say the first complaint in one line: what, where, expected, next."""
    complaint = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in complaint["loc"])
    if complaint["type"] == "extra_forbidden":
        known = _known_keys(complaint["loc"][:-1])
        near = difflib.get_close_matches(str(complaint["loc"][-1]), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known here: {', '.join(known)}."
        return f"{where}: {key} is not a setting.{hint}"
    message = str(complaint["msg"])
    value = complaint["input"]
    path = tuple(map(str, complaint["loc"]))
    secret = any(path[: len(section)] == section for section in SECTIONS)
    shown = kind_of(value) if secret else _cut(repr(value))
    return f"{where}: {key} is {shown}: {message[0].lower()}{message[1:]}."


def _cut(text: str) -> str:
    return text if len(text) <= NAMED_CHARACTERS else text[: NAMED_CHARACTERS - 1] + "…"


def _known_keys(sections: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for section in sections:
        kind = model.model_fields[str(section)].annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)
