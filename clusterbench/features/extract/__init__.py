"""Extraction: images through an encoder into a store, resumable shard by shard."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .extraction import Extraction as Extraction
    from .job import ExtractionJob as ExtractionJob
    from .job import extract_images as extract_images

_PLACES = {"Extraction": "extraction", "ExtractionJob": "job", "extract_images": "job"}

__all__ = ["Extraction", "ExtractionJob", "extract_images"]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
