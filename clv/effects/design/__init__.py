"""Who is compared with whom: exposure, encoding, eligibility."""
