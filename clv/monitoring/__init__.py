"""Is the model still right: drift of what it reads and says, and what came true."""

from clv.monitoring.checks import Check, Limits
from clv.monitoring.drift import SCORES, DriftCounter, DriftReport, Profile
from clv.monitoring.job import ModelInUse, Monitoring, PastScores, monitor
from clv.monitoring.realised import Realised, realised, tracking

__all__ = [
    "SCORES",
    "Check",
    "DriftCounter",
    "DriftReport",
    "Limits",
    "ModelInUse",
    "Monitoring",
    "PastScores",
    "Profile",
    "Realised",
    "monitor",
    "realised",
    "tracking",
]
