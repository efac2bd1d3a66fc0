"""What the synthetic company sells, to whom, and what goes wrong: tables, no logic."""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """A value of a customer attribute: its share, and its factor of a customer's value."""

    name: str
    share: float
    factor: float


class Category(NamedTuple):
    """Something that is sold: its share of orders, its margin rate and what it is called."""

    name: str
    share: float
    margin_rate: float
    items: tuple[str, ...]


class Issue(NamedTuple):
    """A reason for contact.

    ``kind`` is ``order`` or ``other``; ``share`` is of the kind. ``severity`` and
    ``log_handle`` shift the hidden severity and the log of handle time; ``resolution``
    shifts the log-odds.
    """

    name: str
    queue: int
    kind: str
    share: float
    severity: float
    log_handle: float
    resolution: float


SEGMENTS = (
    Choice("private", 0.72, 0.95),
    Choice("family", 0.18, 1.05),
    Choice("business", 0.10, 1.35),
)
REGIONS = (
    Choice("north", 0.31, 1.04),
    Choice("south", 0.27, 0.96),
    Choice("east", 0.18, 0.93),
    Choice("west", 0.24, 1.05),
)
ACQUISITION = (
    Choice("search", 0.34, 1.0),
    Choice("social", 0.24, 0.86),
    Choice("referral", 0.14, 1.18),
    Choice("marketplace", 0.16, 0.9),
    Choice("direct", 0.12, 1.12),
)
CATEGORIES = (
    Category("kitchen", 0.22, 0.42, ("kettle", "espresso machine", "knife set", "blender")),
    Category("lighting", 0.15, 0.48, ("floor lamp", "desk lamp", "string lights", "wall light")),
    Category("garden", 0.14, 0.38, ("hose reel", "planter", "garden bench", "pruning shears")),
    Category("audio", 0.13, 0.29, ("headphones", "bookshelf speaker", "turntable", "radio")),
    Category("textiles", 0.14, 0.52, ("duvet cover", "curtains", "wool blanket", "towel set")),
    Category("office", 0.12, 0.36, ("desk chair", "monitor arm", "standing desk", "printer")),
    Category("toys", 0.10, 0.45, ("train set", "board game", "puzzle", "building blocks")),
)

QUEUES = ("orders", "billing", "technical", "accounts")
PRESALES_ISSUE = "presales"
ISSUES = (
    Issue("delivery", 0, "order", 0.36, 0.15, 0.00, 0.05),
    Issue("damaged", 0, "order", 0.15, 0.40, 0.08, -0.05),
    Issue("return", 1, "order", 0.17, 0.00, -0.05, 0.15),
    Issue("invoice", 1, "order", 0.12, -0.10, -0.08, 0.20),
    Issue("defect", 2, "order", 0.20, 0.30, 0.15, -0.25),
    Issue("payment", 1, "other", 0.26, 0.15, 0.00, 0.00),
    Issue("setup", 2, "other", 0.24, -0.15, 0.12, -0.10),
    Issue("login", 3, "other", 0.27, -0.20, -0.10, 0.25),
    Issue("subscription", 3, "other", 0.23, 0.05, 0.02, 0.00),
    Issue(PRESALES_ISSUE, 3, "other", 0.00, -0.60, -0.05, 0.45),
)

# share of customers with this taste, and their shares of the contract's channels in their order
CHANNEL_TASTES = (
    (0.42, (0.62, 0.15, 0.12, 0.01, 0.02, 0.05, 0.03)),
    (0.36, (0.10, 0.55, 0.12, 0.03, 0.05, 0.11, 0.04)),
    (0.22, (0.10, 0.10, 0.60, 0.06, 0.05, 0.05, 0.04)),
)
LOG_HANDLE_BY_CHANNEL = (0.05, 0.02, -0.02, -0.12, -0.15, -1.2, -1.4)
LOG_WAIT_BY_CHANNEL = (4.4, 3.7, 9.6, 8.2, 6.3, 0.0, 0.0)  # log of seconds; bots don't wait
SLA_SECONDS_BY_CHANNEL = (120.0, 90.0, 28_800.0, 7_200.0, 1_800.0, 5.0, 5.0)
OCCASIONS_AT_MOST = (3, 3, 2, 2, 2, 0, 0)

TEAMS_PER_QUEUE = 3
CERTIFICATIONS = ("service", "service", "technical", "service")
