"""A model as one file: carried from one store to another, and not believed on arrival."""
