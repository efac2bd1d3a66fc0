"""From effects to decisions: targets, frontiers, segments."""
