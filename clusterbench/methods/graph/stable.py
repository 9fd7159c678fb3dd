"""k-means on rows evened out and averaged by neighbours, its clusters joined and told anew."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...cost import Cost, check_memory
from ...devices import resolve_device
from ...estimator import positive_int, whole_number
from ...feature_rows import as_features
from ...files import sha256_array, sha256_json
from ...kmeans.row_sources import ArrayRows, Rows
from ...neighbours.kept import search_cost
from ...progress import Progress, Stretches, unseen
from ..centroids import checked_init
from ..clusterer import Clusterer, check_enough
from ..fit_stages import FitStages, checkpoint_path
from ..fit_warnings import inside_another_fit
from ..scaling import warn_of
from ..streaming import in_blocks, streamed
from ..top_order import led_by
from .adjacency import adjacency
from .joining import JoinedParts, joined_to
from .links import Links, Neighbourhood, held_together, row_hashes, search_bytes
from .neighbour_whitening import MOST_ROWS, ROUNDS, NeighbourWhitening, neighbour_whitening
from .preparation import (
    Preparation,
    chosen,
    gathered,
    n_tried,
    principal_basis,
    principal_rows,
    smoothing_tried,
)
from .smoothed import SmoothedKMeans

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from .refinement import Witnesses

#: Neighbours that vote, at least, if so many are wanted.
_LEAST_VOTERS = 4
#: Fits of halves at most: two, of unit rows, whitened ones and averages.
_TRIALS = 6
#: What a fit of a half costs beside its work, however small: numbers moved.
_OF_A_TRIAL = 1.2e8
#: Rows whose clusters are told at a time, of those that are read in blocks.
_READ = 1 << 16
#: Rows per cluster without which clusters stay k-means': most have no other row to vote then.
_FEWEST = 2.5
#: Parts of a cluster that are joined, in the mean, and rows of a part at least.
_PARTS, _OF_A_PART = 2, 8
#: Share of neighbours in a row's own cluster, beyond chance, without which they are noise.
_HELD = 0.5


class StableKMeans(Clusterer):
    """k-means on rows that neighbours even out, its clusters joined and told anew by witnesses.

    1. Rows go to unit length, and to their `dims` principal directions where there are more.
    2. Directions in which neighbours differ count less: rows are whitened by the scatter between
       neighbours (`neighbour_whitening`), unless that is even already, or fits to two random halves
       of the rows agree clearly less on it, by the AMI of what a fit predicts of the other half
       with that half's own clusters; clear is 1 / sqrt(rows tried). No label takes part.
    3. Rows are averaged twice with their 7 mutual neighbours, unless halves agree clearly less so.
       What is tried is 12 neighbours, or 7, where there are two rows per cluster for each.
    4. `SmoothedKMeans` of all rows with this preparation. If rows are averaged, of twice as many
       clusters, with eight rows each at least, which are joined to K along the graph of the
       nearest neighbours that vote in 5 (`joining.joined`). If fewer than half of these are of a
       row's own cluster, beyond chance, neighbours are noise: nothing is averaged then.
    5. `refinements` times, all rows are told anew which cluster is theirs: by the votes of their
       `voters` nearest rows, or as many as half the rows of a cluster, four at least, weighted by
       similarity; by a linear discriminant among the clusters that are voted for (0.5); and, if
       rows are averaged, by what they were told before (0.3). A new row is told once, where its
       nearest centroid stands for what was said before. Rows that were trained on keep their
       labels. With fewer than 2.5 rows per cluster this is left out.

    The sizes of clusters are nowhere forced. Tried in 2. and 3. are 50 rows per cluster drawn at
    random, 2,000 at least; with fewer per cluster all, of more than 10,000 eight regions of 1,250.

    Killed, a fit with a checkpoint goes on from the preparation that was chosen, the last state of
    k-means, the graph, what was joined and the last of the refinements, to the same clusters.

    Memory: 4 bytes for each of the `dims` directions of each row, seven times, 100 bytes for each
    of its voters, and a table of 32 MB. A store, a memory map and an array of float16 are read in
    blocks.

    Args:
        n_clusters: K.
        random_state: seed of all draws.
        device: "auto", "cpu" or "cuda[:N]".
        dims: principal directions kept.
        voters: neighbours that vote, at most.
        refinements: times that training rows are told anew; 0 leaves the clusters of step 4, of new
            rows, too.
        init: as of `KMeans`, of k-means on all rows; trials have "auto".
        n_init: starts of k-means on all rows; each trial has one.
        max_iter: times that the centroids are moved at most.

    Attributes:
        labels_: (n_samples,) int64.
        preparation_: what was chosen, as a text.

    Raises:
        InputError: a setting of another type or range, or too little memory.

    Examples:
        >>> import numpy as np
        >>> from clusterbench.methods import StableKMeans
        >>> rng = np.random.default_rng(0)
        >>> X = np.repeat(np.eye(3), 40, axis=0) + 0.2 * rng.normal(size=(120, 3))
        >>> stable = StableKMeans(3, device="cpu").fit(X)
        >>> np.bincount(stable.labels_).tolist(), (stable.predict(X) == stable.labels_).all()
        ([40, 40, 40], np.True_)
    """

    name: ClassVar[str] = "stable-kmeans"
    label: ClassVar[str] = "stable k-means"
    version: ClassVar[int] = 4
    #: Of votes, discriminant and, where rows are averaged, what was said before; see `Witnesses`.
    _weights: ClassVar[tuple[float, float, float]] = (1.0, 0.5, 0.3)
    #: Parts that ablations leave out.
    _whitens: ClassVar[bool] = True
    _smooths: ClassVar[bool] = True
    _joins: ClassVar[bool] = True
    #: Of the checkpoint of the fit that goes on.
    _folder: Path | None = None

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        dims: int = 256,
        voters: int = 10,
        refinements: int = 3,
        init: Any = "auto",
        n_init: int = 3,
        max_iter: int = 100,
    ) -> None:
        super().__init__(n_clusters, random_state, device)
        self.dims = positive_int("dims", dims)
        self.voters = positive_int("voters", voters)
        self.refinements = whole_number("refinements", refinements)
        self.init = checked_init(init)
        self.n_init = positive_int("n_init", n_init)
        self.max_iter = positive_int("max_iter", max_iter)

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """Trials on halves, k-means of all rows, votes and discriminants."""
        width = min(self.dims, dim)
        tried = n_tried(n_train, self.n_clusters) // 2
        found = Cost(0.0)
        smoothing = smoothing_tried(n_train, self.n_clusters) if self._smooths else None
        strong = Preparation().smoothed(*smoothing) if smoothing else Preparation()
        for candidate in (Preparation(), Preparation(), strong):
            one = self._smoothed(candidate, self.n_clusters, 1).cost(tried, tried, width)
            found += one + one + Cost(0.0, 2 * _OF_A_TRIAL)
        parts = self._n_parts(n_train) if smoothing else self.n_clusters
        base = self._smoothed(strong, parts, self.n_init, self.init)
        found += base.cost(n_train, n_eval, width)
        told = self.refinements * n_train + n_eval
        products = 4.0 * n_train * width**2
        voters = self._n_voters(n_train)
        tables = 4.0 * told * (voters + 1) * (3.0 * width + voters)
        basis = 2.0 * n_train * dim * (dim + width) if dim > width else 0.0
        asked = min(n_train, MOST_ROWS)
        evened = 2.0 * ROUNDS * (asked * n_train * width + (n_train + 15.0 * asked) * width**2)
        found += Cost(products + basis + evened, tables)
        return found + search_cost(n_train, n_eval, width)

    def _n_voters(self, n: int) -> int:
        """Neighbours that vote among n rows: most of more would be of other clusters."""
        return min(self.voters, max(_LEAST_VOTERS, n // (2 * self.n_clusters)))

    def _n_parts(self, n: int) -> int:
        """Clusters of k-means that are joined to K, where n rows are averaged."""
        if not (self._joins and isinstance(self.init, str)):  # centroids that are given are K
            return self.n_clusters
        return max(self.n_clusters, min(_PARTS * self.n_clusters, n // _OF_A_PART))

    def _smoothed(
        self, candidate: Preparation, n_clusters: int, n_init: int, init: Any = "auto"
    ) -> SmoothedKMeans:
        return SmoothedKMeans(
            n_clusters,
            random_state=self.random_state,
            device=self.device,
            n_neighbors=max(candidate.n_neighbors, 1),
            rounds=candidate.rounds,
            init=init,
            n_init=n_init,
            max_iter=self.max_iter,
        )

    @property
    def keeps_checkpoints(self) -> bool:
        """As `Clusterer.keeps_checkpoints`: a folder."""
        return True

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        progress: Progress | None = None,
        checkpoint: Path | str | None = None,
    ) -> Self:
        """Find `n_clusters` clusters in X.

        Args:
            X: as `Clusterer.fit` takes it. A store, a memory map and an array of float16 are read
                in blocks; the answer is that of all rows in memory, which then holds their `dims`
                directions only.
            y: not looked at.
            progress: called as `progress(done, total)` after each trial, iteration and refinement.
            checkpoint: folder for what the stages of the fit came to, written every half minute; a
                fit that was killed goes on from it to the same clusters. It is left to the caller
                to remove it. None keeps none.

        Raises:
            InputError: as `Clusterer.fit`; a checkpoint of another fit; too little memory.
        """
        del y  # nothing that fits sees a label
        self._folder = checkpoint_path(checkpoint)
        try:
            rows = streamed(X)
            if rows is None:
                return super().fit(X, progress=progress)
            self._begin_fit(rows.dim)
            check_enough(rows.n, self.n_clusters)
            self.labels_ = self._fit_rows(rows, progress or unseen)
            return self
        finally:
            del self._folder

    def predict(self, X: Any) -> np.ndarray:
        """As `Clusterer.predict`; what `fit` reads in blocks is read so."""
        rows = streamed(X)
        if rows is None:
            return super().predict(X)
        self._check_width(rows.dim)
        return in_blocks(rows, _READ, self._predict)

    def predict_top(self, X: Any, n: int) -> np.ndarray:
        """As `Clusterer.predict_top`; likewise."""
        rows = streamed(X)
        if rows is None:
            return super().predict_top(X, n)
        self._check_width(rows.dim)
        ask = super().predict_top
        return in_blocks(rows, _READ, lambda block: ask(block, n))

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        return self._fit_rows(ArrayRows(features), progress)

    def _fit_rows(self, given: Rows, progress: Progress) -> np.ndarray:
        n, dim = given.n, given.dim
        width = min(self.dims, dim)
        check_memory(
            4.0 * 7 * n * width + 100.0 * n * self.voters + search_bytes(n, width, self.voters),
            f"{self.name} of {n:,} rows of {width:,} dimensions",
            "take fewer dims, or kmeans, which needs no copy of its rows",
        )
        self._basis = principal_basis(given, self.dims)
        rows, zeros = gathered(given, self._basis)
        warn_of(zeros, n)
        kept = self._folder is not None
        stages = FitStages(self._folder, self._identity(rows) if kept else "")
        told = Stretches(progress, _TRIALS, 100, self.refinements, 1)
        with inside_another_fit():  # what there is to say of the rows was said
            self._whitening = self._whitened_by(rows, stages)
            whitened = None if self._whitening is None else self._whitening(rows)
            taken, agreement = self._chosen(rows, whitened, stages, told)
            if taken.whitened and whitened is not None:
                rows = whitened
            else:
                self._whitening = None
            del whitened
            base, links = self._clustered(rows, taken, stages, told)
            if taken.rounds and held_together(links, base.labels_) < _HELD:
                taken = Preparation(taken.whitened)
                base, _ = self._clustered(rows, taken, stages, told)
        self._base, self._averages = base, taken.rounds > 0
        self.preparation_ = taken.text
        labels = self._refined(rows, self._base.labels_, stages, told)
        self.diagnostics_ = {
            "preparation": self.preparation_,
            "agreement": agreement,
            "parts": self._n_parts(n) if self._averages else self.n_clusters,
            "changed": float(np.mean(labels != self._base.labels_)),
            "clusters_used": len(np.unique(labels)),
        }
        told.of(3)(1, 1)
        return labels

    def _identity(self, rows: np.ndarray) -> str:
        """Of all that changes the answer of a fit, for its checkpoints."""
        settings = {name: value for name, value in self.get_params().items() if name != "device"}
        if not isinstance(self.init, str):
            settings["init"] = sha256_array(as_features(self.init))
        return sha256_json(
            {
                "method": [self.name, self.version, self._weights],
                "parts": [self._whitens, self._smooths, self._joins],
                "settings": settings,
                "device": resolve_device(self.device).type,
                "rows": sha256_array(rows),
            }
        )

    def _whitened_by(self, rows: np.ndarray, stages: FitStages) -> NeighbourWhitening | None:
        """Step 2, if neighbours differ more in some directions than in others."""
        if not self._whitens:
            return None
        known = stages.known("whitening")
        if known is None:
            found = neighbour_whitening(rows, resolve_device(self.device), stages.graphs)
            stages.keep("whitening", **({} if found is None else vars(found)))
            return found
        return NeighbourWhitening(**known.arrays) if known.arrays else None

    def _chosen(
        self, rows: np.ndarray, whitened: np.ndarray | None, stages: FitStages, told: Stretches
    ) -> tuple[Preparation, dict[str, float]]:
        """What is done to rows, and the agreement of what was tried: steps 2 and 3."""
        known = stages.known("preparation")
        if known is not None:
            return Preparation(**known.facts["taken"]), known.facts["agreement"]

        ended = 0

        def trial(
            candidate: Preparation, k: int, own: np.ndarray, others: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            method = self._smoothed(candidate, k, 1).fit(own, progress=unseen)
            nonlocal ended
            ended += 1
            told.of(0)(ended, _TRIALS)
            return method.labels_, method.predict(others)

        taken, agreement = chosen(
            rows, whitened, self.n_clusters, trial, self.random_state, self._smooths
        )
        stages.keep("preparation", {"taken": asdict(taken), "agreement": agreement})
        return taken, agreement

    def _clustered(
        self, rows: np.ndarray, taken: Preparation, stages: FitStages, told: Stretches
    ) -> tuple[SmoothedKMeans | JoinedParts, Links]:
        """Step 4, and the links of the neighbours that vote, which are kept."""
        n = len(rows)
        parts = self._n_parts(n) if taken.rounds else self.n_clusters
        smoothed = self._smoothed(taken, parts, self.n_init, self.init)
        smoothed._graphs = stages.graphs
        base = smoothed.fit(
            rows,
            progress=told.of(1),
            checkpoint=stages.part("averages" if taken.rounds else "rows"),
        )
        voters = self._n_voters(n)
        self._neighbourhood = Neighbourhood(
            rows, rows, rows, voters, False, self.device, stages.graphs
        )
        links = self._neighbourhood.links
        if parts == self.n_clusters:
            return base, links
        known = stages.known("joined")
        if known is None:
            labels = joined_to(adjacency(links, n), base.labels_, rows, self.n_clusters)
            stages.keep("joined", labels=labels)
        else:
            labels = known.arrays["labels"]
        return JoinedParts.of(base, labels, self.n_clusters), links

    def _refined(
        self, rows: np.ndarray, labels: np.ndarray, stages: FitStages, told: Stretches
    ) -> np.ndarray:
        """Clusters of training rows after the refinements; keeps the witnesses of new rows."""
        from .refinement import spread_of

        links = self._neighbourhood.links
        spread = spread_of(links)
        device = resolve_device(self.device)
        self._refines = self.refinements > 0 and len(rows) >= _FEWEST * self.n_clusters
        rounds = self.refinements if self._refines else 0
        names = [f"refined-{number}" for number in range(1, rounds + 1)]
        done = rounds
        while done and (known := stages.known(names[done - 1])) is None:
            done -= 1
        if done and known is not None:
            labels = known.arrays["labels"]
        if done < rounds:
            _, first, group = np.unique(row_hashes(rows), return_index=True, return_inverse=True)
        for number in range(done, rounds):
            labels = self._witnesses(rows, labels, spread).told(rows, links, labels, device)
            labels = labels[first][group]  # equal rows belong together, with the first of them
            stages.keep(names[number], instead=names[number - 1] if number else "", labels=labels)
            told.of(2)(number + 1, rounds)
        self._told = self._witnesses(rows, labels, spread)
        return labels

    def _witnesses(self, rows: np.ndarray, labels: np.ndarray, spread: float) -> Witnesses:
        from .refinement import Discriminant, Witnesses

        k = self.n_clusters
        votes, discriminant, said = self._weights
        weights = votes, discriminant, said if self._averages else 0.0
        return Witnesses(labels, Discriminant.of(rows, labels, k), spread, k, weights)

    def _asked(self, features: np.ndarray) -> tuple[np.ndarray, Links, np.ndarray, np.ndarray]:
        """Rows as they are clustered, their links, the training rows they are, what is said."""
        rows = principal_rows(features, self._basis)
        if self._whitening is not None:
            rows = self._whitening(rows)
        links, seen = self._neighbourhood.of(rows, rows)
        return rows, links, seen, self._base.predict(rows)

    def _predict(self, features: np.ndarray) -> np.ndarray:
        rows, links, seen, said = self._asked(features)
        return self._first(rows, links, seen, said)

    def _first(
        self, rows: np.ndarray, links: Links, seen: np.ndarray, said: np.ndarray
    ) -> np.ndarray:
        if not self._refines:
            return said
        told = self._told.told(rows, links, said, resolve_device(self.device))
        known = seen >= 0
        told[known] = self.labels_[seen[known]]
        return told

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        rows, links, seen, said = self._asked(features)
        if not self._refines:
            return self._base.predict_top(rows, n)
        ranked = self._base.predict_top(rows, n)
        order = self._told.ranked(rows, links, ranked, n, resolve_device(self.device))
        return led_by(self._first(rows, links, seen, said), order)
