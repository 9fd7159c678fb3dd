"""The methods by name: a method that goes on from another one finds it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..catalog import Registry

if TYPE_CHECKING:
    from .clusterer import Clusterer

#: Entry points of the group `clusterbench.methods` (name -> a `Clusterer` subclass) join them.
METHODS: Registry[type[Clusterer]] = Registry(
    "method",
    {
        "kmeans": "kmeans:KMeans",
        "temi": "trained.temi:TEMI",
        "scan": "trained.scan:SCAN",
        "scanv2": "trained.scanv2:SCANv2",
        "turtle": "trained.turtle:TURTLE",
        "icon": "trained.icon:ICon",
        "sinkhorn": "trained.sinkhorn:Sinkhorn",
        "p2ot": "trained.p2ot:P2OT",
        "self-labelling": "trained.self_labelling:SelfLabelling",
        "minibatch-kmeans": "minibatch:MiniBatchKMeans",
        "hierarchical-kmeans": "hierarchical:HierarchicalKMeans",
        "balanced-kmeans": "balanced:BalancedKMeans",
        "smoothed-kmeans": "graph.smoothed:SmoothedKMeans",
        "stable-kmeans": "graph.stable:StableKMeans",
        "spectral": "graph.spectral:SpectralClustering",
        "leiden": "graph.leiden:Leiden",
    },
    package=__package__,
    base="clusterer:Clusterer",
    entry_points="clusterbench.methods",
)
