"""A synthetic company whose true value and true effects are known."""
