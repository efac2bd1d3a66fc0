"""Contracts: who renews, for how long, and what the periods to come are worth."""
