"""What customers answer when asked: most do not, and the annoyed answer more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clv.schema import SURVEY_RANGES
from clv.simulation.frames import identifiers, moments
from clv.windows import DAY_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clv.simulation.calendar import Calendar
    from clv.simulation.people import People
    from clv.simulation.purchases import Path
    from clv.simulation.records import Records
    from clv.simulation.service import Service

RESPONSE_RATES = {"csat": 0.13, "ces": 0.05, "review": 0.015, "nps": 0.06}


def satisfaction(served: Service, crowd: People, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how each contact felt to the customer: about standard normal (latent)."""
    warm = np.where(served.occasions > 0, np.nan_to_num(served.empathy) - 0.5, 0.0)
    wait = np.log1p(served.wait_seconds / 60.0) / 6.0
    felt = 0.9 * warm + 1.1 * (served.resolved - 0.6) - 0.4 * (wait - 0.4)
    felt = felt - 0.25 * served.causes.severity
    felt = felt - 0.3 * crowd.temperament[served.causes.person]
    return felt + 0.6 * rng.standard_normal(felt.size)


def _scored(kind: str, felt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put feelings on the kind's scale; most answers lie high, as they do."""
    low, high = SURVEY_RANGES[kind]
    place = 1.0 / (1.0 + np.exp(-(0.9 + 1.3 * felt)))
    return np.clip(np.round(low + (high - low) * place), low, high)


def surveys_frame(
    calendar: Calendar,
    crowd: People,
    served: Service,
    records: Records,
    path: Path,
    ids: dict[str, NDArray[np.object_]],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the contract's ``surveys``, by time.

    csat, ces and reviews follow contacts; nps is asked once a year of customers.
    """
    felt = satisfaction(served, crowd, rng)
    parts = []
    rows = np.flatnonzero(~records.by_company)
    feeling = felt[records.contact[rows]]
    for kind in ("csat", "ces", "review"):
        eager = RESPONSE_RATES[kind] * (1 + 0.6 * np.minimum(np.abs(feeling - 0.2), 2.0))
        answers = rng.random(rows.size) < eager
        late = 3_600 + np.floor(rng.exponential(30 * 3_600, rows.size)).astype(np.int64)
        parts.append(
            _answers(
                kind,
                records.person[rows[answers]],
                ids["interaction"][rows[answers]],
                (records.ended_s[rows] + late)[answers],
                feeling[answers],
            )
        )
    parts.append(_nps(calendar, crowd, path, rng))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[frame["at_s"] < calendar.start_s + calendar.span_days * DAY_SECONDS]
    frame = frame.sort_values(["at_s", "person", "kind"], kind="stable").reset_index(drop=True)
    return pd.DataFrame(
        {
            "survey_id": identifiers("s", len(frame), 8),
            "customer_id": ids["customer"][frame["person"].to_numpy()],
            "interaction_id": frame["interaction_id"].to_numpy(),
            "kind": frame["kind"].to_numpy(),
            "score": frame["score"].to_numpy(),
            "responded_at": moments(frame["at_s"].to_numpy()),
        }
    )


def _answers(
    kind: str,
    person: NDArray[np.int64],
    interaction: NDArray[np.object_],
    at_s: NDArray[np.int64],
    felt: NDArray[np.float64],
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": kind,
            "person": person,
            "interaction_id": interaction,
            "at_s": at_s,
            "score": _scored(kind, felt),
        }
    )


def _nps(calendar: Calendar, crowd: People, path: Path, rng: np.random.Generator) -> pd.DataFrame:
    """Ask customers who have not left, once a year, on a day of their own."""
    parts = []
    asked_on = 365.0 * rng.random(crowd.buyers)
    for year in range(calendar.span_days // 365):
        day = asked_on + 365.0 * year
        present = (crowd.joined[: crowd.buyers] < day) & (path.left[: crowd.buyers] > day)
        person = np.flatnonzero(present & (rng.random(crowd.buyers) < RESPONSE_RATES["nps"]))
        level = path.level_at(365.0 * year + 182.0, crowd.count)[person]
        felt = 1.5 * level - 0.35 * crowd.temperament[person]
        felt = felt + 0.7 * rng.standard_normal(person.size)
        nothing = np.full(person.size, None, dtype=object)
        parts.append(_answers("nps", person, nothing, calendar.seconds(day[person]), felt))
    return pd.concat(parts, ignore_index=True)
