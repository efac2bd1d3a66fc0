"""Histories before any cutoff, and what was known of them at one."""
