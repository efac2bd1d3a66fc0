"""What your customers will be worth, and what your support service does to that worth."""
