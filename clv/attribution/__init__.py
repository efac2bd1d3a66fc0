"""What service behaviours are worth: effects with their evidence, targets, agents, journeys."""
