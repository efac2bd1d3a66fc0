"""Experiments: design, assignment and read-out."""
