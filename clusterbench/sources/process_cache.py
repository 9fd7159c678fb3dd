"""What a process has opened or read for reuse: bounded, safe for threads and after a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")
_caches: weakref.WeakSet[ProcessCache[Any]] = weakref.WeakSet()


class ProcessCache(Generic[Value]):
    """The values used last, up to a total weight; at least the newest one stays.

    A value that falls out is only let go: it closes itself when the last thread using it is done.
    A forked child starts empty, since a lock may be held and memory half-written by a thread that
    the child does not have.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._reset()
        _caches.add(self)

    def get(
        self,
        key: Hashable,
        make: Callable[[], Value],
        weigh: Callable[[Value], int] = lambda _: 1,
    ) -> Value:
        """The value of a key, made if it is not there; another thread waits for it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
            value = make()
            weight = weigh(value)
            self._values[key] = value, weight
            self._weight += weight
            while self._weight > self.limit and len(self._values) > 1:
                _, (_, old) = self._values.popitem(last=False)
                self._weight -= old
            return value

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._weight = 0


def _forget_all() -> None:
    for cache in list(_caches):
        cache._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
