"""A company's raw tables, read, checked and held as Tables."""
