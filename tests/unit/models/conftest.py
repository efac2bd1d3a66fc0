"""Panels and models of the small company, fitted once."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from clv.models.options import ModelOptions
from clv.models.trees.boosting import Growth


def _load():
    spec = importlib.util.spec_from_file_location(
        "panel_company", Path(__file__).with_name("company.py")
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["panel_company"] = module
    spec.loader.exec_module(module)
    return module


_company = _load()
make_panel = _company.make_panel


@pytest.fixture(scope="session")
def company():
    """``company(customers=…, seed=…, days=…, change=…)`` gives a panel."""
    return make_panel


@pytest.fixture(scope="session")
def people():
    """``people(n, as_of, seed)`` gives rows of people who have not bought."""
    return _company.people


@pytest.fixture(scope="session")
def options():
    return ModelOptions(
        purchase_model="bg_nbd",
        folds=2,
        growth=Growth(trees=40, num_threads=1, min_data_in_leaf=20),
    )


@pytest.fixture(scope="session")
def panel():
    return make_panel()


@pytest.fixture(scope="session")
def panel_with(panel):
    """The small company, with people who had not bought at each of its cutoffs."""
    days = [window.cutoff.isoformat() for window in panel.windows]
    rows = [_company.people(300, day, seed=k) for k, day in enumerate(days)]
    return replace(panel, prospects=pd.concat(rows, ignore_index=True))


@pytest.fixture(scope="session")
def model_with(panel_with, options):
    """Fitted to the small company with people who had not bought."""
    from clv.models.lifetime_value import LifetimeModel

    return LifetimeModel.fit(panel_with, options)


@pytest.fixture(scope="session")
def folds(panel, options):
    from clv.models.training.folds import out_of_fold

    return out_of_fold(panel, options)


@pytest.fixture(scope="session")
def model(panel, options, folds):
    from clv.models.lifetime_value import LifetimeModel

    return LifetimeModel.fit(panel, options, folds=folds)


@pytest.fixture(scope="session")
def portfolio(panel):
    """The features of the last cutoff, as a feature table gives them."""
    from clv.models.training.panel import OUTCOMES

    return panel.at(panel.windows[-1]).drop(columns=list(OUTCOMES)).reset_index(drop=True)
