"""Graphs are made once: found in the folder, shared within a process, never of other rows."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from all_cosines import nearest

from clusterbench.errors import InputError
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.neighbours import kept
from clusterbench.neighbours.kept import Place, kept_in, nearest_of, neighbours_of
from clusterbench.neighbours.search import CpuEngine, all_neighbours


@pytest.fixture(autouse=True)
def nothing_held() -> Iterator[None]:
    """No graph of another test."""
    kept._state.graphs.clear()
    yield
    kept._state.graphs.clear()


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).integers(-3, 4, size=(400, 7)).astype(np.float32)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_second_request_is_shared_and_a_second_process_finds_it(x, tmp_path) -> None:
    with kept_in(Place(tmp_path / "g", "store-1")) as tally:
        first = neighbours_of(x, 12)
        again = neighbours_of(x, 5)
        assert (tally.made, tally.shared, tally.found) == (1, 1, 0)
    np.testing.assert_array_equal(first.ids, nearest(x, x, 12, own=True))
    np.testing.assert_array_equal(again.ids, first.ids[:, :5])
    kept._state.graphs.clear()  # as in another process
    with kept_in(Place(tmp_path / "g", "store-1")) as tally:
        found = neighbours_of(x.copy(), 10)
        assert (tally.made, tally.shared, tally.found) == (0, 0, 1)
    np.testing.assert_array_equal(found.ids, first.ids[:, :10])
    np.testing.assert_array_equal(found.similarities, first.similarities[:, :10])
    (manifest,) = (tmp_path / "g").rglob("graph.json")
    told = json.loads(manifest.read_text())
    # More than was asked for, so that others share it.
    assert (told["store"], told["n_rows"], told["n_neighbors"]) == ("store-1", 400, 50)
    assert not list((tmp_path / "g").rglob("*.part"))


def test_more_neighbours_or_other_rows_are_made_anew(x, tmp_path) -> None:
    with kept_in(Place(tmp_path)) as tally:
        neighbours_of(x, 5)
        neighbours_of(x, 60)
        changed = x.copy()
        changed[7, 0] += 1
        other = neighbours_of(changed, 5)
        assert tally.made == 3
    np.testing.assert_array_equal(other.ids, nearest(changed, changed, 5, own=True))


def test_without_a_folder_nothing_is_written(x, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    neighbours_of(x, 5)
    nearest_of(x[:9], x, 3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["ids.npy", "similarities.npy", "graph.json"])
@pytest.mark.parametrize("how", ["cut", "changed", "gone", "folder"])
def test_a_damaged_graph_is_made_again(x, tmp_path, what: str, how: str) -> None:
    with kept_in(Place(tmp_path)):
        whole = neighbours_of(x, 5)
    before = content(tmp_path)
    (path,) = tmp_path.rglob(what)
    data = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "changed":
        data[-2] ^= 1 if what != "graph.json" else 0x7F
        path.write_bytes(data)
    else:
        path.unlink()
        if how == "folder":
            path.mkdir()
    kept._state.graphs.clear()
    with kept_in(Place(tmp_path)) as tally:
        again = neighbours_of(x, 5)
        assert tally.made == 1
    np.testing.assert_array_equal(again.ids, whole.ids)
    if how != "folder":
        assert content(tmp_path) == before


def test_a_folder_that_cannot_be_written_hinders_nothing(x, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with kept_in(Place(tmp_path / "file" / "g")) as tally:
        found = neighbours_of(x, 5)
        assert tally.made == 1
    np.testing.assert_array_equal(found.ids, nearest(x, x, 5, own=True))


def test_neighbours_among_other_rows_are_looked_for_once(x) -> None:
    queries = x[::3] + 1
    first = nearest_of(queries, x, 4)
    np.testing.assert_array_equal(first.ids, nearest(queries, x, 4, own=False))
    assert nearest_of(queries.copy(), x, 4).ids.base is first.ids.base


@pytest.mark.parametrize("size", [0, -5, 1, 10**9, 2.5, True, None, "100"])
def test_a_plan_that_makes_no_sense_is_made_anew(rows, tmp_path: Path, size: object) -> None:
    x, _ = rows
    folder = tmp_path / "work"
    assert all_neighbours(ArrayRows(x), 8, CpuEngine(1), folder, rows_at_a_time=300) is not None
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(plan | {"panel_rows": size}))
    found = all_neighbours(ArrayRows(x), 8, CpuEngine(1), folder, rows_at_a_time=300)
    assert found is not None and len(list(folder.glob("panel-*.npz"))) == 4
    np.testing.assert_array_equal(found.ids, nearest(x, x, 8, own=True))


@pytest.mark.parametrize("with_plan", [True, False])
def test_files_of_other_rows_are_not_gone_on_with(rows, tmp_path: Path, with_plan: bool) -> None:
    x, _ = rows
    other = np.ascontiguousarray(x[::-1])
    for name, of in (("a", x), ("b", other)):
        all_neighbours(
            ArrayRows(of), 8, CpuEngine(1), tmp_path / name, rows_at_a_time=300, known_by=name
        )
    for path in (tmp_path / "b").glob("*" if with_plan else "panel-*"):
        if path.is_file():
            shutil.copy(path, tmp_path / "a" / path.name)
    found = all_neighbours(
        ArrayRows(x), 8, CpuEngine(1), tmp_path / "a", rows_at_a_time=300, known_by="a"
    )
    assert found is not None
    np.testing.assert_array_equal(found.ids, nearest(x, x, 8, own=True))


def test_a_pipe_in_place_of_a_record_is_not_waited_for(x, tmp_path: Path) -> None:
    with kept_in(Place(tmp_path)):
        neighbours_of(x, 5)
    (manifest,) = tmp_path.rglob("graph.json")
    manifest.unlink()
    os.mkfifo(manifest)
    kept._state.graphs.clear()
    with kept_in(Place(tmp_path)) as tally:
        found = neighbours_of(x, 5)
    assert tally.made == 1
    np.testing.assert_array_equal(found.ids, nearest(x, x, 5, own=True))


def test_what_is_no_graph_is_refused(x) -> None:
    with pytest.raises(InputError, match=r"k=400 should be in 1..399, as many other rows as X has"):
        neighbours_of(x, 400)
    with pytest.raises(InputError, match=r"k=0 should be in 1..400, as many rows"):
        nearest_of(x, x, 0)
    with pytest.raises(InputError, match="NaN or infinity in 1 of 400 rows"):
        neighbours_of(np.where(np.arange(400)[:, None] == 7, np.nan, x), 3)
    with pytest.raises(InputError, match="queries have 3 dimensions and X has 7"):
        nearest_of(x[:, :3], x, 3)
    half = neighbours_of(np.asfortranarray(x.astype(np.float16)), 6)
    np.testing.assert_array_equal(half.ids, nearest(x, x, 6, own=True))


WORK = """
import sys
from pathlib import Path
import numpy as np
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.neighbours import search
from clusterbench.neighbours.search import CpuEngine, all_neighbours

