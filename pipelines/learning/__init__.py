"""Pipelines of models: train, test, promote, carry."""
