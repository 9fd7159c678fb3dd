import os
import signal
import threading

import pytest

from clusterbench.sources.process_cache import ProcessCache


def test_the_values_used_last_stay_up_to_the_limit_and_the_newest_always():
    cache, made = ProcessCache(limit=10), []

    def get(key, weight):
        return cache.get(key, lambda: made.append(key) or key, lambda _: weight)

    for key in "abac":
        get(key, 4)
    assert made == ["a", "b", "c"]
    get("a", 4)  # used after b, which fell out for c
    assert made == ["a", "b", "c"]
    get("b", 4)
    assert made == ["a", "b", "c", "b"]
    get("large", 99)
    get("large", 99)
    assert made[4:] == ["large"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_while_another_thread_reads_does_not_wait_for_it():
    cache = ProcessCache(limit=10)
    inside, leave = threading.Event(), threading.Event()

    def slow():
        inside.set()
        leave.wait(30)
        return "slow"

    thread = threading.Thread(target=lambda: cache.get("x", slow))
    thread.start()
    inside.wait(30)
    child = os.fork()
    if not child:
        signal.alarm(10)  # ends a child that waits for a thread it does not have
        os._exit(0 if cache.get("x", lambda: "own") == "own" else 1)
    _, status = os.waitpid(child, 0)
    leave.set()
    thread.join()
    assert status == 0
    assert cache.get("x", lambda: "again") == "slow"
