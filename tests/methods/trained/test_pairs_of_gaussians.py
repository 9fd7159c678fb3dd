"""TEMI, SCANv2 and SCAN on ten Gaussians: of one size, and of sizes from 10 to 300."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from clusterbench.methods import get

EQUAL = np.full(10, 80)
THIRTYFOLD = np.round(np.geomspace(10, 300, 10)).astype(int)
COMMON = {"n_heads": 4, "epochs": 20, "batch_size": 128, "n_neighbors": 10}
TAUGHT = {
    "learning_rate": 4e-3, "warmup_epochs": 2, "momentum": 0.9, "hidden": 64, "bottleneck": 32,
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "temi": TAUGHT,
    "scanv2": {**TAUGHT, "alpha": 1.0},
    "scan": {"learning_rate": 1e-2, "alpha": 1.0},
}


def gaussians(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ten of unit variance, each pair of centres 8.5 apart."""
    y = np.repeat(np.arange(10), sizes)
    rng = np.random.default_rng(0)
    centers = 6.0 * np.linalg.qr(rng.normal(size=(16, 16)))[0][:10]
    return (centers[y] + rng.normal(size=(len(y), 16))).astype(np.float32), y


def clusters(name: str, X: np.ndarray, **changed: Any) -> np.ndarray:
    settings = {**COMMON, **SETTINGS[name], **changed}
    found: np.ndarray = get(name)(10, device="cpu", **settings).fit_predict(X)
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_of_one_size_they_are_found(name: str) -> None:
    X, y = gaussians(EQUAL)
    assert adjusted_mutual_info_score(y, clusters(name, X)) > 0.98


def test_of_thirty_sizes_scan_with_a_weak_entropy_finds_them() -> None:
    X, y = gaussians(THIRTYFOLD)
    assert adjusted_mutual_info_score(y, clusters("scan", X)) > 0.93


@pytest.mark.parametrize(
    ("name", "changed"), [("temi", {}), ("scanv2", {}), ("scan", {"alpha": 5.0})]
)
def test_what_asks_for_equal_sizes_cuts_the_largest(name: str, changed: dict[str, Any]) -> None:
    """TEMI divides by the marginal and SCANv2 rewards its entropy: see their pages."""
    X, y = gaussians(THIRTYFOLD)
    labels = clusters(name, X, **changed)
    assert 0.7 < adjusted_mutual_info_score(y, labels) < 0.93
    assert np.bincount(labels[y == 9]).max() < 250
