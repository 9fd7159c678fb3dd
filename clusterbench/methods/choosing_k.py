"""How many clusters, where nobody knows: criteria that need no labels, at ten thousand clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from ..selection import centroid_index
from ..selection.centroid_index import silhouettes
from ..selection.partitions import partition
from ..selection.spaces import space
from .by_name import METHODS
from .clusterer import Clusterer
from .kmeans import KMeans
from .streaming import streamed

Criterion = Literal["silhouette", "stability", "calinski-harabasz"]
#: Rows whose two nearest centroids are sought at a time.
_BLOCK = 8192
#: Rows of a cluster, at least in the mean, where candidates are looked for.
_ROWS_EACH = 10
#: Times that the search looks closer, and around how many of the best.
_CLOSER, _PEAKS = 4, 3


@dataclass(frozen=True)
class KScores:
    """What is said for one number of clusters; of each criterion more is better.

    n_clusters: K. silhouette: in [-1, 1]. stability: at most 1; None where it was not computed.
    calinski_harabasz: at least 0, infinite where every row is its centroid. halves: the stability
    of each pair of halves, of which that is the mean. n_used: clusters of all rows that have rows.
    """

    n_clusters: int
    silhouette: float
    stability: float | None
    calinski_harabasz: float
    halves: tuple[float, ...] = ()
    n_used: int = 0


@dataclass(frozen=True)
class ChosenK:
    """The number of clusters that a criterion takes.

    n_clusters: K, of equally good ones the largest whose clusters all have rows. by: the criterion.
    scores: of every candidate, in ascending order.
    """

    n_clusters: int
    by: Criterion
    scores: tuple[KScores, ...]


def choose_k(
    X: Any,
    candidates: Iterable[int] | None = None,
    *,
    by: Criterion = "stability",
    method: str = "kmeans",
    stability: bool = False,
    splits: int = 3,
    max_rows: int | None = None,
    settings: Mapping[str, Any] | None = None,
    random_state: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> ChosenK:
    """Try numbers of clusters by a method and say which suits the rows best, without labels.

    The criteria cost no more than a few passes over the rows each, whatever K is:

    - "silhouette": the simplified silhouette (Hruschka, de Castro & Campello 2004): the mean over
      rows of (b - a) / max(a, b), a being the distance to a row's own centroid and b that to the
      nearest other. A row pulls its own centroid towards itself, the more the smaller its cluster,
      so that silhouettes rise with K alone; here a is the distance to the mean of the cluster's
      other rows, which is a n / (n - 1) in a cluster of n. A row alone in its cluster counts 0.
    - "stability": rows are halved at random, each half is clustered by itself, and both fits
      predict all rows; their AMI is the stability (as in the prediction strength of Tibshirani &
      Walther 2005, but adjusted for chance, which differs with K). Few large clusters are stable
      as well, so the largest peak is taken that is not below the highest by more than the median
      standard error of such differences over the pairs of halves.
    - "calinski-harabasz": (B / (K - 1)) / (W / (n - K)) of the summed squared distances W within
      and B between clusters (Caliński & Harabasz 1974). It prefers few clusters of like sizes.

    None of them is right in general: they find the number of groups where groups are apart. Where
    there are none, some number comes out all the same, of little stability. With
    classes within classes several numbers are right, and the scores of all candidates say more
    than the one that is chosen.

    Without candidates they are 2, 3, 4, 6, 8, 11, 16 ... up to a tenth of the rows, then, four
    times, those halfway between the three best peaks and what was tried beside them.

    Args:
        X: as `KMeans.fit` takes it; another method holds its rows in memory.
        candidates: numbers of clusters, two or more different ones, each from 2 to half the rows
            (stability) or one less than the rows. None searches.
        by: the criterion that chooses; stability was right where silhouettes rose on, on images
            of 100 classes (docs/kmeans-relatives.md).
        method: name of the method whose number of clusters it is; its other criteria are of unit
            rows and the means of its clusters.
        stability: compute stability, too, where another criterion chooses; that takes two more
            fits for each of the splits, on half the rows each, which are held in memory.
        splits: times that rows are halved; stability is the mean.
        max_rows: a random sample of so many rows is taken, and held in memory, where there are
            more. Clusters have fewer rows in a sample: take one only where they have dozens.
        settings: of the method, beside its own defaults; `n_init` of k-means is 1 where it is not
            named. A fit that ends in a bad optimum speaks against its K: a start that sees all
            rows ("ward") or several starts are worth their time here.
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

        Without candidates, by our own method:

        >>> choose_k(X, method="stable-kmeans", device="cpu").n_clusters
        5
    """
    if by not in get_args(Criterion):
        raise InputError(f"by={by!r} should be one of {', '.join(get_args(Criterion))}")
    true_or_false("stability", stability)
    rng = np.random.default_rng(random_state)
    rows = _sampled(X, max_rows, rng)
    halves = by == "stability" or stability
    wanted = None if candidates is None else _checked(candidates, rows.n, halves)
    make = _maker(method, settings, random_state, device)
    # Halved once, so that candidates differ in nothing but K.
    orders = [rng.permutation(rows.n) for _ in range(positive_int("splits", splits))]
    judge = _Judge(rows, make, orders if halves else [], method == "kmeans")
    told = progress or unseen
    if wanted is not None:
        scores = []
        for done, k in enumerate(wanted, 1):
            scores.append(judge(k))
            told(done, len(wanted))
    else:
        scores = _searched(judge, by, rows.n // _ROWS_EACH, told)
    return ChosenK(_taken(scores, by).n_clusters, by, tuple(scores))


def _taken(scores: Sequence[KScores], by: Criterion) -> KScores:
    """The best; by stability the largest peak that is not clearly lower than the highest."""
    best = max(scores, key=lambda found: (_value(found, by), *_preferred(found)))
    if by != "stability":
        return best
    less = np.array(best.halves) - np.array([found.halves for found in scores])
    # One error for all, so that a candidate is not let in for being noisy.
    n_pairs = less.shape[1]
    spread = less.std(axis=1, ddof=1) if n_pairs > 1 else np.zeros(len(less))
    error = float(np.median(spread)) / n_pairs**0.5
    level = {at for at, by_how in enumerate(less.mean(axis=1)) if by_how <= error}
    peaks = [scores[at] for at in _peaks([_value(found, by) for found in scores]) if at in level]
    return max([best, *peaks], key=_preferred)


def _peaks(values: Sequence[float]) -> list[int]:
    """Where no neighbour is higher; of equals in a row the last."""
    beside = np.array([-np.inf, *values, -np.inf])
    found: list[int] = np.flatnonzero(
        (beside[1:-1] >= beside[:-2]) & (beside[1:-1] > beside[2:])
    ).tolist()
    return found


def _preferred(found: KScores) -> tuple[bool, int]:
    """Of equals the one of the most clusters, all of which have rows; of others the fewest."""
    whole = found.n_used == found.n_clusters
    return whole, found.n_clusters if whole else -found.n_clusters


def _searched(
    judge: Callable[[int], KScores], by: Criterion, most: int, told: Progress
) -> list[KScores]:
    """Scores of the candidates that `choose_k` looks for, in ascending order."""
    if most < 4:
        raise InputError(
            f"X has fewer than {4 * _ROWS_EACH} rows, too few to look for a number of clusters; "
            "name candidates"
        )
    tried: dict[int, KScores] = {}
    powers = range(2, int(2 * np.log2(most) + 1e-9) + 1)
    first = sorted({round(2.0 ** (power / 2)) for power in powers})
    total = len(first) + 2 * _PEAKS * _CLOSER

    def look(k: int) -> None:
        if k not in tried:
            tried[k] = judge(k)
            told(min(len(tried), total - 1), total)

    for k in first:
        look(k)
    for _ in range(_CLOSER):
        ks = sorted(tried)
        values = [_value(tried[k], by) for k in ks]
        for at in sorted(_peaks(values), key=lambda at: (values[at], at))[-_PEAKS:]:
            for other in (at - 1, at + 1):
                if 0 <= other < len(ks):
                    look(round((ks[at] * ks[other]) ** 0.5))
    told(total, total)
    return [tried[k] for k in sorted(tried)]


class _Judge:
    """Scores of a number of clusters.

    Args:
        rows: all.
        make: a method with so many clusters.
        orders: permutations of the rows, whose halves are compared.
        kmeans: whether the method is k-means, which has its centroids and its objective.
    """

    def __init__(
        self,
        rows: _Source,
        make: Callable[[int], Clusterer],
        orders: list[np.ndarray],
        kmeans: bool,
    ) -> None:
        self._rows, self._make, self._orders = rows, make, orders
        self._whole: float | None = None
        if kmeans:
            one: Any = make(1).set_params(init="random")
            self._whole = one.fit(rows.source).inertia_
        else:
            self._space = space(as_features(rows.source), rows.n)

    def __call__(self, k: int) -> KScores:
        """What is said for k clusters."""
        fitted = self._make(k).fit(self._rows.source)
        n = self._rows.n
        if isinstance(fitted, KMeans) and self._whole is not None:
            held = silhouette(fitted, self._rows.source)
            ratio = _ratio(self._whole, fitted.inertia_, k, n)
        else:
            found = partition(fitted.labels_)
            held = centroid_index.silhouette(self._space, found, np.arange(n))
            ratio = centroid_index.calinski_harabasz(self._space, found)
            if found.n_used < 2:  # of which both say nothing
                held, ratio = -1.0, 0.0
        agreed = tuple(_stability(self._rows, order, k, self._make) for order in self._orders)
        stability = float(np.mean(agreed)) if agreed else None
        return KScores(k, held, stability, ratio, agreed, len(np.unique(fitted.labels_)))


def _maker(
    method: str, settings: Mapping[str, Any] | None, random_state: int, device: str
) -> Callable[[int], Clusterer]:
    """What makes the method with a number of clusters; InputError for settings it lacks."""
    chosen = METHODS.get(method)
    for name in settings or {}:
        if name in RESERVED:
            raise InputError(f"settings name {name}, which is an argument of its own; leave it out")
        if name not in chosen.setting_names():
            raise unknown_name(f"setting of {chosen.__name__}:", name, chosen.setting_names())
    own = {"n_init": 1} if method == "kmeans" else {}
    words = {**own, **(settings or {}), "random_state": random_state, "device": device}
    return lambda k: chosen(k, **words)


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


def _stability(rows: _Source, order: np.ndarray, k: int, make: Callable[[int], Clusterer]) -> float:
    """AMI of all rows' clusters by two fits, each on half of them."""
    middle = rows.n // 2
    labels = []
    for half in (order[:middle], order[middle:]):
        fitted = make(k).fit(rows.take(np.sort(half)))
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
