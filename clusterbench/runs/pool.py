"""Several small fits at a time on the CPU, each on one core.

Training heads on a few thousand samples multiplies small matrices, which two threads do hardly
faster than one; two fits side by side take half the time. One thread per fit also makes the
answer independent of the number of cores. Large data and GPUs get one fit at a time instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from ..cores import n_cores
from .events import FIT_THREAD

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Bytes of training features up to which a fit on the CPU gets one core.
SMALL = 64 << 20


class StoppedError(BaseException):
    """Raised inside a fit when the others have failed or the user has pressed Ctrl-C.

    Not an Exception, so that no run is recorded as failed by it.
    """


def one_core_each(device: str, feature_bytes: int) -> bool:
    """Whether runs on features of this size go side by side, one core each."""
    return device == "cpu" and feature_bytes <= SMALL


def side_by_side(
    compute: Callable[[Item], Result], items: Sequence[Item], stop: threading.Event
) -> Iterator[Result]:
    """Yield `compute(item)` of all items as they finish, as many at a time as there are cores.

    When one raises, `stop` is set, what has not started is dropped, and the exception goes on
    once the running ones have ended; they are expected to look at `stop`. Ctrl-C goes on at once:
    a fit that never looks up is left to end by itself.
    """
    import torch

    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(n_cores(), FIT_THREAD, torch.set_num_threads, (1,))
    patient = True
    try:
        for future in as_completed([pool.submit(compute, item) for item in items]):
            yield future.result()
    except BaseException as error:
        stop.set()
        patient = not isinstance(error, KeyboardInterrupt)
        raise
    finally:
        pool.shutdown(wait=patient, cancel_futures=True)
        torch.set_num_threads(threads)
