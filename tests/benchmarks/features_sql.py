"""The same features as one would write them by hand in DuckDB's own SQL, for one cutoff.

It reads the same Parquet files and gives the same columns, to the last digit. Unlike the
builder it serves one cutoff: late facts are cut by joins instead of prepared once, flags are
columns, and whatever DuckDB offers is used.
"""

from __future__ import annotations

import datetime as dt

SPANS = {"30d": 30, "90d": 90, "365d": 365, "ever": None}
CHANNELS = ("voice", "chat", "email", "social", "sms", "bot", "self_service")


def script(folder: str, cutoff: dt.date) -> list[str]:
    """Return the statements; the last one makes the table ``features``."""
    end = f"timestamp '{cutoff + dt.timedelta(days=1)}'"
    return [
        """create macro sig(x) as ((x * pow(10.0, 8 - floor(log10(
            greatest(least(abs(x), 1e290), 1e-290)))) + 6755399441055744.0) - 6755399441055744.0)
            / pow(10.0, 8 - floor(log10(greatest(least(abs(x), 1e290), 1e-290))))
            + case when abs(x) < 1e290 then 0.0 end""",
        "create macro ratio(a, b) as a::double / nullif(b::double, 0)",
        "create macro nine(x) as (x * 1e9 + 6755399441055744.0 - 6755399441055744.0) / 1e9",
        _orders(folder, end, cutoff),
        _order_features(),
        _contacts(folder, end, cutoff),
        _contact_features(),
        _features(),
    ]


def _flags(at: str, end: str) -> str:
    days = (30, 60, 90, 180, 365, 730)
    return ", ".join(f"{at} >= {end} - interval {day} days as in_{day}d" for day in days)


def _orders(folder: str, end: str, cutoff: dt.date) -> str:
    return f"""
    create temp table orders as
    with raw as (
        select order_id, customer_id, ordered_at as own, round(amount * 10000)::bigint as amount,
            round(margin * 10000)::bigint as margin, refund_of, category
        from '{folder}/orders.parquet' where ordered_at < {end}),
    back as (
        select r.order_id as refund, o.order_id, o.own as placed, r.amount, r.margin,
            sum(r.amount) over (partition by o.order_id) + o.amount <= 0 as void
        from raw r join raw o on r.refund_of = o.order_id and r.customer_id = o.customer_id
        where r.amount < 0 and o.amount >= 0),
    bought as (
        select customer_id, raw.order_id, own as placed, own, raw.amount, raw.margin, category,
            coalesce(any_void, false) as void,
            row_number() over w as sequence,
            nullif(own::date - lag(own::date) over w, 0) as gap_days
        from raw left join
            (select order_id, bool_or(void) as any_void from back group by 1) using (order_id)
        where raw.amount >= 0
        window w as (partition by customer_id order by own, order_id)),
    rows as (
        select customer_id, placed, own, amount, margin, category, true as is_purchase,
            not void as is_bought, not void as stands, sequence, gap_days from bought
        union all
        select customer_id, coalesce(back.placed, own), own, raw.amount, raw.margin, null, false,
            false, coalesce(not void, false), null, null
        from raw left join back on back.refund = raw.order_id where raw.amount < 0)
    select *, case when stands then amount else 0 end as net,
        case when stands then margin else 0 end as net_margin,
        date '{cutoff}' - placed::date as days_ago, date '{cutoff}' - own::date as own_days_ago,
        isodow(placed) >= 6 as at_weekend, quarter(placed) as quarter,
        placed >= {end} - interval 365 days and placed < {end} - interval 335 days as season_30d,
        placed >= {end} - interval 365 days and placed < {end} - interval 275 days as season_90d,
        {_flags("placed", end)}
    from rows"""


def _where(span: str, *conditions: str) -> str:
    parts = [*conditions] + ([] if SPANS[span] is None else [f"in_{span}"])
    return f" filter (where {' and '.join(parts)})" if parts else ""


