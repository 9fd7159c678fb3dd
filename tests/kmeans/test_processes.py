"""Several processes come to the answer of one, to the bit, and go on where a killed one stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import kmeans_ranks
import numpy as np
import pytest
from kmeans_ranks import CASES, CUTS, N, facts, fitted

from clusterbench.kmeans.lloyd import Alone
from clusterbench.kmeans.processes import first_row, joined, shard_bounds, together

PROGRAM = Path(kmeans_ranks.__file__)
TEAM = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def environment():
    kept = {k: v for k, v in os.environ.items() if k not in TEAM and not k.startswith("SLURM_")}
    return {**kept, "OMP_NUM_THREADS": "1"}


def program(*words, seconds=240):
    """Run it in a process group of its own, of which nothing is left behind."""
    run = subprocess.Popen(
        [sys.executable, *map(str, words)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = run.communicate(timeout=seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    return run.returncode, out, err


def same(found, wanted):
    assert set(found) == set(wanted)
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cuts")
    code, _, err = program(PROGRAM, "cuts", folder)
    assert code == 0, err
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("size", CUTS)
@pytest.mark.parametrize("case", CASES)
def test_any_number_of_processes_comes_to_the_same_bits(results, case, size):
    wanted = facts(Alone(), fitted(case, Alone(), 0, N))
    assert len(wanted["labels"]) == N
    if case == "empty":
        assert wanted["relocated"] > 0
    for rank in range(size):  # each of them
        with np.load(results / f"{case}-{size}-{rank}.npz") as found:
            same(dict(found), wanted)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_killed_again_and_again_in_any_number_of_processes_it_ends_the_same(tmp_path):
    code, out, err = program(PROGRAM, "kills", tmp_path)
    assert code == 0, err
    killed, ended_by_themselves = map(int, out.split())
    assert killed >= 3 and ended_by_themselves >= 1
    with np.load(tmp_path / "end.npz") as found:
        same(dict(found), facts(Alone(), fitted("random", Alone(), 0, N)))
    for line in filter(None, err.splitlines()):  # the survivors say why, and nothing else
        assert line.startswith("error: another of the ")


@pytest.mark.slow
def test_torchrun_restarts_a_killed_rank_and_goes_on_from_the_checkpoint(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", 2, "--master-port", port]
    code, _, err = program(*torchrun, "--max-restarts", 1, PROGRAM, "fit", tmp_path)
    assert code == 0, err
    with np.load(tmp_path / "end.npz") as found:
        same(dict(found), facts(Alone(), fitted("random", Alone(), 0, N)))
    first, second = (
        [int(line) for line in (tmp_path / f"attempt-{n}").read_text().split()] for n in (0, 1)
    )
    assert first[0] == 1 and first[-1] in (3, 4, 5)
    assert second[0] in (4, 5, 6)  # not from the beginning
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("n", [0, 1, 3, 4, 10, 11])
def test_shares_follow_each_other_and_differ_by_one_row_at_most(n):
    bounds = [shard_bounds(n, 4, rank) for rank in range(4)]
    assert [row for first, last in bounds for row in range(first, last)] == list(range(n))
    lengths = [last - first for first, last in bounds]
    assert max(lengths) - min(lengths) <= 1


def test_one_process_is_alone(monkeypatch):
    for name in (*TEAM, "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert not together()
    with joined("cpu") as group:
        assert isinstance(group, Alone) and first_row(group, 7) == 0


def test_the_variables_of_a_batch_script_of_slurm_name_nobody_to_wait_for(monkeypatch):
    for name in TEAM:
        monkeypatch.delenv(name, raising=False)
    slurm = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0"}
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    assert not together()
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "29500")
    assert together()
