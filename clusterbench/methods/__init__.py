"""Clustering methods by name; each is one file, and other packages add theirs by entry point.

clusterbench.methods.get("temi")(n_clusters=100, random_state=0).fit(X).labels_
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

from ..catalog import unknown_name
from ..errors import InputError

if TYPE_CHECKING:
    from .base import Clusterer as Clusterer
    from .kmeans import KMeans as KMeans
    from .scan import SCAN as SCAN
    from .temi import TEMI as TEMI

#: Entry points of this group (name -> a `Clusterer` subclass) join the built-in methods.
ENTRY_POINTS = "clusterbench.methods"

_BUILT_IN = {
    "kmeans": ("kmeans", "KMeans"),
    "temi": ("temi", "TEMI"),
    "scan": ("scan", "SCAN"),
}
_CLASSES = {name: module for module, name in _BUILT_IN.values()} | {"Clusterer": "base"}

__all__ = ["SCAN", "TEMI", "Clusterer", "KMeans", "get", "names"]


def names() -> list[str]:
    """Names of all methods, the built-in ones first."""
    added = sorted(point.name for point in metadata.entry_points(group=ENTRY_POINTS))
    return [*_BUILT_IN, *(name for name in added if name not in _BUILT_IN)]


def get(name: str) -> type[Clusterer]:
    """The class of a method.

    Raises:
        InputError: no such method (the nearest names are suggested), or not a Clusterer.
    """
    if name in _BUILT_IN:
        module, attribute = _BUILT_IN[name]
        found: type[Clusterer] = getattr(importlib.import_module(f".{module}", __name__), attribute)
        return found
    for point in metadata.entry_points(group=ENTRY_POINTS):
        if point.name == name:
            return _checked(point)
    raise unknown_name("method", name, names())


def _checked(point: metadata.EntryPoint) -> type[Clusterer]:
    from .base import Clusterer

    loaded = point.load()
    if not (isinstance(loaded, type) and issubclass(loaded, Clusterer)):
        raise InputError(
            f"entry point {point.value} of method {point.name!r} is {loaded!r}; "
            "expected a subclass of clusterbench.methods.Clusterer"
        )
    return loaded


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(importlib.import_module(f".{_CLASSES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
