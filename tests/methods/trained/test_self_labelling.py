"""A head goes on from any method's clusters by its own confident ones."""

from __future__ import annotations

import json
import pickle
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import adjusted_mutual_info_score as ami

import clusterbench as cb
from clusterbench.errors import CheckpointError, InputError
from clusterbench.heads import training_state
from clusterbench.methods import SCAN, KMeans, SelfLabelling
from clusterbench.runs.settings import settle
from clusterbench.typed_text import Typed

SMALL: dict[str, Any] = {
    "device": "cpu",
    "warm_epochs": 10,
    "epochs": 20,
    "batch_size": 64,
    "n_neighbors": 10,
    "learning_rate": 2e-2,
}
#: Of other methods as a base, where theirs take long.
TINY: dict[str, dict[str, Any]] = {
    "temi": {"n_heads": 1, "epochs": 2, "hidden": 8, "bottleneck": 4, "n_neighbors": 5},
    "scanv2": {"n_heads": 1, "epochs": 2, "hidden": 8, "bottleneck": 4, "n_neighbors": 5},
    "scan": {"n_heads": 1, "epochs": 2, "n_neighbors": 5},
    "turtle": {"steps": 20, "inner_steps": 2},
    "icon": {"epochs": 2},
    "p2ot": {"epochs": 2},
    "sinkhorn": {"epochs": 2},
}
EVEN, LONG_TAILED = [40] * 10, [150, 120, 90, 60, 40, 30, 20, 10, 5, 5]


def gaussians(sizes: list[int], dim: int = 16, spread: float = 0.5) -> tuple[np.ndarray, Any]:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(len(sizes)), sizes)
    centers = 4.0 * np.linalg.qr(rng.normal(size=(dim, dim)))[0][: len(sizes)]
    noise = spread * rng.normal(size=(len(targets), dim))
    return (centers[targets] + noise).astype(np.float32), targets


def stretched() -> tuple[np.ndarray, np.ndarray]:
    """Four clouds four times as long in the first dimension, across which k-means parts them."""
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(4), 150)
    centers = 3.0 * np.linalg.qr(rng.normal(size=(6, 6)))[0][:4]
    noise = 0.5 * rng.normal(size=(600, 6)) * np.array([4.0, 1, 1, 1, 1, 1])
    return (centers[targets] + noise).astype(np.float32), targets


def made(n_clusters: int = 10, **settings: Any) -> SelfLabelling:
    return SelfLabelling(n_clusters, **{**SMALL, **settings})


@pytest.mark.parametrize(
    ("weighting", "sizes"),
    [("none", EVEN), ("inverse", LONG_TAILED), ("mini-clusters", LONG_TAILED)],
)
def test_clusters_that_are_right_stay_right(weighting: str, sizes: list[int]) -> None:
    X, targets = gaussians(sizes)
    taught = made(weighting=weighting).fit(X)
    assert ami(targets, taught.labels_) > 0.95
    assert taught.diagnostics_["confident"] > 0.3


def test_rows_on_the_wrong_side_go_over_to_their_neighbours() -> None:
    X, targets = stretched()
    base = KMeans(4, device="cpu").fit(X)
    assert ami(targets, base.labels_) < 0.85
    taught = made(4, threshold=0.8, epochs=30, batch_size=128).fit(X)
    assert taught.diagnostics_["changed"] == (taught.labels_ != base.labels_).mean() > 0.03
    assert ami(targets, taught.labels_) > 0.93


@pytest.mark.parametrize("name", [name for name in cb.methods.names() if name != "self-labelling"])
def test_every_method_can_be_the_one_before(name: str) -> None:
    X, _ = gaussians([12] * 4, dim=6)
    settings = TINY.get(name, {})
    taught = made(4, base=name, base_settings=settings, epochs=12, batch_size=24).fit(X)
    base = cb.methods.get(name)(4, random_state=0, device="cpu", **settings).fit(X)
    assert taught.labels_.shape == (48,) and set(taught.labels_) <= set(range(4))
    assert taught.diagnostics_["changed"] == (taught.labels_ != base.labels_).mean()
    assert taught.diagnostics_["base"]["method"] == name
    json.dumps(taught.diagnostics_, allow_nan=False)
    before = cb.methods.get(name)(4, device="cpu", **settings).cost(5000, 0, 64)
    whole = taught.cost(5000, 500, 64)
    assert before is not None and whole is not None and whole.flops > before.flops


