"""Simulate: a synthetic company whose true value and true effects are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..running.run import Result, Run, disk_errors

if TYPE_CHECKING:
    from pathlib import Path


def run(
    ctx: Run,
    *,
    out: Path,
    customers: int,
    effects: Path | None = None,
    half_life_days: float | None = None,
) -> Result:
    """Write the contract's tables of a synthetic company, and truth.json, to a folder.

    Parameters
    ----------
    ctx : Run
        Its seed and horizon are the company's.
    out : Path
        The folder.
    customers : int
        Who buy at least once.
    effects : Path, optional
        YAML of ``SimulationOptions``, ``effects`` among them.
    half_life_days : float, optional
        Days after which half of what a contact did to a customer's value is left.
    """
    from clv.simulation import SimulationOptions, simulate

    from ..running.settings_file import read_yaml

    planted = {} if effects is None else read_yaml(effects)
    # The truth is of the horizon that will be studied, so that the two can be compared.
    if ctx.settings.training.horizon_days is not None:
        planted = {"horizon_days": ctx.settings.training.horizon_days} | planted
    if half_life_days is not None:
        among = planted.get("effects") or {}
        planted = planted | {"effects": among | {"half_life_days": half_life_days}}
    asked = {"customers": customers, "seed": ctx.settings.seed} | planted
    options = SimulationOptions.of(asked)
    with ctx.step(f"Simulating {options.customers:,} customers") as on_progress:
        company = simulate(options, on_progress)
    with ctx.step("Writing the tables"), disk_errors(out):
        company.write(out)
    lines = tuple(f"{name}: {len(frame):,} rows" for name, frame in company.frames().items())
    return Result("simulate", lines, {"tables": out, "truth": out / "truth.json"})
