"""Class trees: parents, depths, cuts and common ancestors."""

from .tree import Tree

__all__ = ["Tree"]