class Slow(CpuEngine):
    def merge(self, *given):
        import time
        time.sleep(0.02)
        super().merge(*given)

x = np.load(sys.argv[1])
search._WAIT = 0.005
graph = all_neighbours(ArrayRows(x), 8, Slow(1), Path(sys.argv[2]), rows_at_a_time=100, loss=0.0)
np.save(sys.argv[3], graph.ids)
"""


def worker(x: Path, folder: Path, output: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORK, str(x), str(folder), str(output)])


@pytest.fixture
def rows(tmp_path: Path) -> tuple[np.ndarray, Path]:
    x = np.random.default_rng(5).integers(-2, 3, size=(950, 6)).astype(np.float32)
    path = tmp_path / "x.npy"
    np.save(path, x)
    return x, path


@pytest.mark.parametrize(
    "n", [pytest.param(2, marks=pytest.mark.exhaustive), pytest.param(4, marks=pytest.mark.slow)]
)
def test_several_processes_share_the_panels(rows, tmp_path: Path, n: int) -> None:
    x, path = rows
    outputs = [tmp_path / f"ids-{i}.npy" for i in range(n)]
    processes = [worker(path, tmp_path / "work", output) for output in outputs]
    assert [process.wait(timeout=300) for process in processes] == [0] * n
    for output in outputs:
        np.testing.assert_array_equal(np.load(output), nearest(x, x, 8, own=True))


FORKED = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.neighbours.search import CpuEngine, all_neighbours

x, folder, rng = np.load(sys.argv[1]), Path(sys.argv[2]), random.Random(int(sys.argv[3]))

def work(to):
    graph = all_neighbours(ArrayRows(x), 8, CpuEngine(1), to, rows_at_a_time=190, loss=0.0)
    np.save(folder / "ids.npy", graph.ids)
    np.save(folder / "similarities.npy", graph.similarities)

started = time.monotonic()
work(folder / "whole")
whole = time.monotonic() - started
ids = (folder / "ids.npy").read_bytes()
similarities = (folder / "similarities.npy").read_bytes()
kills = 0
while kills < int(sys.argv[4]):
    to = folder / f"work-{kills}"
    while True:
        child = os.fork()
        if not child:
            work(to)
            os._exit(0)
        deadline = time.monotonic() + rng.uniform(0, whole)
        while time.monotonic() < deadline and not (ended := os.waitpid(child, os.WNOHANG)[0]):
            time.sleep(0.0005)
        if ended:
            break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
    assert (folder / "ids.npy").read_bytes() == ids
    assert (folder / "similarities.npy").read_bytes() == similarities
print(kills)
"""


@pytest.mark.slow
@pytest.mark.parametrize("times", [5, pytest.param(20, marks=pytest.mark.exhaustive)])
def test_killed_at_random_moments_it_goes_on_to_the_same_bytes(rows, tmp_path, times) -> None:
    x, path = rows
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(path), str(tmp_path), "0", str(times)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= times
    np.testing.assert_array_equal(np.load(tmp_path / "ids.npy"), nearest(x, x, 8, own=True))


@pytest.mark.slow
def test_when_one_is_killed_the_others_finish(rows, tmp_path: Path) -> None:
    x, path = rows
    outputs = [tmp_path / f"ids-{i}.npy" for i in range(3)]
    processes = [worker(path, tmp_path / "work", output) for output in outputs]
    deadline = time.monotonic() + 200
    while not list((tmp_path / "work").glob("panel-*.npz")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.Random(0).uniform(0.0, 0.2))
    processes[0].send_signal(signal.SIGKILL)
    assert [process.wait(timeout=300) for process in processes[1:]] == [0, 0]
    processes[0].wait()
    for output in outputs[1:]:
        np.testing.assert_array_equal(np.load(output), nearest(x, x, 8, own=True))


def test_a_damaged_file_on_the_way_costs_its_panel_alone(rows, tmp_path: Path) -> None:
    x, _ = rows
    folder = tmp_path / "work"
    for _ in range(2):
        found = all_neighbours(ArrayRows(x), 8, CpuEngine(1), folder, rows_at_a_time=300, loss=0.0)
        assert found is not None
        np.testing.assert_array_equal(found.ids, nearest(x, x, 8, own=True))
        path = folder / "panel-00001.npz"
        path.write_bytes(path.read_bytes()[:1000])
