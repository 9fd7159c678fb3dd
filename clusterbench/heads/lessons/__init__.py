"""What heads learn from a batch: each lesson is one file, over the same trainer."""
