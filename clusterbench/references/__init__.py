"""References: supervised ceilings of a task, by name; each is one file.

A reference is fitted with the training labels, which no method ever sees, so its scores say what
the features allow. It is marked wherever it appears and never ranked.

clusterbench.references.get("knn")(n_classes=100).fit(X, y).predict(X_val)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..catalog import unknown_name

if TYPE_CHECKING:
    from .base import Reference as Reference
    from .knn import KNN as KNN
    from .linear_probe import LinearProbe as LinearProbe
    from .nearest_mean import NearestMean as NearestMean

_BUILT_IN = {
    "knn": ("knn", "KNN"),
    "linear-probe": ("linear_probe", "LinearProbe"),
    "nearest-mean": ("nearest_mean", "NearestMean"),
}
_CLASSES = {name: module for module, name in _BUILT_IN.values()} | {"Reference": "base"}

__all__ = ["KNN", "LinearProbe", "NearestMean", "Reference", "get", "names"]


def names() -> list[str]:
    """Names of all references."""
    return list(_BUILT_IN)


def get(name: str) -> type[Reference]:
    """The class of a reference; InputError with near names for an unknown one."""
    if name not in _BUILT_IN:
        raise unknown_name("reference", name, names())
    module, attribute = _BUILT_IN[name]
    found: type[Reference] = getattr(importlib.import_module(f".{module}", __name__), attribute)
    return found


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(importlib.import_module(f".{_CLASSES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
