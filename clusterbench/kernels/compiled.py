"""How kernels are compiled: machine code on first use, kept on disk where a folder allows it.

And how long work waited for machine code, which is made or loaded on first use in a process. Numba
itself takes most of a second to import, so a command that calls no kernel does without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, update_wrapper
from types import CodeType
from typing import Any

# A thread has `clock`, that of the work it does, and `told`, the clocks of what it compiles.
_thread = threading.local()
_lock = threading.Lock()
_running: list[CompileClock] = []
_making = threading.RLock()


def compiled(
    function: Callable[..., Any], fastmath: set[str] | bool = False, error_model: str = "numpy"
) -> Kernel:
    """`numba.njit` without fast-math, releasing the GIL, cached on disk; done at the first call.

    Numba looks for a writable folder beside the module, then `NUMBA_CACHE_DIR`, then the user's
    cache folder. Where none exists (read-only container) the function is compiled per process.

    Args:
        function: of arrays and numbers.
        fastmath: LLVM's flags for the function's own operations, where their freedom is harmless.
        error_model: of divisions: "numpy" divides by zero, "python" raises.
    """
    return Kernel(function, {"fastmath": fastmath, "error_model": error_model})


class Kernel:
    """A function that becomes machine code when it is first called.

    Args:
        function: what it is compiled from.
        options: of `numba.njit`.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        update_wrapper(self, function)
        self._function, self._options = function, options
        self._machine: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """As the function."""
        return (self._machine or self.machine)(*arguments)

    @property
    def machine(self) -> Any:
        """Numba's dispatcher."""
        with _making:
            if self._machine is None:
                self._settle()
                self._machine = _jitted(self._function, self._options)
        return self._machine

    def _settle(self) -> None:
        """Put dispatchers in the place of the kernels that this one calls: Numba knows no other."""
        known = self._function.__globals__
        for name in _names(self._function.__code__):
            used = known.get(name)
            if isinstance(used, Kernel) and used is not self:
                known[name] = used.machine
        for cell in self._function.__closure__ or ():
            if isinstance(cell.cell_contents, Kernel):
                cell.cell_contents = cell.cell_contents.machine


def _names(code: CodeType) -> Iterator[str]:
    """Names that some code may look up, that of functions within it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _jitted(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    import numba

    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return numba.njit(nogil=True, **options)(function)


class CompileClock:
    """Counts the seconds in which some thread of a piece of work compiles or waits for it.

    What several of its threads wait for at the same time counts once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth, self._since, self._seconds = 0, 0.0, 0.0

    def begin(self) -> None:
        """A thread has begun to compile; calls of `begin` and `end` may nest."""
        with self._lock:
            if self._depth == 0:
                self._since = time.perf_counter()
            self._depth += 1

    def end(self) -> None:
        """A thread has its machine code."""
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._seconds += time.perf_counter() - self._since

    @property
    def seconds(self) -> float:
        """Counted until now."""
        with self._lock:
            return self._seconds


@contextmanager
def compile_clock() -> Iterator[CompileClock]:
    """A clock of what is compiled by Numba for the work within.

    That is what this thread compiles, and threads begun with `with_this_clock`; and what threads
    that belong to no work do while this is the only one.
    """
    _listen()
    before = getattr(_thread, "clock", None)
    clock = CompileClock()
    _thread.clock = clock
    with _lock:
        _running.append(clock)
    try:
        yield clock
    finally:
        with _lock:
            _running.remove(clock)
        _thread.clock = before


def with_this_clock() -> Callable[[], None]:
    """What a new thread calls first if it works for this one: the `initializer` of a pool."""
    clock = getattr(_thread, "clock", None)

    def begin() -> None:
        _thread.clock = clock

    return begin


def _clock() -> CompileClock | None:
    own: CompileClock | None = getattr(_thread, "clock", None)
    if own is not None:
        return own
    with _lock:
        return _running[0] if len(_running) == 1 else None


@cache
def _listen() -> None:
    """Follow Numba's compiler from now on.

    Its lock is taken to compile and to load what was kept on disk; the event begins where a thread
    waits for it and ends where it is given back.
    """
    from numba.core import event

    class Told(event.Listener):
        def on_start(self, _: Any) -> None:
            clock = _clock()
            told = _thread.__dict__.setdefault("told", [])
            told.append(clock)
            if clock is not None:
                clock.begin()

        def on_end(self, _: Any) -> None:
            told = _thread.__dict__.get("told")
            clock = told.pop() if told else None
            if clock is not None:
                clock.end()

    event.register("numba:compiler_lock", Told())
