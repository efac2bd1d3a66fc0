"""The customers: how they buy, what they are like, and what nobody outside can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clv.simulation.catalogue import (
    ACQUISITION,
    CATEGORIES,
    CHANNEL_TASTES,
    REGIONS,
    SEGMENTS,
    Choice,
)
from clv.windows import YEAR_DAYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.options import SimulationOptions

RATE_SHAPE, RATE_PER_YEAR = 1.4, 2.6
LEAVING_SHAPE, LEAVING_PER_YEAR = 1.3, 0.42
SPEND_MEDIAN, SPEND_SIGMA, ORDER_SIGMA = 195.0, 0.5, 0.45
WHALE_SHARE, WHALE_FACTOR = 0.01, 4.0
FAVOURITE_SHARE = 0.55
REFERRED_SHARE = 0.12
PRESALES_SHARE = 0.06


@dataclass(frozen=True)
class People:
    """Customers first, then prospects; one entry each, n in all.

    Attributes
    ----------
    count, buyers : int
        All, and those who buy: entries ``0 … buyers − 1``.
    joined : ndarray of shape (n,)
        Day of the first order; for prospects of the first contact.
    rate, leaving : ndarray of shape (n,)
        Orders and hazard of leaving per year, before service; 0 for prospects.
    clock : ndarray of shape (n,)
        Unit exponential: they leave when their summed hazard reaches it.
    spend : ndarray of shape (n,)
        Mean amount of an order, before service.
    favourite : ndarray of shape (n,)
        Index of the category they buy most.
    temperament : ndarray of shape (n,)
        Hidden fussiness, standard normal.
    trouble : ndarray of shape (n,)
        How often they contact the company, against the average.
    taste : ndarray of shape (n,)
        Index of their taste in channels.
    german : ndarray of bool, shape (n,)
        Writes German.
    segment, region, acquisition : ndarray of shape (n,)
        Index into the catalogue.
    referred_by : ndarray of shape (n,)
        Entry of the customer who brought them, or −1.
    presales : ndarray of bool, shape (n,)
        Asked before the first order.
    """

    count: int
    buyers: int
    joined: NDArray[np.float64]
    rate: NDArray[np.float64]
    leaving: NDArray[np.float64]
    clock: NDArray[np.float64]
    spend: NDArray[np.float64]
    favourite: NDArray[np.int64]
    temperament: NDArray[np.float64]
    trouble: NDArray[np.float64]
    taste: NDArray[np.int64]
    german: NDArray[np.bool_]
    segment: NDArray[np.int64]
    region: NDArray[np.int64]
    acquisition: NDArray[np.int64]
    referred_by: NDArray[np.int64]
    presales: NDArray[np.bool_]

    @property
    def margin_rate(self) -> NDArray[np.float64]:
        """Expected margin per unit of amount, by taste in categories."""
        rates = np.array([category.margin_rate for category in CATEGORIES])
        shares = np.array([category.share for category in CATEGORIES])
        usual = float(rates @ shares) / float(shares.sum())
        return FAVOURITE_SHARE * rates[self.favourite] + (1 - FAVOURITE_SHARE) * usual


def choose(
    choices: tuple[Choice, ...], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw indices by share, and return each one's factor of value."""
    shares = np.array([choice.share for choice in choices])
    index = np.searchsorted(shares.cumsum() / shares.sum(), rng.random(size), side="right")
    index = np.minimum(index, len(choices) - 1)
    return index, np.array([choice.factor for choice in choices])[index]


def _referrers(
    joined: NDArray[np.float64], buyers: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Pick, for some customers, one who had joined before them; the early bring the most."""
    order = np.argsort(joined[:buyers], kind="stable")
    place = np.empty(buyers, dtype=np.int64)
    place[order] = np.arange(buyers)
    earlier = order[np.floor(place * rng.random(buyers) ** 1.5).astype(np.int64)]
    referred = (rng.random(buyers) < REFERRED_SHARE) & (place > 0)
    everyone = np.full(joined.size, -1, dtype=np.int64)
    everyone[:buyers] = np.where(referred, earlier, -1)
    return everyone


def people(options: SimulationOptions, calendar: Calendar, rng: np.random.Generator) -> People:
    """Draw customers and prospects.

    Buying is a gamma mixture of Poisson processes that ends at an exponential time with a
    gamma-mixed rate (Pareto/NBD; Schmittlein, Morrison & Colombo 1987); spend per order is
    log-normal within and between customers, with a few whales.
    """
    buyers = options.customers
    count = buyers + round(options.prospects * buyers)
    is_buyer = np.arange(count) < buyers
    segment, segment_factor = choose(SEGMENTS, count, rng)
    region, region_factor = choose(REGIONS, count, rng)
    acquisition, acquisition_factor = choose(ACQUISITION, count, rng)
    temperament = rng.standard_normal(count)
    hidden = np.exp(options.effects.temperament * temperament / 2)
    rate = rng.gamma(RATE_SHAPE, RATE_PER_YEAR / RATE_SHAPE, count)
    leaving = rng.gamma(LEAVING_SHAPE, LEAVING_PER_YEAR / LEAVING_SHAPE, count)
    spend = SPEND_MEDIAN * np.exp(SPEND_SIGMA * rng.standard_normal(count))
    spend *= np.where(rng.random(count) < WHALE_SHARE, WHALE_FACTOR, 1.0)
    joined = calendar.span_days * rng.beta(0.9, 1.6, count)
    categories = np.array([category.share for category in CATEGORIES])
    favourite = np.searchsorted(
        categories.cumsum() / categories.sum(), rng.random(count), side="right"
    )
    trouble = rng.gamma(1.2, 1 / 1.2, count) * np.exp(0.15 * temperament)
    tastes = np.array([share for share, _ in CHANNEL_TASTES])
    return People(
        count=count,
        buyers=buyers,
        joined=joined,
        rate=np.where(is_buyer, rate * hidden * acquisition_factor, 0.0),
        leaving=np.where(is_buyer, leaving, 0.0),
        clock=rng.exponential(size=count),
        spend=spend * hidden * segment_factor * region_factor,
        favourite=np.minimum(favourite, len(CATEGORIES) - 1),
        temperament=temperament,
        trouble=trouble,
        taste=np.searchsorted(tastes.cumsum()[:-1], rng.random(count), side="right"),
        german=rng.random(count) < options.german_share,
        segment=segment,
        region=region,
        acquisition=acquisition,
        referred_by=_referrers(joined, buyers, rng),
        presales=is_buyer & (rng.random(count) < PRESALES_SHARE),
    )


def seasonal_count(
    rate: NDArray[np.float64], season: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw numbers of events of seasonal Poisson processes; ``season`` in years of mean."""
    return rng.poisson(np.maximum(rate * season, 0.0))


def years(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn days into years of 365 days."""
    return days / YEAR_DAYS
