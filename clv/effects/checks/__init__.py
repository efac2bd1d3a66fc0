"""Checks of an effect, a file each: each looks at one way in which the number could be wrong.

Those that look at a finished estimate (`base.Check`) are found by themselves; the gates of an
estimator (agents, comparable, balance, first stage, overlap) are called where they decide.
"""
