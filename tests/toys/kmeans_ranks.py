"""Fits by several processes, for tests: run as a program, which forks them once torch is loaded.

kmeans_ranks.py cuts FOLDER    each case in each cut; FOLDER/<case>-<cut>.npz of all ranks
kmeans_ranks.py kills FOLDER   a fit with a checkpoint, killed again and again until it ends
kmeans_ranks.py fit FOLDER     this process is one of torchrun's
"""

import os
import random
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from clusterbench.kmeans.checkpoint import Checkpoint, fit_identity
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.fit import Settings, fit
from clusterbench.kmeans.lloyd import Alone
from clusterbench.kmeans.processes import first_row, joined
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.kmeans.starting.starts import Start

N, DIM = 700, 12
#: Where the rows are cut: shares of very different lengths, one of them empty.
CUTS = {1: [0, N], 2: [0, 90, N], 4: [0, 0, 350, 351, N]}


def rows():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(N, DIM)) + 3 * rng.integers(0, 2, size=(N, DIM))).astype(np.float32)


def weights():
    return np.random.default_rng(1).integers(0, 5, N) / 3.0


def repeated():
    """Rows of which many are the same."""
    return rows()[np.random.default_rng(2).integers(0, 30, N)]


CASES = {
    "random": (rows(), None, Settings(20, Start("random"), n_init=2)),
    "plus-plus": (rows(), None, Settings(20, Start("k-means++"))),
    "weights": (rows(), weights(), Settings(20, Start("k-means++"), n_init=2, seed=3)),
    "sample": (rows(), None, Settings(6, Start("k-means++ sample"))),
    "parallel": (rows(), weights(), Settings(20, Start("k-means||"))),
    "spherical": (rows(), None, Settings(20, Start("random"), spherical=True, max_iter=5)),
    "repeated": (repeated(), None, Settings(40, Start("k-means++"))),
    "empty": (
        rows(),
        None,
        Settings(24, Start("given", np.repeat(rows()[:1], 24, axis=0)), max_iter=30),
    ),
}


def fitted(case, group, first, last, keeper=None, progress=lambda done, total: None):
    """The fit of a case on rows first..last-1 of this process."""
    x, weight, settings = CASES[case]
    x = ArrayRows(x[first:last])
    start = first_row(group, x.n)
    shard = CpuShard(x, None if weight is None else weight[first:last], start)
    return fit(shard, settings, group=group, keeper=keeper, progress=progress)


def facts(group, found):
    return {
        "labels": group.gather(found.labels),
        "centroids": found.centroids,
        "counts": found.counts,
        "objectives": np.array(found.objectives),
        "relocated": np.array(found.relocated),
        "converged": np.array(found.converged),
    }


def share(group_size, rank):
    cut = CUTS[group_size]
    return cut[rank], cut[rank + 1]


def forked(size, work):
    """Process ids of `size` ranks that call `work(rank)`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    found = []
    for rank in range(size):
        child = os.fork()
        if not child:
            names = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank}
            os.environ.update({k: str(v) for k, v in names.items()})
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
            code = 1
            try:
                work(rank)
                code = 0
            except SystemExit as error:
                if isinstance(error.code, str):  # as Python does
                    print(error.code, file=sys.stderr, flush=True)
                code = 3
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        found.append(child)
    return found


def ended(children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def save(path, found):
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.savez(file, **found)
    temporary.replace(path)


def cuts(folder):
    for size in CUTS:

        def work(rank, size=size):
            for case in CASES:
                with joined("cpu", timeout=60) as group:
                    found = fitted(case, group, *share(size, rank))
                    save(folder / f"{case}-{size}-{rank}.npz", facts(group, found))

        assert ended(forked(size, work)) == [0] * size


def checkpointed(case, folder, group, size, rank, progress=lambda done, total: None):
    x, _, settings = CASES[case]
    whole = CpuShard(ArrayRows(x)).extent
    keeper = Checkpoint(folder / "state", fit_identity(settings, whole), group, every=0)
    found = facts(group, fitted(case, group, *share(size, rank), keeper, progress))
    if rank == 0:
        save(folder / "end.npz", found)
    return keeper


def kills(folder):
    """Prints how many attempts were killed, and how many of the others said so and ended."""
    rng, killed, quiet, going = random.Random(0), 0, 0, folder / "going"
    while not (folder / "end.npz").exists():
        size = rng.choice([1, 2, 4])

        def work(rank, size=size):
            with joined("cpu", timeout=60) as group:
                going.touch()
                slow = lambda done, total: time.sleep(0.03)  # noqa: E731
                checkpointed("random", folder, group, size, rank, slow)

        going.unlink(missing_ok=True)
        children = forked(size, work)
        while not going.exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0.2, 0.8))
        os.kill(rng.choice(children), signal.SIGKILL)
        codes = ended(children)
        killed += -9 in codes
        quiet += codes.count(3)
        assert set(codes) <= {-9, 0, 3}, codes
    print(killed, quiet)


def one_of_torchrun(folder):
    """The process of rank 1 kills itself in the first attempt, once there is a checkpoint."""
    attempt, rank = os.environ["TORCHELASTIC_RESTART_COUNT"], int(os.environ["RANK"])

    def progress(done, total):
        if rank == 0:
            with (folder / f"attempt-{attempt}").open("a") as file:
                file.write(f"{done}\n")
        if rank == 1 and attempt == "0" and done == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    with joined("cpu", timeout=60) as group:
        keeper = checkpointed("random", folder, group, 2, rank, progress)
        keeper.remove()


if __name__ == "__main__":
    import torch.distributed

    torch.set_num_threads(1)
    # Loaded and compiled before it is forked.
    fitted("plus-plus", Alone(), 0, 50)
    {"cuts": cuts, "kills": kills, "fit": one_of_torchrun}[sys.argv[1]](Path(sys.argv[2]))
