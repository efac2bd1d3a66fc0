"""What a run stands on: settings, documents, secrets, the console, and its ends."""