def _order_features() -> str:
    money = [
        "count(*) filter (where is_bought) as n",
        "ratio(sum(net_margin) / 1e4, count(*) filter (where is_bought)) as order_margin",
        "min(amount) filter (where is_bought) / 1e4 as smallest_order",
        """ratio(max(amount) filter (where is_bought), sum(amount) filter (where is_bought))
            as largest_order_share""",
        "arg_min(amount, sequence) filter (where is_bought) / 1e4 as first_order",
        "arg_max(amount, sequence) filter (where is_bought) / 1e4 as last_order",
        "max(days_ago) filter (where is_bought) as age_days",
        "min(days_ago) filter (where is_bought) as days_since_last_purchase",
        "min(own_days_ago) filter (where not is_purchase) as days_since_last_refund",
        "count(*) filter (where is_bought and amount = 0) as free",
        "count(*) filter (where is_bought and at_weekend) as weekend",
        "sum(gap_days) as gaps, count(gap_days) as gap_count, sum(gap_days * gap_days) as gap_2",
        "max(gap_days) as purchase_gap_max",
        "arg_min(gap_days, sequence) filter (where gap_days is not null) as first_purchase_gap",
        "arg_max(gap_days, sequence) filter (where gap_days is not null) as last_purchase_gap",
        "sum(-days_ago) filter (where is_bought) as sx, sum(amount) filter (where is_bought) as sy",
        "sum(days_ago * days_ago) filter (where is_bought) as sxx",
        "sum(-days_ago * amount) filter (where is_bought) as sxy",
        "sum(net) as net_all",
    ]
    for number in (1, 2, 3, 4):
        money.append(f"count(*) filter (where is_bought and quarter = {number}) as q{number}")
    for days in (30, 90):
        money.append(
            f"count(*) filter (where is_bought and season_{days}d) as orders_season_{days}d"
        )
        money.append(f"sum(amount) filter (where season_{days}d) / 1e4 as spend_season_{days}d")
    for span in SPANS:
        bought = _where(span, "is_bought")
        money.append(f"count(*){bought} as orders_{span}")
        money.append(f"sum(amount){_where(span)} / 1e4 as spend_{span}")
        money.append(f"sum(margin){_where(span)} / 1e4 as margin_{span}")
        if span == "30d":
            continue
        money.append(f"ratio(sum(net){_where(span)} / 1e4, count(*){bought}) as order_value_{span}")
        money.append(f"count(*){_where(span, 'not is_purchase')} as refunds_{span}")
        named = _where(span, "is_purchase")
        money.append(f"count(distinct category){named} as categories_{span}")
        if span == "90d":
            continue
        money.append(f"max(amount){bought} / 1e4 as largest_order_{span}")
        back, sold = _where(span, "not is_purchase"), _where(span, "is_purchase")
        money.append(f"-sum(amount){back} / 1e4 as refunded_{span}")
        money.append(f"ratio(-sum(amount){back}, sum(amount){sold}) as refunded_ratio_{span}")
    for days in (90, 365):
        now, then = f"in_{days}d", f"in_{2 * days}d and not in_{days}d"
        money.append(f"count(*) filter (where is_bought and {now}) as on_{days}")
        money.append(f"count(*) filter (where is_bought and {then}) as ot_{days}")
        money.append(f"coalesce(sum(net) filter (where {now}), 0) as sn_{days}")
        money.append(f"coalesce(sum(net) filter (where {then}), 0) as st_{days}")
    return f"""
    create temp table order_features as
    with days as (
        select customer_id, days_ago, sum(net) as net, bool_or(is_bought) as stands
        from orders group by all having stands),
    repeats as (
        select customer_id, count(*) - 1 as frequency, sum(net) as net,
            arg_max(net, days_ago) as first_net from days group by all)
    select s.*, r.frequency, ratio((r.net - r.first_net) / 1e4, r.frequency) as monetary_value
    from (select customer_id, {", ".join(money)} from orders group by customer_id) s
    left join repeats r using (customer_id)"""


