"""Which result files are meant: those named, and those found in folders."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable
from pathlib import Path

from ..doors import not_readable
from ..errors import InputError

#: What a run calls its result.
RESULT_PATTERN = "seed-*.json"


def found_results(paths: Iterable[Path]) -> list[Path]:
    """The result files under the given files and folders, each once, sorted within a folder.

    Folders that are links are not entered, so that one that leads upwards makes no circle. What is
    called like a result and is none is listed too; reading it says so.

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
                raise InputError(f"{path}: holds no results ({RESULT_PATTERN})")
            files.update(dict.fromkeys(found))
        else:
            files[path] = None
    return list(files)


def _found(folder: Path) -> Iterable[Path]:
    for parent, folders, names in os.walk(folder):
        for name in fnmatch.filter([*folders, *names], RESULT_PATTERN):
            yield Path(parent, name)
