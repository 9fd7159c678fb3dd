"""What methods of centroids share: the same bits on any device that the shards know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clusterbench.kmeans.device.cuda import CudaShard
from clusterbench.methods import get
from clusterbench.methods.centroids import CentroidClusterer

RELATIVES = ("kmeans", "minibatch-kmeans", "hierarchical-kmeans", "balanced-kmeans")


@pytest.mark.parametrize("name", RELATIVES)
def test_a_device_gives_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard of devices computes anywhere, so what it shares with a CPU needs no GPU."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 8))[rng.integers(30, size=2000)] + 0.5 * rng.normal(size=(2000, 8))

    def fitted() -> Any:
        return get(name)(n_clusters=20, device="cpu", random_state=2).fit(rows)

    on_cpu = fitted()
    monkeypatch.setattr(
        CentroidClusterer,
        "_shard",
        lambda self, rows, weights=None, start=0: CudaShard(rows, weights, start, "cpu"),
    )
    on_device = fitted()
    assert on_device.cluster_centers_.tobytes() == on_cpu.cluster_centers_.tobytes()
    assert (on_device.labels_ == on_cpu.labels_).all()
    assert (on_device.predict(rows) == on_cpu.labels_).all()
    assert on_device.diagnostics_["n_empty"] == on_cpu.diagnostics_["n_empty"]
