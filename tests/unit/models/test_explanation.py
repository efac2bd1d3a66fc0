"""A customer's value in parts sums to it, and shap's pictures are of the model's own values."""

import matplotlib as mpl
import numpy as np
import pytest

from clv.errors import UsageError
from clv.evaluation.explanation import explanation, shap_pictures, to_cents, waterfall_facts
from clv.plots.customers import folded


def test_every_customers_parts_sum_to_their_clv_to_the_cent(model, portfolio):
    clv = model.predict(portfolio).set_index("customer_id")["clv"]
    chunks = [portfolio.iloc[:100], portfolio.iloc[100:]]
    for customer in portfolio["customer_id"].iloc[::97]:
        facts = waterfall_facts(model, chunks, customer)
        assert facts["amount"].iloc[:-1].sum() == pytest.approx(clv[customer], abs=1e-8)
        assert facts["amount"].iloc[-1] == clv[customer]
        shown = to_cents(folded(facts))
        cents = (shown["amount"] * 100).round().astype(int)
        assert cents.iloc[:-1].sum() == cents.iloc[-1] == round(clv[customer] * 100)
        np.testing.assert_allclose(shown["amount"], folded(facts)["amount"], atol=0.08)


def test_a_customer_who_is_not_there_is_named(model, portfolio):
    with pytest.raises(UsageError, match="no customer 'nobody' on that day"):
        waterfall_facts(model, [portfolio], "nobody")
    stranger = portfolio.head(1).assign(customer_id="p1", frequency=np.nan, age_days=np.nan)
    with pytest.raises(UsageError, match="'p1' has no value"):
        waterfall_facts(model, [stranger], "p1")


def test_shap_is_given_the_models_own_values(model, portfolio):
    shown = explanation(model, portfolio)
    clv = model.predict(portfolio)["clv"]
    np.testing.assert_allclose(shown.base_values + shown.values.sum(axis=1), clv, rtol=1e-9)
    assert shown.feature_names == list(model.value.encoding.names)


def test_shaps_pictures_are_the_same_bytes_and_leave_nothing_changed(model, portfolio):
    backend, state = mpl.get_backend(), np.random.get_state()[1].copy()  # noqa: NPY002
    pictures = shap_pictures(model, portfolio)
    assert "beeswarm.png" in pictures
    assert any(name.startswith("dependence_") for name in pictures)
    assert all(data.startswith(b"\x89PNG") for data in pictures.values())
    assert mpl.get_backend() == backend
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert shap_pictures(model, portfolio) == pictures
    assert shap_pictures(model, portfolio.assign(frequency=np.nan)) == {}
