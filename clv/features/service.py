"""What support did for them: features of contacts and surveys, as known at the cutoff."""
