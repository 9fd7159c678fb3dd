"""Who does which part, when several processes work in one folder.

A part (a shard of a store, a panel of a graph) is claimed by locking one byte of a file, which the
operating system gives free when its process ends, however it ends. Claims only save work: every
process writes the same bytes and renames them into place, so where a file system has no locks
parts may be done twice, not wrong.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...errors import StorageError

if TYPE_CHECKING:
    from typing_extensions import Self

#: The file of a folder whose bytes are locked.
CLAIMS = ".claims"

_fcntl: Any
try:
    import fcntl as _fcntl
except ImportError:  # Windows has no record locks
    _fcntl = None

_WAIT = 0.1  # seconds between tries
_TAKEN = (errno.EACCES, errno.EAGAIN)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class Claims:
    """Claims of this process on the shards of a folder; a context manager.

    POSIX record locks, which NFS, Lustre and GPFS pass on between nodes. They belong to a process:
    two extractions into one folder within one process are not told apart.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / CLAIMS
        self._file = -1

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        flags |= getattr(os, "O_NOFOLLOW", 0)  # a store may be somebody else's
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise StorageError(f"cannot write {self.path.parent}: {error.strerror}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)  # and every claim with it
        self._file = -1

    def take(self, shard: int) -> bool:
        """Claim a shard without waiting; False while another process has it."""
        return self._lock(1, shard) is not False

    def release(self, shard: int) -> None:
        """Give a claim back."""
        self._unlock(1, shard)

    def take_all(self) -> bool:
        """Claim everything; False while another process has a shard, or where nobody can tell."""
        return self._lock(0, 0) is True

    def others(self) -> bool:
        """Whether another process is known to have a shard."""
        return self._lock(0, 0) is False

    def release_all(self) -> None:
        """Give every claim of this process back."""
        self._unlock(0, 0)

    @contextmanager
    def finishing(self, n_shards: int) -> Iterator[None]:
        """Wait until no other process is between the shards' beginning and the store's end."""
        while not self.take(n_shards):
            time.sleep(_WAIT)
        try:
            yield
        finally:
            self.release(n_shards)

    def _lock(self, length: int, start: int) -> bool | None:
        """True: locked; False: another process has it; None: there are no locks here."""
        if _fcntl is None:
            return None
        try:
            _fcntl.lockf(self._file, _fcntl.LOCK_EX | _fcntl.LOCK_NB, length, start)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            if error.errno in _NO_LOCKS:
                return None
            raise
        return True

    def _unlock(self, length: int, start: int) -> None:
        if _fcntl is None:
            return
        try:
            _fcntl.lockf(self._file, _fcntl.LOCK_UN, length, start)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
