"""What lies beside a result while its run is computed: its mark, and a checkpoint of its fit.

By marks a later call finds the runs that died.

A method may end the whole process: an abort or a crash in native code, `os._exit`, the system
that is out of memory. Nothing can be recorded then. So each run has a file beside its result while
it is computed, locked by its process: a mark that no one holds is that of a run that died. The
system gives the lock back however the process ends, so another worker's run under way is never
taken for a dead one, and a mark left by a machine that is gone does no harm. A checkpoint is what
the next call goes on from.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import StorageError
from ..files import remove_tree
from .plan import PlannedRun

if TYPE_CHECKING:
    from typing_extensions import Self

fcntl: Any = None  # Windows has none, and no run is marked there
with contextlib.suppress(ImportError):
    import fcntl


_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def mark_path(run: PlannedRun) -> Path:
    """The mark of a run, beside its result."""
    return run.path.with_suffix(".started")


def checkpoint_path(run: PlannedRun) -> Path:
    """The checkpoint of a fit, a file or a folder, beside the result of its first run."""
    return run.path.with_suffix(".checkpoint")


def forget_checkpoint(run: PlannedRun) -> None:
    """Remove the checkpoint of a run that has its record; one that stays does no harm."""
    with contextlib.suppress(StorageError):
        remove_tree(checkpoint_path(run))


def died(run: PlannedRun) -> bool:
    """Whether a process ended while it computed the run; nothing is changed."""
    if fcntl is None:
        return False
    try:
        descriptor = os.open(mark_path(run), os.O_RDONLY | os.O_NONBLOCK | _NO_LINKS)
    except OSError:  # no mark
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_nlink > 0  # else it was removed just now
    except OSError:  # held by a process, or a file system without locks
        return False
    finally:
        os.close(descriptor)


def forget(run: PlannedRun) -> bool:
    """Remove the mark of a run that has its record, where no process holds it.

    A process that is killed between a run's record and the end of its mark leaves one behind.

    Returns:
        Whether no process holds it, so that none computes the run.
    """
    if fcntl is None:
        return True
    with contextlib.suppress(OSError):  # no mark, or no right to remove it
        descriptor = os.open(mark_path(run), os.O_RDONLY | os.O_NONBLOCK | _NO_LINKS)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mark_path(run).unlink()
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
    return True


class Marks:
    """The marks of this call. Leaving it, however that happens, removes what is left of them."""

    def __init__(self) -> None:
        self._held: dict[Path, int] = {}
        self._elsewhere: set[Path] = set()
        self._lock = threading.Lock()
        self._left = False  # a fit of another thread may go on after an interrupt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._left = True
            for path in list(self._held):
                self._remove(path)

    def start(self, runs: Iterable[PlannedRun]) -> None:
        """Mark runs; one that another process has marked, or cannot be, stays without."""
        if fcntl is None:
            return
        for run in runs:
            with self._lock, contextlib.suppress(OSError):  # a mark is a help, never needed
                if not self._left:
                    self._mark(mark_path(run))

    def _mark(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not through a link: a results folder may be somebody else's, and the name is no secret.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | _NO_LINKS
        descriptor = os.open(path, flags, 0o666)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode())
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                self._elsewhere.add(path)
            else:  # no one could hold it here
                path.unlink()
            return
        self._held[path] = descriptor

    def elsewhere(self, run: PlannedRun) -> bool:
        """Whether another process held the mark of the run when it was started."""
        with self._lock:
            return mark_path(run) in self._elsewhere

    def end(self, run: PlannedRun) -> None:
        """The run has its record."""
        with self._lock:
            self._remove(mark_path(run))

    def _remove(self, path: Path) -> None:
        descriptor = self._held.pop(path, None)
        if descriptor is not None:
            path.unlink(missing_ok=True)
            os.close(descriptor)
