"""Runs that go side by side: every result, one thread each, a prompt stop."""

from __future__ import annotations

import threading
import time
import warnings

import numpy as np
import pytest
import torch

from clusterbench.methods import get
from clusterbench.runs import fitting, pool
from clusterbench.runs.pool import side_by_side


def test_every_item_is_computed_once_on_single_threads(two_threads: None) -> None:
    seen = list(side_by_side(lambda i: (i, torch.get_num_threads()), range(20), threading.Event()))
    assert sorted(seen) == [(i, 1) for i in range(20)]
    assert torch.get_num_threads() == 2  # as before


def test_a_failure_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "n_cores", lambda: 2)
    stop, started = threading.Event(), []

    def compute(item: int) -> int:
        started.append(item)
        if item == 0:
            raise OSError("disk")
        while not stop.is_set():
            time.sleep(0.005)
        raise pool.StoppedError

    with pytest.raises(OSError, match="disk"):
        list(side_by_side(compute, range(50), stop))
    assert len(started) <= 4  # the two running ones and at most one more each


def test_only_small_features_on_a_cpu_go_side_by_side() -> None:
    assert pool.one_core_each("cpu", 3000 * 128 * 4)
    assert not pool.one_core_each("cuda:0", 3000 * 128 * 4)
    assert not pool.one_core_each("cpu", 10_000_000 * 512 * 4)


def test_company_does_not_change_an_answer() -> None:
    X = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)

    def fit(seed: int) -> bytes:
        settings = {"n_heads": 2, "epochs": 3, "batch_size": 64, "n_neighbors": 5}
        method = get("temi")(n_clusters=10, random_state=seed, learning_rate=4e-3, **settings)
        return bytes(method.fit_predict(X).astype(np.int32).tobytes())

    together = {bytes(answer) for answer in side_by_side(fit, range(4), threading.Event())}
    alone = [next(iter(side_by_side(fit, [seed], threading.Event()))) for seed in range(4)]
    assert together == set(alone)
    assert len(together) == 4


class Warner:
    """A method that warns with its own name while the others do the same."""

    n_clusters = 2
    diagnostics_: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, name: str, barrier: threading.Barrier) -> None:
        self.name, self.barrier = name, barrier

    def fit(self, X: np.ndarray, progress: object) -> Warner:
        self.barrier.wait(10)
        warnings.warn(f"from {self.name}", stacklevel=1)
        self.barrier.wait(10)
        self.labels_ = np.zeros(len(X), np.int64)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.zeros(len(X), np.int64)


def test_a_warning_belongs_to_the_run_that_raised_it() -> None:
    X, barrier, found = np.zeros((4, 2), np.float32), threading.Barrier(2), {}

    def assign(name: str) -> None:
        found[name] = fitting.fit(Warner(name, barrier), X, lambda *_: None).warnings

    with fitting.recorded_warnings():
        threads = [threading.Thread(target=assign, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {"a": ("from a",), "b": ("from b",)}
