"""A head as plain layers, which other programs compute with: a state dict and words about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import sha256_file, write_bytes, write_json
from .stack import HeadStack, depth_of, last_weight, n_spaces

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
        of each layer, the last being called bottleneck and those before it hidden, hidden_2 ...:
        hidden.weight (hidden, dim), hidden.bias (hidden,), bottleneck.weight (bottleneck, hidden),
        bottleneck.bias (bottleneck,); and clusters.weight (n_clusters, bottleneck), of a head
        without a cosine clusters.bias (n_clusters,); float32.
    layers: names of the layers, in order.
    cosine: whether the last layer sees rows of unit length.
    scaling: "none", "l2", "standardize" or "whiten".
    temperature: that logits are divided by.
    dim: dimensions of the features.
    source: method, version and package, for whoever finds the file.
    """

    state: Mapping[str, np.ndarray]
    layers: tuple[str, ...]
    cosine: bool
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

        Raises:
            InputError: a head of several spaces.
        """
        if n_spaces(head) > 1:
            raise InputError(
                f"a head of {n_spaces(head)} spaces is a mean of softmaxes, and export writes one "
                "last layer; save it and load it with clusterbench, or fit one space"
            )
        depth, cosine = depth_of(head), "direction" in head
        hidden = ["hidden", *(f"hidden_{i}" for i in range(2, depth))][: max(depth - 1, 0)]
        layers = (*hidden, *(["bottleneck"] if depth else []))
        tensors = {}
        for i, layer in enumerate(layers, 1):
            tensors[f"{layer}.weight"] = head[f"weight_{i}"][0].T
            tensors[f"{layer}.bias"] = head[f"bias_{i}"][0, 0]
        if n_spaces(head):
            tensors["clusters.weight"] = last_weight(head["direction_1"], head["gain_1"])[0].T
            tensors["clusters.bias"] = head["bias_last_1"][0, 0]
        elif cosine:
            tensors["clusters.weight"] = last_weight(head["direction"], head["gain"])[0].T
        else:
            tensors["clusters.weight"] = head["weight_last"][0].T
            tensors["clusters.bias"] = head["bias_last"][0, 0]
        state = {f"scaling.{name}": array for name, array in learned.items()}
        state |= {name: tensor.contiguous().cpu().numpy() for name, tensor in tensors.items()}
        first = state[f"{layers[0]}.weight" if layers else "clusters.weight"]
        dim = len(learned["mean"]) if "mean" in learned else first.shape[1]
        return cls(state, layers, cosine, scaling.partition("(")[0], temperature, dim, source)

    @property
    def activated(self) -> tuple[str, ...]:
        """The layers that a GELU follows: all but what a cosine sees."""
        return self.layers[:-1] if self.cosine else self.layers

    def config(self) -> dict[str, Any]:
        """What there is to know to compute with `state`."""
        n_clusters = len(self.state["clusters.weight"])
        names = (*self.layers, "clusters")
        widths = {name: len(self.state[f"{name}.weight"]) for name in self.layers}
        steps = [
            f"x = gelu(x @ {layer}.weight.T + {layer}.bias), the exact gelu, with erf"
            if layer in self.activated
            else f"x = x @ {layer}.weight.T + {layer}.bias"
            for layer in self.layers
        ]
        return {
            "format": "clusterbench-head-export/1",
            "source": self.source,
            "dim": self.dim,
            "scaling": self.scaling,
            "scaled_dim": self.state[f"{names[0]}.weight"].shape[1],
            **widths,
            "layers": list(self.layers),
            "activated": list(self.activated),
            "activation": "gelu",
            "unit_length": self.cosine,
            "n_clusters": n_clusters,
            "temperature": self.temperature,
            "steps": [
                f"x: (n, {self.dim}) float32, one row of features per image",
                f"scale: {_SCALED[self.scaling]}",
                *steps,
                *(["x = x / max(|x|, 1e-12)"] if self.cosine else []),
                "logits = x @ clusters.weight.T"
                + (", without bias" if self.cosine else " + clusters.bias"),
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
