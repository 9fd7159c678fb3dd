"""Optimal transport between rows and clusters on log scales: plans for pseudo-labels."""
