"""Fits of heads by several processes, for tests: run as a program, which forks them once all is
loaded.

    heads_ranks.py FOLDER WHAT...

cuts     each method in 1, 2 and 3 processes
torn     trainings of which a process is killed again and again, in numbers that stay or change
sums     sums of floats over 1, 2 and 3 processes
broken   trainings of which a process has nothing but a broken head
kills    one process, killed at 20 random moments, then left to end
"""

import os
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from kmeans_ranks import ended, forked, save

from clusterbench.heads import training_state
from clusterbench.heads.losses.objectives import ScanObjective, TemiObjective
from clusterbench.heads.one_of_many import Sharing
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.stack import new_heads
from clusterbench.heads.trainer import train_heads
from clusterbench.heads.training_rows import HeldRows
from clusterbench.kmeans.processes import joined, shard_bounds
from clusterbench.methods import TEMI, SCANv2

N, DIM, CLUSTERS, SIZES = 240, 8, 4, (1, 2, 3)
SIZE = {
    "n_heads": 3,
    "epochs": 6,
    "batch_size": 60,
    "n_neighbors": 8,
    "hidden": 16,
    "bottleneck": 8,
    "learning_rate": 0.01,
    "momentum": 0.9,
    "warmup_epochs": 1,
}
METHODS = {"temi": TEMI, "scan": SCANv2}


def rows(seed=0):
    rng = np.random.default_rng(seed)
    groups = np.arange(N) % CLUSTERS
    return (3.0 * np.eye(CLUSTERS, DIM)[groups] + rng.normal(size=(N, DIM))).astype(np.float32)


def made(method, **settings):
    return METHODS[method](CLUSTERS, device="cpu", **{**SIZE, **settings})


#: Of the fit that is killed.
LONG = {"epochs": 60}


def facts(fitted, labels):
    """What a fit came to: all that a user may see of it, and the weights of the chosen head."""
    said = fitted.diagnostics_
    return {
        "labels": labels,
        "head": np.array(said["head"]),
        "losses": np.array(said["head_losses"]),
        "curve": np.array(said["loss_by_epoch"]),
        "used": np.array(said["head_clusters_used"]),
        **{f"weight {name}": tensor.numpy() for name, tensor in fitted._head.items()},
    }


def alone(method, files=None, **settings):
    fitted = made(method, **settings).fit(rows(), **(files or {}))
    return facts(fitted, fitted.labels_)


def shared(method, group, checkpoint=None, progress=None):
    start, stop = shard_bounds(N, group.size, group.rank)
    fitted = made(method).fit_share(
        rows()[start:stop], group, checkpoint=checkpoint, progress=progress
    )
    return facts(fitted, group.gather(fitted.labels_))


def cuts(folder):
    for size in SIZES:

        def work(rank, size=size):
            for method in METHODS:
                with joined("cpu", timeout=60) as group:
                    save(folder / f"{method}-{size}-{rank}.npz", shared(method, group))

        assert ended(forked(size, work)) == [0] * size


def kills(folder):
    """Notes how many were killed, and at how many different steps they were."""
    state, draw, killed, steps = folder / "state", random.Random(0), 0, set()

    def work(rank):
        del rank
        training_state.TrainingFolder = partial(Slowed, every=0.0)
        files = {"checkpoint": state, "log": folder / "log.jsonl"}
        save(folder / "end.npz", alone("temi", files, **LONG))

    for attempt in range(20):
        (child,) = forked(1, work)
        while attempt % 2 and not Path(f"{state}.{child}").exists():  # until its first step
            time.sleep(0.005)
        time.sleep(draw.uniform(0.0, 0.3))
        os.kill(child, signal.SIGKILL)
        killed += ended([child]) == [-signal.SIGKILL]
        steps |= {path.name for path in state.glob("step-*")} if state.exists() else set()
    assert ended(forked(1, work)) == [0]
    (folder / "said").write_text(f"{killed} {len(steps)}")


class Slowed(training_state.TrainingFolder):
    """Each step takes a moment, so that a kill finds many different ones."""

    def due(self, step):
        Path(f"{self._folder}.{os.getpid()}").touch()
        time.sleep(0.02)
        return super().due(step)


