"""Pipelines from data to accepted rows: init, simulate, import, validate, check."""
