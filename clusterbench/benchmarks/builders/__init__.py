"""Builders: each turns a data set and its parameters into the rows and targets of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...catalog import Registry

if TYPE_CHECKING:
    from .builder import Builder

#: Entry points of the group `clusterbench.builders` (name -> a `Builder`) join them.
BUILDERS: Registry[Builder] = Registry(
    "builder",
    {
        "ratio": "ratio:BUILDER",
        "window": "window:BUILDER",
        "granularity": "granularity:BUILDER",
        "easy": "easy:BUILDER",
        "scale": "scale:BUILDER",
        "whole": "whole:BUILDER",
        "chains": "multilabel:CHAINS",
        "real": "multilabel:REAL",
    },
    package=__name__,
    base="builder:Builder",
    entry_points="clusterbench.builders",
)

__all__ = ["BUILDERS"]
