"""The exports of a company that never saw clv: a shop, a desk, a telephone system."""

import csv
import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

FIRST = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
DAYS = 730
MAKERS = (
    "I am so sorry about that, I understand how annoying it is.",
    "Let me check that for you right away.",
    "Please send the number of the order.",
)


@dataclass
class Truth:
    """Who is who.

    Attributes
    ----------
    buyer : dict of str to str
        E-mail address of every buyer to the buyer.
    contact : dict of str to str
        Every contact to its buyer, where a key tells; traps to their own name.
    agents : int
        People who answer, whatever their number of ids.
    """

    buyer: dict = field(default_factory=dict)
    contact: dict = field(default_factory=dict)
    traps: dict = field(default_factory=dict)
    agents: int = 0


def write_exports(folder, *, buyers=150, orders=400, contacts=180, traps=20, agents=12, seed=1):
    """Write the files as their systems do, and return who is who."""
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    truth = Truth(agents=agents)
    people = [(f"b{n}@mail.example", f"+4930{2000000 + n}") for n in range(buyers)]
    # A family shares a telephone: two addresses, one number; who calls from it is not told.
    for n in range(min(traps, buyers // 4)):
        people[2 * n + 1] = (people[2 * n + 1][0], people[2 * n][1])
    _orders(folder, draw, people, orders, truth)
    desk = _desk(folder, draw, people, contacts // 2, agents, truth)
    _calls(folder, draw, people, contacts - contacts // 2, agents, traps, truth)
    return truth, desk


def _time(draw):
    return FIRST + dt.timedelta(seconds=int(draw.integers(0, DAYS * 86_400)))


def _orders(folder, draw, people, count, truth):
    names = ("Id", "Name", "Email", "Financial Status", "Currency", "Subtotal", "Shipping",
             "Taxes", "Total", "Created at", "Phone", "Lineitem name", "Refunded Amount", "Tags",
             "Payment Method")  # fmt: skip
    # Who shares a telephone says so in every order: a key that nobody has told joins nothing.
    numbers = [phone for _, phone in people]
    counts = Counter(numbers)
    shared = {phone for phone in numbers if counts[phone] > 1}
    weights = draw.gamma(0.8, size=len(people)) + 0.05
    whose = draw.choice(len(people), size=count, p=weights / weights.sum())
    whose[: len(people)] = np.arange(len(people))[:count]  # everybody buys once
    with (folder / "orders_export_1.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, names, restval="")
        out.writeheader()
        for n, who in enumerate(whose):
            mail, phone = people[who]
            truth.buyer[mail] = f"b{who}"
            net, tax = round(float(draw.gamma(4, 12)) + 5, 2), 3.0
            out.writerow({
                "Id": 5_000_000 + n, "Name": f"#{1000 + n}",
                "Email": mail.upper() if n % 3 else mail,
                "Financial Status": "paid", "Currency": "EUR", "Subtotal": net, "Shipping": 4.9,
                "Taxes": tax, "Total": round(net + 4.9 + tax, 2),
                "Phone": phone if n % 4 or phone in shared else "",
                "Created at": _time(draw).strftime("%Y-%m-%d %H:%M:%S +0000"),
                "Lineitem name": "Lamp", "Refunded Amount": 0,
            })  # fmt: skip
            # A second line item of the same order.
            out.writerow({"Name": f"#{1000 + n}", "Email": mail, "Lineitem name": "Bulb"})


def _desk(folder, draw, people, count, agents, truth):
    users = [
        {"id": 900 + a, "role": "agent", "email": f"agent{a}@shop.example", "name": f"Agent {a}"}
        for a in range(agents)
    ]
    tickets, seen = [], set()
    counts = Counter(phone for _, phone in people)
    for n in range(count):
        who = int(draw.integers(0, len(people)))
        mail, phone = people[who]
        family = counts[phone] > 1
        user = 10_000 + who
        if user not in seen:
            seen.add(user)
            # Every fifth asks by telephone only: a user without an address.
            alone = (
                {"phone": phone, "email": None} if who % 5 == 0 and not family else {"email": mail}
            )
            users.append({"id": user, "role": "end-user", "name": "Jo Doe"} | alone)
        start = _time(draw)
        agent = 900 + int(draw.integers(0, agents))
        said = [(user, "My lamp is broken &amp; late."), (agent, MAKERS[int(draw.integers(0, 3))])]
        tickets.append({
            "id": n + 1, "created_at": f"{start:%Y-%m-%dT%H:%M:%SZ}", "status": "closed",
            "requester_id": user, "assignee_id": agent, "group_id": 7, "priority": "normal",
            "type": "incident", "tags": ["parcel"], "via": {"channel": "web"},
            "updated_at": f"{start + dt.timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}",
            "comments": [
                {"id": 10 * n + k, "author_id": author, "public": True, "plain_body": text,
                 "created_at": f"{start + dt.timedelta(minutes=10 * k):%Y-%m-%dT%H:%M:%SZ}"}
                for k, (author, text) in enumerate(said)
            ],
            "metric_set": {"solved_at": f"{start + dt.timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
                           "reopens": 0, "assignee_stations": 1},
        })  # fmt: skip
        truth.contact[str(n + 1)] = f"b{who}"
    text = "\n".join(map(json.dumps, tickets))
    (folder / "desk").mkdir()
    (folder / "desk" / "export-2025.jsonl").write_text(text, encoding="utf-8")
    (folder / "desk" / "people.json").write_text(json.dumps({"users": users}), encoding="utf-8")
    return users


def _calls(folder, draw, people, count, agents, traps, truth):
    entries = []
    counts = Counter(phone for _, phone in people)
    for n in range(count + traps):
        who = 2 * (n - count) if n >= count else int(draw.integers(0, len(people)))
        _, phone = people[who]
        family = counts[phone] > 1
        start, agent = _time(draw), int(draw.integers(0, agents))
        talk = int(draw.gamma(4, 70)) + 20
        entries.append({
            "call_id": f"call{n}", "type": "inbound", "start_at": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "end_at": f"{start + dt.timedelta(seconds=talk + 15):%Y-%m-%dT%H:%M:%SZ}",
            "contact_phone_number": "tel:" + phone, "user_id": f"u{agent}", "talk_time": talk,
            "wait_time": 20, "hold_time": 5, "abandon_time": 0, "ring_groups": "support",
            "disposition_code": "Delivery", "is_transfer": False, "team_name": "North",
            "user_email": f"Agent{agent}@shop.example",
        })  # fmt: skip
        (truth.traps if family else truth.contact)[f"call{n}"] = f"b{who}"
    page = {"type": "calls", "entries": entries}
    (folder / "talkdesk report (3).json").write_text(json.dumps(page), encoding="utf-8")
