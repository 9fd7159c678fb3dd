"""Optimal transport between rows and clusters, on log scales: plans that pseudo-labels are made of."""
