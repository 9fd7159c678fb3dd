"""Features: encoders, extraction from images, import from other tools, and the store of both."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .store.store import FeatureStore as FeatureStore

__all__ = ["FeatureStore"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(".store.store", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
