"""A synthetic company whose true value and true effects are known."""

from clv.simulation.company import Company, simulate
from clv.simulation.options import Effects, RollOut, SimulationOptions
from clv.simulation.truths.latent import ServiceYear, simulate_service_year

__all__ = [
    "Company",
    "Effects",
    "RollOut",
    "ServiceYear",
    "SimulationOptions",
    "simulate",
    "simulate_service_year",
]
