"""Choosing the number of clusters without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, calinski_harabasz_score

from clusterbench.errors import InputError
from clusterbench.methods import KMeans, SmoothedKMeans, StableKMeans, choose_k
from clusterbench.methods.choosing_k import silhouette


def groups(sizes: list[int], spread: float = 0.3, dim: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(len(sizes), dim)).repeat(sizes, axis=0)
    return (rows + spread * rng.normal(size=rows.shape)).astype(np.float32)


def plain_silhouette(rows: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> float:
    """The mean of the cluster without the row, by its definition."""
    values = []
    for i, own in enumerate(labels):
        others = np.flatnonzero((labels == own) & (np.arange(len(rows)) != i))
        if not len(others):
            values.append(0.0)
            continue
        a = np.linalg.norm(rows[i] - rows[others].mean(axis=0))
        b = min(np.linalg.norm(rows[i] - c) for k, c in enumerate(centroids) if k != own)
        values.append((b - a) / max(a, b))
    return float(np.mean(values))


@pytest.mark.parametrize("k", [2, 7, 60])
def test_the_silhouette_leaves_the_row_out_of_its_cluster(k: int) -> None:
    rows = groups([30, 20, 10, 1]).astype(np.float64)
    fitted = KMeans(k, scaling="none", device="cpu").fit(rows)
    expected = plain_silhouette(rows, fitted.labels_, fitted.cluster_centers_)
    assert silhouette(fitted, rows) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("by", ["silhouette", "stability", "calinski-harabasz"])
@pytest.mark.parametrize("n_groups", [6, 25])
def test_the_number_of_groups_that_are_apart_is_found(by: Any, n_groups: int) -> None:
    rows = groups([40] * n_groups, spread=0.15)
    candidates = [n_groups // 2, n_groups - 1, n_groups, n_groups + 2, 2 * n_groups]
    chosen = choose_k(rows, candidates, by=by, device="cpu")
    assert (chosen.n_clusters, chosen.by) == (n_groups, by)
    assert [scores.n_clusters for scores in chosen.scores] == candidates


def test_more_clusters_do_not_look_better_where_there_are_none() -> None:
    """Without leaving rows out, silhouettes of noise rise towards 1 as clusters become small."""
    rows = np.random.default_rng(0).normal(size=(400, 12))
    scores = choose_k(rows, [2, 20, 100, 200, 300], by="silhouette", device="cpu").scores
    assert max(found.silhouette for found in scores) < 0.2
    assert scores[-1].silhouette < scores[1].silhouette


def test_calinski_harabasz_is_scikit_learns() -> None:
    rows = groups([40, 30, 20])
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for scores in choose_k(rows, [2, 3, 9], by="calinski-harabasz", device="cpu").scores:
        labels = KMeans(scores.n_clusters, n_init=1, device="cpu").fit_predict(rows)
        assert scores.calinski_harabasz == pytest.approx(
            calinski_harabasz_score(unit, labels), rel=1e-3
        )
        assert scores.stability is None


def test_stability_is_the_ami_of_two_halves() -> None:
    rows = groups([40] * 5, spread=1.0)
    scores = choose_k(rows, [4, 8], splits=1, random_state=3, device="cpu").scores
    order = np.random.default_rng(3).permutation(200)
    for found in scores:
        labels = [
            KMeans(found.n_clusters, n_init=1, random_state=3, device="cpu")
            .fit(rows[np.sort(half)])
            .predict(rows)
            for half in (order[:100], order[100:])
        ]
        assert found.stability == pytest.approx(adjusted_mutual_info_score(*labels))


def test_a_map_gives_what_the_array_gives_and_a_sample_is_one(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", groups([60] * 6))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    words: dict[str, Any] = {"device": "cpu", "settings": {"init": "ward"}}
    whole = choose_k(mapped, [4, 6, 9], **words)
    assert whole == choose_k(np.array(mapped), [4, 6, 9], **words)
    assert choose_k(mapped, [4, 6, 9], max_rows=360, **words) == whole
    sampled = choose_k(mapped, [4, 6, 9], max_rows=150, **words)
    assert sampled.n_clusters == whole.n_clusters and sampled.scores != whole.scores


@pytest.mark.parametrize(
    ("method", "by", "n_groups"),
    [
        ("kmeans", "silhouette", 20),
        ("kmeans", "stability", 20),
        ("stable-kmeans", "stability", 5),
        ("spectral", "silhouette", 5),
        *(
            pytest.param(method, by, n_groups, marks=pytest.mark.exhaustive)
            for method in ("smoothed-kmeans", "stable-kmeans", "spectral")
            for by in ("silhouette", "stability")
            for n_groups in (7, 20)
        ),
    ],
)
def test_without_candidates_the_number_of_groups_is_found(
    method: str, by: Any, n_groups: int
) -> None:
    rows = groups([60] * n_groups, spread=0.15)
    told: list[tuple[int, int]] = []
    chosen = choose_k(
        rows, by=by, method=method, device="cpu", progress=lambda *step: told.append(step)
    )
    tried = [scores.n_clusters for scores in chosen.scores]
    assert chosen.n_clusters == n_groups
    assert tried == sorted(set(tried)) and tried[-1] <= 6 * n_groups
    assert {k for k in (2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64) if k <= 6 * n_groups} <= set(tried)
    assert told[-1][0] == told[-1][1] and [done for done, _ in told] == sorted(
        done for done, _ in told
    )
    assert all((scores.stability is None) == (by == "silhouette") for scores in chosen.scores)


@pytest.mark.parametrize(
    ("method", "seed"),
    [
        ("kmeans", 0),
        ("kmeans", 1),
        pytest.param("stable-kmeans", 0, marks=pytest.mark.exhaustive),
        ("stable-kmeans", 1),
    ],
)
def test_a_noisy_candidate_is_not_taken_for_the_best(method: str, seed: int) -> None:
    """Ten groups, of which four or seven together are stable as well."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(10, 12))
    rows = centres[rng.integers(0, 10, 600)] + 0.3 * rng.normal(size=(600, 12))
    assert choose_k(rows.astype(np.float32), method=method, device="cpu").n_clusters == 10


