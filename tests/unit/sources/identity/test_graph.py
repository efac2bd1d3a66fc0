"""Who is joined, and who only shares a key: planted people and traps, in any order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv.sources.identity.graph import COLUMNS, join


def records(*rows):
    return pd.DataFrame(rows, columns=list(COLUMNS))


def town(people=3_000, traps=2_000, seed=0):
    """Return records of a shop, a desk and a telephone system, beside who each of them is.

    A trap is a telephone that calls, and that several people hold: which of them calls is not
    told by any key, so that whoever it is joined to is wrong in one of two cases or more.
    """
    draw = np.random.default_rng(seed)
    rows, truth, reachable = [], {}, []
    for n in range(people):
        who, mail, phone = f"person {n}", f"mail{n}", f"phone{n}"
        in_shop, in_desk, calls = (draw.random(3) < (0.8, 0.6, 0.6)).tolist()
        if in_shop:
            truth[f"shop {n}"] = who
            rows += [(f"shop {n}", "shop", "email", mail), (f"shop {n}", "shop", "phone", phone)]
        if in_desk and n % 5:
            truth[f"desk {n}"] = who
            rows += [(f"desk {n}", "desk", "desk", str(n)), (f"desk {n}", "desk", "email", mail)]
            reachable += [(f"desk {n}", f"shop {n}")] * in_shop
        elif in_desk:  # asks by telephone only
            truth[f"desk {n}"] = who
            rows += [(f"desk {n}", "desk", "desk", str(n)), (f"desk {n}", "desk", "phone", phone)]
            reachable += [(f"desk {n}", f"shop {n}")] * in_shop
        if calls:
            truth[f"call {n}"] = who
            rows.append((f"call {n}", "calls", "phone", phone))
            reachable += [(f"call {n}", f"shop {n}")] * in_shop
    for n in range(traps):
        phone, members = f"shared {n}", 2 + n % 3 if n % 4 else 30
        for m in range(members):
            record = f"trap {n}.{m}"
            truth[record] = record
            rows.append((record, "desk" if m % 2 else "shop", "phone", phone))
            if members < 30:  # a family; else a switchboard, whose callers have no address
                rows.append((record, "desk" if m % 2 else "shop", "email", f"trap{n}.{m}"))
        truth[f"trap call {n}"] = f"trap call {n}"
        rows.append((f"trap call {n}", "calls", "phone", phone))
    return records(*rows), truth, reachable


def test_of_two_thousand_traps_none_is_joined_and_all_who_can_be_are():
    rows, truth, reachable = town()
    joined = join(rows)
    person = pd.Series(truth)
    groups = pd.DataFrame({"as": joined.people, "is": person})
    assert groups.groupby("as")["is"].nunique().max() == 1
    together = [joined.people[one] == joined.people[other] for one, other in reachable]
    assert len(together) > 2_000
    assert np.mean(together) >= 0.95
    assert len(joined.contested) == 2_000
    assert {c.why for c in joined.contested} == {"email", "shared"}


KEYS = st.sampled_from(["1", "2", "3", "4"])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(list("abcdefg")),
        st.sampled_from(["shop", "desk"]),
        st.sampled_from(["external", "desk", "email", "phone"]),
        KEYS,
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 9))
def test_the_order_of_rows_and_rows_given_twice_change_nothing(rows, seed):
    plain = join(records(*rows))
    other = records(*rows, *rows).sample(frac=1, random_state=seed)
    again = join(other)
    pd.testing.assert_series_equal(plain.people, again.people)
    assert plain.contested == again.contested
    # Whoever is joined goes by the id of one of them, which goes by itself.
    assert (plain.people[plain.people.to_numpy()].to_numpy() == plain.people.to_numpy()).all()


@settings(max_examples=150, deadline=None)
@given(rows=ROWS)
def test_no_phone_brings_several_addresses_together(rows):
    """Nobody joined by telephones has more people in it, as told by the rest, than without."""
    without = join(records(*(row for row in rows if row[2] != "phone"), ("z", "shop", "desk", "z")))
    joined = join(records(*rows, ("z", "shop", "desk", "z")))
    mails = {row[0] for row in rows if row[2] == "email"}
    told = pd.DataFrame({"before": without.people, "after": joined.people}).dropna()
    several = told[told.index.isin(mails)].groupby("after")["before"].nunique()
    assert several.empty or several.max() == 1


@pytest.mark.parametrize(
    ("rows", "people"),
    [
        # Two addresses of one customer number are one person, and so is the number's caller.
        (
            [
                ("a", "shop", "external", "1"), ("a", "shop", "email", "x"),
                ("b", "desk", "external", "1"), ("b", "desk", "email", "y"),
                ("b", "desk", "phone", "5"), ("c", "calls", "phone", "5"),
                ("d", "desk", "email", "x"),
            ],
            1,
        ),
        # An address that two customer numbers share is nobody's.
        (
            [
                ("a", "shop", "external", "1"), ("a", "shop", "email", "x"),
                ("b", "shop", "external", "2"), ("b", "shop", "email", "x"),
            ],
            2,
        ),
        # A caller with two numbers, each of another person, joins neither.
        (
            [
                ("a", "shop", "email", "x"), ("a", "shop", "phone", "1"),
                ("b", "shop", "email", "y"), ("b", "shop", "phone", "2"),
                ("c", "calls", "phone", "1"), ("c", "calls", "phone", "2"),
            ],
            3,
        ),
    ],
)  # fmt: skip
def test_what_is_one_person(rows, people):
    assert join(records(*rows)).people.nunique() == people


def test_customer_numbers_of_two_numberings_join_nobody():
    """A desk's external_id 7 is not the shop's customer 7, where their addresses differ."""
    shop = [(f"s{n}", "own tables", k, v) for n in range(9) for k, v in _known(n, f"m{n}")]
    desk = [(f"d{n}", "desk", k, v) for n in range(9) for k, v in _known(n, f"m{n + 1}")]
    joined = join(records(*shop, *desk))
    assert joined.apart == (("desk", "own tables"),)
    assert joined.people["d0"] == joined.people["s1"]
    same = [(f"d{n}", "desk", k, v) for n in range(9) for k, v in _known(n, f"m{n}")]
    joined = join(records(*shop, *same))
    assert joined.apart == ()
    assert joined.people["d3"] == "s3"


def _known(number, mail):
    return (("external", str(number)), ("email", mail))
