"""Stable k-means with a part left out."""

from __future__ import annotations

from typing import ClassVar

from clusterbench.methods.graph.stable import StableKMeans


class Unrefined(StableKMeans):
    """Without 5.: k-means' own clusters, and the nearest centroid for new rows."""

    name: ClassVar[str] = "stable-unrefined"

    def __init__(self, n_clusters: int = 8, random_state: int = 0, device: str = "auto") -> None:
        super().__init__(n_clusters, random_state, device, refinements=0)


class Unprepared(StableKMeans):
    """Without 2. and 3.: unit rows as they are, and so nothing joined."""

    name: ClassVar[str] = "stable-unprepared"
    _whitens: ClassVar[bool] = False
    _smooths: ClassVar[bool] = False


class Unwhitened(StableKMeans):
    """Without 2."""

    name: ClassVar[str] = "stable-unwhitened"
    _whitens: ClassVar[bool] = False


class Unsmoothed(StableKMeans):
    """Without 3., and so nothing joined."""

    name: ClassVar[str] = "stable-unsmoothed"
    _smooths: ClassVar[bool] = False


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


class Unjoined(StableKMeans):
    """Without parts: as many clusters of k-means as are wanted."""

    name: ClassVar[str] = "stable-unjoined"
    _joins: ClassVar[bool] = False
