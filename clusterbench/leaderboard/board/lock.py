"""The lock of a leaderboard: found out before any work whether there can be one, then held."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ...errors import StorageError

#: Seconds to wait for other submissions to the same file: hundreds may come at once.
LOCK_TIMEOUT = 180.0

#: What `flock` says of a file that another process holds.
_HELD = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)


def check_place(target: Path) -> None:
    """Raise StorageError when a file and its lock cannot be made; nothing is made or changed."""
    lock = _lock_path(target)
    folder = next(parent for parent in target.parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise StorageError(
            f"cannot write {target}: {folder} is no folder; choose another file with --leaderboard"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(
            f"cannot write {target}: {folder} cannot be written in; choose a file in another folder"
        )
    _check_lock_file(lock)


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Hold `<target>.lock`, which stays; its folder is made if need be.

    Raises StorageError at once where no lock can be made, and after LOCK_TIMEOUT seconds where
    another process holds it.
    """
    path = _lock_path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _try(path)
        lock = FileLock(path, timeout=LOCK_TIMEOUT)
        lock.acquire()
    except Timeout as error:
        raise StorageError(
            f"{target}: another submission holds {path.name} for more than {LOCK_TIMEOUT:g} s; "
            "try again when it has ended"
        ) from error
    except (OSError, NotImplementedError) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"cannot write {target}: its lock {path.name} cannot be made "
            f"({getattr(error, 'strerror', None) or error}); choose a file in another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _lock_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.lock")


def _check_lock_file(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise StorageError(f"{path}: a leaderboard's lock is a regular file; remove what is there")
    if not os.access(path, os.W_OK):
        raise StorageError(
            f"{path}: this lock cannot be written; remove it, or choose --leaderboard"
        )


def _try(path: Path) -> None:
    """Open the lock file and lock it for a moment: a refusal of the system is not a wait.

    The library takes every refusal for another process, and waits.
    """
    _check_lock_file(path)
    if os.name == "nt":
        return
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            raise
    finally:
        os.close(descriptor)
