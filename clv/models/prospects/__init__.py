"""People who have not bought: who they are, and what they are expected to bring."""