def _contacts(folder: str, end: str, cutoff: dt.date) -> str:
    week = "interval 7 days"
    return f"""
    create temp table contacts as
    with raw as (
        select *, channel not in ('bot', 'self_service') as attended,
            coalesce(initiated_by, 'customer') = 'customer' as by_customer,
            coalesce(issue_type, '') as issue,
            case when ended_at <= started_at + {week} then ended_at else started_at end + {week}
                as settle,
            coalesce(ended_at, started_at) as ended
        from '{folder}/interactions.parquet' where started_at < {end}),
    chained as (
        select *, row_number() over (partition by customer_id order by started_at, interaction_id)
                as sequence,
            case when by_customer then lead(started_at) over (
                partition by customer_id, by_customer, issue order by started_at, interaction_id)
                end as next_at
        from raw),
    known as (
        select customer_id, channel, issue, attended, by_customer, priority, sequence,
            case when ended < {end} then round(handle_seconds * 1000)::bigint end as handle,
            case when ended < {end} then round(hold_seconds * 1000)::bigint end as hold,
            case when ended < {end} then round(wrap_seconds * 1000)::bigint end as wrap,
            case when ended < {end} then transfers end as transfers,
            case when started_at + to_milliseconds(ceil(wait_seconds)::bigint * 1000) < {end}
                then round(wait_seconds * 1000)::bigint end as wait,
            case when started_at
                + to_milliseconds(ceil(first_response_seconds)::bigint * 1000) < {end}
                then round(first_response_seconds * 1000)::bigint end as response,
            coalesce(resolved_at < {end}, false) as resolved,
            case when resolved_at < {end} then date_diff('second', started_at, resolved_at) end
                as resolve_s,
            coalesce(reopened_at < {end}, false) as reopened,
            settle < {end} as settled,
            coalesce(resolved_at <= settle, false) as resolved_then,
            coalesce(reopened_at <= settle, false) as reopened_then,
            coalesce(next_at <= settle, false) as again,
            least(first_response_seconds, wait_seconds) as answer, sla_seconds,
            started_at, date '{cutoff}' - started_at::date as days_ago,
            {_flags("started_at", end)}
        from chained),
    judged as (
        select *,
            case when settled and by_customer and attended
                then resolved_then and not reopened_then and not again end as fcr,
            case when settled and by_customer then again end as repeated,
            settled and by_customer and attended and not resolved_then as unresolved,
            case when sla_seconds is not null
                and started_at + to_milliseconds(ceil(answer)::bigint * 1000) < {end}
                then answer > sla_seconds end as missed
        from known)
    select j.*, unresolved or reopened or coalesce(missed, false) or coalesce(transfers >= 2, false)
            as bad, expected_handle, expected_wait
    from judged j left join (
        select channel, issue, round(avg(handle))::bigint as expected_handle,
            round(avg(wait))::bigint as expected_wait from judged group by all) p
    using (channel, issue)"""


def _mean(column: str, span: str, per: str = "1e3") -> str:
    here = _where(span)
    return f"ratio(sum({column}){here}, count({column}){here}) / {per}"


def _share(flag: str, span: str) -> str:
    here = _where(span)
    return f"ratio(sum({flag}::int){here}, count({flag}){here})"


def _relative(column: str, span: str) -> str:
    both = _where(span, f"{column} is not null", f"expected_{column} is not null")
    return f"ratio(sum({column}){both}, sum(expected_{column}){both})"


def _part(column: str, span: str) -> str:
    both = _where(span, f"{column} is not null", "handle is not null")
    return f"ratio(sum({column}){both}, sum(handle){both})"


def _contact_features() -> str:
    year = [
        f"count(*){_where('365d', f'''channel = '{c}' ''')} as contacts_{c}_365d" for c in CHANNELS
    ]
    features = [
        *year,
        "min(days_ago) as days_since_last_contact, max(days_ago) as days_since_first_contact",
        f"ratio(count(*){_where('365d', 'not by_customer')}, count(*){_where('365d')})"
        " as company_contact_share_365d",
        f"ratio(count(*){_where('365d', 'not attended')}, count(*){_where('365d')})"
        " as unattended_share_365d",
        "ratio(count(*) filter (where priority in ('high', 'urgent')), count(*)) as urgent_share",
        "arg_max(channel, sequence) as last_channel",
        "nullif(arg_max(issue, sequence), '') as last_issue",
        f"count(*){_where('365d', 'not resolved', 'attended')} as open_contacts_365d",
        "min(days_ago) filter (where bad) as days_since_bad_experience",
        "arg_max(handle, sequence) filter (where handle is not null) / 1e3 as handle_seconds_last",
        "arg_max(wait, sequence) filter (where wait is not null) / 1e3 as wait_seconds_last",
        f"max(wait){_where('365d')} / 1e3 as wait_seconds_max_365d",
    ]
    for days in (90, 365):
        now, then = f"in_{days}d", f"in_{2 * days}d and not in_{days}d"
        features.append(f"count(*) filter (where {now}) as cn_{days}")
        features.append(f"count(*) filter (where {then}) as ct_{days}")
    for span in SPANS:
        features.append(f"count(*){_where(span)} as contacts_{span}")
        if span == "30d":
            continue
        features += [
            f"{_share('fcr', span)} as fcr_{span}",
            f"{_share('repeated', span)} as repeat_contact_{span}",
            f"count(*){_where(span, 'unresolved')} as unresolved_{span}",
            f"count(*){_where(span, 'bad')} as bad_experiences_{span}",
            f"{_mean('handle', span)} as handle_seconds_{span}",
            f"{_mean('wait', span)} as wait_seconds_{span}",
            f"{_mean('response', span)} as first_response_seconds_{span}",
        ]
        if span == "90d":
            continue
        here = f"count(*){_where(span)}"
        features += [
            f"{_mean('resolve_s', span, '3600.0')} as resolve_hours_{span}",
            f"count(*){_where(span, 'reopened')} as reopened_{span}",
            f"ratio(count(*){_where(span, 'reopened')}, {here}) as reopened_share_{span}",
            f"{_mean('transfers', span, '1')} as transfers_mean_{span}",
            f"ratio(count(*){_where(span, 'bad')}, {here}) as bad_experience_share_{span}",
            f"{_relative('handle', span)} as handle_relative_{span}",
            f"{_part('hold', span)} as hold_share_{span}",
            f"{_part('wrap', span)} as wrap_share_{span}",
            f"{_relative('wait', span)} as wait_relative_{span}",
            f"count(*){_where(span, 'missed')} as sla_misses_{span}",
            f"{_share('missed', span)} as sla_miss_share_{span}",
        ]
    return f"""create temp table contact_features as
        select customer_id, {", ".join(features)} from contacts group by customer_id"""


