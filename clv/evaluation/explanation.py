"""One customer's value in parts, and the pictures people know from shap: the door to shap.

Everything is drawn from the model's own exact values, in currency: per customer, the typical
value and the contributions of the features sum to the customer's clv. What a prediction goes
with is no effect.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clv.models.lifetime_value import LifetimeModel

PICTURE_ROWS = 2000
"""Customers in a picture: more dots hide each other."""
SHOWN_FEATURES = 15
INCHES, DOTS_PER_INCH = (9.0, 6.0), 110
COLOURED_BY = "empathy"


def explanation(model: LifetimeModel, features: pd.DataFrame) -> Any:
    """Return customers' contributions as a ``shap.Explanation``, in currency.

    Parameters
    ----------
    model : LifetimeModel
    features : DataFrame
        Of customers who have bought.

    Returns
    -------
    shap.Explanation
        For ``shap.plots``: ``base_values`` are the typical values, ``values`` the contributions
        of the features, ``data`` the features themselves, categories as their codes.
    """
    import shap

    encoding = model.value.encoding
    return shap.Explanation(
        values=model.feature_contributions(features).to_numpy(np.float64),
        base_values=model.predict(features)["typical_clv"].to_numpy(np.float64),
        data=encoding.matrix(features),
        feature_names=list(encoding.names),
    )


def waterfall_facts(
    model: LifetimeModel, chunks: Iterable[pd.DataFrame], customer_id: str
) -> pd.DataFrame:
    """Return one customer's value in parts, for ``clv.plots.waterfall``.

    Parameters
    ----------
    model : LifetimeModel
    chunks : iterable of DataFrame
        A feature table, as ``FeatureTable.chunks`` gives it; one of them holds the customer.
    customer_id : str

    Returns
    -------
    DataFrame
        ``part``, ``amount`` in currency, and ``value`` of the feature: the typical customer,
        then the features by the size of their contribution, then clv, which is their sum.

    Raises
    ------
    UsageError
        When there is no such customer, or no value of theirs.
    """
    those = (chunk[chunk["customer_id"] == customer_id] for chunk in chunks)
    row = next((part for part in those if len(part)), None)
    if row is None:
        raise UsageError(
            f"explain: there is no customer {customer_id!r} on that day; expected a customer_id "
            "of the tables."
        )
    scores = model.predict(row).iloc[0]
    if pd.isna(scores["clv"]):
        raise UsageError(
            f"explain: customer {customer_id!r} has no value: they have not bought, and the model "
            "knew no past ones who had not. Choose a customer who has bought."
        )
    parts = model.feature_contributions(row).iloc[0]
    parts = parts[parts.abs().sort_values(ascending=False, kind="stable").index]
    parts = parts[parts != 0]
    typical = {"part": "typical customer", "amount": float(scores["typical_clv"]), "value": ""}
    rows = [
        {"part": str(name), "amount": float(amount), "value": _said(row[name].iloc[0])}
        for name, amount in parts.items()
    ]
    whole = {"part": "clv", "amount": float(scores["clv"]), "value": ""}
    return pd.DataFrame([typical, *rows, whole])


def to_cents(facts: pd.DataFrame) -> pd.DataFrame:
    """Return a waterfall in whole cents that sum to the cents of clv.

    What rounding leaves over goes to the largest part.

    Examples
    --------
    >>> parts = pd.DataFrame({"part": ["typical", "a", "b", "clv"],
    ...     "amount": [10.004, 5.004, -1.0, 14.008]})
    >>> to_cents(parts).amount.tolist()
    [10.0, 5.01, -1.0, 14.01]
    """
    cents = np.rint(facts["amount"].to_numpy(np.float64) * 100)
    inner = slice(1, -1) if len(cents) > 2 else slice(0, -1)
    place = int(np.abs(cents[inner]).argmax()) + (inner.start or 0)
    cents[place] += cents[-1] - cents[:-1].sum()
    return facts.assign(amount=cents / 100)


def shap_pictures(model: LifetimeModel, features: pd.DataFrame) -> dict[str, bytes]:
    """Return shap's beeswarm and dependence pictures of a portfolio as PNG, by file name.

    Dependence is drawn of the features with the largest contributions of handle time and of
    everything else, coloured by empathy where the model has it.

    Parameters
    ----------
    model : LifetimeModel
    features : DataFrame
        Of the portfolio; every n-th customer who has bought is drawn.

    Returns
    -------
    dict of str to bytes
        Empty where the model holds no trees, or they have no say.
    """
    bought = features[features["frequency"].notna()]
    if model.value.trees is None or model.calibration.weight == 1.0 or bought.empty:
        return {}
    place = np.linspace(0, len(bought) - 1, min(PICTURE_ROWS, len(bought))).astype(int)
    drawn = explanation(model, bought.iloc[np.unique(place)])
    sizes = pd.Series(np.abs(drawn.values).mean(axis=0), index=drawn.feature_names)
    found = {"beeswarm.png": _beeswarm(drawn)}
    colour = _largest(sizes, COLOURED_BY)
    others = sizes if colour is None else sizes.drop(colour)
    for word in ("handle", ""):
        name = _largest(others, word)
        if name is not None:
            found[f"dependence_{name}.png"] = _dependence(drawn, name, colour)
    return found


def _said(value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "unknown"
    return f"{value:.4g}" if isinstance(value, float | int | np.number) else str(value)


def _largest(sizes: pd.Series, word: str) -> str | None:
    """Return the feature of that word in its name that contributes most, if any does."""
    those = sizes[[word in str(name) for name in sizes.index]]
    return str(those.idxmax()) if len(those) and those.max() > 0 else None


def _beeswarm(drawn: Any) -> bytes:
    import shap

    with _figure() as written:
        shap.plots.beeswarm(drawn, max_display=SHOWN_FEATURES, show=False, plot_size=INCHES)
        _label("contribution to clv, in currency")
    return written.getvalue()


def _dependence(drawn: Any, name: str, colour: str | None) -> bytes:
    import shap

    with _figure() as written:
        by = drawn[:, colour] if colour is not None else "#0b6a70"
        shap.plots.scatter(drawn[:, name], color=by, show=False, hist=False)
        _label(None, f"contribution of {name} to clv, in currency")
    return written.getvalue()


def _label(across: str | None, up: str | None = None) -> None:
    import matplotlib.pyplot as plt

    axes = plt.gcf().axes[0]
    if across is not None:
        axes.set_xlabel(across, fontsize=12)
    if up is not None:
        axes.set_ylabel(up, fontsize=12)


@contextmanager
def _figure() -> Iterator[io.BytesIO]:
    """Give shap a figure off any screen, and leave matplotlib and NumPy's seed as they were.

    shap shuffles dots by NumPy's global generator: the same facts are to give the same bytes.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    written = io.BytesIO()
    state = np.random.get_state()  # noqa: NPY002 (shap draws from it)
    before = mpl.get_backend()
    np.random.seed(0)  # noqa: NPY002
    try:
        plt.switch_backend("agg")
        with mpl.rc_context():
            figure = plt.figure(figsize=INCHES)
            yield written
            shown = plt.gcf()
            shown.canvas.print_figure(
                written, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight",
                metadata={"Software": None},
            )  # fmt: skip
            plt.close(shown)
            plt.close(figure)
    finally:
        np.random.set_state(state)  # noqa: NPY002
        plt.switch_backend(before)
