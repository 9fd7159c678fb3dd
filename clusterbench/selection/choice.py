"""The best of several candidates by a criterion that needs no label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..catalog import unknown_name
from ..errors import InputError
from ..estimator import positive_int, whole_seed
from .agreement import agreement
from .centroid_index import Pooling, calinski_harabasz, pooled, silhouette
from .consistency import check_held_out, check_neighbours, consistency
from .generalisation import FoldedSpace, generalisation
from .partitions import Partition, partitions, placed
from .spaces import RowsAtUnitLength, sampled, space

Criterion = Literal["loss", "consistency", "agreement", "silhouette", "calinski-harabasz", "linear"]
#: All criteria, by name.
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
#: Criteria that look at features.
IN_SPACES = ("silhouette", "calinski-harabasz", "linear")
#: Rows that are compared with all clusters, at most.
MAX_ROWS = 50_000


@dataclass(frozen=True)
class Chosen:
    """The candidate that a criterion takes.

    index: its position among the candidates; of equally good ones the first. scores: of every
    candidate, more is better (a loss is negated); NaN of one that is out. criterion: its name.
    """

    index: int
    scores: tuple[float, ...]
    criterion: Criterion


def choose(
    candidates: Sequence[Any],
    criterion: Criterion,
    *,
    losses: Sequence[float] | np.ndarray | None = None,
    neighbours: Any = None,
    held_out: Sequence[Any] | None = None,
    spaces: Sequence[Any] = (),
    pool: Pooling = "rank",
    n_clusters: int | None = None,
    max_rows: int | None = MAX_ROWS,
    folds: int = 10,
    random_state: int = 0,
) -> Chosen:
    """Choose among partitions of the same rows, without labels.

    - "loss": the lowest of `losses`, which compare heads of one objective and one setting only.
    - "consistency": most neighbours in one cluster (`consistency.consistency`).
    - "agreement": most in common with the other candidates (`agreement.agreement`).
    - "silhouette", "calinski-harabasz": by means of clusters, pooled over `spaces`
      (`centroid_index`).
    - "linear": clusters that a linear classifier finds again, pooled over `spaces`
      (`generalisation.generalisation`). A cluster that was asked for and is not used counts as one
      that is never found again, so that merging clusters does not pay; at an equal number of used
      clusters that changes nothing.

    A candidate that puts all rows into one cluster, or that has no score, is out as long as there
    is another one.

    Args:
        candidates: (n,) clusters of the same n rows each.
        criterion: one of `CRITERIA`.
        losses: (m,) one of each candidate, lower is better; NaN of a head that broke.
        neighbours: (n, k) table of positions among the n rows; with `held_out` that of the other
            rows, (m, k). Of the features that were clustered, or of another encoder's.
        held_out: for each candidate the clusters of the same other rows, numbered as its own.
        spaces: features of the n rows, (n, dim) arrays or `Rows`; compared at unit length. The
            candidates of several preparations should be looked at in all of their spaces.
        pool: how an index in several spaces becomes one score ("rank" or "standardize").
        n_clusters: of "linear", the clusters that were asked for; None is the most that a candidate
            uses.
        max_rows: "silhouette" and "linear" compare so many rows with all clusters, drawn by the
            seed; means of clusters are always of all rows. None compares all.
        folds: of "linear".
        random_state: seed of the rows drawn and of the folds.

    Raises:
        InputError: an unknown criterion, unusable candidates, something that the criterion needs
            and was not given, or no finite loss.

    Examples:
        The second candidate parts the two groups; the third has one cluster.

        >>> from clusterbench.selection import choose
        >>> X = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0], [0.2, 1.0]]
        >>> candidates = [[0, 0, 1, 1, 0, 0], [5, 5, 5, 2, 2, 2], [0] * 6]
        >>> chosen = choose(candidates, "silhouette", spaces=[X])
        >>> chosen.index, [round(score, 2) for score in chosen.scores]
        (1, [-0.33, 0.92, nan])
        >>> choose(candidates, "loss", losses=[0.7, 0.5, 0.1]).index
        1
    """
    if criterion not in CRITERIA:
        raise unknown_name("criterion:", str(criterion), list(CRITERIA))
    random_state = whole_seed(random_state)
    found = partitions(candidates)
    if criterion == "loss":
        scores = _by_loss(losses, found)
    elif criterion == "consistency":
        scores = _by_neighbours(neighbours, held_out, found)
    elif criterion == "agreement":
        scores = agreement(found)
    else:
        if max_rows is not None:
            positive_int("max_rows", max_rows)
        numbers = sampled(found[0].n, max_rows, random_state)
        most = max(one.n_used for one in found)
        if n_clusters is not None and positive_int("n_clusters", n_clusters) < most:
            raise InputError(f"n_clusters={n_clusters}, and a candidate uses {most} clusters")
        values = _in_spaces(
            criterion, spaces, found, numbers, n_clusters or most, folds, random_state
        )
        scores = pooled(values, pool)
    used = np.array([one.n_used for one in found])
    shown = np.where(used > 1, scores, np.nan) if (used > 1).any() else scores
    return Chosen(best(scores, used), tuple(float(score) for score in shown), criterion)


def best(scores: np.ndarray, n_used: np.ndarray) -> int:
    """Position of the largest score, of equal ones the first; so `choose` chooses.

    It is for scores that came from several calls of `choose`, each with some of the candidates:
    those of "loss" and "consistency", of one space "silhouette" and "calinski-harabasz" and, with
    `n_clusters`, "linear" do not depend on the other candidates.

    Args:
        scores: (m,) more is better; NaN is taken only where all are.
        n_used: (m,) clusters that each candidate uses; one of one cluster is taken only where
            there is no other with a score.
    """
    known = ~np.isnan(scores)
    for usable in (known & (n_used > 1), known, n_used > 1):
        positions = np.flatnonzero(usable)
        if len(positions):
            values = np.where(known, scores, 0.0)[positions]
            return int(positions[np.argmax(values)])
    return 0


def _by_loss(losses: Any, found: list[Partition]) -> np.ndarray:
    if losses is None:
        raise InputError("criterion 'loss' needs losses; give that of each candidate")
    try:
        values = np.asarray(losses, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("losses are not all numbers; give that of each candidate") from error
    if values.shape != (len(found),):
        raise InputError(
            f"losses have shape {values.shape}; wanted one number for each of {len(found)} "
            "candidates"
        )
    if not np.isfinite(values).any():
        raise InputError("no candidate has a finite loss, so there is nothing to choose")
    return np.where(np.isfinite(values), -values, np.nan)


def _by_neighbours(
    neighbours: Any, held_out: Sequence[Any] | None, found: list[Partition]
) -> np.ndarray:
    if neighbours is None:
        raise InputError("criterion 'consistency' needs neighbours; give a table of positions")
    if held_out is None:
        table = check_neighbours(neighbours, found[0].n)
        return np.array([consistency(one, table) for one in found])
    check_held_out(held_out, len(found))
    table = check_neighbours(neighbours, found[0].n, len(held_out[0]))
    return np.array(
        [
            consistency(one, table, placed(other, one, f"held_out {number}"))
            for number, (one, other) in enumerate(zip(found, held_out, strict=True))
        ]
    )


def _in_spaces(
    criterion: Criterion,
    spaces: Sequence[Any],
    found: list[Partition],
    numbers: np.ndarray,
    n_clusters: int,
    folds: int,
    random_state: int,
) -> np.ndarray:
    """(n_spaces, m) values."""
    if not len(spaces):
        raise InputError(f"criterion {criterion!r} needs spaces; give features of the rows")
    values = np.empty((len(spaces), len(found)))
    for number, X in enumerate(spaces):
        rows: RowsAtUnitLength = space(X, found[0].n, f"space {number}")
        if criterion == "silhouette":
            values[number] = [silhouette(rows, one, numbers) for one in found]
        elif criterion == "calinski-harabasz":
            values[number] = [calinski_harabasz(rows, one) for one in found]
        else:
            folded = FoldedSpace.of(rows, numbers, folds, random_state)
            again = np.array([generalisation(folded, one) for one in found])
            used = np.array([one.n_used / n_clusters for one in found])
            values[number] = np.minimum(again, again * used)  # below chance is not made better
    return values
