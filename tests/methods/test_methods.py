"""Every registered method keeps the same contract; trained heads train as they say."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_mutual_info_score

import clusterbench as cb
from clusterbench.devices import resolve_device
from clusterbench.errors import InputError
from clusterbench.estimator import NotFittedError, TrainingError
from clusterbench.heads.losses.objectives import ScanObjective, TemiObjective
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.stack import new_heads
from clusterbench.heads.trainer import train_heads
from clusterbench.heads.training_rows import HeldRows
from clusterbench.methods import Clusterer

SMALL: dict[str, dict[str, Any]] = {
    "kmeans": {"n_init": 10, "max_iter": 20},
    # Of so few rows a start of `auto` draws nothing.
    "minibatch-kmeans": {"init": "k-means++ sample", "rows_per_cluster": 4},
    "hierarchical-kmeans": {"init": "k-means++"},
    "balanced-kmeans": {"init": "k-means||"},
    "smoothed-kmeans": {"init": "k-means++"},
    "stable-kmeans": {"init": "k-means++"},
    "spectral": {"init": "k-means++"},
    "temi": {
        "n_heads": 2,
        "epochs": 25,
        "batch_size": 64,
        "n_neighbors": 10,
        "learning_rate": 4e-3,
        "warmup_epochs": 2,
        "momentum": 0.9,
        "hidden": 64,
        "bottleneck": 32,
    },
}
SMALL["scanv2"] = SMALL["temi"]
SMALL["scan"] = {
    "n_heads": 2,
    "epochs": 25,
    "batch_size": 64,
    "n_neighbors": 10,
    "learning_rate": 1e-2,
}
SMALL["p2ot"] = {**SMALL["scan"], "learning_rate": 5e-2, "memory": 100, "epochs": 10}

SMALL["turtle"] = {
    "n_heads": 2,
    "steps": 100,
    "learning_rate": 1e-2,
    "inner_steps": 5,
    "inner_learning_rate": 0.1,
}
SMALL["icon"] = {**SMALL["scan"], "momentum": 0.9}
SMALL["sinkhorn"] = SMALL["scan"]
SMALL["self-labelling"] = {
    "warm_epochs": 8,
    "epochs": 12,
    "batch_size": 64,
    "n_neighbors": 10,
    "learning_rate": 4e-2,
}


def blobs(n: int = 400, clusters: int = 6, dim: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centers = 3.0 * rng.normal(size=(clusters, dim))
    targets = rng.integers(0, clusters, n)
    return (centers[targets] + rng.normal(size=(n, dim))).astype(np.float32), targets


def make(name: str, n_clusters: int = 6, **settings: Any) -> Clusterer:
    return cb.methods.get(name)(n_clusters=n_clusters, **{**SMALL.get(name, {}), **settings})


@pytest.mark.parametrize("name", cb.methods.names())
class TestEveryMethod:
    def test_finds_separated_clusters_and_predicts_them_again(self, name: str) -> None:
        X, targets = blobs()
        method = make(name)
        labels = method.fit_predict(X)
        assert labels.shape == (400,) and labels.dtype == np.int64
        assert set(np.unique(labels)) <= set(range(6))
        assert adjusted_mutual_info_score(targets, labels) > 0.9
        np.testing.assert_array_equal(method.predict(X), labels)

    def test_the_same_seed_gives_the_same_answer(self, name: str) -> None:
        X, _ = blobs()
        first, second = make(name, random_state=3), make(name, random_state=3)
        np.testing.assert_array_equal(first.fit_predict(X), second.fit_predict(X))
        drawn = {"n_clusters": 40, **({"init": "random"} if name == "kmeans" else {})}
        other = make(name, random_state=4, **drawn)
        assert (other.fit_predict(X) != make(name, **drawn).fit_predict(X)).any()

    def test_params_and_diagnostics_are_json_and_rebuild_the_method(self, name: str) -> None:
        method = make(name)
        params = method.get_params()
        assert params["n_clusters"] == 6 and "random_state" in params and "device" in params
        again = type(method)(**json.loads(json.dumps(params)))
        assert again.get_params() == params
        method.fit(blobs()[0])
        json.dumps(method.diagnostics_, allow_nan=False)
        assert "n_clusters=6" in repr(method)

    def test_progress_ends_at_the_total(self, name: str) -> None:
        calls: list[tuple[int, int]] = []
        make(name).fit(blobs()[0], progress=lambda done, total: calls.append((done, total)))
        assert calls[-1][0] == calls[-1][1] > 0

    def test_ranks_clusters_best_first(self, name: str) -> None:
        X, _ = blobs()
        method = make(name).fit(X)
        top = method.predict_top(X, 3)
        assert top.shape == (400, 3)
        np.testing.assert_array_equal(top[:, 0], method.predict(X))
        assert all(len(set(row)) == 3 for row in top.tolist())
        with pytest.raises(InputError, match="n=7"):
            method.predict_top(X, 7)

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (np.zeros(5), r"shape \(5,\)"),
            (np.zeros((0, 3)), "empty"),
            (np.array([["a", "b"]] * 9), "dtype"),
            (np.full((9, 2), np.nan), "NaN or infinity in 9 of 9 rows"),
            (np.zeros((3, 2)), "n_samples=3 should be >= n_clusters=6"),
        ],
    )
    def test_bad_input_is_named(self, name: str, bad: np.ndarray, message: str) -> None:
        with pytest.raises(InputError, match=message):
            make(name).fit(bad)

    def test_predict_needs_fit_and_the_same_width(self, name: str) -> None:
        with pytest.raises(NotFittedError):
            make(name).predict(np.zeros((2, 2)))
        method = make(name).fit(blobs()[0])
        with pytest.raises(InputError, match=r"X has 5 features, but .* is expecting 12"):
            method.predict(np.zeros((2, 5)))

    def test_one_infinite_value_is_found(self, name: str) -> None:
        X = blobs()[0].copy()
        X[17, 3] = np.inf
        with pytest.raises(InputError, match="first in row 17"):
            make(name).fit(X)


@pytest.mark.parametrize("name", ["temi", "scanv2"])
class TestHeads:
    def test_the_head_with_the_lowest_loss_is_chosen_where_that_is_asked_for(
        self, name: str
    ) -> None:
        method = make(name, n_heads=4, select="loss").fit(blobs()[0])
        losses = method.diagnostics_["head_losses"]
        assert len(losses) == 4
        assert method.diagnostics_["head"] == int(np.argmin(losses))

    def test_probabilities_sum_to_one_and_agree_with_predict(self, name: str) -> None:
        X, _ = blobs()
        method = make(name).fit(X)
        proba = method.predict_proba(X)  # type: ignore[attr-defined]
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_array_equal(proba.argmax(axis=1), method.predict(X))

    def test_the_global_generator_is_left_alone(self, name: str) -> None:
        torch.manual_seed(7)
        expected = torch.rand(3)
        torch.manual_seed(7)
        make(name).fit(blobs()[0])
        assert torch.equal(torch.rand(3), expected)

    def test_a_loss_that_is_not_finite_is_an_error(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken(ScanObjective):
            def settle(self, heads: slice, sums: torch.Tensor, n_pairs: int) -> torch.Tensor:
                return super().settle(heads, sums, n_pairs) * float("nan")

        method = make(name)
        monkeypatch.setattr(method, "_lesson", lambda _: Broken(5.0))
        with pytest.raises(TrainingError, match="not finite in epoch 1 of 25"):
            method.fit(blobs()[0])

    def test_a_collapsed_head_is_reported(self, name: str) -> None:
        # All samples equal: nothing can separate them.
        method = make(name, n_clusters=3, epochs=1).fit(np.ones((20, 4)))
        assert len(np.unique(method.labels_)) == 1
        assert any("one cluster" in warning for warning in method.diagnostics_["warnings"])

    @pytest.mark.parametrize(
        "settings",
        [
            {"n_heads": 0},
            {"epochs": 2.5},
            {"learning_rate": 0.0},
            {"momentum": 1.5},
            {"decay": "stepwise"},
            {"precision": "half"},
            {"start": "pca"},
            {"mutual": "no"},
            {"smooth_neighbors": -1},
            {"smooth_rounds": 0},
            {"scaling": "minmax"},
            {"student_temperature": float("nan")},
            {"n_clusters": 0},
            {"random_state": -1},
        ],
    )
    def test_unusable_settings_name_the_setting(self, name: str, settings: dict[str, Any]) -> None:
        with pytest.raises(InputError, match=f"{next(iter(settings))}="):
            make(name, **settings)

    def test_fewer_samples_than_neighbours_and_batch(self, name: str) -> None:
        method = make(name, n_clusters=2, n_neighbors=50, batch_size=1024).fit(blobs(n=9)[0])
        assert method.diagnostics_["n_neighbors_used"] == 8


def test_the_schedule_warms_up_then_holds_or_decays() -> None:
    schedule = Schedule(epochs=10, warmup_epochs=2, learning_rate=1e-4)
    warm = [schedule.rate(step, 5, 512) for step in range(10)]
    assert warm == pytest.approx(np.linspace(0.0, 2e-4, 10))
    assert schedule.rate(49, 5, 512) == pytest.approx(2e-4)
    cosine = Schedule(epochs=10, warmup_epochs=0, learning_rate=1e-4, decay="cosine")
    assert cosine.rate(0, 5, 256) == pytest.approx(1e-4)
    assert cosine.rate(25, 5, 256) == pytest.approx(0.5e-4)
    assert cosine.rate(49, 5, 256) < 1e-6
    held = Schedule(momentum=0.9)
    assert held.teacher_momentum(7, 10) == 0.9
    rising = Schedule(momentum=0.9, momentum_decay="cosine")
    assert rising.teacher_momentum(0, 10) == pytest.approx(0.9)
    assert rising.teacher_momentum(10, 10) == pytest.approx(1.0)


def test_the_last_layer_rests_in_the_first_epoch() -> None:
    X = torch.from_numpy(blobs()[0])
    table = torch.arange(400).roll(1)[:, None]
    start = new_heads(1, 12, 6, torch.Generator().manual_seed(0), hidden=8, bottleneck=4)
    settings = {"n_heads": 1, "batch_size": 64, "hidden": 8, "bottleneck": 4, "momentum": 0.0}

    objective = TemiObjective(0.6, 0.9, True)

    def train(epochs: int) -> dict[str, torch.Tensor]:
        schedule = Schedule(epochs=epochs, warmup_epochs=0, **settings)
        return train_heads(HeldRows(X, table), 6, objective, schedule, 0).teacher

    one, two = train(1), train(2)
    assert torch.equal(one["direction"], start["direction"])
    assert not torch.equal(one["weight_1"], start["weight_1"])
    assert not torch.equal(two["direction"], start["direction"])


def test_the_teacher_is_the_moving_average_of_the_student() -> None:
    X = torch.from_numpy(blobs()[0])
    table = torch.arange(400).roll(1)[:, None]
    common = {"n_heads": 1, "epochs": 1, "batch_size": 400, "warmup_epochs": 0}
    start = new_heads(1, 12, 6, torch.Generator().manual_seed(0))

    objective = TemiObjective(0.6, 0.9, True)

    def teacher(momentum: float) -> torch.Tensor:
        schedule = Schedule(momentum=momentum, **common)
        done = train_heads(HeldRows(X, table), 6, objective, schedule, 0)
        return done.teacher["weight_1"]

    student = teacher(0.0)  # momentum 0: the teacher is the student
    torch.testing.assert_close(teacher(0.75), 0.75 * start["weight_1"] + 0.25 * student)


def test_kmeans_settings_change_what_they_say() -> None:
    X, _ = blobs(n=600, clusters=30)
    one = make("kmeans", n_clusters=30, init="random", n_init=1, max_iter=3).fit(X)
    many = make("kmeans", n_clusters=30, init="random", n_init=20, max_iter=50).fit(X)
    assert many.diagnostics_["inertia"] < one.diagnostics_["inertia"]


def test_kmeans_trains_on_all_points_however_many_per_centroid() -> None:
    # 2 clusters of 400 points each and 10 outliers that a subsample of 256 per centroid would
    # mostly miss: with all points the third centroid sits on them.
    rng = np.random.default_rng(0)
    X = np.concatenate(
        [
            rng.normal([1, 0], 0.01, (2000, 2)),
            rng.normal([0, 1], 0.01, (2000, 2)),
            rng.normal([-1, -1], 0.01, (4, 2)),
        ]
    ).astype(np.float32)
    method = make("kmeans", n_clusters=3, n_init=20, scaling="none").fit(X)
    assert len(np.unique(method.labels_[-4:])) == 1
    assert (method.labels_ == method.labels_[-1]).sum() == 4


def test_feature_scaling_uses_training_statistics() -> None:
    X, _ = blobs()
    method = make("kmeans", scaling="standardize").fit(X)
    np.testing.assert_array_equal(method.predict(X[:10]), method.labels_[:10])


def test_devices_are_named_clearly() -> None:
    with pytest.raises(InputError, match="quantum"):
        make("kmeans", device="quantum").fit(blobs()[0])
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no CUDA device"):
            make("temi", device="cuda").fit(blobs()[0])
    assert resolve_device("cpu").type == "cpu"


def test_a_word_for_false_is_not_true() -> None:
    with pytest.raises(InputError, match="spherical='False'"):
        make("kmeans", spherical="False")
    with pytest.raises(InputError, match="weighting=1"):
        make("temi", weighting=1)


def test_naming_and_building_methods_does_not_load_torch() -> None:
    code = (
        "import sys, clusterbench as cb\n"
        "for name in cb.methods.names(): cb.methods.get(name)(n_clusters=3).get_params()\n"
        "assert 'torch' not in sys.modules and 'faiss' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_method_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean kmeans"):
        cb.methods.get("kmean")
