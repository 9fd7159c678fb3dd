"""Exact nearest neighbours by cosine similarity: found once, kept beside the features."""

from .graph import Graph

__all__ = ["Graph"]
