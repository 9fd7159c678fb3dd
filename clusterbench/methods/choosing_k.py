"""How many clusters, where nobody knows: criteria that need no labels, at ten thousand clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from ..catalog import unknown_name
from ..errors import InputError
from ..estimator import RESERVED, positive_int, true_or_false
from ..feature_rows import as_features
from ..kmeans.row_sources import Rows
from ..metrics.counts import count
from ..metrics.information import ami
from ..metrics.validate import check_labels
from ..progress import Progress, unseen
from ..selection.centroid_index import silhouettes
from .kmeans import KMeans
from .streaming import streamed

Criterion = Literal["silhouette", "stability", "calinski-harabasz"]
#: Rows whose two nearest centroids are sought at a time.
_BLOCK = 8192


@dataclass(frozen=True)
class KScores:
    """What is said for one number of clusters; of each criterion more is better.

    n_clusters: K. silhouette: in [-1, 1]. stability: at most 1; None where it was not computed.
    calinski_harabasz: at least 0, infinite where every row is its centroid.
    """

    n_clusters: int
    silhouette: float
    stability: float | None
    calinski_harabasz: float


@dataclass(frozen=True)
class ChosenK:
    """The number of clusters that a criterion takes.

    n_clusters: K, of equally good ones the largest. by: the criterion. scores: of every candidate,
    in ascending order.
    """

    n_clusters: int
    by: Criterion
    scores: tuple[KScores, ...]


def choose_k(
    X: Any,
    candidates: Iterable[int],
    *,
    by: Criterion = "stability",
    stability: bool = False,
    max_rows: int | None = None,
    settings: Mapping[str, Any] | None = None,
    random_state: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> ChosenK:
    """Try numbers of clusters by k-means and say which suits the rows best, without labels.

    The criteria cost no more than a few passes over the rows each, whatever K is:

    - "silhouette": the simplified silhouette (Hruschka, de Castro & Campello 2004): the mean over
      rows of (b - a) / max(a, b), a being the distance to a row's own centroid and b that to the
      nearest other. A row pulls its own centroid towards itself, the more the smaller its cluster,
      so that silhouettes rise with K alone; here a is the distance to the mean of the cluster's
      other rows, which is a n / (n - 1) in a cluster of n. A row alone in its cluster counts 0.
    - "stability": rows are halved at random, each half is clustered by itself, and both sets of
      centroids assign all rows; their AMI is the stability (as in the prediction strength of
      Tibshirani & Walther 2005, but adjusted for chance, which differs with K).
    - "calinski-harabasz": (B / (K - 1)) / (W / (n - K)) of the summed squared distances W within
      and B between clusters (Caliński & Harabasz 1974). It prefers few clusters of like sizes.

    None of them is right in general: they find the number of groups where groups are apart. With
    classes within classes several numbers are right, and the scores of all candidates say more
    than the one that is chosen.

    Args:
        X: as `KMeans.fit` takes it.
        candidates: numbers of clusters, two or more different ones, each from 2 to half the rows
            (stability) or one less than the rows.
        by: the criterion that chooses; stability was right where silhouettes rose on, on images
            of 100 classes (docs/kmeans-relatives.md).
        stability: compute stability, too, where another criterion chooses; that takes two more
            fits, on half the rows each, which are held in memory.
        max_rows: a random sample of so many rows is taken, and held in memory, where there are
            more. Clusters have fewer rows in a sample: take one only where they have dozens.
        settings: of `KMeans`, beside its own defaults; `n_init` is 1 where it is not named. A fit
            that ends in a bad optimum speaks against its K: a start that sees all rows ("ward")
            or several starts are worth their time here.
        random_state: seed of the fits and draws.
        device: "auto", "cpu" or "cuda[:N]".
        progress: called as `progress(done, total)` after each candidate.

    Raises:
        InputError: unusable candidates, settings or X.

    Examples:
        >>> import numpy as np
        >>> from clusterbench.methods import choose_k
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(5, 8)).repeat(40, axis=0) + 0.1 * rng.normal(size=(200, 8))
        >>> chosen = choose_k(X, [2, 3, 5, 8, 13], by="silhouette", device="cpu")
        >>> chosen.n_clusters
        5
        >>> [round(scores.silhouette, 2) for scores in chosen.scores]
        [0.58, 0.71, 0.86, 0.65, 0.4]
    """
    if by not in get_args(Criterion):
        raise InputError(f"by={by!r} should be one of {', '.join(get_args(Criterion))}")
    true_or_false("stability", stability)
    rng = np.random.default_rng(random_state)
    rows = _sampled(X, max_rows, rng)
    halves = by == "stability" or stability
    numbers = _checked(candidates, rows.n, halves)
    settings = {"n_init": 1, **_known(settings), "random_state": random_state, "device": device}
    # Halved once, so that candidates differ in nothing but K.
    order = rng.permutation(rows.n)
    told = progress or unseen
    whole = KMeans(1, **{**settings, "init": "random"}).fit(rows.source).inertia_
    scores = []
    for done, k in enumerate(numbers, 1):
        fitted = KMeans(k, **settings).fit(rows.source)
        found = KScores(
            k, silhouette(fitted, rows.source), None, _ratio(whole, fitted.inertia_, k, rows.n)
        )
        if halves:
            found = replace(found, stability=_stability(rows, order, k, settings))
        scores.append(found)
        told(done, len(numbers))
    best = max(scores, key=lambda found: (_value(found, by), found.n_clusters))
    return ChosenK(best.n_clusters, by, tuple(scores))


def silhouette(fitted: KMeans, X: Any) -> float:
    """The simplified silhouette of the rows that k-means was fitted on (see `choose_k`)."""
    rows = streamed(X, fitted._scaler) or fitted._rows(as_features(X))
    total = 0.0
    for start in range(0, rows.n, _BLOCK):
        x = rows.block(start, min(start + _BLOCK, rows.n))
        own = fitted.labels_[start : start + len(x)]
        total += float(silhouettes(x, own, fitted.cluster_centers_, fitted.counts_).sum())
    return total / rows.n


class _Source:
    """X, its number of rows, and rows of it by number.

    source: as `KMeans.fit` takes it.
    """

    def __init__(self, X: Any) -> None:
        rows: Rows | None = streamed(X)
        self.source: Any = X if rows is not None else as_features(X)
        self.n: int = len(self.source) if rows is None else rows.n
        self._rows = rows

    def take(self, numbers: np.ndarray) -> np.ndarray:
        taken: np.ndarray = self.source[numbers] if self._rows is None else self._rows.take(numbers)
        return taken


def _sampled(X: Any, max_rows: int | None, rng: np.random.Generator) -> _Source:
    source = _Source(X)
    if max_rows is None or source.n <= positive_int("max_rows", max_rows):
        return source
    return _Source(source.take(np.sort(rng.choice(source.n, max_rows, replace=False))))


def _checked(candidates: Iterable[int], n: int, halves: bool) -> list[int]:
    numbers = sorted({positive_int("candidates", k) for k in candidates})
    most = n // 2 if halves else n - 1
    if len(numbers) < 2 or numbers[0] < 2 or numbers[-1] > most:
        raise InputError(
            f"candidates={numbers} should be two or more numbers of clusters from 2 to {most}, "
            f"for {n} rows"
        )
    return numbers


def _known(settings: Mapping[str, Any] | None) -> Mapping[str, Any]:
    for name in settings or {}:
        if name in RESERVED:
            raise InputError(f"settings name {name}, which is an argument of its own; leave it out")
        if name not in KMeans.setting_names():
            raise unknown_name("setting of KMeans:", name, KMeans.setting_names())
    return settings or {}


def _stability(rows: _Source, order: np.ndarray, k: int, settings: Mapping[str, Any]) -> float:
    """AMI of all rows' clusters by two fits, each on half of them."""
    middle = rows.n // 2
    labels = []
    for half in (order[:middle], order[middle:]):
        fitted = KMeans(k, **settings).fit(rows.take(np.sort(half)))
        labels.append(check_labels(fitted.predict(rows.source), "clusters"))
    return ami(count(*labels))


def _ratio(whole: float, within: float, k: int, n: int) -> float:
    if within <= 0.0:
        return float("inf")
    return max(whole - within, 0.0) / (k - 1) / (within / (n - k))


def _value(scores: KScores, by: Criterion) -> float:
    if by == "stability":
        assert scores.stability is not None
        return scores.stability
    return scores.silhouette if by == "silhouette" else scores.calinski_harabasz
