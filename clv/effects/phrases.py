"""Phrases: which words and phrases of agents go with value, once controls are taken off.

What controls cannot predict of a customer's value is predicted out of fold and taken off; the
rest splits agents' contacts into what went with more value than expected and what went with
less. Phrases are compared between the two by log-odds with an informative Dirichlet prior, the
words of all contacts (Monroe, Colaresi & Quinn 2008), with contacts weighted by how far the
customer's value lay from what was expected. Errors allow for customers who come often and for
agents with habits of their own; the share of false discoveries is held (Benjamini & Hochberg
1995), and so is the coverage of the intervals that are shown (Benjamini & Yekutieli 2005).

All of it is association: a phrase may go with value since those who say it do other things too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse, stats

from clv.effects.estimators.residuals import customer_folds, within_residuals
from clv.effects.results import rounded
from clv.effects.wording import PhraseOptions, Spoken, counted
from clv.markers.sentences import SPOKEN_SLOTS, agent_sentences
from clv.notes import Note

if TYPE_CHECKING:
    from clv.contract.tables import Tables
    from clv.effects.design.encode import Studied
    from clv.effects.design.exposure import Codes, Exposure, Floats
    from clv.effects.wording import Counts
    from clv.markers.base import Pack
    from clv.windows import Window

    Texts = tuple[Codes, np.ndarray]
    """The code of each sentence, and the distinct sentences."""

LIMITS = (
    "Associations after controls, not what saying the phrase would do: those who say it may do "
    "other things too. Try a phrase in an experiment before a script asks for it."
)
CLIP_SHARES = (0.005, 0.995)
EXAMPLE_WORDS = 14
SAME_SHARE = 0.7
"""Two phrases are one where so many of the contacts with either have both."""


@dataclass(frozen=True)
class Phrase:
    """One phrase of agents, and the value that goes with it.

    Attributes
    ----------
    phrase : str
        Normalised words; what was masked stands in brackets.
    value, low, high : float
        Currency over the days of follow-up that goes with a contact in which it was said, and its
        interval, widened for having been chosen among many.
    log_odds, z : float
        Of the phrase where value was above expectation against below; z by the error that
        allows for customers and agents.
    p_value, q_value : float
        Of no association; the least share of false discoveries at which it is shown.
    contacts, customers, agents : int
        In which, to whom and by whom it was said.
    example : str
        A sentence in which it is often said, masked; empty where none is said often.
    """

    phrase: str
    value: float
    low: float
    high: float
    log_odds: float
    z: float
    p_value: float
    q_value: float
    contacts: int
    customers: int
    agents: int
    example: str

    def as_dict(self) -> dict[str, object]:
        """Return the phrase as JSON-able values."""
        numbers = ("value", "low", "high", "log_odds", "z", "p_value", "q_value")
        rest = ("contacts", "customers", "agents", "example")
        return {
            "phrase": self.phrase,
            **{name: rounded(getattr(self, name)) for name in numbers},
            **{name: getattr(self, name) for name in rest},
        }


@dataclass(frozen=True)
class Phrases:
    """The phrases that go with value, and how many were looked at.

    Attributes
    ----------
    rows : tuple of Phrase
        By value, largest first.
    tested : int
        Phrases compared.
    contacts, customers, agents : int
        That were read.
    false_discoveries : float
        The share that was allowed.
    notes : tuple of Note
        What was left out.
    """

    rows: tuple[Phrase, ...]
    tested: int
    contacts: int
    customers: int
    agents: int
    false_discoveries: float
    notes: tuple[Note, ...] = ()

    def about(self) -> dict[str, object]:
        """Return what was compared, and what it cannot say, as JSON-able values."""
        return {
            "tested": self.tested,
            "contacts": self.contacts,
            "customers": self.customers,
            "agents": self.agents,
            "false_discoveries": self.false_discoveries,
            "unit": "per contact in which it was said",
            "evidence": "adjusted",
            "limits": LIMITS,
        }

    def as_dict(self) -> dict[str, object]:
        """Return the phrases, and what was compared, as JSON-able values."""
        return {"rows": [row.as_dict() for row in self.rows], "about": self.about()}


@dataclass(frozen=True)
class Compared:
    """The comparison of W phrases, arrays of shape (W,)."""

    log_odds: Floats
    z: Floats
    p_values: Floats
    value: Floats
    error: Floats
    degrees: Floats = field(repr=False)


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return for each test the least share of false discoveries at which it is one.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5])).round(3).tolist()
    [0.04, 0.053, 0.053, 0.5]
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * count / np.arange(1, count + 1)
    found = np.empty(count)
    found[order] = np.minimum.accumulate(steps[::-1])[::-1]
    return np.minimum(found, 1.0)


def unexplained(exposure: Exposure, options: PhraseOptions) -> Floats:
    """Return each contact's outcome less what was known before it, shape (C,); NaN where unknown.

    The few largest outcomes are clipped first: one of them could outweigh every word.
    """
    rows = np.flatnonzero(np.isfinite(exposure.outcome))
    outcome = exposure.outcome[rows]
    outcome = np.clip(outcome, *np.quantile(outcome, CLIP_SHARES)) if len(rows) else outcome
    people = int(exposure.customer.max(initial=-1)) + 1
    folds = customer_folds(people, options.folds, options.seed)[exposure.customer[rows]]
    stratum = np.unique(exposure.stratum[rows], return_inverse=True)[1].astype(np.int64)
    rest = np.full(exposure.contacts, np.nan)
    rest[rows] = within_residuals(outcome[:, None], exposure.controls[rows], stratum, folds)[:, 0]
    return rest


def compared(
    counts: Counts, spoken: Spoken, rest: Floats, background: Floats, options: PhraseOptions
) -> Compared:
    """Compare phrases between contacts with more and with less after them than was expected.

    Parameters
    ----------
    counts : Counts
        W phrases in C contacts.
    spoken : Spoken
        Whose contacts they are.
    rest : float64 array, shape (C,)
        Of each contact: outcome less its expectation.
    background : float64 array, shape (W,)
        The share of all contacts in which the phrase is said: the prior's mean.
    options : PhraseOptions
        The prior's weight.
    """
    scale = np.abs(rest).mean() or 1.0
    above, below = np.maximum(rest, 0) / scale, np.maximum(-rest, 0) / scale
    prior, prior_all = options.prior_contacts * background, options.prior_contacts
    more, less = counts.said.T @ above + prior, counts.said.T @ below + prior
    all_more, all_less = above.sum() + prior_all, below.sum() + prior_all
    log_odds = np.log(more / (all_more - more)) - np.log(less / (all_less - less))
    # The influence of a contact on the log-odds.
    push = above / all_more - below / all_less
    gains, losses = sparse.diags_array(above), sparse.diags_array(below)
    weighed = gains @ counts.said @ sparse.diags_array(1 / more)
    weighed = weighed - losses @ counts.said @ sparse.diags_array(1 / less)
    error = clustered_errors(spoken, sparse.csr_array(weighed), push, np.ones(len(more)))
    z = log_odds / error
    degrees = np.maximum(counts.agents - 1, 1).astype(np.float64)
    # What goes with a contact in which it was said: the slope of a regression on it.
    share = np.asarray(counts.said.sum(axis=0)).ravel() / len(rest)
    spread = np.maximum(len(rest) * share * (1 - share), 1e-12)
    value = (counts.said.T @ rest - share * rest.sum()) / spread
    heard = sparse.csr_array(sparse.diags_array(rest) @ counts.said)
    value_error = clustered_errors(spoken, heard, rest, share) / spread
    p_values = 2 * stats.t.sf(np.abs(z), degrees)
    return Compared(log_odds, z, p_values, value, value_error, degrees)


def clustered_errors(
    spoken: Spoken, scores: sparse.csr_array, common: Floats, share: Floats
) -> Floats:
    """Return the errors of sums of ``scores − share × common``, the larger of two clusterings.

    Contacts of one customer are not independent, nor are those of one agent.

    Parameters
    ----------
    spoken : Spoken
        Whose contacts they are: customers and agents.
    scores : sparse array, shape (C, W)
        Each word's part of the outcome, by contact.
    common : array, shape (C,)
        What all words share of it.
    share : array, shape (W,)
        How much of that a word takes.
    """
    agents = np.where(spoken.agent < 0, int(spoken.agent.max(initial=-1)) + 1, spoken.agent)
    errors = []
    for who in (spoken.customer, agents):
        group = sparse.csr_array(
            (np.ones(len(who)), (who, np.arange(len(who)))), shape=(who.max() + 1, len(who))
        )
        sums, total = sparse.csr_array(group @ scores), group @ common
        squares = np.asarray(sums.multiply(sums).sum(axis=0)).ravel()
        errors.append(squares - 2 * share * (sums.T @ total) + share**2 * (total @ total))
    found: Floats = np.sqrt(np.maximum.reduce(errors))
    return found


def find_phrases(spoken: Spoken, rest: Floats, options: PhraseOptions) -> Phrases:
    """Return the phrases that go with what was not to be expected of value after a contact.

    Parameters
    ----------
    spoken : Spoken
        Sentences of C contacts of n customers.
    rest : float64 array, shape (C,)
        Of contacts: outcome less its out-of-fold expectation.
    options : PhraseOptions
        Thresholds.
    """
    read = len(spoken.customer), len(np.unique(spoken.customer)), len(np.unique(spoken.agent))
    counts = counted(spoken, options) if len(spoken.sentences) else None
    if counts is None or not counts.phrases:
        return Phrases((), 0, *read, options.false_discoveries)
    background = np.asarray(counts.said.sum(axis=0)).ravel() / len(spoken.customer)
    found = compared(counts, spoken, rest - rest.mean(), background, options)
    q_values = benjamini_hochberg(found.p_values)
    sure = np.flatnonzero(q_values <= options.false_discoveries)
    by_size = _apart(counts, sure[np.argsort(found.p_values[sure], kind="stable")])
    shown = [
        place
        for sign in (1, -1)
        for place in by_size[np.sign(found.log_odds[by_size]) == sign][: options.max_phrases]
    ]
    level = 1 - options.false_discoveries * len(shown) / len(counts.phrases)
    texts = pd.factorize(np.asarray(spoken.sentences, dtype=object), sort=True)
    rows = []
    for place in shown:
        reach = stats.t.ppf(0.5 + level / 2, found.degrees[place]) * found.error[place]
        value = float(found.value[place])
        rows.append(
            Phrase(
                phrase=_masked_words(counts.phrases[place]),
                value=value,
                low=value - reach,
                high=value + reach,
                log_odds=float(found.log_odds[place]),
                z=float(found.z[place]),
                p_value=float(found.p_values[place]),
                q_value=float(q_values[place]),
                contacts=round(background[place] * len(spoken.customer)),
                customers=int(counts.customers[place]),
                agents=int(counts.agents[place]),
                example=_example(counts.phrases[place], spoken, texts, options),
            )
        )
    rows.sort(key=lambda row: (-row.value, row.phrase))
    return Phrases(tuple(rows), len(counts.phrases), *read, options.false_discoveries)


def _apart(counts: Counts, places: Codes) -> Codes:
    """Leave out phrases said in nearly the same contacts as an earlier one: pieces of one."""
    said = counts.said[:, places]
    both = (said.T @ said).toarray()
    own = np.diagonal(both)
    alike = both >= SAME_SHARE * (own[:, None] + own[None, :] - both)
    kept: list[int] = []
    for place in range(len(places)):
        if not alike[place, kept].any():
            kept.append(place)
    return places[kept]


def _masked_words(words: str) -> str:
    return " ".join(SPOKEN_SLOTS.get(word, word) for word in words.split(" "))


def _example(phrase: str, spoken: Spoken, texts: Texts, options: PhraseOptions) -> str:
    """Return the sentence that carries the phrase to most customers, if to enough of them."""
    code, distinct = texts
    padded = f" {phrase} "
    carries = np.array([padded in f" {text} " for text in distinct], dtype=bool)
    at = np.flatnonzero(carries[code])
    heard = pd.DataFrame({"text": code[at], "customer": spoken.customer[spoken.contact[at]]})
    customers = heard.groupby("text")["customer"].nunique()
    wide = customers[customers >= options.min_example_customers]
    if wide.empty:
        return ""
    best = min(wide.index, key=lambda text: (-wide[text], distinct[text]))
    words, size = distinct[best].split(" "), len(phrase.split(" "))
    place = next(n for n in range(len(words)) if " ".join(words[n : n + size]) == phrase)
    start = max(0, min(place - (EXAMPLE_WORDS - size) // 2, len(words) - EXAMPLE_WORDS))
    return _masked_words(" ".join(words[start : start + EXAMPLE_WORDS]))


def phrases_of(
    tables: Tables,
    pack: Pack,
    window: Window,
    studied: Studied,
    options: PhraseOptions | None = None,
) -> Phrases:
    """Read what agents said in the contacts studied, and find the phrases that go with value.

    Parameters
    ----------
    tables : Tables
        Accepted tables, messages among them.
    pack : Pack
        Its language is read.
    window : Window
        Messages sent after its cutoff are not read.
    studied : Studied
        Contacts, their controls and their customers' outcome.
    options : PhraseOptions, optional
        Thresholds.
    """
    options = options or PhraseOptions()
    exposure = studied.exposure
    rest = unexplained(exposure, options)
    rows = np.flatnonzero(np.isfinite(rest))
    notes = []
    if exposure.customers > options.max_customers:
        rng = np.random.default_rng(options.seed)
        people = np.unique(exposure.customer)
        drawn = rng.choice(people, options.max_customers, replace=False)
        rows = rows[np.isin(exposure.customer[rows], drawn)]
        text = f"phrases were looked for in the contacts of {options.max_customers} customers"
        notes.append(Note("sampled", "phrases", exposure.customers, text))
    ids = studied.contacts["interaction_id"].to_numpy()[rows]
    said = agent_sentences(tables, pack, ids.tolist(), window)
    place = pd.Index(ids).get_indexer(pd.Index(said.column("interaction_id").to_pylist()))
    frame = pd.DataFrame({"place": place, "text": said.column("sentence").to_pylist()})
    frame = frame.sort_values(["place", "text"])
    heard, contact = np.unique(frame["place"], return_inverse=True)
    spoken = Spoken(
        contact=contact.astype(np.int64),
        customer=exposure.customer[rows[heard]],
        agent=exposure.agent[rows[heard]],
        sentences=frame["text"].tolist(),
    )
    return replace(find_phrases(spoken, rest[rows[heard]], options), notes=tuple(notes))
