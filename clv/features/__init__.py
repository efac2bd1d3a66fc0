"""Numbers per customer and per contact, as they were known at a cutoff."""
