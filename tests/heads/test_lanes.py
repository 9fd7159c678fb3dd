"""Threads that share the heads come to the bits of one, meet once, and end together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from clusterbench.heads import lanes
from clusterbench.heads.lanes import Lanes, Meet
from clusterbench.heads.losses.objectives import Objective, ScanObjective, TemiObjective
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.trainer import Trained, train_heads
from clusterbench.heads.training_rows import HeldRows

CPU = torch.device("cpu")


def with_threads(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.setattr(lanes, "torch_threads", lambda: n)


def trained(objective: Objective, tile_numbers: int | None) -> Trained:
    drawing = torch.Generator().manual_seed(0)
    rows = torch.randn(70, 9, generator=drawing)
    table = torch.randint(70, (70, 5), generator=drawing)
    schedule = Schedule(n_heads=6, epochs=3, batch_size=20, hidden=30, bottleneck=12)
    return train_heads(HeldRows(rows, table), 33, objective, schedule, 1, tile_numbers=tile_numbers)


# 1 << 24 holds all logits, 3,000 those of two heads, and 700 a part of the pairs of one
@pytest.mark.parametrize("numbers", [1 << 24, 3_000, 700])
@pytest.mark.parametrize(
    "objective", [lambda: TemiObjective(0.6, 0.9, True), lambda: ScanObjective(5.0)]
)
def test_any_number_of_lanes_gives_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, objective: Callable[[], Objective], numbers: int
) -> None:
    found = {}
    for n in (1, 2, 3, 6):
        with_threads(monkeypatch, n)
        found[n] = trained(objective(), numbers)
    assert torch.isfinite(found[1].losses).all()
    for n in (2, 3, 6):
        assert torch.equal(found[n].losses, found[1].losses)
        for name, wanted in found[1].teacher.items():
            assert torch.equal(found[n].teacher[name], wanted), name
        for one, other in zip(found[n].history, found[1].history, strict=True):
            assert (one.used, one.entropy) == (other.used, other.entropy)


@pytest.mark.parametrize(
    ("threads", "heads", "n"),
    [(1, 4, 1), (2, 4, 2), (2, 1, 1), (2, 3, 1), (4, 2, 1), (4, 50, 4), (16, 50, 1), (16, 16, 16)],
)
def test_as_many_as_share_the_heads_evenly(
    monkeypatch: pytest.MonkeyPatch, threads: int, heads: int, n: int
) -> None:
    with_threads(monkeypatch, threads)
    assert Lanes.of(heads, CPU).n == n
    assert Lanes.of(heads, torch.device("meta")).n == 1


@pytest.mark.parametrize("n", [1, 2, 4])
def test_lanes_meet_before_any_goes_on(n: int) -> None:
    came: list[int] = []
    told: list[list[int]] = []
    after: list[int] = []

    def work(lane: int, meet: Meet) -> None:
        came.append(lane)
        meet()
        after.append(len(told))

    with Lanes(n) as side_by_side:
        for _ in range(50):
            side_by_side.run(work, lambda: told.append(sorted(came)))
            assert told == [list(range(n))]
            assert after == [1] * n
            came.clear(), told.clear(), after.clear()


@pytest.mark.parametrize("lane", [0, 1, 2, "together"])
@pytest.mark.parametrize("error", [ValueError("no such head"), KeyboardInterrupt()])
def test_what_fails_in_one_ends_all(lane: int | str, error: BaseException) -> None:
    threads, running = torch.get_num_threads(), threading.active_count()

    def together() -> None:
        if lane == "together":
            raise error

    def work(own: int, meet: Meet) -> None:
        if own == lane:
            raise error
        meet()

    with pytest.raises(type(error)) as found, Lanes(3) as side_by_side:
        side_by_side.run(work, together)
    assert found.value is error
    assert torch.get_num_threads() == threads
    assert threading.active_count() == running


class _Interrupting:
    """A queue of tasks; Ctrl-C comes when one was handed over."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def put(self, task: Any) -> None:
        self._real.put(task)
        if task is not None:
            raise KeyboardInterrupt


def test_no_lane_waits_for_ever_when_its_task_was_handed_over_and_no_more() -> None:
    threads, running = torch.get_num_threads(), threading.active_count()
    with pytest.raises(KeyboardInterrupt), Lanes(2) as side_by_side:
        side_by_side._tasks = [_Interrupting(tasks) for tasks in side_by_side._tasks]  # type: ignore[misc]
        side_by_side.run(lambda lane, meet: meet(), lambda: None)
    assert (torch.get_num_threads(), threading.active_count()) == (threads, running)


def test_a_lane_that_does_not_end_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_PATIENCE", 0.05)
    stuck = threading.Event()

    def work(lane: int, meet: Meet) -> None:
        if lane == 0:
            raise KeyboardInterrupt
        stuck.wait()

    threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt), Lanes(2) as side_by_side:
        side_by_side.run(work, lambda: None)
    assert torch.get_num_threads() == threads
    assert all(lane.daemon for lane in side_by_side._lanes)
    stuck.set()


def test_the_number_of_threads_comes_back_though_the_end_is_interrupted() -> None:
    before = torch.get_num_threads()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Lanes(2) as side_by_side:
        side_by_side._lanes[0].join = interrupted  # type: ignore[method-assign]
    assert torch.get_num_threads() == before


def test_the_number_of_threads_comes_back_though_none_can_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = torch.get_num_threads()

    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError, match="start"), Lanes(2):
        raise AssertionError("nothing can be done here")
    assert torch.get_num_threads() == before


def test_inference_mode_reaches_every_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    with_threads(monkeypatch, 2)
    for inference in (False, True):
        with torch.inference_mode(inference):
            found.append(trained(TemiObjective(0.6, 0.9, True), None))
    assert torch.equal(found[0].losses, found[1].losses)


def test_a_lane_multiplies_in_one_thread_and_records_nothing() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = {}

        def work(lane: int, meet: Meet) -> None:
            found[lane] = torch.get_num_threads(), torch.is_grad_enabled()
            meet()

        with Lanes(2) as side_by_side:
            side_by_side.run(work, lambda: None)
        assert found == {0: (1, False), 1: (1, False)}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