def _features() -> str:
    from clv.features.base import declared

    spread = "sqrt(greatest(gap_count::double * gap_2 - gaps::double * gaps, 0)) / gap_count"
    named = {
        "recency_days": "age_days - days_since_last_purchase",
        "margin_ratio": """(coalesce(sig(order_margin) * orders_ever, 0) + 3 * mean_order * rate)
            / (coalesce(sig(order_value_ever) * orders_ever, 0) + 3 * mean_order)""",
        "free_order_share": "ratio(free, n)",
        "purchase_gap_mean": "ratio(gaps, gap_count)",
        "purchase_gap_spread": f"case when gap_count >= 2 then {spread} end",
        "purchase_gap_variation": f"case when gap_count >= 2 then {spread} end * gap_count / gaps",
        "silence_ratio": "ratio(days_since_last_purchase, sig(ratio(gaps, gap_count)))",
        "silence_to_longest_gap": "ratio(days_since_last_purchase, purchase_gap_max)",
        "order_value_slope": """(n::double * sxy - sx::double * sy)
            / nullif(n::double * sxx - sx::double * sx, 0) / 1e4""",
        "weekend_share": "ratio(weekend, n)",
        "contacts_per_order_365d": "ratio(coalesce(contacts_365d, 0), orders_365d)",
        "contacts_per_order_ever": "ratio(coalesce(contacts_ever, 0), orders_ever)",
    }
    for number in (1, 2, 3, 4):
        named[f"quarter_{number}_share"] = f"ratio(q{number}, n)"
    for days in (90, 365):
        for name, now, then in (
            ("orders", "on", "ot"),
            ("spend", "sn", "st"),
            ("contacts", "cn", "ct"),
        ):
            a, b = f"{now}_{days}", f"{then}_{days}"
            named[f"{name}_trend_{days}d"] = f"ratio({a} - {b}, {a} + {b})"
    columns = []
    for feature in declared().values():
        if feature.table not in ("orders", "interactions", "features"):
            continue
        value = named.get(feature.name, feature.name)
        if feature.kind == "category":
            columns.append(f"{value} as {feature.name}")
            continue
        whole = feature.unit in ("count", "days") and feature.name not in (
            "purchase_gap_mean",
            "purchase_gap_spread",
            "transfers_mean_365d",
            "transfers_mean_ever",
        )
        rounded = value if whole else f"{'nine' if feature.unit == 'share' else 'sig'}({value})"
        if feature.fill is not None:
            rounded = f"coalesce({rounded}, {feature.fill})"
        columns.append(f"({rounded})::double as {feature.name}")
    return f"""
    create temp table features as
    with company as (
        select sum(net_margin)::double / nullif(sum(net)::double, 0) as rate,
            sum(net)::double / nullif((count(*) filter (where is_bought))::double, 0) / 1e4
                as mean_order from orders)
    select customer_id, {", ".join(columns)}
    from order_features full join contact_features using (customer_id), company"""
