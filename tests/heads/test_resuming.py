"""A training that was stopped anywhere goes on to the bits of one that was not."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.errors import CheckpointError
from clusterbench.heads import training_state
from clusterbench.heads.losses.objectives import Objective, ScanObjective, TemiObjective
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.trainer import Trained, train_heads
from clusterbench.heads.training_log import Epoch, TrainingLog
from clusterbench.heads.training_rows import HeldRows
from clusterbench.heads.training_state import TrainingFolder
from clusterbench.methods import TEMI, SCANv2

N, DIM, CLUSTERS, NEIGHBOURS = 50, 6, 4, 5
EPOCHS, STEPS = 4, 4 * 3  # three batches of 16 in each epoch


class StoppedHereError(Exception):
    pass


class Stopping(TrainingFolder):
    """Ends the training at a step: before its state is kept, or after."""

    def __init__(self, folder: Path, at: int, before: bool) -> None:
        super().__init__(folder, "one", every=0.0)
        self._at, self._before = at, before

    def save(self, step: int, *what: Any) -> None:
        if step == self._at and self._before:
            raise StoppedHereError
        super().save(step, *what)
        if step == self._at:
            raise StoppedHereError


def trained(
    method: str, decay: str, keeper: TrainingFolder | None = None, log: Path | None = None
) -> Trained:
    drawing = torch.Generator().manual_seed(3)
    features = torch.randn(N, DIM, generator=drawing)
    table = torch.randint(N, (N, NEIGHBOURS), generator=drawing)
    objective: Objective = TemiObjective(0.6, 0.9, True) if method == "temi" else ScanObjective(5.0)
    schedule = Schedule(
        n_heads=2, epochs=EPOCHS, batch_size=16, hidden=8, bottleneck=6, learning_rate=0.1,
        weight_decay=0.1, momentum=0.9, warmup_epochs=1, decay=decay, momentum_decay=decay,
    )  # fmt: skip
    writer = None if log is None else TrainingLog(log)
    rows = HeldRows(features, table)
    return train_heads(rows, CLUSTERS, objective, schedule, 7, keeper=keeper, log=writer)


@cache
def undisturbed(method: str, decay: str) -> tuple[Trained, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log.jsonl")
        return trained(method, decay, log=log), lines(log)


def lines(log: Path) -> list[dict[str, Any]]:
    """All that a log says, but for seconds."""
    found = [json.loads(line) for line in log.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in found]


@settings(max_examples=25)
@given(
    st.sampled_from(["temi", "scanv2"]),
    st.sampled_from(["constant", "cosine"]),
    st.lists(st.tuples(st.integers(1, STEPS - 1), st.booleans()), min_size=1, max_size=3),
)
def test_any_stops_change_no_bit(method: str, decay: str, stops: list[tuple[int, bool]]) -> None:
    wanted, said = undisturbed(method, decay)
    with tempfile.TemporaryDirectory() as parent:
        folder, log = Path(parent, "state"), Path(parent, "log.jsonl")
        come_to = 0
        for at, before in stops:
            if at > come_to:
                with pytest.raises(StoppedHereError):
                    trained(method, decay, Stopping(folder, at, before), log)
                come_to = at - before
        found = trained(method, decay, TrainingFolder(folder, "one", every=0.0), log)
        assert found.resumed == come_to and found.steps == wanted.steps == STEPS
        assert lines(log) == said and len(said) == EPOCHS
    assert torch.equal(found.losses, wanted.losses)
    for name, tensor in wanted.teacher.items():
        assert torch.equal(found.teacher[name], tensor), name


def rows(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    groups = np.arange(60) % 3
    return (4.0 * np.eye(3, DIM)[groups] + rng.normal(size=(60, DIM))).astype(np.float32)


def made(method: type[TEMI] | type[SCANv2] = TEMI, **changed: Any) -> Any:
    small: dict[str, Any] = {
        "n_clusters": 3, "n_heads": 2, "epochs": 5, "batch_size": 20, "n_neighbors": 5,
        "hidden": 8, "bottleneck": 6, "learning_rate": 0.01, "momentum": 0.9,
        "warmup_epochs": 1, "device": "cpu", "random_state": 4,
    }  # fmt: skip
    return method(**{**small, **changed})


@pytest.fixture(scope="module")
def wanted() -> Any:
    return made().fit(rows())


class TestFolders:
    @pytest.fixture(autouse=True)
    def every_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            training_state, "TrainingFolder", partial(training_state.TrainingFolder, every=0.0)
        )

    @pytest.fixture
    def state(self, tmp_path: Path) -> Path:
        """The folder of a fit that stopped after its third epoch."""
        folder = tmp_path / "state"

        def stop(done: int, total: int) -> None:
            if done == 3:
                raise StoppedHereError

        with pytest.raises(StoppedHereError):
            made().fit(rows(), checkpoint=folder, progress=stop)
        assert [path.name for path in folder.iterdir()] == ["step-000000008-heads-0-2.safetensors"]
        return folder

    def same(self, found: Any, wanted: Any) -> None:
        np.testing.assert_array_equal(found.labels_, wanted.labels_)
        np.testing.assert_array_equal(found.predict_proba(rows(1)), wanted.predict_proba(rows(1)))
        for fact in wanted.diagnostics_:
            assert found.diagnostics_[fact] == wanted.diagnostics_[fact], fact

    def test_a_fit_goes_on_and_says_so(self, state: Path, wanted: Any) -> None:
        told: list[tuple[int, int]] = []
        found = made().fit(rows(), checkpoint=state, progress=lambda *now: told.append(now))
        self.same(found, wanted)
        assert found.diagnostics_["steps_before_resumption"] == 8
        assert "steps_before_resumption" not in wanted.diagnostics_
        assert [done for done, _ in told if done] == [3, 4, 5]
        assert {total for _, total in told} == {5}

    @pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other format inside"])
    def test_a_damaged_state_is_warned_of_and_not_used(
        self, state: Path, wanted: Any, damage: str
    ) -> None:
        (path,) = state.iterdir()
        content = bytearray(path.read_bytes())
        if damage == "cut":
            content = content[: len(content) // 2]
        elif damage == "flipped":
            content[-5] ^= 1
        elif damage == "emptied":
            content = bytearray()
        else:
            content = bytearray(b"no safetensors")
        path.write_bytes(content)
        with pytest.warns(UserWarning, match="damaged; the training goes on from an earlier"):
            found = made().fit(rows(), checkpoint=state)
        assert "steps_before_resumption" not in found.diagnostics_
        self.same(found, wanted)

    def test_a_damaged_state_leaves_the_earlier_one(self, state: Path, wanted: Any) -> None:
        (path,) = state.iterdir()
        later = path.with_name("step-000000011-heads-0-2.safetensors")
        later.write_bytes(path.read_bytes()[:-1])
        with pytest.warns(UserWarning, match="step-000000011-heads-0-2.safetensors: damaged"):
            found = made().fit(rows(), checkpoint=state)
        assert found.diagnostics_["steps_before_resumption"] == 8
        self.same(found, wanted)

    def test_an_incomplete_step_is_passed_over(self, state: Path, wanted: Any) -> None:
        # Given the file of one process of two after a later step, and one that was being written
        (path,) = state.iterdir()
        part = path.with_name("step-000000011-heads-1-2.safetensors")
        part.write_bytes(path.read_bytes())
        left = path.with_name(".step-000000012-heads-0-2.safetensors.abcd1234.tmp")
        left.write_bytes(b"half")
        (state / "notes.txt").write_text("a user's")
        found = made().fit(rows(), checkpoint=state)
        assert found.diagnostics_["steps_before_resumption"] == 8
        self.same(found, wanted)
        assert sorted(path.name for path in state.iterdir()) == [
            "notes.txt",
            "step-000000014-heads-0-2.safetensors",
        ]

    @pytest.mark.parametrize(
        ("changed", "seed"),
        [
            ({}, 1),
            ({"n_clusters": 4}, 0),
            ({"random_state": 5}, 0),
            ({"learning_rate": 0.02}, 0),
            ({"n_heads": 3}, 0),
            ({"epochs": 6}, 0),
            ({"scaling": "l2"}, 0),
            ({"method": SCANv2}, 0),
            ({"method": type("Next", (TEMI,), {"version": 99, "__init__": TEMI.__init__})}, 0),
        ],
        ids=["rows", "K", "seed", "rate", "heads", "epochs", "scaling", "method", "version"],
    )  # fmt: skip
    def test_a_state_of_another_fit_is_refused_and_kept(
        self, state: Path, changed: dict[str, Any], seed: int
    ) -> None:
        before = {path: path.read_bytes() for path in state.iterdir()}
        with pytest.raises(CheckpointError) as refused:
            made(**changed).fit(rows(seed), checkpoint=state)
        assert str(refused.value) == (
            f"{state}: checkpoints of another training (other rows, settings, device or "
            "version); name another folder, or remove it"
        )
        assert {path: path.read_bytes() for path in state.iterdir()} == before

    @pytest.mark.parametrize("what", ["file", "link to nothing"])
    def test_what_is_no_folder_is_refused_and_kept(self, tmp_path: Path, what: str) -> None:
        place = tmp_path / "state"
        if what == "file":
            place.write_text("mine")
        else:
            place.symlink_to("nowhere")
        with pytest.raises(CheckpointError, match="a file stands where a folder of checkpoints"):
            made().fit(rows(), checkpoint=place)
        assert os.path.lexists(place) and (what != "file" or place.read_text() == "mine")

    def test_a_folder_that_is_removed_meanwhile_is_made_again(
        self, tmp_path: Path, wanted: Any
    ) -> None:
        folder = tmp_path / "state"

        def remove(done: int, total: int) -> None:
            for path in folder.iterdir() if folder.exists() else ():
                path.unlink()
            if folder.exists():
                folder.rmdir()

        self.same(made().fit(rows(), checkpoint=folder, progress=remove), wanted)


class Two:
    """Both processes of a pair in turn, each of which finds what the other says."""

    def __init__(self, first: bool, own: slice, sums: Iterator[float]) -> None:
        self.first, self._own, self._sums = first, own, sums

    def heads(self, n_heads: int) -> slice:
        return self._own

    def sum(self, own: torch.Tensor) -> torch.Tensor:
        return own + next(self._sums)

    def gathered(self, of_heads: torch.Tensor) -> list[float]:
        raise NotImplementedError


class TestParts:
    """Files of several numbers of processes."""

    def write(self, folder: Path, step: int, first: int, last: int, value: float) -> Path:
        heads = torch.arange(first, last, dtype=torch.float32) + value
        keeper = TrainingFolder(folder, "one", every=0.0)
        kept = {path: path.read_bytes() for path in folder.glob("*")}
        keeper.save(step, slice(first, last), {"a": heads[:, None]}, {"step": step}, [EPOCH])
        for path, content in kept.items():  # as processes that are not done yet leave them
            path.write_bytes(content)
        return folder / f"step-{step:09d}-heads-{first}-{last}.safetensors"

    def heads(self, folder: Path, own: slice) -> list[float] | None:
        found = TrainingFolder(folder, "one").load(own)
        return None if found is None else found.tensors["a"][:, 0].tolist()

    def test_files_that_overlap_are_told_apart(self, tmp_path: Path) -> None:
        self.write(tmp_path, 5, 0, 8, 0.0)
        self.write(tmp_path, 5, 0, 16, 0.5)  # its second part is missing: this one is whole
        assert self.heads(tmp_path, slice(0, 16)) == [h + 0.5 for h in range(16)]
        assert self.heads(tmp_path, slice(0, 8)) == list(range(8))
        assert self.heads(tmp_path, slice(6, 11)) == [h + 0.5 for h in range(6, 11)]

    def test_a_damaged_one_is_made_up_for_by_others(self, tmp_path: Path) -> None:
        self.write(tmp_path, 4, 0, 16, -100.0)
        for first, last in ((0, 5), (5, 10), (10, 16)):
            self.write(tmp_path, 5, first, last, 0.0)
        whole = self.write(tmp_path, 5, 0, 16, 0.5)
        whole.write_bytes(whole.read_bytes()[:-1])
        with pytest.warns(UserWarning, match="damaged"):
            assert self.heads(tmp_path, slice(0, 16)) == list(range(16))
        (tmp_path / "step-000000005-heads-5-10.safetensors").unlink()
        with pytest.warns(UserWarning, match="damaged"):
            assert self.heads(tmp_path, slice(0, 16)) == [h - 100 for h in range(16)]
        assert self.heads(tmp_path, slice(0, 5)) == list(range(5))

    def test_what_one_process_lacks_all_go_back_from(self, tmp_path: Path) -> None:
        for step in (4, 5):
            self.write(tmp_path, step, 0, 1, step)
            self.write(tmp_path, step, 1, 2, step)
        # Given that the other has a fault or none, names the step if it is the first, and lacks it
        # or not: 0 faults, step 5, lacking; step 4, whole.
        others = iter([0.0, 0.0, 1.0, 0.0, 0.0])
        found = TrainingFolder(tmp_path, "one", mates=Two(True, slice(0, 1), others)).load(
            slice(0, 1)
        )
        assert found is not None and found.shared == {"step": 4}
        others = iter([0.0, 5.0, 0.0])
        found = TrainingFolder(tmp_path, "one", mates=Two(False, slice(1, 2), others)).load(
            slice(1, 2)
        )
        assert found is not None and found.shared == {"step": 5}
        others = iter([0.0, -1.0])  # the first sees nothing
        mates = Two(False, slice(1, 2), others)
        assert TrainingFolder(tmp_path, "one", mates=mates).load(slice(1, 2)) is None
        with pytest.raises(CheckpointError, match="in another process"):
            mates = Two(False, slice(1, 2), iter([1.0]))
            TrainingFolder(tmp_path, "one", mates=mates).load(slice(1, 2))

    def test_history_comes_back_with_what_is_not_finite(self, tmp_path: Path) -> None:
        self.write(tmp_path, 5, 0, 2, 0.0)
        found = TrainingFolder(tmp_path, "one").load(slice(0, 2))
        assert found is not None and repr(found.history) == repr([EPOCH])


EPOCH = Epoch(1, 3, [0.1 + 0.2, float("nan")], [4, 1], [1 / 3, float("nan")], 0.5)


def test_states_are_kept_seldom_where_writing_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(training_state.time, "monotonic", lambda: now)
    keeper = TrainingFolder(tmp_path / "state", "one", every=30.0)
    assert not keeper.due(1)
    now = 30.0
    assert keeper.due(2)

    def slow(*_: Any) -> None:
        nonlocal now
        now += 10.0
        path.write_bytes(b"x")

    path = tmp_path / "unused"
    monkeypatch.setattr(training_state, "save_file", slow)
    keeper.save(2, slice(0, 1), {}, {}, [])
    now = 40.0 + 199.0  # twenty times the ten seconds that it took
    assert not keeper.due(3)
    now = 40.0 + 200.0
    assert keeper.due(4)
