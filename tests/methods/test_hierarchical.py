"""Hierarchical k-means: fine clusters, resampled, and clusters of their centroids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kmeans_plain import means, nearest
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from clusterbench import score
from clusterbench.errors import InputError
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.methods import HierarchicalKMeans, KMeans
from clusterbench.methods.hierarchical import first_different, nearest_members


def mixture(sizes: list[int], dim: int = 8, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(len(sizes)), sizes)
    centers = rng.normal(size=(len(sizes), dim))
    rows = centers[targets] + spread * rng.normal(size=(len(targets), dim))
    return rows.astype(np.float32), targets


def made(k: int, **settings: Any) -> HierarchicalKMeans:
    return HierarchicalKMeans(k, **{"scaling": "none", "device": "cpu", **settings})


def some_nearest(rows: np.ndarray, centroids: np.ndarray, n: int) -> list[int]:
    labels, squared = nearest(rows, centroids)
    chosen: list[int] = []
    for k in range(len(centroids)):
        members = np.flatnonzero(labels == k)
        chosen += sorted(members, key=lambda row: squared[row])[:n]
    return sorted(chosen)


def test_the_nearest_members_are_those_of_the_plain_way() -> None:
    rows, _ = mixture([30, 50, 120])
    shard = CpuShard(ArrayRows(rows))
    shard.begin(shard.extent.units())
    shard.assign(rows[:12])
    for n in (1, 5, 1000):
        assert nearest_members(shard, 12, n).tolist() == some_nearest(rows, rows[:12], n)


def test_a_resampling_is_lloyds_on_the_nearest_members() -> None:
    rows, _ = mixture([60] * 10)
    before = made(5, fine=4, n_resample=0).fit(rows).fine_centers_
    found = made(5, fine=4, n_resample=1, resample_rows=6).fit(rows)
    few = rows[some_nearest(rows, before, 6)]
    assert found.diagnostics_["resampled_rows"] == len(few) > 100
    centroids = before
    for _ in range(50):
        centroids = means(few, nearest(few, centroids)[0], centroids)
    np.testing.assert_allclose(found.fine_centers_, centroids, rtol=1e-5)


def test_centroids_are_merged_as_scipy_does_whatever_rows_they_have() -> None:
    rows, _ = mixture([400, 100, 50, 20, 10, 5, 5, 5])
    found = made(8).fit(rows)
    tree = linkage(found.fine_centers_.astype(np.float64), "ward")
    expected = fcluster(tree, 8, "maxclust")
    assert adjusted_rand_score(expected, found.fine_clusters_) == 1.0
    for k in range(8):
        mean = found.fine_centers_[found.fine_clusters_ == k].mean(axis=0)
        np.testing.assert_allclose(found.cluster_centers_[k], mean, rtol=1e-4, atol=1e-6)


@given(
    st.integers(1, 40), st.integers(1, 5), st.sampled_from(["ward", "kmeans"]), st.integers(0, 99)
)
def test_labels_follow_from_the_fine_centroids(n: int, fine: int, merge: str, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(-3, 4, size=(n, 2)).astype(np.float32)
    k = 1 + seed % n
    found = made(k, fine=fine, merge=merge, resample_rows=2, random_state=seed).fit(rows)
    labels = found.fine_clusters_[nearest(rows, found.fine_centers_)[0]]
    assert (found.labels_ == labels).all()
    assert (found.predict(rows) == labels).all()
    assert (found.counts_ == np.bincount(labels, minlength=k)).all()
    assert set(found.fine_clusters_) == set(range(k))  # so each can be ranked
    ranked = found.predict_top(rows, k)
    for row, clusters in zip(rows, ranked.tolist(), strict=True):
        squared = ((found.fine_centers_.astype(float) - row) ** 2).sum(axis=1)
        least = [squared[found.fine_clusters_ == cluster].min() for cluster in clusters]
        assert least == sorted(least)
        assert sorted(clusters) == list(range(k))
    assert (ranked[:, 0] == labels).all()


def test_the_first_different_numbers() -> None:
    clusters = np.array([[3, 3, 1, 3, 0], [2, 2, 2, 2, 2], [0, 1, 2, 3, 4]])
    whole, ranked = first_different(clusters, 3)
    assert whole.tolist() == [True, False, True]
    assert ranked.tolist() == [[3, 1, 0], [0, 1, 2]]


def test_a_long_tail_is_cut_less() -> None:
    rows, targets = mixture(np.geomspace(1500, 8, 40).astype(int).tolist(), dim=16, spread=0.7)
    plain = score(targets, KMeans(40, n_init=1, device="cpu").fit(rows).labels_)
    found = score(targets, HierarchicalKMeans(40, device="cpu").fit(rows).labels_)
    assert found.acc > plain.acc + 0.05
    assert found.ami > plain.ami + 0.02


def test_any_number_of_threads_gives_the_same() -> None:
    rows, before = mixture([300] * 30)[0], torch.get_num_threads()
    fits = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            fits.append(made(30).fit(rows))
    finally:
        torch.set_num_threads(before)
    one, two = fits
    assert one.fine_centers_.tobytes() == two.fine_centers_.tobytes()
    assert (one.labels_ == two.labels_).all() and one.diagnostics_ == two.diagnostics_


def test_a_map_gives_what_the_array_gives(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", mixture([50] * 12)[0])
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    plain = made(12, init="k-means++").fit(np.array(mapped))
    found = made(12, init="k-means++").fit(mapped)
    assert (found.labels_ == plain.labels_).all()
    assert (found.predict(mapped) == plain.labels_).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fine": 0}, "fine=0"),
        ({"n_resample": -1}, "n_resample=-1"),
        ({"resample_rows": 0}, "resample_rows=0"),
        ({"merge": "average"}, "merge='average' should be one of ward, kmeans"),
        ({"init": np.zeros((3, 2))}, "should be one of auto, random"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(3, **settings)
