"""Fits: one state, the same wherever it is computed, and what happens at the edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kmeans_plain import means, nearest
from store_toys import make_index

from clusterbench.errors import InputError
from clusterbench.features import FeatureStore
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.fit import Settings, fit
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.kmeans.starting.starts import NAMES, Start
from clusterbench.methods import KMeans

STARTS = [name for name in NAMES if name != "auto"]


def mixture(n: int = 1200, dim: int = 12, k: int = 40, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(k, dim))[rng.integers(k, size=n)] + 0.4 * rng.normal(size=(n, dim))
    return rows.astype(np.float32)


def test_iterations_are_those_of_the_text_book() -> None:
    rows = mixture()
    centroids = rows[:30].copy()
    state = KMeans(30, init=centroids, scaling="none", device="cpu").fit(rows)
    assert state.n_iter_ > 3
    objectives = []
    for _ in range(state.n_iter_ + 1):
        labels, squared = nearest(rows, centroids)
        objectives.append(squared.sum())
        centroids = means(rows, labels, centroids)
    np.testing.assert_allclose(state.objectives_, objectives, rtol=1e-9)
    np.testing.assert_allclose(state.cluster_centers_, centroids, rtol=1e-5)
    assert state.diagnostics_["converged"]


@pytest.mark.parametrize("max_iter", [1, 2, 100])
@pytest.mark.parametrize("engine", ["ours", "faiss"])
def test_labels_counts_and_objective_are_of_the_same_centroids(engine: str, max_iter: int) -> None:
    rows = mixture()
    found = KMeans(25, max_iter=max_iter, n_init=2, engine=engine, device="cpu").fit(rows)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    labels, squared = nearest(unit.astype(np.float32), found.cluster_centers_)
    assert (found.labels_ == labels).all()
    assert (found.counts_ == np.bincount(labels, minlength=25)).all()
    assert found.inertia_ == pytest.approx(squared.sum(), rel=1e-6)
    assert (found.predict(rows) == found.labels_).all()


@pytest.mark.parametrize("init", STARTS)
def test_threads_and_runs_do_not_matter(init: str) -> None:
    rows = mixture(n=3000)
    settings = Settings(50, Start(init), n_init=2, seed=3)
    fits = [fit(CpuShard(ArrayRows(rows), threads=t), settings) for t in (1, 3, 3)]
    for other in fits[1:]:
        assert other.centroids.tobytes() == fits[0].centroids.tobytes()
        assert (other.labels == fits[0].labels).all()
        assert other.objectives == fits[0].objectives


@pytest.mark.parametrize("start_dim", [None, 4])
def test_few_dimensions_first_ends_where_all_dimensions_converge(start_dim: int | None) -> None:
    rows = mixture(dim=16)
    found = fit(
        CpuShard(ArrayRows(rows), threads=2), Settings(20, Start("k-means++"), start_dim=start_dim)
    )
    labels, _ = nearest(rows, found.centroids)
    np.testing.assert_allclose(means(rows, labels, found.centroids), found.centroids, rtol=1e-5)
    assert found.converged
    assert (found.start_iter > 0) == (start_dim is not None)
    one = fit(CpuShard(ArrayRows(rows)), Settings(20, Start("k-means++"), start_dim=start_dim))
    assert one.centroids.tobytes() == found.centroids.tobytes()


def test_a_sample_gives_centroids_and_all_rows_their_labels() -> None:
    rows = mixture(n=3000)
    found = KMeans(20, max_points_per_centroid=30, scaling="none", device="cpu").fit(rows)
    labels, squared = nearest(rows, found.cluster_centers_)
    assert (found.labels_ == labels).all() and len(labels) == 3000
    assert found.inertia_ == pytest.approx(squared.sum())
    assert found.objectives_[-1] < found.inertia_ / 3
    everything = KMeans(20, scaling="none", device="cpu").fit(rows)
    assert everything.inertia_ < found.inertia_


def test_a_heavy_row_counts_as_often_as_it_weighs() -> None:
    rows = mixture(n=300)
    weights = np.random.default_rng(0).integers(1, 5, size=300)
    centroids = rows[:8]
    heavy = KMeans(8, init=centroids, scaling="none", device="cpu").fit(rows, sample_weight=weights)
    often = KMeans(8, init=centroids, scaling="none", device="cpu").fit(rows.repeat(weights, 0))
    np.testing.assert_allclose(heavy.cluster_centers_, often.cluster_centers_, rtol=1e-6)
    assert heavy.inertia_ == pytest.approx(often.inertia_)


def test_an_empty_cluster_takes_the_farthest_row() -> None:
    rows = np.array([[0.0], [0.1], [0.2], [5.0], [9.0]], dtype=np.float32)
    given = np.array([[0.1], [1000.0], [2000.0]], dtype=np.float32)
    found = KMeans(3, init=given, scaling="none", device="cpu", max_iter=1).fit(rows)
    assert found.diagnostics_["relocated"] == 2
    assert found.cluster_centers_[1:].tolist() == [[9.0], [5.0]]
    assert found.counts_.tolist() == [3, 1, 1]


def groups(n: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(5, 8)) * 10
    rows: np.ndarray = (middles[rng.integers(0, 5, n)] + rng.normal(size=(n, 8))).astype("f4")
    return rows


@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("kind", ["constant column", "outlier", "offset"])
def test_one_large_number_makes_no_objective_coarse(kind: str, init: str) -> None:
    rows, k = groups(), 5
    if kind == "constant column":
        rows = np.c_[rows, np.full(len(rows), 1.7e9, dtype=np.float32)]
    elif kind == "outlier":
        rows[-1], k = 1e9, 6
    else:
        rows += np.float32(1e5)
    found = KMeans(k, init=init, scaling="none", device="cpu", n_init=5).fit(rows)
    away = rows.astype(np.float64) - found.cluster_centers_[found.labels_]
    assert found.inertia_ == pytest.approx((away**2).sum(), rel=1e-9)
    assert (np.diff(found.objectives_) <= 1e-9 * found.inertia_).all()
    if init == "ward" and kind == "constant column":
        assert found.inertia_ < 30_000


@pytest.mark.filterwarnings("ignore:X has numbers of up to")
def test_means_too_coarse_for_the_rows_are_said(recwarn: pytest.WarningsRecorder) -> None:
    rows = groups()
    rows[-1] = 3e13
    KMeans(6, init="random", scaling="none", device="cpu").fit(rows)
    assert any("means are rounded to" in str(w.message) for w in recwarn)


@pytest.mark.parametrize("weight", [1e-300, 1e30, 1e308])
def test_only_the_proportions_of_weights_matter(weight: float) -> None:
    rows = mixture(n=300)
    plain = KMeans(7, device="cpu").fit(rows, sample_weight=np.ones(300))
    other = KMeans(7, device="cpu").fit(rows, sample_weight=np.full(300, weight))
    assert (other.labels_ == plain.labels_).all()
    assert other.inertia_ == pytest.approx(plain.inertia_ * weight)


class TestEdges:
    @pytest.mark.parametrize("init", STARTS)
    def test_fewer_distinct_rows_than_clusters(self, init: str) -> None:
        rows = np.repeat(np.eye(3, 4, dtype=np.float32), 5, axis=0)
        found = KMeans(6, init=init, device="cpu").fit(rows)
        assert found.inertia_ == 0.0
        assert len(np.unique(found.labels_)) == 3
        assert found.diagnostics_["n_empty"] == 3

    @pytest.mark.parametrize("init", STARTS)
    def test_as_many_clusters_as_rows(self, init: str) -> None:
        rows = mixture(n=20)
        found = KMeans(20, init=init, device="cpu").fit(rows)
        assert sorted(found.labels_) == list(range(20))
        assert found.inertia_ == 0.0

    @pytest.mark.parametrize("init", STARTS)
    def test_one_cluster_of_one_dimension(self, init: str) -> None:
        rows = np.arange(10, dtype=np.float32)[:, None]
        found = KMeans(1, init=init, scaling="none", device="cpu").fit(rows)
        assert found.cluster_centers_.tolist() == [[4.5]]
        assert found.inertia_ == 82.5

    def test_constant_features(self) -> None:
        found = KMeans(3, device="cpu").fit(np.ones((7, 2), dtype=np.float32))
        assert found.inertia_ == pytest.approx(0.0, abs=1e-12)

    @pytest.mark.filterwarnings("ignore:1 of 4 rows")
    def test_rows_of_zeros_are_a_place_of_their_own(self) -> None:
        rows = np.array([[0, 0], [1, 0], [1, 0.01], [0, 1]], dtype=np.float32)
        labels = KMeans(3, device="cpu").fit(rows).labels_
        assert labels[1] == labels[2]
        assert len({labels[0], labels[1], labels[3]}) == 3

    @pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e12])
    def test_any_magnitude_gives_the_same_clusters(self, factor: float) -> None:
        rows = mixture(n=200)
        plain = KMeans(10, init=rows[:10], scaling="none", device="cpu").fit(rows)
        scaled = (rows * factor).astype(np.float32)
        other = KMeans(10, init=scaled[:10], scaling="none", device="cpu").fit(scaled)
        assert (plain.labels_ == other.labels_).all()

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
    def test_no_number_or_one_too_large_is_refused(self, bad: float) -> None:
        rows = mixture(n=20)
        rows[7, 3] = bad
        with pytest.raises(InputError, match="row 7"):
            KMeans(3, device="cpu").fit(rows)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"init": "kmeans"}, "init='kmeans' should be one of auto, random"),
            ({"init": np.zeros((3, 2))}, r"init has shape \(3, 2\); expected"),
            ({"engine": "gpu"}, "engine='gpu' should be one of auto, ours, faiss"),
            ({"tol": -1.0}, "tol=-1.0"),
            ({"start_dim": 0}, "start_dim=0"),
        ],
    )
    def test_wrong_settings(self, settings: dict[str, object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            KMeans(3, device="cpu", **settings).fit(mixture(n=20))  # type: ignore[arg-type]

    @pytest.mark.parametrize("weights", [[1.0] * 19, [-1.0] * 20, [np.nan] * 20, ["a"] * 20])
    def test_wrong_weights(self, weights: list[object]) -> None:
        with pytest.raises(InputError, match="sample_weight"):
            KMeans(3, device="cpu").fit(mixture(n=20), sample_weight=weights)


class TestStreams:
    @pytest.mark.parametrize("scaling", ["none", "l2", "standardize"])
    def test_a_store_and_a_map_give_what_the_array_gives(
        self, tmp_path: Path, scaling: str
    ) -> None:
        rows = mixture(n=900).astype(np.float16)
        np.save(tmp_path / "rows.npy", rows)
        mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
        index = make_index(900)
        store = FeatureStore.write(tmp_path / "s", rows, index, encoder="toy", shard_rows=256)
        settings: dict[str, Any] = {
            "init": "k-means++",
            "scaling": scaling,
            "device": "cpu",
            "n_init": 1,
        }
        plain = KMeans(12, **settings).fit(rows.astype(np.float32))
        for other in (rows, mapped, store):
            found = KMeans(12, **settings).fit(other)
            assert (found.labels_ == plain.labels_).all()
            assert (found.predict(other) == plain.labels_).all()

    def test_a_wrong_number_is_named_wherever_it_is(self, tmp_path: Path) -> None:
        rows = mixture(n=900).astype(np.float16)
        rows[800, 1] = np.nan
        with pytest.raises(InputError, match=r"NaN or infinity in 1 .* first in row 800"):
            KMeans(3, device="cpu").fit(rows)

    def test_fewer_rows_than_clusters(self) -> None:
        with pytest.raises(InputError, match="n_samples=5 should be >= n_clusters=6"):
            KMeans(6, device="cpu").fit(mixture(n=5).astype(np.float16))

    def test_another_width(self) -> None:
        found = KMeans(3, device="cpu").fit(mixture(n=50))
        with pytest.raises(InputError, match="X has 5 features"):
            found.predict(np.ones((4, 5), dtype=np.float16))
