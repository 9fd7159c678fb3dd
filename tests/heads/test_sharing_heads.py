"""Processes that share the heads come to what one comes to, up to rounding, and end together."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import heads_ranks
import numpy as np
import pytest
import torch
from heads_ranks import LONG, METHODS, SIZES, TORN, alone, made, rows, summands

from clusterbench.errors import InputError
from clusterbench.heads.one_of_many import Sharing
from clusterbench.kmeans.lloyd import Alone

TEAM = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def program(folder: Path, *what: str) -> str:
    """What the toy program says on stderr; in a process group that is left empty."""
    run = subprocess.Popen(
        [sys.executable, heads_ranks.__file__, str(folder), *what],
        env={k: v for k, v in os.environ.items() if k not in TEAM} | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, err = run.communicate(timeout=300)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == 0, err
    return err


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return dict(found)


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert set(found) == set(wanted)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


def alike(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    """The same clusters and head; losses and weights up to rounding."""
    assert set(found) == set(wanted)
    for name in wanted:
        if name in ("labels", "head", "used"):
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
        else:
            np.testing.assert_allclose(found[name], wanted[name], 1e-5, 1e-6, err_msg=name)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("heads")
    err = program(folder, "cuts", "sums", "broken", "torn", "kills")
    for line in filter(None, err.splitlines()):  # of the survivors, and nothing else
        assert line.startswith("error: another of the ")
    return folder


@pytest.mark.slow
class TestProcesses:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("method", METHODS)
    def test_any_number_comes_to_the_fit_of_one(self, ran: Path, method: str, size: int) -> None:
        found = [read(ran / "cuts" / f"{method}-{size}-{rank}.npz") for rank in range(size)]
        wanted = alone(method)
        assert len(wanted["curve"]) == 6 and len(set(wanted["labels"])) > 1
        for facts in found:
            same(facts, found[0])  # the same bits in each process
            (same if size == 1 else alike)(facts, wanted)

    def test_killed_it_goes_on_to_the_same_bits_in_the_same_number(self, ran: Path) -> None:
        method, sizes = TORN["same"]
        for rank in range(sizes[-1]):
            wanted = read(ran / "cuts" / f"{method}-{sizes[-1]}-{rank}.npz")
            same(read(ran / "torn" / f"same-{rank}.npz"), wanted)

    @pytest.mark.parametrize("name", ["other", "scan"])
    def test_killed_it_goes_on_in_another_number(self, ran: Path, name: str) -> None:
        method, sizes = TORN[name]
        for rank in range(sizes[-1]):
            alike(read(ran / "torn" / f"{name}-{rank}.npz"), alone(method))

    @pytest.mark.parametrize("size", SIZES)
    def test_sums_of_floats_are_the_same_bits_in_each(self, ran: Path, size: int) -> None:
        found = [read(ran / "sums" / f"{size}-{rank}.npz") for rank in range(size)]
        own = summands(size)
        for name, first in found[0].items():
            whole = np.stack([terms[name].double().numpy() for terms in own])
            assert first.dtype == own[0][name].numpy().dtype and first.shape == whole.shape[1:]
            bound = size * np.finfo(first.dtype).eps * np.abs(whole).sum(axis=0)
            assert (np.abs(first - whole.sum(axis=0)) <= bound).all()
            for other in found[1:]:
                np.testing.assert_array_equal(other[name], first)

    def test_a_process_whose_heads_are_broken_keeps_the_others_going(self, ran: Path) -> None:
        for rank in range(2):
            found = read(ran / "broken" / f"scan-{rank}.npz")
            assert np.isfinite(found["losses"]).tolist() == [True, True, False]
            assert not found["said"]

    def test_what_breaks_all_heads_is_said_by_all(self, ran: Path) -> None:
        for rank in range(2):  # TEMI's pair weights are of all heads
            said = str(read(ran / "broken" / f"temi-{rank}.npz")["said"])
            assert said.startswith("TrainingError: the loss of all 3 heads is not finite")


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bits(ran: Path, tmp_path: Path) -> None:
    killed, steps = map(int, (ran / "kills" / "said").read_text().split())
    assert killed == 20 and steps >= 5
    log = tmp_path / "log.jsonl"
    same(read(ran / "kills" / "end.npz"), alone("temi", {"log": log}, **LONG))

    def lines(path: Path) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return [{k: v for k, v in line.items() if k != "seconds"} for line in found]

    assert lines(ran / "kills" / "log.jsonl") == lines(log) and len(lines(log)) == 60


class Several(Alone):
    """Says that there are several, without any exchange."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size


def test_each_process_has_its_heads() -> None:
    for size in range(1, 8):
        shares = [Sharing(Several(rank, size)).heads(7) for rank in range(size)]
        assert [h for share in shares for h in range(7)[share]] == list(range(7))
        lengths = [share.stop - share.start for share in shares]
        assert max(lengths) - min(lengths) <= 1 and min(lengths) >= 1


def test_fewer_heads_than_processes_are_refused_in_one_line() -> None:
    with pytest.raises(InputError) as refused:
        made("temi").fit_share(rows(), Several(0, 4))
    assert str(refused.value) == (
        "n_heads=3 for 4 processes, which each need a head; start fewer processes or train more "
        "heads"
    )


def test_one_process_adds_up_nothing() -> None:
    own = torch.tensor([1.5, float("nan")])
    torch.testing.assert_close(Alone().added_up(own), own, equal_nan=True)
