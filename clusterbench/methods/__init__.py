"""Clustering methods by name; each is one file, and other packages add theirs by entry point.

clusterbench.methods.get("temi")(n_clusters=100, random_state=0).fit(X).labels_
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .by_name import METHODS

if TYPE_CHECKING:
    from .balanced import BalancedKMeans as BalancedKMeans
    from .choosing_k import ChosenK as ChosenK
    from .choosing_k import choose_k as choose_k
    from .clusterer import Clusterer as Clusterer
    from .graph.leiden import Leiden as Leiden
    from .graph.smoothed import SmoothedKMeans as SmoothedKMeans
    from .graph.spectral import SpectralClustering as SpectralClustering
    from .graph.stable import StableKMeans as StableKMeans
    from .hierarchical import HierarchicalKMeans as HierarchicalKMeans
    from .kmeans import KMeans as KMeans
    from .minibatch import MiniBatchKMeans as MiniBatchKMeans
    from .trained.icon import ICon as ICon
    from .trained.p2ot import P2OT as P2OT
    from .trained.saving import HeadClusterer
    from .trained.scan import SCAN as SCAN
    from .trained.scanv2 import SCANv2 as SCANv2
    from .trained.self_labelling import SelfLabelling as SelfLabelling
    from .trained.sinkhorn import Sinkhorn as Sinkhorn
    from .trained.temi import TEMI as TEMI
    from .trained.turtle import TURTLE as TURTLE

#: Methods of a run that names none.
DEFAULT = ("kmeans", "smoothed-kmeans", "stable-kmeans", "temi", "scanv2")

__all__ = [
    "DEFAULT",
    "METHODS",
    "P2OT",
    "SCAN",
    "TEMI",
    "TURTLE",
    "BalancedKMeans",
    "ChosenK",
    "Clusterer",
    "HierarchicalKMeans",
    "ICon",
    "KMeans",
    "Leiden",
    "MiniBatchKMeans",
    "SCANv2",
    "SelfLabelling",
    "Sinkhorn",
    "SmoothedKMeans",
    "SpectralClustering",
    "StableKMeans",
    "choose_k",
    "get",
    "load",
    "names",
]


def names() -> list[str]:
    """Names of all methods, the built-in ones first."""
    return METHODS.names()


def get(name: str) -> type[Clusterer]:
    """The class of a method.

    Raises:
        InputError: no such method (the nearest names are suggested), or not a Clusterer.
    """
    return METHODS.get(name)


def load(path: Path | str, *, device: str = "auto") -> HeadClusterer:
    """The fitted method that its `save` wrote to a file, whichever method it is.

    Args:
        path: of the file; see `HeadClusterer.load`.
        device: where it predicts: "auto", "cpu", "cuda[:N]" or "mps".

    Raises:
        InputError: no such file, a damaged one, or one of a method that is not installed.
    """
    from .trained.saving import load_as

    return load_as(get, path, device)


def __getattr__(name: str) -> Any:
    if name in ("ChosenK", "choose_k"):
        return getattr(importlib.import_module(".choosing_k", __name__), name)
    if module := METHODS.module_of(name):
        return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
