"""Pipelines from data to accepted rows: simulate, import, validate, check."""
