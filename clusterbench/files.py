"""Files that are whole or absent: atomic writes, and the hashes that identify content."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CheckpointError, StorageError

_CHUNK = 1 << 22

#: What else the system says of a place where nothing can be written.
_NO_PLACE = (errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.EFBIG, errno.EIO)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it is fsynced and renamed to `target`.

    Protocol: temporary file in the same folder, fsync of the file, `os.replace`, fsync of the
    folder. A kill at any moment leaves the old `target` or the new one, never a part; at worst a
    `.tmp` file stays behind, which nothing reads. An exception removes the temporary file and
    leaves `target` as it was. Holds on local file systems and NFS; concurrent writers do not
    corrupt each other, the last rename wins.

    Raises StorageError when the folder cannot be written or the disk is full.
    """
    target = Path(target)
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".tmp", dir=target.parent
        )
        os.close(descriptor)
    temporary = Path(name)
    try:
        with storage_errors(target):
            yield temporary
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
            temporary.chmod(0o666 & ~umask())
            temporary.replace(target)
            fsync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove(target: Path) -> None:
    """Remove a file, if it is there; StorageError when that fails."""
    with storage_errors(target):
        Path(target).unlink(missing_ok=True)


def remove_tree(target: Path) -> None:
    """Remove a file, or a folder with all in it, if it is there; of a link only the link.

    Raises StorageError when that fails.
    """
    target = Path(target)
    if target.is_dir() and not target.is_symlink():
        with storage_errors(target), suppress(FileNotFoundError):  # another process does it too
            shutil.rmtree(target)
    else:
        remove(target)


def remove_leftovers(target: Path) -> None:
    """Remove the temporary files of writers of `target` that were killed (see `atomic_path`).

    Only for a caller that holds a lock which every writer of `target` takes.
    """
    target = Path(target)
    left = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}\.tmp")
    with os.scandir(target.parent) as entries:
        found = [e.path for e in entries if left.fullmatch(e.name) and _is_plain(e)]
    for path in found:
        remove(Path(path))


def _is_plain(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def check_checkpoint_folder(folder: Path) -> None:
    """Make a folder for checkpoints, if it is not there, and raise CheckpointError if it cannot."""
    # Asked in this order, since another process may be making the folder.
    if os.path.lexists(folder) and not folder.is_dir():
        raise CheckpointError(
            f"{folder}: a file stands where a folder of checkpoints should be; "
            "name another, or remove it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"{folder}: no folder of checkpoints can be made there ({error.strerror}); name another"
        ) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise CheckpointError(
            f"{folder}: cannot be read and written; name another folder, or change its permissions"
        )


def write_bytes(target: Path, content: bytes) -> None:
    """Write `content` to `target` atomically (see `atomic_path`)."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def write_json(target: Path, value: Any) -> None:
    """Write `value` as indented JSON to `target` atomically; NaN is refused (ValueError)."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        content = text.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8: JSON's escapes hold it
        content = (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()
    write_bytes(target, content)


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a regular file's bytes, read in chunks; OSError for anything else."""
    digest = hashlib.sha256()
    path = Path(path)
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a pipe would be waited for
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_array(array: np.ndarray) -> str:
    """Hex SHA-256 of an array's dtype, shape and little-endian C-order bytes."""
    array = np.ascontiguousarray(array)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Hex SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def storage_errors(target: Path) -> Iterator[None]:
    """Say of an OSError inside what it means for `target`, as a StorageError."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        if error.errno == errno.ENOSPC:
            raise StorageError(
                f"no space left on the disk while writing {target}; "
                "nothing was half-written: free some space and run the same command again"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                f"cannot write {target}: {error.strerror}; choose a folder you can write to"
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise StorageError(
                f"cannot write {target}: a file stands where a folder is needed; "
                "choose another folder"
            ) from error
        if error.errno in (errno.EISDIR, errno.ENOTEMPTY):
            raise StorageError(
                f"cannot write {target}: a folder stands there; move it away"
            ) from error
        if error.errno in _NO_PLACE:
            raise StorageError(
                f"cannot write {target}: {error.strerror}; choose another place"
            ) from error
        raise


def umask() -> int:
    """The bits that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def fsync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the file system can do so."""
    if os.name == "nt":  # Windows cannot open a folder for fsync
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse it; the rename itself still holds
        pass
    finally:
        os.close(descriptor)
