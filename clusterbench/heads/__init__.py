"""Heads on frozen features: how they start, what they learn from, how they are trained."""
