"""From a benchmark's name and a data set to its tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import catalog
from ..catalog import unknown_name
from ..datasets.registry import Dataset
from ..declared import from_table
from ..errors import InputError
from .builders.easy import EasyParams, easy_task
from .builders.granularity import granularity_task
from .builders.granularity_params import GranularityParams
from .builders.multilabel import ChainsParams, RealParams, chains_task, real_task
from .builders.ratio import RatioParams, ratio_task
from .builders.scale import ScaleParams, scale_task
from .builders.whole import WholeParams, whole_task
from .builders.window import WindowParams, window_task
from .class_pool import Draft, Pool
from .declaration import BenchmarkDeclaration, TaskDeclaration, find, names
from .difficulty.class_ranking import ClassRanking
from .difficulty.easiness import easiness
from .factors import measure
from .manifest import Manifest, check_pinned
from .task import Task

__all__ = ["build", "build_declaration", "names", "rebuild"]

_Built = tuple[Pool, Draft]


@dataclass
class _Source:
    """The data set, and what tasks of one build share."""

    dataset: Dataset
    pools: dict[tuple[int, int | None], Pool] = field(default_factory=dict)
    rankings: dict[tuple, ClassRanking] = field(default_factory=dict)

    def pool(self, seed: int, depth: int | None = None) -> Pool:
        key = (seed, depth)
        if key not in self.pools:
            index = self.dataset.index
            self.pools[key] = (
                Pool(index, seed)
                if depth is None
                else self.pool(seed).at_depth(self.dataset.tree, depth)
            )
        return self.pools[key]


def _ratio(source: _Source, params: RatioParams) -> _Built:
    pool = source.pool(params.seed, params.depth)
    return pool, ratio_task(pool, params)


def _window(source: _Source, params: WindowParams) -> _Built:
    pool = source.pool(params.seed, params.depth)
    return pool, window_task(pool, params)


def _granularity(source: _Source, params: GranularityParams) -> _Built:
    pool = source.pool(params.seed)
    if params.inner != "nearest-mean":
        return pool, granularity_task(pool, source.dataset.tree, params)
    store = source.dataset.store(params.encoder)
    draft = granularity_task(pool, source.dataset.tree, params, store.read)
    assigned = {"assigned_by": store.encoder, "assigned_by_identity": store.identity}
    return pool, dataclasses.replace(draft, notes={**draft.notes, **assigned})


def _scale(source: _Source, params: ScaleParams) -> _Built:
    pool = source.pool(params.seed)
    return pool, scale_task(pool, params)


def _whole(source: _Source, params: WholeParams) -> _Built:
    pool = source.pool(params.seed)
    if params.class_list is None:
        return pool, whole_task(pool, params)
    from ..taxonomy import imagenet

    return pool, whole_task(pool, params, imagenet.classes(params.class_list))


def _easy(source: _Source, params: EasyParams) -> _Built:
    pool = source.pool(params.seed)
    key = (params.seed, params.encoders, params.images(pool))
    if key not in source.rankings:
        source.rankings[key] = easiness(source.dataset, pool, *key[1:])
    return pool, easy_task(pool, source.rankings[key], params)


def _chains(source: _Source, params: ChainsParams) -> _Built:
    pool = source.pool(params.seed)
    return pool, chains_task(pool, source.dataset.tree, params)


def _real(source: _Source, params: RealParams) -> _Built:
    pool = source.pool(params.seed)
    return pool, real_task(pool, params)


_BUILDERS: dict[str, tuple[type, Callable[[_Source, Any], _Built]]] = {
    "ratio": (RatioParams, _ratio),
    "window": (WindowParams, _window),
    "granularity": (GranularityParams, _granularity),
    "easy": (EasyParams, _easy),
    "scale": (ScaleParams, _scale),
    "whole": (WholeParams, _whole),
    "chains": (ChainsParams, _chains),
    "real": (RealParams, _real),
}


def build(benchmark: str, dataset: Dataset, tasks: Iterable[str] | None = None) -> list[Task]:
    """The tasks a benchmark declares for a data set, in the order of its file.

    tasks: names of the tasks to build, by default all. The same index gives the same tasks on
    every machine. Nothing is cached between calls.

    Raises InputError for an unknown benchmark or task (with near names), a benchmark that declares
    no tasks for the data set, parameters that the data set cannot satisfy, and a task of a shipped
    benchmark that comes out otherwise than a shipped manifest pins it for this index.
    """
    declaration = find(benchmark)
    built = build_declaration(declaration, dataset, tasks)
    if declaration.shipped:
        for task in built:
            check_pinned(task, catalog.shipped("benchmarks") / "manifests")
    return built


def build_declaration(
    declaration: BenchmarkDeclaration, dataset: Dataset, tasks: Iterable[str] | None = None
) -> list[Task]:
    """As `build`, for a declaration that was read from any file."""
    found = declaration.tasks_for(dataset.name, dataset.tasks)
    declared = {task.name: task for task in found}
    wanted = list(declared) if tasks is None else list(tasks)
    for name in wanted:
        if name not in declared:
            raise unknown_name(f"task of {declaration.name}/{dataset.name}", name, declared)
    source = _Source(dataset)
    return [_task(source, declaration.name, declared[name]) for name in wanted]


def rebuild(manifest: Manifest, dataset: Dataset) -> Task:
    """The task of a manifest, built from the recipe in it on a data set of its index.

    Raises InputError for a recipe that no builder here takes or the data set cannot satisfy.
    """
    content = manifest.content
    recipe = {k: v for k, v in content["recipe"].items() if k != "notes" and v is not None}
    builder = recipe.pop("builder", "")
    declared = TaskDeclaration(content["name"], builder, recipe, str(manifest.path))
    return _task(_Source(dataset), content["benchmark"], declared)


def _task(source: _Source, benchmark: str, declared: TaskDeclaration) -> Task:
    if declared.builder not in _BUILDERS:
        unknown = unknown_name("builder", declared.builder, _BUILDERS)
        raise InputError(f"{declared.where}: {unknown}")
    kind, builder = _BUILDERS[declared.builder]
    params: Any = from_table(kind, declared.params, declared.where)
    try:
        pool, draft = builder(source, params)
    except InputError as error:
        raise InputError(f"{declared.where}: {error}") from error
    index = source.dataset.index
    train_targets = _targets(pool, draft, draft.train_rows, draft.train_classes)
    eval_targets = _targets(pool, draft, draft.eval_rows, draft.eval_classes)
    factors = measure(train_targets, eval_targets, len(draft.names)) | draft.factors
    if factors["eval_largest_class"] < 2:
        raise InputError(
            f"{declared.where}: no class has more than one evaluation image, so adjusted scores "
            "are 0 or undefined; use an index with more val images, or choose larger classes"
        )
    task = Task(
        name=declared.name,
        benchmark=benchmark,
        dataset=source.dataset.name,
        index_hash=index.hash,
        train_rows=draft.train_rows,
        eval_rows=draft.eval_rows,
        train_targets=train_targets,
        eval_targets=eval_targets,
        n_classes=len(draft.names),
        class_names=draft.names,
        factors=factors,
        recipe={"builder": declared.builder, **_plain(params), "notes": draft.notes},
        seed=params.seed,
        n_ranks=draft.n_ranks,
        hierarchy=draft.hierarchy,
        label_sets=draft.label_sets,
    )
    task.verify(index)
    return task


def _targets(pool: Pool, draft: Draft, rows: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    targets: np.ndarray = draft.groups[pool.labels[rows] if classes is None else classes]
    return targets


def _plain(params: Any) -> dict[str, Any]:
    """The parameters as JSON gives them back: lists for tuples."""
    values = dataclasses.asdict(params)
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
