"""Fits of k-means and of its relatives on the graph go on from where they were killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clusterbench.errors import CheckpointError, InputError
from clusterbench.kmeans.checkpoint import Checkpoint
from clusterbench.methods import KMeans, SmoothedKMeans, StableKMeans, fit_stages
from clusterbench.methods.fit_stages import FitStages
from clusterbench.methods.graph import stable
from clusterbench.neighbours import kept as graphs

METHODS: dict[str, Any] = {
    "kmeans": partial(KMeans, 12, device="cpu", init="random", n_init=2),
    "kmeans in few dimensions": partial(KMeans, 12, device="cpu", init="random", start_dim=4),
    "kmeans of a sample": partial(
        KMeans, 12, device="cpu", init="random", max_points_per_centroid=20
    ),
    "smoothed-kmeans": partial(SmoothedKMeans, 12, device="cpu", init="random", n_init=2),
    "stable-kmeans": partial(StableKMeans, 12, device="cpu", init="random", n_init=2),
}


class StoppedError(Exception):
    """Raised in the middle of a fit."""


def rows(n: int = 500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = 2.0 * np.random.default_rng(9).normal(size=(12, 10))
    found = centres[rng.integers(0, 12, n)] + rng.normal(size=(n, 10))
    return np.asarray(found, dtype=np.float32)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are written after every step, and no graph is known of another fit."""
    graphs._state.graphs.clear()
    monkeypatch.setattr(fit_stages, "EVERY", 0.0)
    monkeypatch.setattr("clusterbench.methods.kmeans.Checkpoint", partial(Checkpoint, every=0.0))


def stopped(method: Any, x: np.ndarray, checkpoint: Path, after: int) -> bool:
    """Fit until so many steps were told of; whether it was stopped before its end."""
    told = 0

    def progress(done: int, total: int) -> None:
        nonlocal told
        told += 1
        if told == after:
            raise StoppedError

    try:
        method.fit(x, checkpoint=checkpoint, progress=progress)
    except StoppedError:
        return True
    return False


def steps(method: Any, x: np.ndarray, checkpoint: Path | None = None) -> list[int]:
    """What a fit tells of its progress."""
    told: list[int] = []
    method.fit(x, checkpoint=checkpoint, progress=lambda done, total: told.append(done))
    return told


