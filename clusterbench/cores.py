"""How many cores there are to use, and how many of them a matrix product takes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_lock = threading.Lock()
_users = 0
_limit: Any = None


def n_cores() -> int:
    """Cores this process may use, by its affinity where the system knows one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def torch_threads() -> int:
    """As many as torch may use here: where fits go side by side, one each."""
    import torch

    return min(n_cores(), torch.get_num_threads())


#: Of this process: whether it was forked from one that had torch, and whether it computes with it.
_forked_with_torch = False
_computes = False


def torch_computes() -> None:
    """To be said before torch computes here: in a forked process it then takes one thread.

    The threads of OpenMP do not come along into a fork, and there torch waits for them for ever.
    """
    global _computes
    _computes = True
    if _forked_with_torch:
        _one_torch_thread()


def _forked() -> None:
    global _forked_with_torch
    if "torch" in sys.modules:
        _forked_with_torch = True
        if _computes:  # what was fitted before the fork may predict after it
            _one_torch_thread()


def _one_torch_thread() -> None:
    import torch

    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@cache
def _libraries() -> Any:
    """NumPy's and SciPy's among the libraries that are loaded; looking for them takes a while."""
    import scipy.linalg  # noqa: F401, which brings a library of its own
    from threadpoolctl import ThreadpoolController  # comes with scikit-learn

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it, each product takes one thread; several of these may be open side by side.

    The number of threads is the process's, not a thread's: it is set by the first that comes and
    put back by the last that goes.
    """
    global _users, _limit
    with _lock:
        if _users == 0:
            _limit = _libraries().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()
                _limit = None
