"""Threads of a CPU that take some heads each, from their rows to their new weights.

Every operation of a head's step shared out among all threads would have them wait for each other
some forty times a step, and what is bound by memory would be done by all of them at once. A lane
meets the others once, where heads are coupled, and multiplies by itself.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import torch

from ..cores import torch_threads

if TYPE_CHECKING:
    from typing_extensions import Self

#: Seconds that lanes have to end when one has failed.
_PATIENCE = 5.0
#: Shares of the heads may be so unequal: the largest by the mean, at most.
_UNEVEN = 1.1

#: Waits until all lanes have come.
Meet = Callable[[], None]


class Lanes:
    """Lanes side by side; within `with`, torch multiplies in one thread if there are several.

    Args:
        n: of them.
    """

    def __init__(self, n: int = 1) -> None:
        self.n = n
        self._tasks: list[queue.SimpleQueue[Callable[[], None] | None]] = []
        self._lanes: list[threading.Thread] = []
        self._threads = 0

    @classmethod
    def of(cls, n_heads: int, device: torch.device) -> Self:
        """One for each thread that torch may use, where the heads can be shared out evenly."""
        threads = torch_threads() if device.type == "cpu" else 1
        largest = -(-n_heads // threads)
        return cls(threads if largest * threads <= _UNEVEN * n_heads else 1)

    def __enter__(self) -> Self:
        if self.n > 1:
            # Threads that torch sees for the first time take the number that was set last.
            self._threads = torch.get_num_threads()
            torch.set_num_threads(1)
            self._tasks = [queue.SimpleQueue() for _ in range(self.n - 1)]
            # Daemons: whatever becomes of a lane, the program can end.
            self._lanes = [
                threading.Thread(target=_work, args=(tasks,), name="lane", daemon=True)
                for tasks in self._tasks
            ]
            try:
                for lane in self._lanes:
                    lane.start()
            except BaseException:  # no more threads, or an interruption
                torch.set_num_threads(self._threads)
                for tasks in self._tasks:
                    tasks.put(None)
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.n > 1:
            torch.set_num_threads(self._threads)
            for tasks in self._tasks:
                tasks.put(None)
            for lane in self._lanes:
                lane.join(_PATIENCE)

    def run(self, work: Callable[[int, Meet], object], together: Callable[[], None]) -> None:
        """Do `work(lane, meet)` in every lane; this thread is the first one.

        Args:
            work: calls `meet` once at most, and then in every lane.
            together: done by one of them when all have come to `meet`, before any goes on.

        Raises:
            What a lane raised first, when the others have ended too, or have had time to.
        """
        if self.n == 1:
            work(0, together)
            return
        barrier = threading.Barrier(self.n, together)
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        inference = torch.is_inference_mode_enabled()  # which is kept for each thread

        def do(lane: int) -> None:
            error: BaseException | None = None
            try:
                with torch.inference_mode(inference), torch.no_grad():
                    work(lane, partial(_wait, barrier))
            except BaseException as raised:
                barrier.abort()  # else the others would wait for this one
                error = raised
            ended.put(error)

        errors: list[BaseException] = []
        try:
            for lane, tasks in enumerate(self._tasks, 1):
                tasks.put(partial(do, lane))
            do(0)
            for _ in range(self.n):
                error = ended.get(timeout=_PATIENCE if errors else None)
                if error is not None:
                    errors.append(error)
        except queue.Empty:
            pass  # one does not end, perhaps as another was interrupted while it held a lock
        except BaseException:
            barrier.abort()
            raise
        if errors:
            # Those that waited for the one that failed say no more than that.
            raise min(errors, key=lambda each: isinstance(each, threading.BrokenBarrierError))


def _work(tasks: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (task := tasks.get()) is not None:
        task()


def _wait(barrier: threading.Barrier) -> None:
    barrier.wait()
