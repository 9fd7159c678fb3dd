"""Starts of k-means: drawn from the rows, or agglomerated from them."""
