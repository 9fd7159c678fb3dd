"""Balanced k-means: prices that even sizes out, and labels that are the cheapest at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kmeans_plain import means

from clusterbench.errors import InputError
from clusterbench.methods import BalancedKMeans, KMeans


def mixture(sizes: list[int], dim: int = 8, spread: float = 0.7) -> np.ndarray:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(len(sizes)), sizes)
    rows = rng.normal(size=(len(sizes), dim))[targets]
    return (rows + spread * rng.normal(size=rows.shape)).astype(np.float32)


def made(k: int, **settings: Any) -> BalancedKMeans:
    return BalancedKMeans(k, **{"scaling": "none", "device": "cpu", **settings})


def costs(rows: np.ndarray, centroids: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """(n, k): |x - c|^2 + p."""
    away = rows[:, None].astype(np.float64) - centroids[None].astype(np.float64)
    squared: np.ndarray = (away**2).sum(axis=2)
    return squared + prices


def objective(rows: np.ndarray, centroids: np.ndarray, labels: np.ndarray, scale: float) -> float:
    """As the docstring has it; scale: strength * s."""
    k = len(centroids)
    squared = ((rows.astype(np.float64) - centroids[labels]) ** 2).sum(axis=1)
    shares = np.bincount(labels, minlength=k) / (len(rows) / k)
    return float(squared.mean() + scale / 2 * np.mean((shares - 1) ** 2))


def plain(
    rows: np.ndarray, centroids: np.ndarray, strength: float, passes: int
) -> tuple[np.ndarray, list[float]]:
    """Labels of the best pass, and all objectives."""
    k, prices = len(centroids), np.zeros(len(centroids))
    mean = costs(rows, centroids, prices).min(axis=1).mean()
    scale, steps = strength * mean, np.full(k, 0.2 * min(1.0, strength) * mean)
    unmet, objectives, all_labels = np.zeros(k), [], []
    for _ in range(passes + 1):
        labels = costs(rows, centroids, prices - prices.min()).argmin(axis=1)
        objectives.append(objective(rows, centroids, labels, scale))
        all_labels.append(labels)
        sizes = np.bincount(labels, minlength=k)
        before, unmet = unmet, sizes * k / len(rows) - 1 - prices / scale
        steps *= np.select([before * unmet > 0, before * unmet < 0], [1.2, 0.5], 1.0)
        prices = prices + steps * np.clip(unmet, -1, 1)
        centroids = means(rows, labels, centroids)
    return all_labels[int(np.argmin(objectives))], objectives


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_passes_are_those_of_the_plain_way(strength: float) -> None:
    rows = mixture([200, 100, 50, 25, 12])
    start = KMeans(6, init=rows[::70][:6], scaling="none", device="cpu").fit(rows)
    found = made(6, strength=strength, init=start.cluster_centers_, tol=0.0, max_iter=30).fit(rows)
    labels, objectives = plain(rows, start.cluster_centers_, strength, found.n_iter_)
    assert found.n_iter_ > 5
    np.testing.assert_allclose(found.objectives_, objectives, rtol=1e-6)
    assert (found.labels_ == labels).all()


@given(st.integers(1, 40), st.floats(0.01, 100.0), st.integers(0, 99))
def test_labels_are_the_cheapest_and_no_worse_than_kmeans(
    n: int, strength: float, seed: int
) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    k = 1 + seed % n
    found = made(k, strength=strength, random_state=seed, max_iter=15).fit(rows)
    assert (found.labels_ == costs(rows, found.cluster_centers_, found.prices_).argmin(1)).all()
    assert (found.predict(rows) == found.labels_).all()
    assert (found.counts_ == np.bincount(found.labels_, minlength=k)).all()
    assert found.prices_.min() == 0.0
    squared = ((rows.astype(np.float64) - found.cluster_centers_[found.labels_]) ** 2).sum()
    assert found.inertia_ == pytest.approx(squared, rel=1e-6, abs=1e-9)
    ranked = costs(rows, found.cluster_centers_, found.prices_).argsort(axis=1, kind="stable")
    assert (found.predict_top(rows, k) == ranked).all()
    assert found.diagnostics_["objective"] == min(found.objectives_)


def test_prices_are_those_of_the_sizes() -> None:
    rows = mixture([400, 200, 100, 50, 50, 50, 50, 100])
    found = made(8, strength=2.0, tol=0.02, max_iter=300).fit(rows)
    assert found.diagnostics_["converged"]
    start = KMeans(8, n_init=1, scaling="none", device="cpu").fit(rows)
    scale = 2.0 * start.inertia_ / len(rows)
    wanted = scale * (found.counts_ * 8 / len(rows) - 1)
    off = (found.prices_ - wanted) / scale
    assert np.ptp(off) <= 2 * max(found.diagnostics_["unmet"], 0.02) + 1e-6


def test_the_stronger_the_more_even() -> None:
    rows = mixture(np.geomspace(600, 10, 20).astype(int).tolist())
    spread = [made(20, strength=s).fit(rows).counts_.std() for s in (0.01, 0.3, 3.0, 100.0)]
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] < 0.05 * len(rows) / 20 < spread[0]


def test_any_number_of_threads_gives_the_same() -> None:
    rows, before = mixture([900] * 10), torch.get_num_threads()
    fits = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            fits.append(made(30, max_iter=20).fit(rows))
    finally:
        torch.set_num_threads(before)
    one, two = fits
    assert one.cluster_centers_.tobytes() == two.cluster_centers_.tobytes()
    assert one.prices_.tobytes() == two.prices_.tobytes()
    assert one.objectives_ == two.objectives_


def test_a_map_gives_what_the_array_gives(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", mixture([100, 50, 25]))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    plain = made(5, init="k-means++").fit(np.array(mapped))
    found = made(5, init="k-means++").fit(mapped)
    assert (found.labels_ == plain.labels_).all()
    assert (found.predict(mapped) == plain.labels_).all()


@pytest.mark.parametrize("rows", [np.ones((9, 2)), np.repeat(np.eye(3), 4, axis=0)])
def test_rows_at_their_centroids_cost_nothing(rows: np.ndarray) -> None:
    found = made(4, strength=100.0).fit(rows)
    assert found.inertia_ == 0.0
    assert (found.predict(rows) == found.labels_).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strength": 0.0}, "strength=0.0"),
        ({"tol": -1.0}, "tol=-1.0"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"init": "kmeans"}, "init='kmeans' should be one of auto, random"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(3, **settings)
