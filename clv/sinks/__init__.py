"""Destinations of scores: one file per kind."""
