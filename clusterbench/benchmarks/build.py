"""From a benchmark's name and a data set to its tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import catalog
from ..catalog import unknown_name
from ..datasets.registry import Dataset
from ..declared import from_table
from ..errors import InputError
from .builders import BUILDERS
from .builders.builder import Builder, Material
from .class_pool import Draft, Pool
from .declaration import ANY, BenchmarkDeclaration, TaskDeclaration, find, names
from .factors import measure
from .manifest import Manifest, check_pinned
from .task import Task

__all__ = ["build", "build_declaration", "names", "rebuild"]


def build(
    benchmark: str,
    dataset: Dataset,
    tasks: Iterable[str] | None = None,
    left_out: Callable[[str], None] | None = None,
) -> list[Task]:
    """The tasks a benchmark declares for a data set, in the order of its file.

    tasks: names of the tasks to build, by default all. left_out: called with a line, which names
    the task and the reason, for each task that any data set may have and this one cannot satisfy;
    the others are built all the same. By default such a task is an error. The
    same index gives the same tasks on every machine. Nothing is cached between calls.

    Raises InputError for an unknown benchmark or task (with near names), a benchmark that declares
    no tasks for the data set, parameters that the data set cannot satisfy, and a task of a shipped
    benchmark that comes out otherwise than a shipped manifest pins it for this index.
    """
    declaration = find(benchmark)
    built = build_declaration(declaration, dataset, tasks, left_out)
    if declaration.shipped:
        for task in built:
            check_pinned(task, catalog.shipped("benchmarks") / "manifests")
    return built


def build_declaration(
    declaration: BenchmarkDeclaration,
    dataset: Dataset,
    tasks: Iterable[str] | None = None,
    left_out: Callable[[str], None] | None = None,
) -> list[Task]:
    """As `build`, for a declaration that was read from any file."""
    who = dataset.name, dataset.tasks
    found = declaration.tasks_for(*who)
    declared = {task.name: task for task in found}
    wanted = list(declared) if tasks is None else list(tasks)
    for name in wanted:
        if name not in declared:
            raise unknown_name(f"task of {declaration.name}/{dataset.name}", name, declared)
    material = Material(dataset)
    if left_out is None or tasks is not None or declaration.table_for(*who) != ANY:
        return [_task(material, declaration.name, declared[name]) for name in wanted]
    built, refused = [], []
    for name in wanted:
        builder = _builder(declared[name])  # a mistake in the file is one for every data set
        from_table(builder.params, declared[name].params, declared[name].where)
        try:
            built.append(_task(material, declaration.name, declared[name]))
        except InputError as error:
            refused.append((name, error))
    if not built and refused:
        raise refused[0][1]
    for name, error in refused:
        left_out(f"{declaration.name}/{dataset.name}/{name}: {error}")
    return built


def rebuild(manifest: Manifest, dataset: Dataset) -> Task:
    """The task of a manifest, built from the recipe in it on a data set of its index.

    Raises InputError for a recipe that no builder here takes or the data set cannot satisfy.
    """
    content = manifest.content
    recipe = {k: v for k, v in content["recipe"].items() if k != "notes" and v is not None}
    builder = recipe.pop("builder", "")
    declared = TaskDeclaration(content["name"], builder, recipe, str(manifest.path))
    return _task(Material(dataset), content["benchmark"], declared)


def _builder(declared: TaskDeclaration) -> Builder:
    try:
        return BUILDERS.get(declared.builder)
    except InputError as error:
        raise InputError(f"{declared.where}: {error}") from error


def _task(material: Material, benchmark: str, declared: TaskDeclaration) -> Task:
    builder = _builder(declared)
    params: Any = from_table(builder.params, declared.params, declared.where)
    try:
        pool, draft = builder.build(material, params)
    except InputError as error:
        raise InputError(f"{declared.where}: {error}") from error
    index = material.dataset.index
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
        dataset=material.dataset.name,
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
