"""The company's own calendar: how busy each week of the year is, learned up to a cutoff."""