class Dying(training_state.TrainingFolder):
    """Its process dies at a step: before its state is written, or after.

    at: the step. before: whether before.
    """

    def __init__(self, *words, at, before, **settings):
        super().__init__(*words, **settings)
        self._at, self._before = at, before

    def save(self, step, *words):
        if step == self._at and self._before:
            os.kill(os.getpid(), signal.SIGKILL)
        super().save(step, *words)
        if step == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


#: Method, and processes of each attempt; all attempts but the last are killed.
TORN = {"same": ("temi", (2, 2, 2)), "other": ("temi", (2, 3, 1)), "scan": ("scan", (3, 2, 2))}


def torn(folder):
    whole = training_state.TrainingFolder
    for name, (method, sizes) in TORN.items():
        for attempt, size in enumerate(sizes):
            last = attempt == len(sizes) - 1

            def work(rank, name=name, method=method, size=size, attempt=attempt, last=last):
                if not last and rank == attempt % size:
                    at = {"at": 5 + 7 * attempt, "before": attempt % 2 == 0}
                    training_state.TrainingFolder = partial(Dying, every=0.0, **at)
                else:
                    training_state.TrainingFolder = partial(whole, every=0.0)
                with joined("cpu", timeout=60) as group:
                    found = shared(method, group, folder / name)
                save(folder / f"{name}-{rank}.npz", found)

            codes = ended(forked(size, work))
            assert (0 in codes) == last, (name, attempt, codes)
            assert last or -signal.SIGKILL in codes


def sums(folder):
    for size in SIZES:

        def work(rank, size=size):
            with joined("cpu", timeout=60) as group:
                own = summands(size)[rank]
                found = {name: group.added_up(t).numpy() for name, t in own.items()}
                assert all((own[n] == summands(size)[rank][n]).all() for n in own)  # not in place
            save(folder / f"{size}-{rank}.npz", found)

        assert ended(forked(size, work)) == [0] * size


def summands(size):
    """Of each process: tensors of several shapes, and of numbers whose sum depends on its order."""
    draw = torch.Generator().manual_seed(1)
    shapes = {"none": (), "one": (1,), "few": (5, 7), "many": (3, 20_001), "nothing": (0, 3)}
    return [
        {
            name + kind: torch.randn(shape, generator=draw).to(dtype) * 10.0**rank
            for name, shape in shapes.items()
            for kind, dtype in (("", torch.float32), (" double", torch.float64))
        }
        for rank in range(size)
    ]


def broken(folder):
    """The last process's only head starts as NaN.

    SCAN's other heads go on; TEMI's pair weights are of all of them.
    """

    def work(rank):
        for method, objective in (
            ("scan", ScanObjective(5.0)),
            ("temi", TemiObjective(0.6, 0.9, True)),
        ):
            schedule = Schedule(
                **{name: value for name, value in SIZE.items() if name != "n_neighbors"}
            )
            draw = torch.Generator().manual_seed(0)
            start = new_heads(3, DIM, CLUSTERS, draw, SIZE["hidden"], SIZE["bottleneck"])
            start["weight_1"][2] = float("nan")
            table = torch.randint(N, (N, 5), generator=draw)
            said, losses = "", np.empty(0)
            with joined("cpu", timeout=60) as group:
                try:
                    trained = train_heads(
                        HeldRows(torch.from_numpy(rows()), table), CLUSTERS, objective, schedule,
                        0, start=partial(dict, start), mates=Sharing(group),
                    )  # fmt: skip
                    losses = np.array(trained.history[-1].losses)
                except Exception as error:
                    said = f"{type(error).__name__}: {error}"
            save(folder / f"{method}-{rank}.npz", {"losses": losses, "said": np.array(said)})

    assert ended(forked(2, work)) == [0, 0]


if __name__ == "__main__":
    import torch.distributed

    torch.set_num_threads(1)
    alone("temi")  # loaded and compiled before it is forked
    programs = {"cuts": cuts, "kills": kills, "torn": torn, "sums": sums, "broken": broken}
    for what in sys.argv[2:]:
        place = Path(sys.argv[1], what)
        place.mkdir()
        programs[what](place)
