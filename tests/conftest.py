"""How the tests run, and a small world on disk: a data set, its features, a benchmark, methods."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from clusterbench.cores import n_cores

# Before anything loads a numerical library: arrays of tests are small, and threads that wait for
# each other take most of the time where several processes share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Examples of a property, where it names no number itself: the same ones each time by default.
settings.register_profile("default", deadline=None, max_examples=100, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"

MOST_WORKERS = 8  # of `-n auto`: each holds a copy of torch
GROWTH = 64 << 20  # bytes of memory after which a test's leftovers are given back

N_CLASSES, N_TRAIN, N_VAL, DIM = 6, 20, 5, 8

BENCHMARK = """
name = "tiny-imbalance"
title = "Tiny"
question = "Does it run?"
description = "Two small tasks."

[datasets.tiny]
tasks = [
  { name = "ratio-1", builder = "ratio", ratio = 1 },
  { name = "ratio-4", builder = "ratio", ratio = 4 },
]

[datasets.tiny.defaults.ratio]
series = [1, 4]
n_classes = 4
images_per_class = 8
eval_per_class = 5
"""

DATASET = """
name = "tiny"
description = "Gaussian blobs."
licence = "CC0-1.0"
default_encoder = "blobs"
preset = "tiny"

[stores]
blobs = "blobs"
shifted = "shifted"
"""

PRESET = """
[kmeans]
n_init = 2
max_iter = 20
"""

METHODS = '''
import json, os, sys, time
from pathlib import Path

import numpy as np

from clusterbench.methods import TEMI, Clusterer, KMeans

ATTEMPT = "TORCHELASTIC_RESTART_COUNT"


class Modulo(Clusterer):
    """Cluster of a row: its position modulo K, moved by the seed."""

    name, label, version = "modulo", "modulo", 1

    def __init__(self, n_clusters, random_state=0, device="auto", shift: int = 0,
                 flag: bool = False):
        super().__init__(n_clusters, random_state, device)
        self.shift, self.flag = shift, flag

    def _fit(self, features, progress):
        progress(1, 2)
        progress(2, 2)
        self.diagnostics_ = {"chosen_head": np.int64(3), "losses": [1.0, float("nan")]}
        return self._predict(features)

    def _predict(self, features):
        return (np.arange(len(features)) + self.random_state + self.shift) % self.n_clusters

    def _predict_top(self, features, n):
        raise NotImplementedError


class Fails(Modulo):
    name = "fails"

    def _fit(self, features, progress):
        if self.random_state == int(os.environ.get("TEST_FAILING_SEED", 1)):
            raise ValueError("the head\\ncollapsed")
        return super()._fit(features, progress)


class NaNs(Modulo):
    name = "nans"

    def _predict(self, features):
        return np.full(len(features), np.nan)


class Interrupted(Modulo):
    name = "interrupted"

    def _fit(self, features, progress):
        if self.random_state == 1:
            raise KeyboardInterrupt
        return super()._fit(features, progress)


class Slow(Modulo):
    name = "slow"

    def _fit(self, features, progress):
        if self.random_state == 1 and "TEST_FAST" not in os.environ:
            Path(os.environ["TEST_STARTED"]).touch()
            time.sleep(60)
        return super()._fit(features, progress)


class Dies(Modulo):
    name = "dies"

    def _fit(self, features, progress):
        how = os.environ.get("TEST_DEATH", "")
        if self.random_state == 1 and how:
            print("native code gives up", file=sys.stderr, flush=True)
            {"abort": os.abort, "exit": lambda: os._exit(7), "sys.exit": lambda: sys.exit(3),
             "kill": lambda: os.kill(os.getpid(), 9)}[how]()
        return super()._fit(features, progress)


class Shared(KMeans):
    """k-means that fails or dies where the test says, when several processes share it."""

    name, label, version = "shared", "shared", 1

    def _fit_share(self, features, group, checkpoint, progress):
        where, attempt = os.environ.get("TEST_SHARED", ""), os.environ["TORCHELASTIC_RESTART_COUNT"]
        if where == "all" or where == f"only {group.rank}":
            raise ValueError("no convergence")
        if where == "killed" and group.rank == 1 and attempt == "0":
            os.kill(os.getpid(), 9)
        return super()._fit_share(features, group, checkpoint, progress)


class Watched(TEMI):
    """TEMI that keeps its state after each step, takes a while and says what it has come to."""

    name, label, version = "watched", "watched", 1

    def __init__(self, n_clusters, random_state=0, device="auto"):
        super().__init__(n_clusters, random_state, device, n_heads=2, epochs=16, batch_size=8,
                         n_neighbors=4, hidden=8, bottleneck=4, learning_rate=0.05)

    def _train(self, X, progress, mates=None):
        from functools import partial
        from clusterbench.heads import training_state

        kept = training_state.TrainingFolder
        if not isinstance(kept, partial):
            training_state.TrainingFolder = partial(kept, every=0.0)

        def told(done, total):
            with open(os.environ["TEST_TOLD"], "a") as file:
                print(self.random_state, done, file=file)
            if done == int(os.environ.get("TEST_BROKEN_AT", -1)):
                raise ValueError("broken off")
            second = os.environ.get("RANK") == "1"
            if second and os.environ.get("TEST_DIES") == f"{done} {os.environ[ATTEMPT]}":
                os.kill(os.getpid(), 9)
            time.sleep(float(os.environ.get("TEST_PAUSE", 0)))
            progress(done, total)

        return super()._train(X, told, mates)


class Spy(Modulo):
    name = "spy"
    seen = []

    def fit(self, *args, **kwargs):
        Spy.seen.append(("fit", args, kwargs))
        return super().fit(*args, **kwargs)

    def predict(self, *args, **kwargs):
        Spy.seen.append(("predict", args, kwargs))
        return super().predict(*args, **kwargs)
'''

ENTRY_POINTS = """[clusterbench.methods]
modulo = clusterbench_test_methods:Modulo
fails = clusterbench_test_methods:Fails
nans = clusterbench_test_methods:NaNs
interrupted = clusterbench_test_methods:Interrupted
slow = clusterbench_test_methods:Slow
spy = clusterbench_test_methods:Spy
dies = clusterbench_test_methods:Dies
shared = clusterbench_test_methods:Shared
watched = clusterbench_test_methods:Watched
"""


def pytest_xdist_auto_num_workers() -> int:
    return min(MOST_WORKERS, n_cores())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is exhaustive is run only where it is asked for, also by `-m slow`.

    The profile "thorough" asks for more examples, which a property that names their number itself
    does not have: it would be run a second time as it is.
    """

    def left_out(item: pytest.Item) -> bool:
        if "exhaustive" in config.option.markexpr:
            return False
        if item.get_closest_marker("exhaustive"):
            return True
        chosen = getattr(getattr(item, "obj", None), "_hypothesis_internal_use_settings", None)
        repeated = chosen is not None and chosen.max_examples != settings().max_examples
        return THOROUGH and repeated and not item.get_closest_marker("slow")

    if some := [item for item in items if left_out(item)]:
        config.hook.pytest_deselected(items=some)
        items[:] = [item for item in items if not left_out(item)]


