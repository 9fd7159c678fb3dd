"""Which files are submitted: those named, and those found in folders."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable
from pathlib import Path

from ...doors import not_readable
from ...errors import InputError

#: What results and submissions in a folder are called.
PATTERNS = ("seed-*.json", "submission-*.json")


def submitted_files(paths: Iterable[Path]) -> list[Path]:
    """The results and submissions under files and folders, each once, sorted within a folder.

    Folders that are links are not entered, so that one that leads upwards makes no circle. What is
    called like a result and is none is listed too, and refused when it is read.

    Raises InputError for a path that is not there, and for a folder without results.
    """
    files: dict[Path, None] = {}
    for path in paths:
        try:
            os.stat(path)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError) as error:
            if path.is_symlink():
                raise not_readable(path, error) from error
            raise InputError(f"{path}: no such result file or folder") from error
        except (OSError, ValueError) as error:
            raise not_readable(path, error) from error
        if path.is_dir():
            found = sorted(_found(path))
            if not found:
                raise InputError(f"{path}: holds no results ({' or '.join(PATTERNS)})")
            files.update(dict.fromkeys(found))
        else:
            files[path] = None
    return list(files)


def _found(folder: Path) -> Iterable[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_unfinished(name)]
        for pattern in PATTERNS:
            for name in fnmatch.filter([*folders, *names], pattern):
                yield Path(parent, name)


def _is_unfinished(folder: str) -> bool:
    """Whether a folder is one that a submission is being written in, or was when it was killed."""
    return folder.startswith(".") and folder.endswith(".tmp")
