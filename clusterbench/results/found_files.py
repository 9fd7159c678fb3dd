"""Which result files are meant: those named, and those found in folders."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..doors import not_readable
from ..errors import InputError

#: What a run calls its result.
RESULT_PATTERN = "seed-*.json"


def found_results(paths: Iterable[Path], patterns: Sequence[str] = (RESULT_PATTERN,)) -> list[Path]:
    """The result files under the given files and folders, each once, sorted within a folder.

    Folders that are links are not entered, so that one that leads upwards makes no circle; nor are
    those that something is being written in. What is called like a result and is none is listed
    too, and so is a folder that cannot be read, whatever it is called: reading it says so.

    Args:
        paths: files, which may be called anything, and folders.
        patterns: what a file in a folder is called.

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
            found = sorted(_found(path, patterns))
            if not found:
                raise InputError(f"{path}: holds no results ({' or '.join(patterns)})")
            files.update(dict.fromkeys(found))
        else:
            files[path] = None
    return list(files)


def _found(folder: Path, patterns: Sequence[str]) -> Iterable[Path]:
    unread: list[Path] = []

    def keep(error: OSError) -> None:
        unread.append(Path(error.filename))

    for parent, folders, names in os.walk(folder, onerror=keep):
        folders[:] = [name for name in folders if not _is_unfinished(name)]
        for pattern in patterns:
            for name in fnmatch.filter([*folders, *names], pattern):
                yield Path(parent, name)
    yield from unread


def _is_unfinished(folder: str) -> bool:
    """Whether a folder is one that a submission is being written in, or was when it was killed."""
    return folder.startswith(".") and folder.endswith(".tmp")
