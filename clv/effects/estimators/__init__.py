"""Estimators of effects, by level of evidence."""
