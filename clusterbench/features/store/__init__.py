"""Feature stores: a folder of HDF5 shards, written whole, read lazily, verified and packed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .store import FeatureStore as FeatureStore

__all__ = ["FeatureStore"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(".store", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
