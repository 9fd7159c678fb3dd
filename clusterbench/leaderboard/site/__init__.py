"""The site of a board: static pages that open from a file, with no server and no network."""

from .whole_site import build_site

__all__ = ["build_site"]
