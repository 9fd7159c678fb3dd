"""Copies of the predictions files of a leaderboard's entries: each can be scored again any time."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ...doors import read_bytes
from ...errors import InputError, StorageError
from ...files import fsync_folder, storage_errors, umask
from ...limits import FileKind

_SUFFIX = ".predictions"
_OLD = 86_400  # seconds after which nobody is still writing a temporary file


def kept_folder(board: Path) -> Path:
    """Where the predictions of a leaderboard's entries are kept: `<file>.predictions`."""
    return Path(board).with_name(f"{Path(board).name}{_SUFFIX}")


def kept_path(board: Path, sha256: str) -> Path:
    """Where the predictions file of a hash is kept; it need not be there."""
    return kept_folder(board) / f"{sha256}.npz"


def check_kept(board: Path) -> None:
    """StorageError where something other than a folder is in the place of the predictions."""
    folder = kept_folder(board)
    if os.path.lexists(folder) and not folder.is_dir():
        raise StorageError(f"{folder}: predictions are kept in a folder; remove what is there")
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(
            f"cannot write in {folder}; predictions of the leaderboard are kept there"
        )


def is_kept(board: Path, sha256: str, largest: int) -> bool:
    """Whether the predictions file of a hash is kept, whole, in at most `largest` bytes."""
    try:
        _content(kept_path(board, sha256), sha256, largest)
    except InputError:
        return False
    return True


def _content(path: Path, sha256: str, largest: int) -> bytes:
    content = read_bytes(path, FileKind("a predictions file of the task", largest))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path}: is not the file whose hash is {sha256[:12]}")
    return content


class KeptPredictions:
    """Those of one leaderboard, for one change of it; a context manager.

    Files are put in the folder under temporary names, which takes as long as it takes; whoever
    holds the lock of the board then only renames those whose entries are accepted, before the
    board names them. The others are removed at the end.

    Args:
        board: the leaderboard's file.
    """

    def __init__(self, board: Path) -> None:
        self._board = Path(board)
        self._staged: dict[str, Path] = {}

    def __enter__(self) -> KeptPredictions:
        return self

    def __exit__(self, *_: object) -> None:
        left, self._staged = self._staged, {}
        for path in left.values():
            path.unlink(missing_ok=True)
        if left:
            with suppress(OSError):  # what is kept stays
                kept_folder(self._board).rmdir()

    def stage(self, source: Path, sha256: str, largest: int) -> None:
        """Copy a file of a hash, unless it is kept; InputError where it is another one by now."""
        if sha256 in self._staged or is_kept(self._board, sha256, largest):
            return
        content = _content(source, sha256, largest)
        folder = kept_folder(self._board)
        with storage_errors(folder):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
            elif not self._staged:
                _sweep(folder)
            descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=folder)
            self._staged[sha256] = Path(name)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o666 & ~umask())

    def keep(self, hashes: Iterable[str]) -> None:
        """Give those of the files that were staged their names, for good."""
        wanted = {sha256 for sha256 in hashes if sha256 in self._staged}
        for sha256 in wanted:
            path = kept_path(self._board, sha256)
            with storage_errors(path):
                self._staged[sha256].replace(path)
            del self._staged[sha256]
        if wanted:
            fsync_folder(kept_folder(self._board))


def _sweep(folder: Path) -> None:
    """Remove what submitters that were killed left more than a day ago."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.startswith(".")]
    for entry in found:
        with suppress(OSError):
            if entry.name.endswith(".tmp") and time.time() - entry.stat().st_mtime > _OLD:
                Path(entry.path).unlink()
