"""What a request amounts to: tasks x methods x seeds, each with its key and its path.

Nothing here reads or writes a file, so `--dry-run` shows exactly what a run would do.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ..limits import SEED_COUNT, SEEDS, check_name
from ..printable import shown
from ..results.protocol import scored_rows, scored_targets
from ..results.record import Protocol, run_key
from .cluster_count import cluster_count

if TYPE_CHECKING:
    import numpy as np

    from ..benchmarks.task import Task

Strategy = Literal["never", "only-missing", "always"]
STRATEGIES: tuple[Strategy, ...] = ("never", "only-missing", "always")

#: What the results folder holds for a planned run. "partial" is anything that is neither a whole
#: success nor a whole failure: a truncated JSON, predictions without a result or the reverse.
State = Literal["missing", "success", "failed", "partial"]


@dataclass(frozen=True)
class MethodSpec:
    """A method, or a reference, with settled settings.

    params: every setting that changes the answer, defaults included, without K and seed; JSON.
    reference: it is a supervised ceiling (`clusterbench.references`), not a method.
    seeded: the seed changes its answer.
    """

    name: str
    version: int
    params: Mapping[str, Any]
    reference: bool = False
    seeded: bool = True


@dataclass(frozen=True)
class FeatureSource:
    """The features of a plan: encoder name, identity of the store, number of dimensions."""

    encoder: str
    identity: str
    dim: int


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """One run of a plan: a method on a task with a seed, and where its result goes."""

    key: str
    path: Path
    task: Task
    features: FeatureSource
    method: MethodSpec
    seed: int
    k: int
    protocol: Protocol = "train->val"

    @property
    def scored_rows(self) -> np.ndarray:
        """Rows whose clusters are scored: (n,) int64."""
        return scored_rows(self.task, self.protocol)

    @property
    def scored_targets(self) -> np.ndarray:
        """Classes of the scored rows: (n,) int32."""
        return scored_targets(self.task, self.protocol)

    @property
    def predictions_path(self) -> Path:
        """The predictions file beside the result."""
        return self.path.with_suffix(".npz")

    @property
    def title(self) -> str:
        """The run in a few words, for progress and messages."""
        return f"{self.task.name} {self.method.name} seed {self.seed}"


def plan(
    tasks: Sequence[Task],
    methods: Sequence[MethodSpec],
    seeds: Sequence[int],
    features: FeatureSource,
    results: Path,
    k: int | str | None = None,
    protocol: Protocol = "train->val",
) -> list[PlannedRun]:
    """All runs of a request, by task, then method, then seed.

    A reference has as many clusters as classes whatever `k` says, and one run (seed 0) if the seed
    does not change its answer.

    Args:
        tasks: in the order of the plan.
        methods: methods, then references.
        seeds: of each method.
        features: what they are fitted on.
        results: folder of the results.
        k: number of clusters, for every task or as a factor of its classes (`cluster_count`);
            None takes each task's number of classes.
        protocol: which rows are scored.

    Raises:
        InputError: K is larger than the number of training samples of a task, or a reference
            would be scored on the rows that it was fitted on.
    """
    for what, name in (
        *(("the name of a task", task.name) for task in tasks),
        *(("the name of a benchmark", task.benchmark) for task in tasks[:1]),
        *(("the name of a data set", task.dataset) for task in tasks[:1]),
        *(("the name of a method", method.name) for method in methods),
        ("the name of an encoder", features.encoder),
    ):
        check_name(name, what)
    count = cluster_count(k)
    ceilings = [method.name for method in methods if method.reference]
    if ceilings and protocol == "transductive":
        raise InputError(
            f"{', '.join(ceilings)}: a reference is fitted with the training labels, so protocol "
            "'transductive' would score it on the answers it was given; leave it out, or use "
            "protocol 'train->val'"
        )
    runs = []
    for task in tasks:
        for method in methods:
            n_clusters = task.n_classes if method.reference else count(task.n_classes)
            if n_clusters > len(task.train_rows):
                raise InputError(
                    f"k={n_clusters} is larger than the {len(task.train_rows)} training samples "
                    f"of task {task.name!r}; choose a smaller --k"
                )
            for seed in seeds if method.seeded else (0,):
                key = run_key(
                    manifest_hash=task.manifest_hash,
                    feature_identity=features.identity,
                    method=method.name,
                    version=method.version,
                    params=method.params,
                    seed=seed,
                    k=n_clusters,
                    protocol=protocol,
                )
                path = result_path(results, task, features.encoder, method.name, seed, key)
                runs.append(
                    PlannedRun(key, path, task, features, method, seed, n_clusters, protocol)
                )
    return runs


def result_path(results: Path, task: Task, encoder: str, method: str, seed: int, key: str) -> Path:
    """`results/<benchmark>/<dataset>/<encoder>/<task>/<method>/seed-<s>-<key[:12]>.json`."""
    parts = (task.benchmark, task.dataset, encoder, task.name, method)
    folder = Path(results).joinpath(*(part.replace("/", "-") for part in parts))
    return folder / f"seed-{seed}-{key[:12]}.json"


def should_run(state: State, strategy: Strategy) -> bool:
    """Whether a planned run is computed, given what the results folder holds for it.

    "never" touches no existing file, so it computes only what has none at all; "only-missing"
    also repeats failed and partial runs; "always" computes everything again.
    """
    if strategy == "always":
        return True
    if strategy == "never":
        return state == "missing"
    return state != "success"


def seed_list(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """`3` means seeds 0, 1, 2; a sequence is taken as it is. InputError for anything unusable."""
    if isinstance(seeds, bool):
        raise InputError(f"seeds={seeds!r}; wanted a count or a list of seeds")
    if isinstance(seeds, int):
        if not 1 <= seeds <= SEED_COUNT:
            raise InputError(
                f"seeds={_number(seeds)}; wanted a count of at least 1 and at most {SEED_COUNT:,}, "
                "or the seeds themselves (one seed: 4,)"
            )
        return tuple(range(seeds))
    chosen = tuple(itertools.islice(seeds, SEED_COUNT + 1))
    if len(chosen) > SEED_COUNT:
        raise InputError(f"more than {SEED_COUNT:,} seeds; wanted at most that many")
    for seed in chosen:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEEDS:
            raise InputError(f"seed {_number(seed)}; wanted whole numbers in [0, 2**31)")
    if not chosen:
        raise InputError("seeds is empty; wanted a count or a list of seeds")
    if len(set(chosen)) < len(chosen):
        (twice, _), *_ = Counter(chosen).most_common(1)
        raise InputError(f"seeds: one occurs twice ({twice}); name each once")
    return chosen


def _number(value: Any) -> str:
    """A value as text; a whole number of thousands of digits has none."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"of {value.bit_length():,} bits"
    return shown(repr(value))
