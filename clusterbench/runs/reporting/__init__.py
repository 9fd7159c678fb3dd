"""What a request's outcomes amount to: summaries over seeds, and their tables."""
