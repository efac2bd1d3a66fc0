"""What is said in simulated contacts, and how it is written."""
