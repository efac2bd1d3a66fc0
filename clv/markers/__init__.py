"""Service behaviours from the words of support."""
