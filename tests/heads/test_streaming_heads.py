"""Wherever the rows lie, heads are trained on the same numbers, and no thread outlives it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.features.store.store import FeatureStore
from clusterbench.heads import training_rows
from clusterbench.heads.losses.objectives import TemiObjective
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.trainer import train_heads
from clusterbench.heads.training_rows import HeldRows, StreamedRows, TrainingRows
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.methods import TEMI, SCANv2
from clusterbench.methods.trained import head_input
from clusterbench.methods.trained.head_input import HeadInput
from clusterbench.neighbours.kept import kept_in, neighbours_of, neighbours_of_rows
from clusterbench.sources.dataset_index import DatasetIndex

N, DIM, NEIGHBOURS = 70, 9, 6
SCALINGS = ["none", "l2", "standardize", "whiten(5)"]
CPU = torch.device("cpu")


def features(n: int = N) -> np.ndarray:
    """(n, dim) float16 around three centres."""
    rng = np.random.default_rng(2)
    return (4.0 * np.eye(3, DIM)[np.arange(n) % 3] + rng.normal(size=(n, DIM))).astype(np.float16)


def in_a_store(x: np.ndarray, folder: Path) -> FeatureStore:
    ids = [f"a/{number:04d}" for number in range(len(x))]
    index, order = DatasetIndex.from_samples(
        ids, np.repeat("a", len(x)), np.zeros(len(x), np.uint8)
    )
    assert (order == np.arange(len(x))).all()
    FeatureStore.write(folder, x, index, encoder="toy")
    return FeatureStore.open(folder)


def in_a_map(x: np.ndarray, folder: Path) -> np.ndarray:
    folder.mkdir(parents=True)
    np.save(folder / "x.npy", x)
    mapped: np.ndarray = np.load(folder / "x.npy", mmap_mode="r")
    return mapped


KINDS: dict[str, Callable[[np.ndarray, Path], Any]] = {
    "float16": lambda x, folder: x,
    "store": in_a_store,
    "map": in_a_map,
    "map of float32": lambda x, folder: in_a_map(x.astype(np.float32), folder),
}


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """So little that nothing is held on the device."""
    monkeypatch.setattr(head_input, "free_bytes", lambda device: 0.0)


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much as rows of half precision take."""
    monkeypatch.setattr(head_input, "free_bytes", lambda device: 3.0 * N * DIM / 0.6)


def table() -> np.ndarray:
    found: np.ndarray = np.random.default_rng(3).integers(0, N, (N, NEIGHBOURS), dtype=np.int32)
    return found


def drawn(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randperm(N, generator=generator),
        torch.randint(NEIGHBOURS, (N,), generator=generator),
    )


def rows_of(X: Any, scaling: str) -> tuple[TrainingRows, str]:
    seen = HeadInput(X, scaling, CPU)
    return seen.training_rows(table()), seen.resident


def trained(rows: TrainingRows) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    schedule = Schedule(
        n_heads=2, epochs=3, batch_size=16, hidden=8, bottleneck=6, learning_rate=0.05,
        momentum=0.9, warmup_epochs=1,
    )  # fmt: skip
    found = train_heads(rows, 3, TemiObjective(0.6, 0.9, True), schedule, 1)
    return found.losses, found.teacher


def same_training(rows: TrainingRows, wanted: TrainingRows) -> None:
    assert (rows.n, rows.dim, rows.n_neighbors) == (wanted.n, wanted.dim, wanted.n_neighbors)
    (losses, teacher), (right, right_teacher) = trained(rows), trained(wanted)
    assert torch.equal(losses, right)
    for name in right_teacher:
        assert torch.equal(teacher[name], right_teacher[name]), name


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("kind", KINDS)
class TestWhereRowsLie:
    def test_streamed_trains_as_held(
        self, kind: str, scaling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted, resident = rows_of(features().astype(np.float32), scaling)
        assert resident == "float32" and isinstance(wanted, HeldRows)
        monkeypatch.setattr(head_input, "free_bytes", lambda device: 0.0)
        rows, resident = rows_of(KINDS[kind](features(), tmp_path / "x"), scaling)
        assert resident == "streamed" and isinstance(rows, StreamedRows)
        same_training(rows, wanted)

    def test_held_as_it_comes_it_trains_alike(
        self, kind: str, scaling: str, tmp_path: Path
    ) -> None:
        wanted, _ = rows_of(features().astype(np.float32), scaling)
        rows, resident = rows_of(KINDS[kind](features(), tmp_path / "x"), scaling)
        half = kind != "map of float32" and scaling in ("none", "standardize")
        assert resident == ("float16" if half else "float32")
        same_training(rows, wanted)


@pytest.mark.usefixtures("little_memory")
def test_half_precision_is_held_where_float32_would_not_fit() -> None:
    assert rows_of(features(), "standardize")[1] == "float16"
    assert rows_of(features().astype(np.float32), "standardize")[1] == "streamed"
    assert rows_of(features(), "l2")[1] == "streamed"  # scaled rows are no halves


class Asked(ArrayRows):
    """Notes how many rows are asked for at once."""

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(array)
        self.asked: list[int] = []

    def take(self, numbers: np.ndarray) -> np.ndarray:
        assert (np.diff(numbers) > 0).all()  # each once, in the order in which they lie
        self.asked.append(len(numbers))
        return super().take(numbers)


def plain_batches(
    x: np.ndarray, order: torch.Tensor, chosen: torch.Tensor, batch: int, first: int
) -> list[np.ndarray]:
    found = []
    for i in range(first, len(x) // batch):
        anchors = order[i * batch : (i + 1) * batch].numpy()
        partners = [table()[a, chosen[i * batch + j]] for j, a in enumerate(anchors)]
        found.append(np.concatenate([x[anchors], x[partners]]))
    return found


@given(st.integers(1, N), st.integers(0, 5), st.integers(0, 2**16), st.integers(0, 9))
def test_batches_are_those_of_the_order_in_bounded_reads(
    batch: int, first: int, ahead: int, seed: int
) -> None:
    x = features().astype(np.float32)
    order, chosen = drawn(seed)
    rows = Asked(x)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training_rows, "_AHEAD", ahead)
        streamed = list(StreamedRows(rows, table(), CPU).batches(order, chosen, batch, first))
    held = HeldRows(torch.from_numpy(x), torch.from_numpy(table()))
    wanted = plain_batches(x, order, chosen, batch, first)
    for found in (streamed, list(held.batches(order, chosen, batch, first))):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one.numpy(), other)
    # A batch at least, and else no more bytes than may be read ahead.
    assert all(n <= 2 * batch or 4 * DIM * n <= ahead for n in rows.asked)
    # None of a part that no batch is of.
    parts = -(-len(wanted) * batch // (max(1, ahead // (8 * batch * DIM)) * batch))
    assert len(rows.asked) == parts


class StoppedHereError(Exception):
    pass


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.is_alive()}


