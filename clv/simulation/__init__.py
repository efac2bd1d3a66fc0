"""A synthetic company whose true value and true effects are known."""

from clv.simulation.company import Company, simulate
from clv.simulation.latent import ServiceYear, simulate_service_year
from clv.simulation.options import Effects, SimulationOptions

__all__ = [
    "Company",
    "Effects",
    "ServiceYear",
    "SimulationOptions",
    "simulate",
    "simulate_service_year",
]