def test_warm_epochs_alone_give_the_clusters_of_the_base() -> None:
    X, _ = gaussians([40] * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taught = made(4, warm_epochs=20).fit(X)
    np.testing.assert_array_equal(taught.labels_, KMeans(4, device="cpu").fit(X).labels_)
    assert taught.diagnostics_["confident"] is None


def test_without_a_confident_row_the_base_stays_and_a_warning_says_so() -> None:
    X, _ = gaussians([40] * 4)
    with pytest.warns(UserWarning, match="no row was ever surer than threshold=1, so only the"):
        taught = made(4, threshold=1.0).fit(X)
    np.testing.assert_array_equal(taught.labels_, KMeans(4, device="cpu").fit(X).labels_)
    assert taught.diagnostics_["batches_without_confident_rows"] == 10 * (160 // 64)


class StoppedHereError(Exception):
    pass


def stop_after(epoch: int) -> Any:
    def stop(done: int, total: int) -> None:
        if done == epoch:
            raise StoppedHereError

    return stop


@pytest.mark.parametrize("weighting", ["inverse", "mini-clusters"])
def test_a_fit_that_was_killed_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weighting: str
) -> None:
    monkeypatch.setattr(
        training_state, "TrainingFolder", partial(training_state.TrainingFolder, every=0.0)
    )
    X, _ = gaussians([20] * 5, spread=1.5)
    settings: dict[str, Any] = {
        "base": "scan", "base_settings": {**TINY["scan"], "epochs": 4}, "threshold": 0.5,
        "weighting": weighting, "momentum": 0.5, "warm_epochs": 4, "epochs": 9, "batch_size": 32,
    }  # fmt: skip
    wanted = made(5, **settings).fit(X)
    with pytest.raises(StoppedHereError):  # while the base is fitted
        made(5, **settings).fit(X, checkpoint=tmp_path, progress=stop_after(0))
    for epoch in (3, 6):
        with pytest.raises(StoppedHereError):
            made(5, **settings).fit(X, checkpoint=tmp_path, progress=stop_after(epoch))
    assert [path.is_dir() for path in sorted(tmp_path.iterdir())] == [True, False]
    found = made(5, **settings).fit(X, checkpoint=tmp_path)
    assert found.diagnostics_["steps_before_resumption"] == 5 * 3 + 2
    np.testing.assert_array_equal(found.labels_, wanted.labels_)
    for name, tensor in wanted._head.items():
        assert torch.equal(found._head[name], tensor)
    assert found.diagnostics_["confident"] == wanted.diagnostics_["confident"]
    with pytest.raises(CheckpointError, match="of another training"):
        made(5, **{**settings, "threshold": 0.6}).fit(X, checkpoint=tmp_path)


@pytest.mark.slow
def test_scan_goes_on_with_its_chosen_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        training_state, "TrainingFolder", partial(training_state.TrainingFolder, every=0.0)
    )
    X, targets = gaussians([40] * 5)
    settings: dict[str, Any] = {
        "n_heads": 2, "epochs": 15, "batch_size": 100, "n_neighbors": 10, "learning_rate": 3e-2,
        "device": "cpu",
    }  # fmt: skip
    before = SCAN(5, **settings).fit(X)
    told: list[tuple[int, int]] = []
    wanted = SCAN(5, **settings, self_labelling=6)
    wanted.fit(X, progress=lambda *now: told.append(now))
    assert told[-1] == (21, 21) and {total for _, total in told} == {21}
    assert wanted.diagnostics_["head"] == before.diagnostics_["head"]
    said = wanted.diagnostics_["self_labelling"]
    assert said["changed"] == (wanted.labels_ != before.labels_).mean()
    assert said["confident"] > 0.9 and len(said["loss_by_epoch"]) == 6
    assert ami(targets, wanted.labels_) > 0.95
    assert not torch.equal(wanted._head["weight_last"], before._head["weight_last"])
    np.testing.assert_array_equal(wanted.predict(X), wanted.labels_)
    costs = [SCAN(5, **settings, self_labelling=n).cost(5000, 500, 64).flops for n in (0, 1, 2)]
    assert costs[0] < costs[1] < costs[2]
    for epoch in (7, 18):
        with pytest.raises(StoppedHereError):
            SCAN(5, **settings, self_labelling=6).fit(
                X, checkpoint=tmp_path, progress=stop_after(epoch)
            )
    found = SCAN(5, **settings, self_labelling=6).fit(X, checkpoint=tmp_path)
    for name, tensor in wanted._head.items():
        assert torch.equal(found._head[name], tensor)
    assert not SCAN(5, self_labelling=6).shares_fit


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base": "self-labelling"}, "base='self-labelling' is this method itself"),
        ({"base": "kmean"}, "unknown method as base 'kmean'; did you mean kmeans"),
        ({"base": 3}, "unknown method as base '3'"),
        ({"base_settings": {"n_inti": 3}}, "of the base 'kmeans': 'n_inti'; did you mean n_init"),
        ({"base_settings": {"n_init": 0}}, "base kmeans: n_init=0 should be a whole number"),
        ({"base_settings": {"device": "cpu"}}, "base_settings has device, which is set once"),
        ({"base_settings": [1]}, r"base_settings=\[1\] should be a table"),
        ({"base_settings": {"init": np.eye(2)}}, "base_settings cannot be recorded as JSON"),
        ({"warm_epochs": 21}, "warm_epochs=21 should be at most epochs=20"),
        ({"threshold": 1.5}, "threshold=1.5"),
        ({"weighting": True}, "weighting=True should be none, inverse or mini-clusters"),
        ({"mini_clusters": 0}, "mini_clusters=0"),
    ],
)
def test_unusable_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(**settings)


def test_settings_of_the_base_survive_typing_cloning_and_files(tmp_path: Path) -> None:
    typed = {"base": Typed("smoothed-kmeans"), "base_settings": Typed('{"n_neighbors": 3}')}
    (spec,) = settle(["self-labelling"], {}, {"self-labelling": typed}, "cpu")
    assert spec.params["base_settings"] == {"n_neighbors": 3}
    settings = {"n_init": 2, "init": "random"}
    taught = made(base_settings=settings)
    assert taught.get_params()["base_settings"] is settings
    assert clone(taught).get_params() == taught.get_params()
    X, _ = gaussians([20] * 10)
    taught.fit(X)
    taught.save(tmp_path / "head.safetensors")
    again = cb.methods.load(tmp_path / "head.safetensors", device="cpu")
    assert again.get_params() == taught.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), taught.predict_proba(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(taught)).predict(X), taught.labels_)


def test_mini_clusters_are_at_most_half_the_rows() -> None:
    X, _ = gaussians([10] * 4)
    taught = made(4, weighting="mini-clusters", mini_clusters=10).fit(X)
    assert taught.diagnostics_["mini_clusters_used"] == 20
