"""Exact nearest neighbours by cosine similarity: found once, kept beside the features."""

from .graph import Graph
from .kept import Place, kept_in, nearest_of, neighbours_of

__all__ = ["Graph", "Place", "kept_in", "nearest_of", "neighbours_of"]
