"""What service behaviours are worth: effects with their evidence, targets, agents, journeys."""

from clv.attribution.attribution import Attribution, AttributionOptions, attribute

__all__ = ["Attribution", "AttributionOptions", "attribute"]
