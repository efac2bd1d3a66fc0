"""Service behaviours, counted where they happened in the words of support."""
