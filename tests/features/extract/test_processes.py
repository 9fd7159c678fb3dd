"""Several processes extract into one folder, as `torchrun` and `srun` start them."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from extraction_toys import flat_encoder, make_images, shard_bytes

from clusterbench import FeatureStore
from clusterbench.devices import Team, team
from clusterbench.errors import ClusterbenchError, InputError
from clusterbench.features.extract.extraction import extract
from clusterbench.features.store.claims import Claims
from clusterbench.sources.folder import index_folder

N, SHARD = 96, 8
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Images, a slow encoder as a recipe file, and the store of one undisturbed process."""
    folder = tmp_path_factory.mktemp("world")
    make_images(folder / "images", n=N)
    (folder / "slow.toml").write_text(
        'library = "python"\nmodel = "slow_encoder:Slow"\n\n[preprocessing]\nsize = 8\n'
    )
    (folder / "slow_encoder.py").write_text(
        "import os, time, torch\n"
        "class Slow(torch.nn.Module):\n"
        "    def forward(self, images):\n"
        "        if len(images) > 1: time.sleep(float(os.environ.get('TEST_SLEEP', 0)))\n"
        "        return images.flatten(1)[:, ::16]\n"
    )
    one = folder / "one"
    subprocess.run(command(folder, one), env=environment(folder), check=True, **QUIET)
    return folder


