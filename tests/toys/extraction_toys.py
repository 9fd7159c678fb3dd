"""Small image folders and a fast encoder for the tests of extraction."""

import numpy as np
import torch
from PIL import Image

from clusterbench.features.encoders.encoder import load_encoder
from clusterbench.features.encoders.recipe import Preprocessing, Recipe

SIZE = 8


class Flat(torch.nn.Module):
    """Features of an image: its pixels times a weight, so that every sample is told apart."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight))

    def forward(self, images):
        return images.flatten(1)[:, ::16] * self.weight


def flat_encoder(weight=1.0, **preprocessing):
    """An encoder of SIZE x SIZE pixels with 12 dimensions."""
    pixels = Preprocessing(SIZE, **preprocessing)
    model = f"{__name__}:Flat"
    return load_encoder(
        Recipe("flat", "python", model, preprocessing=pixels, model_args={"weight": weight})
    )


def make_images(root, n=40, classes=4, suffix="png", seed=0):
    """n noise images of 12 x 12 pixels, spread over class folders."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        path = root / f"c{i % classes}" / f"{i:03d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(path)
    return root


def shard_bytes(folder):
    """Name and bytes of every file of a store but the lock."""
    return {p.name: p.read_bytes() for p in sorted(folder.glob("[!.]*"))}