def test_of_rows_that_are_all_the_same_two_clusters_are_taken() -> None:
    assert choose_k(np.ones((50, 4)), device="cpu").n_clusters == 2


def test_scores_of_another_method_are_those_of_its_clusters() -> None:
    rows = groups([40, 30, 20, 25], spread=0.6)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for scores in choose_k(
        rows, [2, 3, 9], by="calinski-harabasz", method="stable-kmeans", device="cpu"
    ).scores:
        labels = StableKMeans(scores.n_clusters, device="cpu").fit_predict(rows)
        means = np.stack([unit[labels == c].mean(axis=0) for c in np.unique(labels)])
        numbers = np.searchsorted(np.unique(labels), labels)
        assert scores.calinski_harabasz == pytest.approx(
            calinski_harabasz_score(unit, labels), rel=1e-3
        )
        assert scores.silhouette == pytest.approx(
            plain_silhouette(unit.astype(np.float64), numbers, means), abs=1e-4
        )


def test_stability_of_several_splits_is_their_mean() -> None:
    rows = groups([40] * 5, spread=1.0)
    words: dict[str, Any] = {"method": "smoothed-kmeans", "random_state": 3, "device": "cpu"}
    three = choose_k(rows, [4, 8], splits=3, **words).scores
    rng = np.random.default_rng(3)
    orders = [rng.permutation(200) for _ in range(3)]
    for found in three:
        values = []
        for order in orders:
            fits = [
                SmoothedKMeans(found.n_clusters, random_state=3, device="cpu").fit(
                    rows[np.sort(half)]
                )
                for half in (order[:100], order[100:])
            ]
            values.append(adjusted_mutual_info_score(*(fit.predict(rows) for fit in fits)))
        assert found.stability == pytest.approx(np.mean(values))


def test_one_cluster_for_all_is_no_candidate_to_be_taken() -> None:
    """Rows that are all as far from each other end in one cluster, whatever was asked for."""
    chosen = choose_k(
        np.eye(100), [5, 10, 20], by="silhouette", method="stable-kmeans", device="cpu"
    )
    found = [(s.n_used, s.silhouette, s.calinski_harabasz) for s in chosen.scores]
    assert found == 3 * [(1, -1.0, 0.0)] and chosen.n_clusters == 5


def test_progress_and_same_rows() -> None:
    calls: list[tuple[int, int]] = []
    rows = np.repeat(np.eye(4), 5, axis=0)
    chosen = choose_k(
        rows,
        [8, 4, 2],
        by="silhouette",
        device="cpu",
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert chosen.scores[1].silhouette == 1.0
    assert chosen.scores[1].calinski_harabasz == float("inf")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"candidates": [5]}, r"candidates=\[5\] should be two or more"),
        ({"candidates": [1, 5]}, r"candidates=\[1, 5\] should be two or more"),
        (
            {"candidates": [5, 20], "by": "silhouette"},
            "from 2 to 19, for 20 rows",
        ),
        ({"candidates": [5, 11], "by": "silhouette", "stability": True}, "from 2 to 10"),
        ({"candidates": [5, 11]}, "from 2 to 10, for 20 rows"),
        ({"candidates": [2, 3.5]}, "candidates=3.5 should be a whole number"),
        ({"by": "elbow"}, "by='elbow' should be one of silhouette, stability, calinski-harabasz"),
        ({"max_rows": 0}, "max_rows=0"),
        ({"settings": {"n_inti": 3}}, "unknown setting of KMeans: 'n_inti'; did you mean n_init"),
        ({"settings": {"n_clusters": 3}}, "settings name n_clusters"),
        ({"method": "kmean"}, "unknown method 'kmean'; did you mean kmeans"),
        ({"method": "stable-kmeans", "settings": {"tol": 1}}, "unknown setting of StableKMeans"),
        ({"splits": 0}, "splits=0"),
        ({"candidates": None}, "X has fewer than 40 rows, too few to look for"),
    ],
)
def test_what_cannot_be_is_said(words: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_k(groups([20]), **{"candidates": [2, 3], "device": "cpu", **words})
