"""Where the graphs of nearest neighbours of a data set's features are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog import shipped, user_home
from .kept import Place

if TYPE_CHECKING:
    from ..features.store.store import FeatureStore

_SUFFIX = ".neighbours"


def place_of(store: FeatureStore) -> Place:
    """Beside the store; in the user's folder where that is not to be written to.

    What ships with the package counts as such, even where an installation could be written to.
    """
    path = Path(store.path).absolute()
    beside = path.with_name(path.name + _SUFFIX)
    ships = path.is_relative_to(shipped("features"))
    if ships or not _can_be_written(beside):
        beside = user_home() / "neighbours" / store.identity[:16]
    return Place(beside, store.identity)


def _can_be_written(folder: Path) -> bool:
    if os.path.lexists(folder):
        return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return os.access(folder.parent, os.W_OK | os.X_OK)
