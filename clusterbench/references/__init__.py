"""References: supervised ceilings of a task, by name; each is one file.

A reference is fitted with the training labels, which no method ever sees, so its scores say what
the features allow. It is marked wherever it appears and never ranked.

clusterbench.references.get("knn")(n_classes=100).fit(X, y).predict(X_val)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..catalog import Registry

if TYPE_CHECKING:
    from .knn import KNN as KNN
    from .linear_probe import LinearProbe as LinearProbe
    from .nearest_mean import NearestMean as NearestMean
    from .reference import Reference as Reference

#: Entry points of the group `clusterbench.references` (name -> a `Reference` subclass) join them.
REFERENCES: Registry[type[Reference]] = Registry(
    "reference",
    {
        "knn": "knn:KNN",
        "linear-probe": "linear_probe:LinearProbe",
        "nearest-mean": "nearest_mean:NearestMean",
    },
    package=__name__,
    base="reference:Reference",
    entry_points="clusterbench.references",
)

__all__ = ["KNN", "REFERENCES", "LinearProbe", "NearestMean", "Reference", "get", "names"]


def names() -> list[str]:
    """Names of all references, the built-in ones first."""
    return REFERENCES.names()


def get(name: str) -> type[Reference]:
    """The class of a reference.

    Raises:
        InputError: no such reference (the nearest names are suggested), or not a Reference.
    """
    return REFERENCES.get(name)


def __getattr__(name: str) -> Any:
    if module := REFERENCES.module_of(name):
        return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
