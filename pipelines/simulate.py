"""Simulate: a synthetic company whose true value and true effects are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.run import Result, Run, disk_errors

if TYPE_CHECKING:
    from pathlib import Path


def run(ctx: Run, *, out: Path, customers: int, effects: Path | None = None) -> Result:
    """Write the contract's tables of a synthetic company, and truth.json, to a folder."""
    from clv.simulation import SimulationOptions, simulate
    from pipelines.settings import read_yaml

    planted = {} if effects is None else read_yaml(effects)
    # The truth is of the horizon that will be studied, so that the two can be compared.
    if ctx.settings.training.horizon_days is not None:
        planted = {"horizon_days": ctx.settings.training.horizon_days} | planted
    options = SimulationOptions(customers=customers, seed=ctx.settings.seed, **planted)
    with ctx.step(f"Simulating {customers:,} customers") as on_progress:
        company = simulate(options, on_progress)
    with ctx.step("Writing the tables"), disk_errors(out):
        company.write(out)
    lines = tuple(f"{name}: {len(frame):,} rows" for name, frame in company.frames().items())
    return Result("simulate", lines, {"tables": out, "truth": out / "truth.json"})
