"""Whether what followed is known after as many contacts of one agent as of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import stats

from clv.effects.estimators.residuals import demeaned, group_sums
from clv.effects.results import CheckResult

if TYPE_CHECKING:
    from clv.effects.checks.base import Estimated
    from clv.effects.design.exposure import Codes
    from clv.effects.results import Evidence


@dataclass(frozen=True)
class FollowedUp:
    """Whether what followed is known after as many contacts of one agent as of another.

    Money is known after every contact whose days lie in the data. Surveys are answered by some:
    where that depends on the agent, those who answered one agent are not like those who answered
    another.
    """

    applies_to: ClassVar[tuple[Evidence, ...]] = ("quasi-experimental",)
    place: ClassVar[int] = 15

    min_p: float = 0.01

    def run(self, estimated: Estimated) -> CheckResult:
        """Test that agents differ in it by no more than chance, within strata."""
        study = estimated.study
        exposure, known = study.exposure, study.followed
        share = float(known.mean())
        if known.all():
            return CheckResult(
                "follow_up",
                passed=True,
                value=1.0,
                threshold=self.min_p,
                message="What followed is known after every contact.",
            )
        rows = exposure.agent >= 0
        p_value = spread_over_agents(
            known[rows].astype(np.int64), exposure.agent[rows], exposure.stratum[rows]
        )
        passed = p_value >= self.min_p
        return CheckResult(
            "follow_up",
            passed,
            p_value,
            self.min_p,
            f"What followed is known after {share:.0%} of contacts, "
            + ("of all agents alike." if passed else "of some agents more often than of others."),
            {"share": share},
        )


def spread_over_agents(marked: Codes, agent: Codes, stratum: Codes) -> float:
    """Return the p-value of agents' having marked contacts in equal shares, within strata.

    Dealt to agents by chance, an agent's marked contacts of a stratum are hypergeometric.

    Parameters
    ----------
    marked : int array, shape (C,)
        0 or 1.
    agent, stratum : int arrays, shape (C,)

    Examples
    --------
    >>> half = np.array([1, 0] * 200)
    >>> agent, stratum = np.arange(400) // 2 % 4, np.zeros(400, dtype=np.int64)
    >>> spread_over_agents(half, agent, stratum) > 0.9
    True
    >>> bool(spread_over_agents((agent == 0).astype(np.int64), agent, stratum) < 1e-6)
    True
    """
    size, blocks = int(agent.max(initial=-1)) + 1, int(stratum.max(initial=-1)) + 1
    counts = np.maximum(np.bincount(stratum, minlength=blocks), 1)
    share = np.bincount(stratum, weights=marked, minlength=blocks) / counts
    noise = share * (1 - share) * counts / np.maximum(counts - 1, 1)
    _, pair, pairs = np.unique(stratum * size + agent, return_inverse=True, return_counts=True)
    mine = pairs[pair]  # contacts of this agent in this stratum
    spread = noise[stratum] * (1 - mine / counts[stratum])
    apart = demeaned(marked[:, None].astype(np.float64), stratum)
    sums = group_sums(np.column_stack([apart, spread]), agent, size)
    seen = sums[:, 1] > 0
    statistic = float((sums[seen, 0] ** 2 / sums[seen, 1]).sum())
    return float(stats.chi2.sf(statistic, max(int(seen.sum()) - 1, 1)))
