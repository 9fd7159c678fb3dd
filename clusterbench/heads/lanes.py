"""Threads of a CPU that take some heads each, from their rows to their new weights.

Every operation of a head's step shared out among all threads would have them wait for each other
some forty times a step, and what is bound by memory would be done by all of them at once. A lane
meets the others once, where heads are coupled, and multiplies by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING

import torch

from ..cores import torch_threads

if TYPE_CHECKING:
    from typing_extensions import Self

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
        self._pool: ThreadPoolExecutor | None = None
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
            self._pool = ThreadPoolExecutor(self.n - 1, thread_name_prefix="lane")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
            torch.set_num_threads(self._threads)

    def run(self, work: Callable[[int, Meet], None], together: Callable[[], None]) -> None:
        """Do `work(lane, meet)` in every lane; this thread is the first one.

        Args:
            work: calls `meet` once at most, and then in every lane.
            together: done by one of them when all have come to `meet`, before any goes on.

        Raises:
            What a lane raised first, when none is at work any more.
        """
        if self.n == 1:
            work(0, together)
            return
        assert self._pool is not None  # opened
        barrier = threading.Barrier(self.n, together)

        @torch.no_grad()  # which torch keeps for each thread
        def run(lane: int) -> None:
            try:
                work(lane, lambda: _wait(barrier))
            except BaseException:
                barrier.abort()  # else the others would wait for this one
                raise

        others = [self._pool.submit(run, lane) for lane in range(1, self.n)]
        errors: list[BaseException | None] = []
        try:
            run(0)
        except BaseException as error:
            errors.append(error)
        errors += [other.exception() for other in others]
        found = [error for error in errors if error is not None]
        if found:
            # Those that waited for the one that failed say no more than that.
            raise min(found, key=lambda each: isinstance(each, threading.BrokenBarrierError))


def _wait(barrier: threading.Barrier) -> None:
    barrier.wait()