@pytest.fixture(autouse=True)
def nothing_left_running(monkeypatch):
    """A test that fails must not leave its processes to disturb the next."""
    started, start = [], subprocess.Popen

    def recorded(*arguments, **options):
        started.append(start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", recorded)
    yield
    for process in started:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()


def command(folder, output, *more):
    return [sys.executable, "-m", *arguments(folder, output), *more]


def arguments(folder, output):
    words = ["clusterbench", "extract", "--source", folder / "images", "--output", output]
    words += ["--encoder", folder / "slow.toml", "--shard-rows", SHARD, "--batch-size", 4]
    return [str(word) for word in [*words, "--workers", 1, "--device", "cpu"]]


def environment(folder, **more):
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    names = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "SLURM_PROCID"}
    kept = {k: v for k, v in os.environ.items() if k not in names}
    return {**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def torchrun(folder, output, processes, *more, **variables):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    words += ["--master-port", str(port), *more, "-m", *arguments(folder, output)]
    return subprocess.Popen(
        words,
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def children(pid):
    """Process ids of the ranks below a torchrun: those that run clusterbench themselves."""
    found = []
    for task in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((task / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            found.append(int(task.name))
    return found


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def stores(folder, output):
    return shard_bytes(folder / "one"), shard_bytes(output)


@pytest.mark.parametrize(
    "processes",
    [pytest.param(2, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.exhaustive)],
)
def test_any_number_of_processes_gives_the_same_files(world, tmp_path, processes):
    run = torchrun(world, tmp_path / "st", processes)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    one, many = stores(world, tmp_path / "st")
    assert one == many
    assert out.count("features of slow") == 1  # the first process reports, the others are quiet
    assert not (tmp_path / "st" / ".claims").exists()


@pytest.mark.slow
def test_with_restarts_a_killed_process_costs_no_file(world, tmp_path):
    output = tmp_path / "st"
    run = torchrun(world, output, 2, "--max-restarts", "2", TEST_SLEEP="0.05")
    wait_for(lambda: len(list(output.glob("shard-*.h5"))) >= 2)
    os.kill(random.Random(0).choice(children(run.pid)), signal.SIGKILL)
    _, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    one, many = stores(world, output)
    assert one == many


def rank(world, output, number, count, **variables):
    """A process that knows of the others by the variables of srun only."""
    slurm = {"SLURM_PROCID": number, "SLURM_NTASKS": count, "SLURM_LOCALID": number}
    return subprocess.Popen(
        command(world, output),
        env=environment(world, **{k: str(v) for k, v in slurm.items()}, **variables),
        start_new_session=True,
        **QUIET,
    )


@pytest.mark.slow
def test_when_one_is_killed_the_others_do_its_shard_and_finish(world, tmp_path):
    output = tmp_path / "st"
    processes = [rank(world, output, number, 3, TEST_SLEEP="0.1") for number in range(3)]
    wait_for(lambda: len(list(output.glob("shard-*.h5"))) >= 3)
    os.killpg(processes[0].pid, signal.SIGKILL)
    assert [process.wait(timeout=300) for process in processes[1:]] == [0, 0]
    processes[0].wait()
    one, many = stores(world, output)
    assert one == many


@pytest.mark.slow
def test_a_stopped_process_holds_up_nothing_but_its_open_shards(world, tmp_path):
    output = tmp_path / "st"
    slow = rank(world, output, 0, 2, TEST_SLEEP="0.2")
    wait_for(lambda: list(output.glob("shard-*.h5")))
    os.killpg(slow.pid, signal.SIGSTOP)
    fast = rank(world, output, 1, 2)
    # At most four are open: one written, one filled, and two batches decoded ahead.
    wait_for(lambda: len(list(output.glob("shard-*.h5"))) >= N // SHARD - 4)
    assert not (output / "store.json").exists()
    os.killpg(slow.pid, signal.SIGKILL)
    assert fast.wait(timeout=300) == 0
    slow.wait()
    one, many = stores(world, output)
    assert one == many


FORKED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from clusterbench.sources.folder import index_folder
from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.extract.extraction import extract

folder, kills, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
source, encoder = index_folder(folder / "images"), load_encoder(str(folder / "slow.toml"))

def work(output):
    extract(source, encoder, output, device="cpu", workers=0, batch_size=4, shard_rows=8)

started = time.monotonic()
work(folder / "undisturbed")
whole = time.monotonic() - started  # a machine may be slow, and then a kill comes later

killed, stores = 0, []
while killed < kills:
    output = folder / f"killed-{len(stores)}"
    stores.append(output)
    while True:
        child = os.fork()
        if not child:
            work(output)
            os._exit(0)
        deadline = time.monotonic() + rng.uniform(0, whole)
        while time.monotonic() < deadline and not (ended := os.waitpid(child, os.WNOHANG)[0]):
            time.sleep(0.0005)
        if not ended:
            os.kill(child, signal.SIGKILL)
            killed += 1
            _, status = os.waitpid(child, 0)
            continue
        break
print(killed, len(stores))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "times"),
    [(0, 10), *(pytest.param(seed, 30, marks=pytest.mark.exhaustive) for seed in (0, 1))],
)
def test_killed_at_random_moments_the_resumed_stores_are_the_undisturbed_one(world, seed, times):
    """A process is killed after a random time, the next one goes on, until a store is done."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(world), str(times), str(seed)],
        env=environment(world, TEST_SLEEP="0.01"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    killed, stores = map(int, done.stdout.split())
    assert killed >= times
    whole = shard_bytes(world / "undisturbed")
    for number in range(stores):
        output = world / f"killed-{number}"
        assert shard_bytes(output) == whole
        assert not [p.name for p in output.iterdir() if p.name.startswith(".")]
        assert FeatureStore.open(output).verify() == []
        shutil.rmtree(output)
    shutil.rmtree(world / "undisturbed")


def test_claims_are_of_one_process_and_end_with_it(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from clusterbench.features.store.claims import Claims\n"
        "with Claims(Path(sys.argv[1])) as claims:\n"
        "    assert claims.take(3); print('taken', flush=True); time.sleep(60)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with Claims(tmp_path) as claims:
        assert other.stdout.readline() == "taken\n"
        assert not claims.take(3)
        assert claims.take(2) and claims.take(4)
        assert not claims.take_all()
        other.kill()
        other.wait()
        other.stdout.close()
        assert claims.take(3)
        claims.release_all()
        assert claims.take_all()


def test_without_file_locks_every_process_does_what_is_missing(tmp_path, monkeypatch):
    """On a file system that refuses locks, work may be done twice, never wrong."""
    import errno
    import fcntl

    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    images = make_images(tmp_path / "images", n=24)
    source, options = index_folder(images), {"workers": 0, "batch_size": 4, "shard_rows": 8}
    extract(source, flat_encoder(), tmp_path / "one", device="cpu", **options)
    monkeypatch.setattr(fcntl, "lockf", refuse)

    def interfere(progress):
        if progress.done == 8 and not (tmp_path / "st" / "store.json").exists():
            monkeypatch.setenv("RANK", "1")
            monkeypatch.setenv("WORLD_SIZE", "2")
            monkeypatch.setenv("LOCAL_RANK", "1")
            extract(source, flat_encoder(), tmp_path / "st", device="cpu", **options)

    extract(source, flat_encoder(), tmp_path / "st", device="cpu", progress=interfere, **options)
    assert shard_bytes(tmp_path / "one") == shard_bytes(tmp_path / "st")


def test_ranks_are_those_of_torchrun_or_srun(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert team() == Team(0, 1, 0, 1)
    slurm = {"SLURM_PROCID": "9", "SLURM_NTASKS": "16", "SLURM_LOCALID": "1"}
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "8")
    assert team() == Team(9, 16, 1, 8)
    torch = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "4"}
    for name, value in torch.items():
        monkeypatch.setenv(name, value)
    assert team() == Team(3, 4, 3, 4)
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(InputError, match="RANK = 4, WORLD_SIZE = 4"):
        team()
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(InputError, match="RANK = 'x'; wanted a whole number"):
        team()


def test_broken_images_of_all_processes_count_together(tmp_path):
    """Each process meets few broken images; the one that finishes meets them all."""
    images = make_images(tmp_path / "images", n=40, classes=1)
    for i in (1, 17, 33):
        (images / "c0" / f"{i:03d}.png").write_bytes(b"x")
    source, encoder = index_folder(images), flat_encoder()
    options = {"workers": 0, "batch_size": 8, "shard_rows": 8, "device": "cpu"}
    with pytest.raises(ClusterbenchError, match="3 of 40 images"):
        extract(source, encoder, tmp_path / "st", max_broken=0.06, **options)
    done = extract(source, encoder, tmp_path / "st", max_broken=0.1, **options)
    lines = (tmp_path / "st" / "broken.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["c0/001", "c0/017", "c0/033"]
    assert done.store.n == 37
    assert np.isfinite(done.store.read()).all()
