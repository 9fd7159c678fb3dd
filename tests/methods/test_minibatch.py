"""Mini-batch k-means: nested batches, Lloyd's iterations on each, exact labels at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kmeans_plain import means, nearest

from clusterbench.errors import InputError
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.methods import KMeans, MiniBatchKMeans
from clusterbench.methods.minibatch import settled


def mixture(n: int = 1200, dim: int = 6, k: int = 20, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(k, dim))[rng.integers(k, size=n)] + 0.5 * rng.normal(size=(n, dim))
    return rows.astype(np.float32)


def made(k: int, **settings: Any) -> MiniBatchKMeans:
    return MiniBatchKMeans(k, **{"scaling": "none", "device": "cpu", **settings})


def still(rows: np.ndarray, before: np.ndarray, after: np.ndarray, patience: float) -> bool:
    """Of at least half of the clusters: |move| <= standard error / patience."""
    labels, squared = nearest(rows, after)
    quiet = 0
    for k in range(len(after)):
        n = (labels == k).sum()
        move = np.linalg.norm(after[k].astype(float) - before[k])
        sse = squared[labels == k].sum()
        quiet += n < 2 or move <= np.sqrt(sse / (n * (n - 1))) / patience
    return 2 * quiet >= len(after)


def plain(
    rows: np.ndarray, centroids: np.ndarray, size: int, most: int, patience: float, seed: int
) -> tuple[np.ndarray, list[int], list[int]]:
    """Nested batches as the docstring has them: centroids, sizes and moves of each."""
    order = np.random.default_rng(seed).permutation(len(rows))
    sizes, moves = [size], [0]
    while True:
        batch = rows[order[: sizes[-1]]]
        before = centroids
        centroids = means(batch, nearest(batch, before)[0], before)
        moves[-1] += bool((centroids != before).any())
        if (centroids == before).all() or still(batch, before, centroids, patience):
            if sizes[-1] == most:
                return centroids, sizes, moves
            sizes.append(min(2 * sizes[-1], most))
            moves.append(0)


@pytest.mark.parametrize("patience", [0.5, 3.0, 30.0])
@pytest.mark.parametrize("max_batch", [700, 10_000])
def test_batches_are_those_of_the_plain_way(patience: float, max_batch: int) -> None:
    rows = mixture()
    first = rows[:10].copy()
    found = made(
        10, init=first, rows_per_cluster=15, max_batch=max_batch, patience=patience, refine=False,
        random_state=5,
    ).fit(rows)  # fmt: skip
    centroids, sizes, moves = plain(rows, first, 150, min(max_batch, 1200), patience, 5)
    assert found.diagnostics_["batches"] == sizes
    assert found.diagnostics_["batch_iterations"] == moves
    np.testing.assert_allclose(found.cluster_centers_, centroids, rtol=1e-5)
    assert len(set(sizes)) > 2


@given(st.integers(1, 40), st.integers(1, 6), st.booleans(), st.integers(0, 99))
def test_labels_counts_and_objective_are_of_the_same_centroids(
    n: int, per: int, refine: bool, seed: int
) -> None:
    rows = np.random.default_rng(seed).integers(-3, 4, size=(n, 2)).astype(np.float32)
    k = 1 + seed % n
    found = made(k, rows_per_cluster=per, refine=refine, random_state=seed, max_batch=9).fit(rows)
    labels, squared = nearest(rows, found.cluster_centers_)
    assert (found.labels_ == labels).all()
    assert (found.predict(rows) == labels).all()
    assert (found.counts_ == np.bincount(labels, minlength=k)).all()
    assert found.inertia_ == pytest.approx(squared.sum(), rel=1e-6, abs=1e-9)


def test_refined_it_ends_where_lloyd_does() -> None:
    rows = mixture()
    found = made(20, max_batch=300, rows_per_cluster=5).fit(rows)
    assert found.diagnostics_["converged"]
    again = KMeans(20, init=found.cluster_centers_, scaling="none", device="cpu").fit(rows)
    assert again.n_iter_ == 0
    assert (again.labels_ == found.labels_).all()


def test_any_number_of_threads_gives_the_same() -> None:
    rows, before = mixture(n=9000), torch.get_num_threads()
    fits = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            fits.append(made(30, rows_per_cluster=8).fit(rows))
    finally:
        torch.set_num_threads(before)
    one, two = fits
    assert one.cluster_centers_.tobytes() == two.cluster_centers_.tobytes()
    assert one.diagnostics_ == two.diagnostics_


def test_a_map_gives_what_the_array_gives(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", mixture())
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    plain = made(12, rows_per_cluster=4).fit(np.array(mapped))
    found = made(12, rows_per_cluster=4).fit(mapped)
    assert (found.labels_ == plain.labels_).all()
    assert (found.predict(mapped) == plain.labels_).all()


def test_a_batch_is_done_when_half_of_its_clusters_are() -> None:
    # Two clusters of two rows 2 apart: SSE 2, n (n - 1) = 2, a standard error of 1.
    rows = np.array([[0.0], [2.0], [10.0], [12.0]], dtype=np.float32)
    after = np.array([[1.0], [11.0]], dtype=np.float32)
    batch = CpuShard(ArrayRows(rows))
    units = batch.extent.units()
    batch.begin(units)
    batch.assign(after)
    for moves, patience, done in [
        ([1.0, 1.01], 1.0, True),
        ([1.01, 1.01], 1.0, False),
        ([0.5, 3.0], 2.0, True),
        ([0.51, 3.0], 2.0, False),
    ]:
        before = (after - np.array(moves)[:, None]).astype(np.float32)
        assert settled(batch, units, before, after, patience) == done


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 0.0}, "patience=0.0"),
        ({"max_batch": 0}, "max_batch=0"),
        ({"rows_per_cluster": 1.5}, "rows_per_cluster=1.5"),
        ({"refine": 1}, "refine=1"),
        ({"init": "kmeans"}, "init='kmeans' should be one of auto, random"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(3, **settings)
