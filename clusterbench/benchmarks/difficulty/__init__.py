"""How hard classes are to recognise: exact kNN and probe, and the ranking they give."""
