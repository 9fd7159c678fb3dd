"""Graphs of neighbours in a run: made once for all methods and seeds, found by the next run."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterbench.datasets import registry
from clusterbench.features.store.store import FeatureStore
from clusterbench.neighbours import kept
from clusterbench.neighbours.place import place_of, remove_beside


@pytest.fixture(autouse=True)
def nothing_held() -> None:
    kept._state.graphs.clear()


def test_methods_and_seeds_share_one_and_the_next_run_finds_it(tiny_world: SimpleNamespace) -> None:
    asked = {"methods": ["smoothed-kmeans", "scanv2"], "seeds": 2, "tasks": ["ratio-1"]}
    params = {"scanv2": {"epochs": 1, "n_heads": 1}, "smoothed-kmeans": {"rounds": 2}}
    # The store is that of other tests, too, whose graphs lie beside it.
    shutil.rmtree(place_of(registry.load("tiny").store()).folder, ignore_errors=True)
    first = tiny_world.run(**asked, params=params)
    assert first.ok and first.graphs.made == 1 and first.graphs.found == 0
    assert first.graphs.shared >= 3
    again = tiny_world.run(**asked, params=params)
    assert again.graphs.made == again.graphs.found == again.graphs.shared == 0  # nothing to do
    shutil.rmtree("results")
    kept._state.graphs.clear()  # as in another process
    other = tiny_world.run(**asked, params=params)
    assert (other.graphs.made, other.graphs.found) == (0, 1)
    for a, b in zip(first.records, other.records, strict=True):
        assert a.scores.metrics == b.scores.metrics  # type: ignore[union-attr]


def test_graphs_lie_beside_a_store_that_is_ones_own(tiny_world: SimpleNamespace) -> None:
    tiny_world.run(methods=["smoothed-kmeans"], seeds=1)
    store = registry.load("tiny").store()
    place = place_of(store)
    assert place.folder == store.path.with_name(f"{store.path.name}.neighbours")
    assert list(place.folder.glob("rows-*/k*/graph.json"))


def test_what_ships_is_not_written_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from clusterbench.catalog import shipped

    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    store = FeatureStore.open(next(shipped("features").glob("emoji/efficientnet*")))
    place = place_of(store)
    assert place.identity == store.identity
    assert place.folder == tmp_path / "neighbours" / store.identity[:16]


@pytest.mark.parametrize("what", ["a file", "a link to nothing"])
def test_a_place_that_is_taken_leaves_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path / "home"))
    store: Any = SimpleNamespace(path=tmp_path / "st", identity="f" * 64)
    beside = place_of(store).folder
    assert beside == tmp_path / "st.neighbours"
    if what == "a file":
        beside.write_text("")
    else:
        beside.symlink_to("nowhere")
    assert place_of(store).folder == tmp_path / "home" / "neighbours" / ("f" * 16)


def test_a_store_that_is_removed_takes_its_graphs_along(tmp_path: Path) -> None:
    beside = tmp_path / "st.neighbours"
    (beside / "rows-1-v1" / "k00050").mkdir(parents=True)
    (beside / "rows-1-v1" / "k00050" / "ids.npy").write_bytes(b"12345")
    (beside / "mine.txt").write_text("kept")
    assert remove_beside(tmp_path / "st") >= 5
    assert [path.name for path in beside.iterdir()] == ["mine.txt"]
    (beside / "mine.txt").unlink()
    assert remove_beside(tmp_path / "st") == 0 and not beside.exists()
    beside.symlink_to(tmp_path)
    assert remove_beside(tmp_path / "st") == 0 and beside.is_symlink()
