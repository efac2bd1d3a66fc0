"""The attribution report: facts, then charts, then pages."""
