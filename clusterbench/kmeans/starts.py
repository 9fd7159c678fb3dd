"""The starts by name, and which one `auto` takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .lloyd import Group
from .seeding import parallel, plus_plus, random_rows, sampled_plus_plus
from .shard import Shard, Units

NAMES = ("auto", "random", "k-means++", "k-means++ sample", "k-means||", "ward")


@dataclass(frozen=True)
class Start:
    """How the first centroids are found.

    name: one of NAMES but "auto", or "given". given: (k, dim) float32 centroids, for "given".
    """

    name: str
    given: np.ndarray | None = None

    @property
    def draws(self) -> bool:
        """Whether another seed may give another start."""
        return self.name not in ("ward", "given")


def start(
    how: Start, shard: Shard, group: Group, units: Units, k: int, rng: np.random.Generator
) -> np.ndarray:
    """First centroids: (k, dim) float32; the shard may have them as its own already."""
    if how.name == "given":
        assert how.given is not None
        return how.given
    if how.name == "random":
        return random_rows(shard, group, k, rng)
    if how.name == "k-means++":
        return plus_plus(shard, group, units, k, rng)
    if how.name == "k-means++ sample":
        return sampled_plus_plus(shard, group, units, k, rng)
    if how.name == "k-means||":
        return parallel(shard, group, units, k, rng)
    raise NotImplementedError(how.name)


def chosen(n: int, k: int, in_memory: bool) -> str:
    """The start that `auto` takes for n rows and k clusters."""
    if not in_memory:
        return "k-means++ sample"
    return "k-means++"
