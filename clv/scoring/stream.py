"""The rows of a scoring run on their way to the disk: counted, checked, never all in memory."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clv.errors import DataError, ModelError, QuarantineError, listing
from clv.monitoring.drift import SCORES as SAID
from clv.monitoring.drift import DriftCounter
from clv.notes import Note
from clv.scoring.nodes import parted
from clv.scoring.portfolio import NO_VALUE, Portfolio
from clv.scoring.publish import SCORE_FILE
from clv.scoring.rows import QUARANTINE, finished, without_reasons
from clv.sinks import SCORES
from clv.sinks.base import frames
from clv.sinks.files import TableWriter
from clv.storage import whole

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from clv.features.table import FeatureTable
    from clv.models.lifetime_value import LifetimeModel
    from clv.monitoring import Profile
    from clv.notes import OnProgress
    from clv.scoring.options import ScoringOptions
    from clv.scoring.rows import Reasons, Rows
    from clv.scoring.unfinished import Unfinished

QUARANTINE_FILE = "quarantine.parquet"
_STEP = "customers"


@dataclass
class Tally:
    """What has been counted so far.

    Attributes
    ----------
    portfolio : Portfolio
    drift : DriftCounter or None
    scored, quarantined : int
        Rows.
    reasons : Counter
        Of quarantined rows, by rule.
    unseen : Counter
        Category values that training never saw, by column.
    """

    portfolio: Portfolio
    drift: DriftCounter | None = None
    scored: int = 0
    quarantined: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)

    @classmethod
    def begin(cls, model: LifetimeModel, table: FeatureTable, profile: Profile | None) -> Tally:
        """Return an empty tally for a model and a feature table."""
        columns = [f.name for f in table.features.values() if f.group == "customer"]
        columns = [name for name in columns if table.features[name].kind == "category"]
        counter = None if profile is None else DriftCounter(profile)
        return cls(Portfolio(model.info.decile_cuts, columns), counter)

    def notes(self) -> tuple[Note, ...]:
        """Say what was quarantined, and what the model had never seen."""
        quarantined = [
            Note("quarantined", "scores", count, f"{rule}; the customer has no score")
            for rule, count in sorted(self.reasons.items())
        ]
        unseen = [
            Note("unseen_category", name, count, "values that training never saw")
            for name, count in sorted(self.unseen.items())
        ]
        return (*quarantined, *unseen, *self.unvalued())

    def unvalued(self) -> tuple[Note, ...]:
        """Say who is in no total."""
        count = self.portfolio.unvalued
        if not count:
            return ()
        text = (
            "people who have not bought have no value and are in no total: the training held "
            "nobody like them, or no date says since when they are known"
        )
        return (Note("prospects_unvalued", "scores", count, text),)


def write_rows(
    tally: Tally,
    table: FeatureTable,
    saved: Unfinished,
    options: ScoringOptions,
    staging: Path,
    customers: int,
    on_progress: OnProgress,
) -> None:
    """Score chunk by chunk into the score file and the quarantine file.

    Raises
    ------
    DataError
        When there is no customer, or the rows do not come sorted.
    """
    if not customers:
        raise DataError("features: no customer is known at this day. Choose a later as_of.")
    last_id: str | None = None
    with (
        whole(staging / SCORE_FILE) as good,
        whole(staging / QUARANTINE_FILE) as bad,
        TableWriter(good) as scores,
        TableWriter(bad, QUARANTINE) as quarantine,
    ):
        on_progress(_STEP, 0, customers)
        for chunk in table.chunks(options.chunk_customers):
            features, scores_of = parted(chunk, saved.predict)
            check_sorted(features["customer_id"].to_numpy(object), last_id)
            predicted = scores_of.assign(
                as_of=table.cutoff,
                model_name=options.model_name,
                model_version=options.model_version,
            )
            rows = finished(predicted, features["frequency"].notna().to_numpy(), last_id)
            last_id = features["customer_id"].iloc[-1]
            scores.add(rows.scored)
            quarantine.add(rows.quarantined)
            count(tally, rows, features, predicted)
            unseen = saved.model.unseen_categories(features)
            tally.unseen.update({name: n for name, n in unseen.items() if n})
            on_progress(_STEP, tally.scored + tally.quarantined, customers)


def count(tally: Tally, rows: Rows, features: pd.DataFrame, predicted: pd.DataFrame) -> None:
    """Add a chunk to the tally."""
    tally.scored += rows.scored.num_rows
    tally.quarantined += rows.quarantined.num_rows
    for rules in rows.quarantined.column("reasons").to_pylist():
        tally.reasons.update(rules.split(";"))
    kept = features[rows.good]
    tally.portfolio.add(rows.scored.to_pandas(), kept)
    if tally.drift is not None:
        # The training knows no prospects: with them, every purchase feature would have moved.
        bought = kept["frequency"].notna().to_numpy()
        said = {name: predicted[name].to_numpy(float)[rows.good][bought] for name in SAID}
        tally.drift.add(kept[bought].assign(**said))


def check_sorted(ids: np.ndarray, last_id: str | None) -> None:
    """Refuse rows that do not come sorted by customer: duplicates could hide.

    Raises
    ------
    DataError
        When an id is smaller than the one before it.
    """
    known = [name for name in (last_id, *ids) if name]
    if any(later < earlier for earlier, later in itertools.pairwise(known)):
        raise DataError("features: the rows are not sorted by customer_id, as the builder's are.")


def keep_reasons(tally: Tally, reasons: Reasons, staging: Path) -> None:
    """Leave the reasons to the customers of highest clv, where not everybody is given them."""
    if reasons.top is None:
        return
    values = tally.portfolio.by_row
    keep = np.zeros(values.size, bool)
    # the lowest number of all has no opposite
    keep[np.argsort(-np.maximum(values, NO_VALUE + 1), kind="stable")[: reasons.top]] = True
    start = 0
    path = staging / SCORE_FILE
    with whole(path) as target, TableWriter(target) as writer:
        for frame in frames(path):
            stop = start + len(frame)
            kept = without_reasons(frame, keep[start:stop])
            writer.add(pa.Table.from_pandas(kept, SCORES, preserve_index=False))
            start = stop


def reconcile(tally: Tally, staging: Path, customers: int, limit_share: float) -> None:
    """Read back what was written and hold it against what came in.

    Raises
    ------
    QuarantineError
        When more rows than allowed cannot be published.
    ModelError
        When rows are lost or double. Either would be a defect of clv.
    """
    if tally.quarantined > limit_share * customers:
        worst = listing(f"{rule}: {n:,}" for rule, n in tally.reasons.most_common())
        raise QuarantineError(
            f"scores: {tally.quarantined:,} of {customers:,} rows cannot be published ({worst}); "
            f"allowed are {limit_share:.0%}. Look at the inputs of these customers, train again, "
            "or raise scoring.quarantine_limit_share."
        )
    with pq.ParquetFile(staging / SCORE_FILE) as file:
        read, last = 0, ""
        for batch in file.iter_batches(columns=["customer_id"]):
            ids = [last, *batch.column(0).to_pylist()]
            if any(later <= earlier for earlier, later in itertools.pairwise(ids)):
                raise ModelError("scores: a customer stands twice in the score file; run again.")
            read, last = read + len(ids) - 1, ids[-1]
    if read != tally.scored or tally.scored + tally.quarantined != customers:
        raise ModelError(
            f"scores: {customers:,} customers came in, {read:,} were written and "
            f"{tally.quarantined:,} quarantined; expected the sum to agree. Run again."
        )
