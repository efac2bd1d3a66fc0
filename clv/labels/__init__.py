"""What happened after a cutoff: the only room that looks past it."""
