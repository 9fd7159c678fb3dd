"""A fit of heads that fails says so before anything is done, and leaves nothing half fitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from clusterbench.errors import InputError, StorageError
from clusterbench.estimator import NotFittedError
from clusterbench.heads import training_state
from clusterbench.methods import TEMI, KMeans
from clusterbench.methods.trained import deep, head_input

X = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)


def temi(**settings: Any) -> TEMI:
    small = {"n_heads": 2, "hidden": 32, "bottleneck": 16, "epochs": 5, "batch_size": 64}
    return TEMI(5, device="cpu", n_neighbors=5, **{**small, **settings})


def interrupted(done: int, total: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("width", [16, 8])
def test_after_an_interrupted_refit_nothing_is_fitted(width: int) -> None:
    model = temi().fit(X)
    with pytest.raises(KeyboardInterrupt):
        model.fit(7 * X[:, :width] + 3, progress=interrupted)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_bad_input_leaves_the_earlier_fit() -> None:
    for model in (temi().fit(X), KMeans(5, scaling="standardize").fit(X)):
        before = model.predict(X)
        with pytest.raises(InputError, match="first in row 3"):
            model.fit(np.where(np.arange(300)[:, None] == 3, np.nan, X))
        np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize("name", ["shared", "history", "identity", "format"])
def test_damage_beside_the_tensors_of_a_checkpoint_is_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the state of a training in its third epoch
    every = training_state.TrainingFolder.__init__.__defaults__
    assert every is not None
    monkeypatch.setattr(training_state.TrainingFolder.__init__, "__defaults__", (0.0, every[1]))

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    folder = tmp_path / "states"
    with pytest.raises(KeyboardInterrupt):
        temi().fit(X, checkpoint=folder, progress=stop)
    (state,) = folder.glob("step-*")
    with safe_open(state, framework="pt") as file:
        said = dict(file.metadata())
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118

    # When one word beside the tensors is another
    changed = {"shared": said["shared"].replace('"step": ', '"step": 1'), "history": "[]"}
    said[name] = changed.get(name, said[name][:-1] + "x")
    save_file(tensors, state, said)

    # Then it is not gone on from
    if name in ("identity", "format"):
        with pytest.raises(InputError, match="another training"):
            temi().fit(X, checkpoint=folder)
        return
    with pytest.warns(UserWarning, match="damaged"):
        again = temi().fit(X, checkpoint=folder)
    np.testing.assert_array_equal(again.labels_, temi().fit(X).labels_)


def test_places_that_cannot_be_written_are_found_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bad: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"log": tmp_path / "file" / "log.jsonl"}, StorageError, "no folder can be made"),
        ({"log": tmp_path}, InputError, "is a folder"),
        ({"log": ""}, InputError, "names no file"),
        ({"checkpoint": ""}, InputError, "names no file"),
        ({"checkpoint": tmp_path / "file" / "states"}, InputError, "can be made there"),
        ({"checkpoint": tmp_path / "file"}, InputError, "a file stands"),
    ]
    (tmp_path / "held" / "step-000000007-heads-0-2.safetensors").mkdir(parents=True)
    bad.append(({"checkpoint": tmp_path / "held"}, InputError, "a folder stands"))
    for places, error, message in bad:
        with pytest.raises(error, match=message):
            temi().fit(X, progress=never_trained, **places)


def never_trained(done: int, total: int) -> None:
    assert done == 0, "an epoch was trained"


def test_what_does_not_fit_is_refused_before_rows_are_smoothed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def smoothed(*_: object) -> None:
        raise AssertionError("rows were smoothed")

    monkeypatch.setattr(head_input, "Smoothed", smoothed)
    monkeypatch.setattr(deep, "free_bytes", lambda device: 1000.0)
    with pytest.raises(InputError, match=r"training 2 heads with K = 5 on 300 rows takes .* GB"):
        temi(smooth_neighbors=3).fit(X)


@pytest.mark.parametrize("settings", [{"start": "kmeans"}, {"smooth_neighbors": 4}])
def test_warm_starts_and_smoothed_rows_of_what_is_read(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    half = X.astype(np.float16)
    np.save(tmp_path / "x.npy", half)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    found = [temi(**settings).fit(rows).labels_ for rows in (half.astype(np.float32), half, mapped)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_log_tells_of_every_epoch(tmp_path: Path) -> None:
    temi().fit(X, log=tmp_path / "new" / "log.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "new" / "log.jsonl").open()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5]
    assert all(len(line["losses"]) == 2 for line in lines)
