"""The sections of the report, one module each: what it says, and what it lacks."""
