"""What is true of a simulated company: its future, and the effects planted in it."""
