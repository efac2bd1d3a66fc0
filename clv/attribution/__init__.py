"""What service behaviours are worth: effects with their evidence, targets, agents, journeys."""

from clv.attribution.attribution import AttributionOptions, attribute
from clv.attribution.document import Attribution

__all__ = ["Attribution", "AttributionOptions", "attribute"]
