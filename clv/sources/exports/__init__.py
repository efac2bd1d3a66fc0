"""Cells, times, phones and versions of records, as vendors' exports write them."""
