"""Where the graphs of nearest neighbours of a data set's features are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog import shipped, user_home
from ..errors import StorageError
from .kept import Place

if TYPE_CHECKING:
    from ..features.store.store import FeatureStore

_SUFFIX = ".neighbours"


def place_of(store: FeatureStore) -> Place:
    """Beside the store; in the user's folder where that is not to be written to.

    What ships with the package counts as such, even where an installation could be written to.
    """
    beside = _beside(Path(store.path))
    ships = beside.is_relative_to(shipped("features"))
    if ships or not _can_be_written(beside):
        beside = user_home() / "neighbours" / store.identity[:16]
    return Place(beside, store.identity)


def _can_be_written(folder: Path) -> bool:
    if os.path.lexists(folder):
        return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return os.access(folder.parent, os.W_OK | os.X_OK)


def remove_beside(store: Path) -> int:
    """Remove the graphs that lie beside a store, and nothing else: bytes that it freed.

    Raises StorageError when something cannot be removed.
    """
    folder, freed = _beside(store), 0
    if folder.is_symlink() or not folder.is_dir():
        return 0
    try:
        for graphs in folder.glob("rows-*"):
            if graphs.is_dir() and not graphs.is_symlink():
                freed += sum(file.lstat().st_size for file in graphs.rglob("*"))
                shutil.rmtree(graphs)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise StorageError(f"{folder}: cannot be removed ({error.strerror})") from error
    return freed


def _beside(store: Path) -> Path:
    path = store.absolute()
    return path.with_name(path.name + _SUFFIX)
