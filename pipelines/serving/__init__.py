"""Pipelines of a model in use: score, publish, monitor, erase."""
