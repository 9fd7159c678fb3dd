"""How far scores and their differences hold: intervals over samples and seeds, and tests."""
