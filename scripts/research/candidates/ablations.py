"""Stable k-means with a part left out."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from clusterbench.methods.graph.preparation import Preparation, Trial, scalings, smoothed
from clusterbench.methods.graph.stable import StableKMeans


class Unrefined(StableKMeans):
    """Without 4.: k-means' own clusters, and the nearest centroid for new rows."""

    name: ClassVar[str] = "stable-unrefined"

    def __init__(self, n_clusters: int = 8, random_state: int = 0, device: str = "auto") -> None:
        super().__init__(n_clusters, random_state, device, refinements=0)


class Unchosen(StableKMeans):
    """Without 2.: unit rows, averaged twice with 7 mutual neighbours where there are enough."""

    name: ClassVar[str] = "stable-unchosen"

    def _chosen(self, rows: np.ndarray, trial: Trial) -> tuple[Preparation, dict[str, float]]:
        plain = scalings(rows.shape[1])[0]
        usable = smoothed(plain, len(rows), self.n_clusters)
        return [c for c in usable if c.n_neighbors <= 7][-1], {}


class Unwhitened(StableKMeans):
    """Without the choice of a power."""

    name: ClassVar[str] = "stable-unwhitened"

    def _chosen(self, rows: np.ndarray, trial: Trial) -> tuple[Preparation, dict[str, float]]:
        from clusterbench.methods.graph import preparation

        powers, preparation.POWERS = preparation.POWERS, (None,)
        try:
            return super()._chosen(rows, trial)
        finally:
            preparation.POWERS = powers


class Unsmoothed(StableKMeans):
    """Without the choice of a smoothing."""

    name: ClassVar[str] = "stable-unsmoothed"

    def _chosen(self, rows: np.ndarray, trial: Trial) -> tuple[Preparation, dict[str, float]]:
        from clusterbench.methods.graph import preparation

        every, preparation.SMOOTHINGS = preparation.SMOOTHINGS, ((0, 0),)
        try:
            return super()._chosen(rows, trial)
        finally:
            preparation.SMOOTHINGS = every


class Voteless(StableKMeans):
    """Without neighbours' votes."""

    name: ClassVar[str] = "stable-voteless"
    _weights: ClassVar[tuple[float, float, float]] = (0.0, 0.5, 0.3)


class NoDiscriminant(StableKMeans):
    """Without the discriminant."""

    name: ClassVar[str] = "stable-no-discriminant"
    _weights: ClassVar[tuple[float, float, float]] = (1.0, 0.0, 0.3)


class Forgetful(StableKMeans):
    """Without what was said before."""

    name: ClassVar[str] = "stable-forgetful"
    _weights: ClassVar[tuple[float, float, float]] = (1.0, 0.5, 0.0)


class Recipe(StableKMeans):
    """Neither 2. nor 4.: mutual averages of seven neighbours twice, Ward, Lloyd."""

    name: ClassVar[str] = "stable-neither"

    def __init__(self, n_clusters: int = 8, random_state: int = 0, device: str = "auto") -> None:
        super().__init__(n_clusters, random_state, device, refinements=0)

    _chosen = Unchosen._chosen
