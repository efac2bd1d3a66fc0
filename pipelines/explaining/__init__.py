"""Pipelines of what the value rests on: attribute, experiment, explain, report."""