class TestTheReadingThread:
    @pytest.fixture(autouse=True)
    def a_batch_ahead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(training_rows, "_AHEAD", 0)

    @pytest.mark.parametrize("kind", [StoppedHereError, KeyboardInterrupt, MemoryError])
    @pytest.mark.parametrize("where", ["training", "reading", "scaling"])
    def test_it_ends_with_the_training(self, where: str, kind: type[BaseException]) -> None:
        before, calls = threads(), 0

        def at_the_third() -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise kind

        class Failing(ArrayRows):
            def take(self, numbers: np.ndarray) -> np.ndarray:
                if where == "reading":
                    at_the_third()
                return super().take(numbers)

        def scale(x: torch.Tensor) -> torch.Tensor:
            if where == "scaling":
                at_the_third()
            return x

        class Objective(TemiObjective):
            def couple(self, *what: Any) -> None:
                if where == "training":
                    at_the_third()
                super().couple(*what)

        rows = StreamedRows(Failing(features().astype(np.float32)), table(), CPU, scale)
        schedule = Schedule(n_heads=2, epochs=2, batch_size=8, hidden=4, bottleneck=4)
        with pytest.raises(kind) as caught:
            train_heads(rows, 3, Objective(0.6, 0.9, True), schedule, 1, tile_numbers=64)
        assert caught.value is not None  # whose frames are still there
        assert calls == 3 and threads() == before

    def test_nothing_is_read_where_no_batch_is_left(self) -> None:
        rows, before = Asked(features().astype(np.float32)), threads()
        assert list(StreamedRows(rows, table(), CPU).batches(*drawn(0), 16, 4)) == []
        assert rows.asked == [] and threads() == before


@pytest.mark.parametrize("resident", ["held", "streamed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_does_not_depend_on_where_rows_lie(
    kind: str, resident: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size: dict[str, Any] = {
        "n_heads": 2, "epochs": 4, "batch_size": 16, "n_neighbors": 5, "hidden": 8,
        "bottleneck": 6, "learning_rate": 0.02, "warmup_epochs": 1, "device": "cpu",
    }  # fmt: skip
    method = SCANv2 if kind == "map" else TEMI
    wanted = method(3, **size).fit(features().astype(np.float32))
    X = KINDS[kind](features(), tmp_path / "x")
    if resident == "streamed":
        monkeypatch.setattr(head_input, "free_bytes", lambda device: 0.0)
    found = method(3, **size).fit(X)
    assert (found.diagnostics_["features_held"] == "streamed") == (resident == "streamed")
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    np.testing.assert_array_equal(found.predict(X), wanted.labels_)
    assert found.diagnostics_["loss_by_epoch"] == wanted.diagnostics_["loss_by_epoch"]


def test_a_checkpoint_goes_on_wherever_the_rows_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functools import partial

    from clusterbench.heads import training_state

    monkeypatch.setattr(
        training_state, "TrainingFolder", partial(training_state.TrainingFolder, every=0.0)
    )
    size: dict[str, Any] = {
        "n_heads": 2, "epochs": 4, "batch_size": 16, "n_neighbors": 5, "hidden": 8,
        "bottleneck": 6, "device": "cpu",
    }  # fmt: skip

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise StoppedHereError

    wanted = TEMI(3, **size).fit(features().astype(np.float32))
    with pytest.raises(StoppedHereError):
        TEMI(3, **size).fit(in_a_map(features(), tmp_path / "x"), checkpoint=tmp_path / "state",
                            progress=stop)  # fmt: skip
    monkeypatch.setattr(head_input, "free_bytes", lambda device: 0.0)
    found = TEMI(3, **size).fit(
        in_a_store(features(), tmp_path / "store"), checkpoint=tmp_path / "state"
    )
    assert found.diagnostics_["steps_before_resumption"] == 7  # of four in each epoch
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    assert found.diagnostics_["loss_by_epoch"] == wanted.diagnostics_["loss_by_epoch"]


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_of_the_same_content_are_made_once(kind: str, tmp_path: Path) -> None:
    from clusterbench.methods.streaming import streamed

    x = features(90) + np.float16(len(kind))  # that no other test has asked for
    rows = streamed(KINDS[kind](x, tmp_path / "x"))
    assert rows is not None
    with kept_in(None) as tally:
        graph = neighbours_of_rows(rows, 4)
        again = neighbours_of(x.astype(np.float32), 4)
    assert (tally.made, tally.shared) == (1, 1)
    np.testing.assert_array_equal(graph.ids, again.ids)
