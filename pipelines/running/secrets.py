"""Secrets of a run: what the settings and the environment hold, and no output repeats.

A message of ours names no password; one of a driver, a parser or a traceback may hold a piece
of it, cut where the address was misread. So every secret that came in is known by its value
and by its pieces, and hidden wherever something goes out.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from clv.masking import HIDDEN, SECRET_NAME, masked

SECTIONS = (("sources",), ("registry",), ("scoring", "sinks"))
"""Settings whose values are addresses, and are in no message."""
MIN_CHARACTERS = 4
"""Shorter pieces are in half of all words."""

_PREFIX = "CLV__"
_ENVIRONMENT = re.compile(r"^(?:MLFLOW_|PG|AWS_|AZURE_|GOOGLE_|CLV_)", re.I)
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*:/{2,3}", re.I)
_ASSIGNMENT = re.compile(
    rf"(?:{SECRET_NAME.pattern})[\w-]*['\"]?\s*[=:]\s*(?P<value>'[^']*'|\"[^\"]*\"|[^\s,;&]+)", re.I
)
_PARAMETER = re.compile(r"pass|pwd|secret|token|key|sig|auth|cred", re.I)
_SEPARATORS = re.compile(r"[\s/#@:?&=%+;,'\"\[\](){}\\]+")
_PLAIN = {"true", "false", "none", "null", "http", "https", "localhost"}


class Secrets:
    """The secrets that are known so far.

    Examples
    --------
    >>> secrets = Secrets()
    >>> secrets.learn({"scoring": {"sinks": [{"kind": "sql", "url": "mysql://u:hun#ter2@db/x"}]}})
    >>> secrets.hide("invalid port 'ter2@db'; could not open hun#ter2")
    "invalid port '***@db'; could not open ***"
    """

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, document: Mapping[str, Any]) -> None:
        """Take the secrets of settings as they were given, valid or not."""
        for path in SECTIONS:
            value: Any = document
            for name in path:
                value = value.get(name) if isinstance(value, Mapping) else None
            self._walk(value)
            if path[0] != path[-1] and isinstance(document.get(path[0]), str):
                self.learn_text(str(document[path[0]]))

    def learn_environment(self, environment: Mapping[str, str] = os.environ) -> None:
        """Take the secrets of environment variables, as clv and its libraries read them."""
        for name, text in environment.items():
            if name.upper().startswith(_PREFIX):
                sections = name.upper().removeprefix(_PREFIX)
                if any(sections.startswith("__".join(path).upper()) for path in SECTIONS):
                    self.learn_text(text)
            if _ENVIRONMENT.match(name):
                if SECRET_NAME.search(name):
                    self._add(text)
                elif "://" in text:
                    self.learn_text(text)

    def learn_text(self, text: str) -> None:
        """Take what looks like a secret in a text: an address's, or ``password=…``."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict | list):
            self._walk(document)
        for start in _ADDRESS.finditer(text):
            rest = text[start.end() :]
            whole = start.start() == 0
            self._address(rest if whole else re.split(r"[\s'\"]", rest, maxsplit=1)[0])
        if not _ADDRESS.search(text) and ":" in text.rpartition("@")[0]:
            self._address(text)  # an address whose scheme was forgotten
        for found in _ASSIGNMENT.finditer(text):
            self._add(found["value"].strip("'\""))

    def hide(self, text: str) -> str:
        """Return a text without any of them, and with its addresses masked."""
        if self._values and self._pattern is None:
            longest = sorted(self._values, key=lambda value: (-len(value), value))
            self._pattern = re.compile("|".join(map(re.escape, longest)), re.I)
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        return masked(text)

    def hide_all(self, value: Any) -> Any:
        """Return JSON-able values with every text hidden."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self.hide(str(name)): self.hide_all(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_all(item) for item in value]
        return value

    def _walk(self, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, item in value.items():
                self.learn_text(str(name))
                if SECRET_NAME.search(str(name)) and isinstance(item, str | int):
                    self._add(str(item))
                else:
                    self._walk(item)
        elif isinstance(value, str):
            self.learn_text(value)
        elif isinstance(value, Iterable):
            for item in value:
                self._walk(item)

    def _address(self, rest: str) -> None:
        """Take the secrets of an address without its scheme."""
        user, at, _ = rest.rpartition("@")
        if at:
            name, colon, password = user.partition(":")
            self._add(password if colon else name)
        for name, value in parse_qsl(rest.partition("?")[2], keep_blank_values=False):
            if _PARAMETER.search(name):
                self._add(value)

    def _add(self, secret: str) -> None:
        plain = unquote(secret)
        forms = {secret, plain, quote(plain, safe=""), " ".join(plain.split())}
        forms |= {repr(form)[1:-1] for form in forms} | {json.dumps(form)[1:-1] for form in forms}
        forms |= {piece for form in (secret, plain) for piece in _SEPARATORS.split(form)}
        new = {f for f in forms if len(f) >= MIN_CHARACTERS and f.lower() not in _PLAIN}
        if not new <= self._values:
            self._values |= new
            self._pattern = None


SECRETS = Secrets()
"""Those of this process."""
