"""The contact table: what a contact led to, as far as it was known at the cutoff."""

import datetime as dt

import numpy as np
import pandas as pd

from clv.contract.tables import Tables
from clv.engines.connect import connect
from clv.events.histories import make_histories
from clv.features.contacts import build_contact_table

CUTOFF = dt.date(2025, 3, 31)


def test_fcr_of_contacts_not_yet_settled_is_null():
    """Seven days after its end a contact is decided; before that it is unknown, not false."""
    ends = {"long_ago": "2025-03-01", "a_week_ago": "2025-03-24", "lately": "2025-03-25",
            "open": "2025-03-10"}  # fmt: skip
    started = pd.to_datetime(list(ends.values()))
    resolved = [*started[:3], pd.NaT]
    contacts = pd.DataFrame(
        {"interaction_id": list(ends), "customer_id": ["a", "b", "c", "d"], "channel": "voice",
         "agent_id": "g", "started_at": started, "ended_at": started, "resolved_at": resolved}
    )  # fmt: skip
    orders = pd.DataFrame(
        {"order_id": list("wxyz"), "customer_id": list("abcd"), "amount": 1.0,
         "ordered_at": pd.Timestamp("2025-01-01")}
    )  # fmt: skip
    with connect(threads=1) as engine:
        tables = Tables.from_frames(engine, {"orders": orders, "interactions": contacts})
        found = (
            build_contact_table(make_histories(tables), 0, until=CUTOFF)
            .set_index("interaction_id")
            .fcr
        )
    expected = pd.Series({"long_ago": 1.0, "a_week_ago": 1.0, "lately": np.nan, "open": 0.0})
    pd.testing.assert_series_equal(
        found.sort_index(), expected.sort_index(), check_names=False, check_index_type=False
    )
