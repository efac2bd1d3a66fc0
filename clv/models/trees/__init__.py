"""Gradient boosting, and its exact Shapley values."""
