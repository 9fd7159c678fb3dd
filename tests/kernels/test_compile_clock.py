"""Given functions that Numba has not seen: whose seconds their compilation is, and whose not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import pytest

from clusterbench.kernels.compiled import CompileClock, compile_clock, with_this_clock
from clusterbench.runs.fitting import attempt

VALUES = np.arange(5.0)


def new_kernel() -> Callable[[np.ndarray], float]:
    """A function that is compiled by its first call."""

    @numba.njit(nogil=True)  # type: ignore[untyped-decorator]
    def total(values: np.ndarray) -> float:
        found = 0.0
        for value in np.sort(values):
            found += value
        return found

    made: Callable[[np.ndarray], float] = total
    return made


def first_call() -> float:
    return new_kernel()(VALUES)


@pytest.fixture(autouse=True)
def compiler_at_work() -> None:
    """The first compilation of a process loads the compiler too."""
    first_call()


def test_the_seconds_of_a_stage_are_without_those_of_the_compiler() -> None:
    method: Any = None
    start = time.perf_counter()
    made, _, seconds = attempt("fit", method, first_call)
    whole = time.perf_counter() - start
    assert made == 10 and 0 <= seconds < 0.5 * whole


def test_what_is_compiled_already_takes_no_seconds_off() -> None:
    kernel = new_kernel()
    kernel(VALUES)
    with compile_clock() as clock:
        kernel(VALUES)
    assert clock.seconds == 0


def test_only_whose_thread_compiles_waits() -> None:
    """Two pieces of work side by side, of which one compiles, in a thread of its own pool."""
    ready = threading.Barrier(2)
    found = {}

    def work(name: str, action: Callable[[], object]) -> None:
        with compile_clock() as clock, ThreadPoolExecutor(1, initializer=with_this_clock()) as pool:
            ready.wait()
            pool.submit(action).result()
            ready.wait()
        found[name] = clock.seconds

    with ThreadPoolExecutor(2) as both:
        works = [both.submit(work, "new", first_call), both.submit(work, "old", lambda: None)]
        for one in works:
            one.result()
    assert found["new"] > 0 == found["old"]


def test_a_thread_of_no_work_counts_where_there_is_one_work_alone() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(first_call).result()
        with compile_clock() as clock:
            pool.submit(first_call).result()
    assert clock.seconds > 0


def test_threads_that_wait_together_count_once() -> None:
    clock = CompileClock()
    clock.begin()
    start = time.perf_counter()
    clock.begin()
    time.sleep(0.01)
    clock.end()
    clock.end()
    once = time.perf_counter() - start
    assert clock.seconds >= 0.01 and clock.seconds < 2 * once
    before = clock.seconds
    time.sleep(0.001)
    assert clock.seconds == before


def test_a_clock_within_another_gives_the_thread_back() -> None:
    with compile_clock() as outer:
        with compile_clock():
            pass
        first_call()
    assert outer.seconds > 0
