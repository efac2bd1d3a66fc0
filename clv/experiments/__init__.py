"""A/B tests: design, assign, read."""
