"""What a ranking says: rows with places, how far they hold, who beats whom, what looks odd."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from ...metrics import Interval
from ...results.record import Protocol
from ..board.models import Entry, PublishedRow

#: Level of intervals, and of the statement that all told-apart pairs of a ranking are right.
LEVEL = 0.95

Scope = Literal["task", "benchmark", "dataset", "overall"]


@dataclass(frozen=True)
class RankedTask:
    """A task of a ranking and its weight in the mean.

    Attributes:
        key: how rows name it: the task, or benchmark/dataset/task where there are several of them.
        weight: the weights of a ranking sum to 1. Each benchmark on a data set weighs the same,
            and so do the tasks of it among themselves.
        floor: "ami" and "acc" of a random assignment; empty where the board does not hold it.
    """

    key: str
    benchmark: str
    dataset: str
    task: str
    manifest_hash: str
    n_classes: int
    weight: float
    floor: dict[str, float]


@dataclass(frozen=True)
class Stability:
    """How often an entrant is where it is when images and seeds are drawn again.

    Attributes:
        first: share of the draws in which it comes first; where several are equal, a part of one.
        kept: share of the draws in which it is on one of the places that it shares: place to
            place + n_sharing - 1.
        n_draws: of images and seeds together.
    """

    first: float
    kept: float
    n_draws: int


@dataclass(frozen=True)
class Flag:
    """Something about an entry that deserves a look; it decides nothing.

    Attributes:
        kind: "equals targets" (its clusters are the classes in every row), "same as other entrant"
            or "same as other seed" (the predictions file of another entry of the task).
        task: key of the task.
        seed: of the entry.
        other: of "same as ...": the other's method, encoder and seed, as a text; else "".
        other_entrant: of "same as ...": the other's `BoardRow.entrant`; else "".
    """

    kind: Literal["equals targets", "same as other entrant", "same as other seed"]
    task: str
    seed: int
    other: str = ""
    other_entrant: str = ""


@dataclass(frozen=True)
class BoardRow:
    """One entrant: a method, or a reference, with its settings on the features of one encoder.

    Who is complete and verified has a place; the other fields of the second group are None for
    everyone else, so nobody gains a place by what is absent.

    Attributes:
        encoder: of an overall ranking over data sets, "" (see `Ranking.features`).
        entrant: 12 hex digits that stand for method, version, settings, features, K, protocol.
        k: clusters, where they are not as many as classes.
        n_tasks: tasks with at least one entry.
        seeds: of its entries.
        means: "ami" and "acc": the weighted mean over tasks of the mean over seeds. Empty unless
            every task has what it needs.
        tasks: of each task with entries: those means over seeds.
        missing: what it lacks, as the end of "lacks ..."; "" for nothing.
        reference: a supervised ceiling, never ranked.
        status: "verified", or "self-reported" where at least one entry is: then it has no place.
        label_free: whether no label was used for it, as far as its entries say: False for a
            reference and where one says so, None where one says nothing.
        features: identity of its features; "" where `encoder` is.

        rank: position by mean AMI; equal means share one.
        place: the first of the places that it shares with those that it cannot be told apart from
            (`ranking.ties.groups`); 1, 1, 1, 4, 4, 6 for groups of three, two and one.
        n_sharing: how many share it, itself included.
        places: the lowest and the highest place that is compatible with the tests: 1 + those that
            are told apart above it, and the number of entrants less those told apart below it. All
            of these ranges of a ranking hold together at `LEVEL`.
        interval: of its mean AMI, over images and seeds. Also of a reference, over images.
        image_error: standard error of its mean AMI over images; None without `resampled`.
        seed_error: standard error of its mean AMI over seeds; None for one seed.
        mean_rank: weighted mean over tasks of its rank by mean AMI, among those with a place.
        stability: None for a ranking of one.
        deviations: (n_resamples,) float64: its mean AMI on each subset of the images less that on
            all of them; None where an entry has no `resampled`.

        scores: by task and seed (as text): "ami" and "acc" of each entry, of which the means are.
        flags: what deserves a look.
        entries: all its entries on the tasks of the ranking.
    """

    method: str
    version: int
    encoder: str
    params: dict[str, Any]
    entrant: str
    k: int | None
    n_tasks: int
    seeds: tuple[int, ...]
    means: dict[str, float]
    tasks: dict[str, dict[str, float]]
    missing: str
    reference: bool = False
    status: Literal["verified", "self-reported"] = "verified"
    label_free: bool | None = True
    features: str = ""

    rank: int | None = None
    place: int | None = None
    n_sharing: int = 0
    places: tuple[int, int] | None = None
    interval: Interval | None = None
    image_error: float | None = None
    seed_error: float | None = None
    mean_rank: float | None = None
    stability: Stability | None = None
    deviations: np.ndarray | None = field(default=None, compare=False)

    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    entries: tuple[Entry, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether it is ranked: a verified method whose tasks have every seed that they need."""
        return not self.missing and not self.reference and self.status == "verified"

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `means` is null for an entrant that lacks something."""
        from ..board.deviations import encoded

        return {
            "rank": self.rank,
            "place": self.place,
            "n_sharing": self.n_sharing,
            "places": None if self.places is None else list(self.places),
            "method": self.method,
            "version": self.version,
            "encoder": self.encoder,
            "features": self.features,
            "entrant": self.entrant,
            "params": self.params,
            "k": self.k,
            "status": self.status,
            "verified": self.status == "verified",
            "reference": self.reference,
            "label_free": self.label_free,
            "complete": self.complete,
            "missing": self.missing or None,
            "n_tasks": self.n_tasks,
            "seeds": list(self.seeds),
            "means": self.means or None,
            "interval": None if self.interval is None else asdict(self.interval),
            "image_error": self.image_error,
            "seed_error": self.seed_error,
            "mean_rank": self.mean_rank,
            "stability": None if self.stability is None else asdict(self.stability),
            "deviations": None if self.deviations is None else encoded(self.deviations),
            "tasks": self.tasks,
            "scores": self.scores,
            "flags": [asdict(flag) for flag in self.flags],
        }


@dataclass(frozen=True, eq=False)
class Pairs:
    """The first rows of a ranking against each other, at most `MOST` of them.

    Entry [i, j] is of row i against row j.

    Attributes:
        entrants: `BoardRow.entrant` of each, in the order of the ranking.
        difference: (n, n) float64: mean AMI of i less that of j.
        image_error: (n, n) float64: standard error of the difference over images; 0 where one of
            both has no `deviations`.
        seed_error: (n, n) float64: standard error of the difference over seeds.
        p_value: (n, n) float64: that the difference is 0; two-sided, adjusted by Holm's method for
            all pairs of the whole ranking.
        apart: (n, n) bool: they can be told apart: p_value <= 1 - LEVEL.
        wins: (n, n) float64: share of the tasks, by their weights, in which i has the higher mean
            AMI; equal ones count half. wins[i, j] + wins[j, i] = 1; 0.5 on the diagonal.
        clear_wins: (n, n) float64: share in which i is higher and they are told apart in that task
            (Holm's method for all pairs of the task).
    """

    MOST = 100

    entrants: tuple[str, ...]
    difference: np.ndarray
    image_error: np.ndarray
    seed_error: np.ndarray
    p_value: np.ndarray
    apart: np.ndarray
    wins: np.ndarray
    clear_wins: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """JSON form: lists of lists."""
        return {
            "entrants": list(self.entrants),
            "difference": self.difference.tolist(),
            "image_error": self.image_error.tolist(),
            "seed_error": self.seed_error.tolist(),
            "p_value": self.p_value.tolist(),
            "apart": self.apart.tolist(),
            "wins": self.wins.tolist(),
            "clear_wins": self.clear_wins.tolist(),
        }


@dataclass(frozen=True)
class Ranking:
    """Who stands where: on a task, a benchmark, a data set, or over data sets.

    Attributes:
        scope: "task"; "benchmark" on a data set; "dataset": all benchmarks of it; "overall".
        benchmark: "" for "dataset" and "overall".
        dataset: "" for "overall".
        task: "" but for "task".
        protocol: entries of another one are scored on other rows, so never ranked together.
        encoder: where only entrants on its features are ranked (by encoder); else "".
        features: of "overall": the encoder whose features count on each data set: the one that
            most methods were run on. Else empty.
        tasks: those that count, with their weights.
        left_out: "benchmark/dataset" of those that do not count in an aggregate, since fewer than
            two methods are complete on them.
        floor: mean over tasks of a random assignment; empty where the board does not hold it.
        rows: those with a place in the order of their mean AMI; then incomplete ones, then
            self-reported ones, then references.
        basis: "images and seeds"; "seeds" where at least one row with a place has no `resampled`:
            its differences from others are over seeds alone.
        pairs: None for fewer than two rows with a place.
        published: rows of the literature; beside "benchmark" and "train->val" only.
    """

    scope: Scope
    benchmark: str
    dataset: str
    task: str
    protocol: Protocol
    encoder: str
    features: dict[str, str]
    tasks: tuple[RankedTask, ...]
    left_out: tuple[str, ...]
    floor: dict[str, float]
    rows: tuple[BoardRow, ...]
    basis: Literal["images and seeds", "seeds"]
    pairs: Pairs | None
    published: tuple[PublishedRow, ...]

    @property
    def n_tasks(self) -> int:
        """Tasks that count."""
        return len(self.tasks)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "scope": self.scope,
            "benchmark": self.benchmark,
            "dataset": self.dataset,
            "task": self.task,
            "protocol": self.protocol,
            "encoder": self.encoder,
            "features": self.features,
            "n_tasks": self.n_tasks,
            "tasks": [asdict(task) for task in self.tasks],
            "left_out": list(self.left_out),
            "level": LEVEL,
            "basis": self.basis,
            "random_floor": self.floor,
            "rows": [row.to_dict() for row in self.rows],
            "pairs": None if self.pairs is None else self.pairs.to_dict(),
            "published": [row.to_dict() for row in self.published],
        }
