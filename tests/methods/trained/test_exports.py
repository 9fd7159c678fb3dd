"""A head of any kind and depth, computed by what its exported files say, without the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.special import erf, softmax

from clusterbench.methods import get

RNG = np.random.default_rng(0)
X = (3 * RNG.normal(size=(5, 7))[RNG.integers(0, 5, 120)] + RNG.normal(size=(120, 7))).astype("f4")
QUICK: dict[str, Any] = {
    "n_heads": 1, "epochs": 2, "batch_size": 40, "n_neighbors": 5, "learning_rate": 0.05,
    "hidden": 11, "bottleneck": 6, "scaling": "standardize",
}  # fmt: skip


def computed(folder: Path) -> np.ndarray:
    """Probabilities of X, step by step as config.json has it."""
    config = json.loads((folder / "config.json").read_text())
    state = load_file(folder / "head.safetensors")
    x = (X - state["scaling.mean"]) / state["scaling.deviation"]
    for layer in config["layers"]:
        x = x @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]
        if layer in config["activated"]:
            x = x * (1 + erf(x / np.sqrt(2))) / 2
    if config["unit_length"]:
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    logits = x @ state["clusters.weight"].T + state.get("clusters.bias", 0.0)
    found: np.ndarray = softmax(logits / config["temperature"], axis=1)
    return found


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["temi", "scan"])  # with a cosine, and without
def test_the_files_say_all_that_is_computed(name: str, depth: int, tmp_path: Path) -> None:
    more = {"warmup_epochs": 0} if name == "temi" else {}
    fitted = get(name)(5, device="cpu", depth=depth, **QUICK, **more).fit(X)

    fitted.export(tmp_path / "head")  # type: ignore[attr-defined]

    wanted = fitted.predict_proba(X)  # type: ignore[attr-defined]
    np.testing.assert_allclose(computed(tmp_path / "head"), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("name", ["temi", "scan"])
def test_onnx_computes_the_same(name: str, depth: int, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    more = {"warmup_epochs": 0} if name == "temi" else {}
    fitted = get(name)(5, device="cpu", depth=depth, **QUICK, **more).fit(X)

    fitted.export(tmp_path / "head.onnx")  # type: ignore[attr-defined]

    session = runtime.InferenceSession(str(tmp_path / "head.onnx"))
    cluster, probability = session.run(None, {"features": X})
    np.testing.assert_array_equal(cluster, fitted.predict(X))
    np.testing.assert_allclose(probability, fitted.predict_proba(X), rtol=1e-4, atol=1e-6)  # type: ignore[attr-defined]
