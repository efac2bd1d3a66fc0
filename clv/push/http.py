"""Calls over HTTPS: a time-out on each, and every answer weighed the same for all CRMs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from clv.push.base import NotNowError, check_status

if TYPE_CHECKING:
    from clv.push.base import Pause

TIMEOUT_SECONDS = 60.0
LOOKS = 4


def session(pause: Pause) -> requests.Session:
    """Return a session for a vendor's client; it speaks HTTPS only.

    Parameters
    ----------
    pause : callable
        Waits so many seconds.
    """
    made = requests.Session()
    made.adapters.clear()
    made.mount("https://", _Weighing(pause))
    return made


class _Weighing(HTTPAdapter):
    """No call waits for ever, every answer that is no success is an error, and looks are repeated.

    The vendors' clients would sleep, give up or hide a status each in its own way; what an answer
    means to a push is decided in one place, ``check_status``. A look at a job that fails is
    repeated here, so that the job need not be sent again.
    """

    def __init__(self, pause: Pause) -> None:
        super().__init__()
        self._pause = pause

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        options["timeout"] = options.get("timeout") or TIMEOUT_SECONDS
        for look in range(1, LOOKS if request.method == "GET" else 1):
            try:
                return self._once(request, options)
            except NotNowError as error:
                self._pause(float(look) if error.wait_seconds is None else error.wait_seconds)
        return self._once(request, options)

    def _once(
        self, request: requests.PreparedRequest, options: dict[str, Any]
    ) -> requests.Response:
        try:
            answer = super().send(request, **options)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise NotNowError(type(error).__name__) from error
        check_status(answer.status_code, answer.reason or "", answer.headers.get("Retry-After"))
        return answer
