"""What every estimator of clv shares: scikit-learn's verbs, and what it says when shown."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from clv.errors import UsageError


class ShownEstimator(BaseEstimator, ABC):
    """An estimator with options in its constructor that says what became of its fit.

    ``get_params``, ``set_params`` and ``sklearn.base.clone`` work as anywhere.

    Attributes
    ----------
    made : str
        The attribute that ``fit`` sets last.
    """

    made: ClassVar[str]

    @abstractmethod
    def _told(self) -> str:
        """Say in one line what became of the fit."""

    def _require_fit(self, what: str) -> None:
        """Refuse what only a fitted estimator can say.

        Raises
        ------
        UsageError
            With the call that is missing.
        """
        if not self.__sklearn_is_fitted__():
            name = type(self).__name__
            raise UsageError(
                f"{name}: is not fitted; expected {name}.fit before anything is asked of it. "
                f"Call fit with {what}."
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self.made)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        shown = super().__repr__(N_CHAR_MAX)
        return f"{shown}: {self._told()}" if self.__sklearn_is_fitted__() else shown

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": repr(self), "text/html": self._repr_html_()}
