"""What a folder of files holds: recognised by columns, proposed, and written as settings."""
