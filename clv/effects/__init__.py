"""What service behaviours are worth: effects with their evidence, targets, agents, journeys."""

from clv.effects.attribution import AttributionOptions, attribute
from clv.effects.document import Attribution

__all__ = ["Attribution", "AttributionOptions", "attribute"]