@pytest.mark.parametrize("name", METHODS)
def test_a_stopped_fit_goes_on_to_the_same_clusters(
    name: str, tmp_path: Path, at_once: None
) -> None:
    x, new = rows(), rows(70, seed=1)
    whole = METHODS[name]()
    whole_steps = steps(whole, x)
    points = range(2, len(whole_steps), max(1, len(whole_steps) // 12))
    for after in points:
        path = tmp_path / f"{after}"
        assert stopped(METHODS[name](), x, path, after)
        again = METHODS[name]()
        told = steps(again, x, path)
        assert len(told) < len(whole_steps) or after <= 6
        np.testing.assert_array_equal(again.labels_, whole.labels_)
        np.testing.assert_array_equal(again.predict(new), whole.predict(new))
        np.testing.assert_array_equal(again.predict_top(new, 3), whole.predict_top(new, 3))
        leave_out = {"exact_share", "products_share"}  # of the work, not of the answer
        for key in whole.diagnostics_.keys() - leave_out:
            assert again.diagnostics_[key] == whole.diagnostics_[key], key


@pytest.mark.parametrize("name", METHODS)
def test_stopped_again_and_again_it_comes_to_its_end(
    name: str, tmp_path: Path, at_once: None
) -> None:
    whole = METHODS[name]().fit(rows())
    path, times = tmp_path / "state", 0
    each = 8 if "stable" in name else 3  # the trials are one stage
    while stopped(METHODS[name](), rows(), path, each):
        times += 1
        assert times < 200
    assert times > 2
    again = METHODS[name]().fit(rows(), checkpoint=path)
    np.testing.assert_array_equal(again.labels_, whole.labels_)


def test_what_had_ended_is_not_done_again(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the trials, the search for neighbours, the joining or the refinements."""
    whole = METHODS["stable-kmeans"]().fit(rows(), checkpoint=tmp_path)
    kept = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"preparation.safetensors", "joined.safetensors", "kmeans", "graph.json"} <= kept
    # Of the refinements the last state is kept, and no other.
    assert {name for name in kept if name.startswith("refined")} == {"refined-3.safetensors"}

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("done again")

    for name in ("chosen", "joined_to"):
        monkeypatch.setattr(stable, name, forbidden)
    monkeypatch.setattr("clusterbench.neighbours.search.all_neighbours", forbidden)
    monkeypatch.setattr("clusterbench.methods.graph.refinement.Witnesses.told", forbidden)
    graphs._state.graphs.clear()  # as in another process
    again = METHODS["stable-kmeans"]().fit(rows(), checkpoint=tmp_path)
    np.testing.assert_array_equal(again.labels_, whole.labels_)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("other", ["rows", "order of rows", "number", "seed"])
def test_the_checkpoint_of_another_fit_is_refused(
    name: str, other: str, tmp_path: Path, at_once: None
) -> None:
    path = tmp_path / "state"
    assert stopped(METHODS[name](), rows(), path, 14 if "stable" in name else 6)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    x = {"rows": rows(seed=3), "order of rows": rows()[::-1].copy(), "number": rows(499)}
    method = METHODS[name](**({"random_state": 5} if other == "seed" else {}))
    if other == "order of rows" and "stable" not in name:
        return  # of which a state of centroids is one as well
    with pytest.raises(CheckpointError):
        method.fit(x.get(other, rows()), checkpoint=path)
    for p, content in before.items():
        assert p.read_bytes() == content


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("mine")
    for name in ("smoothed-kmeans", "stable-kmeans"):
        with pytest.raises(CheckpointError, match="a file stands where a folder"):
            METHODS[name]().fit(rows(), checkpoint=path)
    with pytest.raises(CheckpointError, match="is no checkpoint of k-means"):
        METHODS["kmeans"]().fit(rows(), checkpoint=path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("path", ["", 5])
def test_what_is_no_path_is_refused(name: str, path: Any) -> None:
    with pytest.raises(InputError, match="should be a path, or None"):
        METHODS[name]().fit(rows(), checkpoint=path)


def test_faiss_keeps_none() -> None:
    method = KMeans(3, engine="faiss", device="cpu")
    assert not method.keeps_checkpoints and KMeans(3).keeps_checkpoints
    with pytest.raises(InputError, match="engine='faiss' keeps none"):
        method.fit(rows(), checkpoint="state")


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "folder"])
def test_a_damaged_stage_is_done_again(damage: str, tmp_path: Path, at_once: None) -> None:
    whole = METHODS["stable-kmeans"]().fit(rows(), checkpoint=tmp_path)
    for path in sorted(tmp_path.glob("*.safetensors")):
        content = path.read_bytes()
        if damage == "folder":
            path.unlink()
            path.mkdir()
        else:
            changed = content[:-1] + bytes([content[-1] ^ 1])
            path.write_bytes({"cut": content[:-3], "changed": changed, "empty": b""}[damage])
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            if damage == "folder":
                with pytest.raises(CheckpointError, match="a folder stands where"):
                    METHODS["stable-kmeans"]().fit(rows(), checkpoint=tmp_path)
                path.rmdir()
            again = METHODS["stable-kmeans"]().fit(rows(), checkpoint=tmp_path)
        np.testing.assert_array_equal(again.labels_, whole.labels_)
        assert damage == "folder" or any("damaged" in str(w.message) for w in said)


def test_a_short_fit_writes_no_state(tmp_path: Path) -> None:
    METHODS["kmeans"]().fit(rows(), checkpoint=tmp_path / "a")
    METHODS["smoothed-kmeans"]().fit(rows(), checkpoint=tmp_path / "b")
    METHODS["stable-kmeans"]().fit(rows(), checkpoint=tmp_path / "c")
    found = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert found <= {".npy", ".json"}  # of the graph of neighbours


def test_states_are_written_together_with_those_before_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("clusterbench.methods.fit_stages.time.monotonic", lambda: clock[0])
    stages = FitStages(tmp_path, "one")
    stages.keep("first", {"a": 1.5})
    stages.keep("zeroth", labels=np.arange(2))
    stages.keep("second", instead="zeroth", labels=np.arange(3))
    assert not list(tmp_path.iterdir())
    clock[0] = 31.0
    stages.keep("third", instead="second", labels=np.arange(4))
    assert {path.stem for path in tmp_path.iterdir()} == {"first", "third"}
    again = FitStages(tmp_path, "one")
    first, third = again.known("first"), again.known("third")
    assert first is not None and first.facts == {"a": 1.5}
    assert third is not None and third.arrays["labels"].tolist() == [0, 1, 2, 3]
    assert again.known("second") is None
    with pytest.raises(CheckpointError, match="checkpoints of another fit"):
        FitStages(tmp_path, "two")
    nothing = FitStages(None, "")
    nothing.keep("first", {"a": 1})
    assert nothing.known("first") is None and nothing.part("x") is None


SCRIPT = """
import sys
import time
from functools import partial
import numpy as np
from clusterbench.kmeans.checkpoint import Checkpoint
from clusterbench.methods import StableKMeans, fit_stages, kmeans
fit_stages.EVERY = 0.0
kmeans.Checkpoint = partial(Checkpoint, every=0.0)
x = np.load(sys.argv[1])


def told(done, total):
    print(done, flush=True)
    time.sleep(0.02)


found = StableKMeans(40, device="cpu", init="random", n_init=3)
found.fit(x, checkpoint=sys.argv[2], progress=told)
np.save(sys.argv[3], found.labels_)
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_comes_to_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(40, 32))[rng.integers(0, 40, 3000)] + rng.normal(size=(3000, 32))).astype(
        np.float32
    )
    np.save(tmp_path / "x.npy", x)
    whole = StableKMeans(40, device="cpu", init="random", n_init=3).fit(x)
    chance = random.Random(0)
    command = [sys.executable, "-c", SCRIPT, *(str(tmp_path / n) for n in ("x.npy", "s", "y.npy"))]
    kills = 0
    while not (tmp_path / "y.npy").exists():
        left = chance.randrange(8, 20)  # steps that it may tell of: the trials are one stage
        with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
            assert run.stdout is not None
            for _ in run.stdout:
                left -= 1
                if not left:
                    time.sleep(0.02 * chance.random())
                    run.kill()
                    kills += 1
            assert run.wait() in (0, -signal.SIGKILL)
    assert kills >= 2
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), whole.labels_)