def pytest_collection_finish() -> None:
    keep()


def keep() -> None:
    """What imports and caches hold is there until the end: looking through it takes time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def given_back() -> Callable[[], None]:
    """Gives freed memory back to the system, if this process has grown since the last time.

    The allocator of glibc keeps what large arrays leave behind.
    """
    statm = Path("/proc/self/statm")
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if statm.is_file() else None
    page = os.sysconf("SC_PAGE_SIZE") if trim is not None else 0
    held = 0

    def give_back() -> None:
        nonlocal held
        if trim is None or int(statm.read_text().split()[1]) * page < held + GROWTH:
            return
        keep()
        trim(0)
        held = int(statm.read_text().split()[1]) * page

    return give_back


@pytest.fixture(autouse=True)
def no_memory_kept(given_back: Callable[[], None]) -> Iterator[None]:
    """The largest test decides how much memory a run takes, not their sum."""
    yield
    given_back()


@pytest.fixture
def two_threads() -> Iterator[None]:
    """torch computes with two threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Written once: `home` (a CLUSTERBENCH_HOME) and `plugins` (a folder for the Python path)."""
    import numpy as np

    from clusterbench.features.store.store import FeatureStore
    from clusterbench.sources.dataset_index import DatasetIndex

    home, plugins = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("plugins")
    folder = home / "features" / "tiny"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text(DATASET)
    (home / "benchmarks" / "presets").mkdir(parents=True)
    (home / "benchmarks" / "tiny-imbalance.toml").write_text(BENCHMARK)
    (home / "benchmarks" / "presets" / "tiny.toml").write_text(PRESET)

    classes = np.repeat([f"class-{c}" for c in range(N_CLASSES)], N_TRAIN + N_VAL)
    ids = [f"{name}/{number:03d}" for number, name in enumerate(classes)]
    split = np.tile(np.r_[np.zeros(N_TRAIN), np.ones(N_VAL)].astype(np.uint8), N_CLASSES)
    index, order = DatasetIndex.from_samples(ids, classes, split)
    rng = np.random.default_rng(0)
    centres = 4 * rng.normal(size=(N_CLASSES, DIM))
    features = centres[index.labels] + rng.normal(size=(index.n, DIM))
    assert (order == np.arange(index.n)).all()
    for name, shift in (("blobs", 0.0), ("shifted", 1.0)):
        FeatureStore.write(
            folder / name, (features + shift).astype(np.float32), index, encoder=name
        )

    (plugins / "clusterbench_test_methods.py").write_text(METHODS)
    info = plugins / "clusterbench_test_methods-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: clusterbench-test-methods\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return SimpleNamespace(home=home, plugins=plugins)


@pytest.fixture
def tiny_world(
    tiny_files: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SimpleNamespace:
    """The small world in this process, working in an empty folder; intervals of few resamples.

    `run(**settings)` calls `clusterbench.run` on it; `command(*words, **environment)` runs the
    command line in a process of its own.
    """
    from clusterbench.metrics import Resampling

    for name in [name for name in os.environ if name.startswith("CLUSTERBENCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tiny_files.home))
    monkeypatch.syspath_prepend(str(tiny_files.plugins))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("clusterbench.runs.one_run.INTERVALS", Resampling(n_resamples=20))

    def run(**settings: Any) -> Any:
        import clusterbench

        request = {
            "benchmark": "tiny-imbalance",
            "dataset": "tiny",
            "methods": ["modulo"],
            "device": "cpu",
            **settings,
        }
        return clusterbench.run(**request)

    def environment(**extra: str) -> dict[str, str]:
        python_path = os.pathsep.join([str(tiny_files.plugins), os.environ.get("PYTHONPATH", "")])
        return {**os.environ, "PYTHONPATH": python_path, "OMP_NUM_THREADS": "1", **extra}

    def command(*words: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "clusterbench", *words],
            capture_output=True,
            text=True,
            env=environment(**extra),
            timeout=300,
        )

    return SimpleNamespace(
        run=run, command=command, environment=environment, folder=tmp_path, **vars(tiny_files)
    )


@pytest.fixture
def cli(
    tiny_world: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """The command line in this process: words in; (exit code, stdout, stderr) out."""
    from clusterbench.cli.main import main

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clusterbench", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return call
