"""A head as plain layers, which other programs compute with: a state dict and words about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..files import sha256_file, write_bytes, write_json
from .stack import HeadStack, last_weight

#: Length to which whitening rounds a centred row: 2^24, see `methods.whitening`.
WHITENED_LENGTH = 2.0**24

_SCALED = {
    "none": "as it is",
    "l2": "x / |x|, in float64; zeros stay zeros",
    "standardize": "(x - scaling.mean) / scaling.deviation",
    "whiten": "in float64: d = x - scaling.mean; "
    "p = (round(2^24 d / |d|) @ scaling.basis) * scaling.factors; x = p / |p|, to float32",
}


@dataclass(frozen=True, eq=False)
class PlainHead:
    """One head, its scaling and its temperature.

    state: what torch.nn layers take. scaling.*: as `methods.scaling.Scaler.arrays`.
        hidden.weight (hidden, dim), hidden.bias (hidden,), bottleneck.weight (bottleneck, hidden),
        bottleneck.bias (bottleneck,), clusters.weight (n_clusters, bottleneck), float32.
    scaling: "none", "l2", "standardize" or "whiten".
    temperature: that logits are divided by.
    dim: dimensions of the features.
    source: method, version and package, for whoever finds the file.
    """

    state: Mapping[str, np.ndarray]
    scaling: str
    temperature: float
    dim: int
    source: str

    @classmethod
    def of(
        cls,
        head: HeadStack,
        temperature: float,
        scaling: str,
        learned: Mapping[str, np.ndarray],
        source: str,
    ) -> PlainHead:
        """From a stack of one head.

        Args:
            head: as `stack.new_heads` gives it, of one head.
            temperature: of the probabilities.
            scaling: the setting, "whiten(M, POWER)" among them.
            learned: the scaling's arrays.
            source: see the class.
        """
        last = last_weight(head["direction"], head["gain"])
        layers = {
            "hidden.weight": head["weight_1"][0].T,
            "hidden.bias": head["bias_1"][0, 0],
            "bottleneck.weight": head["weight_2"][0].T,
            "bottleneck.bias": head["bias_2"][0, 0],
            "clusters.weight": last[0].T,
        }
        state = {f"scaling.{name}": array for name, array in learned.items()}
        state |= {name: tensor.contiguous().cpu().numpy() for name, tensor in layers.items()}
        dim = len(learned["mean"]) if "mean" in learned else head["weight_1"].shape[1]
        return cls(state, scaling.partition("(")[0], temperature, dim, source)

    def config(self) -> dict[str, Any]:
        """What there is to know to compute with `state`."""
        n_clusters, bottleneck = self.state["clusters.weight"].shape
        hidden, width = self.state["hidden.weight"].shape
        return {
            "format": "clusterbench-head-export/1",
            "source": self.source,
            "dim": self.dim,
            "scaling": self.scaling,
            "scaled_dim": width,
            "hidden": hidden,
            "activation": "gelu",
            "bottleneck": bottleneck,
            "n_clusters": n_clusters,
            "temperature": self.temperature,
            "steps": [
                f"x: (n, {self.dim}) float32, one row of features per image",
                f"scale: {_SCALED[self.scaling]}",
                "x = gelu(x @ hidden.weight.T + hidden.bias), the exact gelu, with erf",
                "x = x @ bottleneck.weight.T + bottleneck.bias",
                "x = x / max(|x|, 1e-12)",
                "logits = x @ clusters.weight.T, without bias",
                "cluster = argmax(logits); probability = softmax(logits / temperature)",
            ],
        }

    def write(self, folder: Path) -> None:
        """Write `head.safetensors` and `config.json`, which has the hash of the first.

        Raises StorageError when a file cannot be written.
        """
        from safetensors.numpy import save

        tensors = {name: np.ascontiguousarray(array) for name, array in self.state.items()}
        write_bytes(folder / "head.safetensors", save(tensors))
        digest = sha256_file(folder / "head.safetensors")
        write_json(folder / "config.json", {**self.config(), "head_sha256": digest})
