"""Scoring: chunks of customers in, one published table out."""

from clv.scoring.changes import Changes, compare
from clv.scoring.guards import Guards
from clv.scoring.job import score, score_table
from clv.scoring.options import ScoringOptions
from clv.scoring.publish import Published, current, manifest, rollback, runs, survey
from clv.scoring.result import ScoringResult

__all__ = [
    "Changes",
    "Guards",
    "Published",
    "ScoringOptions",
    "ScoringResult",
    "compare",
    "current",
    "manifest",
    "rollback",
    "runs",
    "score",
    "score_table",
    "survey",
]
