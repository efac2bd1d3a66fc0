"""Who is the same person: keys that records know, and the graph that joins them."""
