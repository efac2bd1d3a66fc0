"""Effects: the cost of all levels and checks, at three sizes."""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from clv.effects.design.exposure import Exposure
from clv.effects.effects import estimate_effects
from clv.effects.estimators.study import EffectOptions


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def synthetic(customers: int, contacts: int, agents: int, seed: int = 0) -> Exposure:
    """Contacts of the asked size without planted effects: only time and memory count."""
    rng = np.random.default_rng(seed)
    extra = rng.integers(customers, size=contacts - customers)
    customer = np.sort(np.concatenate([np.arange(customers), extra]))
    pool = rng.integers(8, size=contacts)
    agent = rng.integers(agents // 8, size=contacts) * 8 + pool
    week = rng.integers(208, size=contacts)
    warmth, pace, skill = rng.normal(size=(3, agents))
    return Exposure(
        customer=customer,
        agent=agent,
        pool=pool,
        stratum=pool * 208 + week,
        at_days=week * 3.5 + rng.random(contacts),
        controls=rng.normal(size=(contacts, 30)),
        control_names=tuple(f"x{number}" for number in range(30)),
        behaviours={
            "empathy": np.where(
                rng.random(contacts) < 0.75,
                0.5 + 0.1 * warmth[agent] + 0.15 * rng.normal(size=contacts),
                np.nan,
            ),
            "handle_seconds": np.exp(5.9 + 0.2 * pace[agent] + 0.3 * rng.normal(size=contacts)),
            "fcr": (rng.random(contacts) < 0.7 + 0.06 * np.tanh(skill[agent])).astype(float),
        },
        outcome=rng.gamma(0.5, 400.0, contacts),
        before=rng.gamma(0.5, 400.0, contacts),
        agents=tuple(f"a{number}" for number in range(agents)),
    )


def main() -> None:
    """Time all levels and checks at three sizes: the cost must be linear in contacts."""
    times = {}
    for customers, contacts in ((25_000, 75_000), (50_000, 150_000), (100_000, 300_000)):
        exposure = synthetic(customers, contacts, 504)
        start = time.process_time()
        estimate_effects(exposure, options=EffectOptions())
        seconds = times[contacts] = time.process_time() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        each = 1e6 * seconds / contacts
        say(
            f"{customers:>8,} customers {contacts:>8,} contacts: {seconds:6.1f} CPU s "
            f"{memory:5.2f} GB {each:6.0f} us a contact"
        )
    sizes, spent = np.log(list(times)), np.log(list(times.values()))
    say(f"time grows with contacts to the power of {np.polyfit(sizes, spent, 1)[0]:.2f}")


if __name__ == "__main__":
    main()
