"""Places on a board, and how far they hold."""
