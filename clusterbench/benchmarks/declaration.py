"""Benchmark declarations: one TOML file per benchmark, found in the catalog's folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import catalog
from ..declared import check_texts, from_table, read_declared
from ..errors import InputError
from ..limits import TASKS, check_name, name_fault
from ..printable import shown

_KIND = "benchmarks"
_TEXTS = ("name", "title", "question", "description")

#: The table of tasks for data sets that no other table names.
ANY = "any"


@dataclass(frozen=True)
class TaskDeclaration:
    """One task as declared: its builder and that builder's parameters, not yet checked."""

    name: str
    builder: str
    params: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class BenchmarkDeclaration:
    """One benchmark: what it asks, and its tasks per data set.

    datasets: by the name of a data set, or of the kind of data set that one says it is; `ANY` has
    tasks for every other.
    """

    name: str
    title: str
    question: str
    description: str
    datasets: Mapping[str, tuple[TaskDeclaration, ...]]
    path: Path

    @property
    def shipped(self) -> bool:
        """Whether this is the project's own file, not one of the user's."""
        return self.path.parent == catalog.shipped(_KIND)

    def table_for(self, name: str, kind: str = "") -> str | None:
        """The table of `datasets` that `tasks_for` takes; None for none."""
        return next((key for key in (name, kind, ANY) if key and key in self.datasets), None)

    def tasks_for(self, name: str, kind: str = "") -> tuple[TaskDeclaration, ...]:
        """The tasks declared for a data set: by its name, else by its kind, else those for any.

        kind: what the data set's declaration gives as `tasks`. Raises InputError for neither.
        """
        key = self.table_for(name, kind)
        if key is not None:
            return self.datasets[key]
        known = ", ".join(sorted(self.datasets)) or "none"
        raise InputError(
            f"benchmark {self.name!r} declares no tasks for dataset {name!r}; choose --dataset "
            f"among {known}, or add [datasets.{name}] to your own {self.path.name}"
        )


def names() -> list[str]:
    """Names of all benchmarks, shipped and the user's, sorted."""
    found = {
        path.stem
        for folder in catalog.folders(_KIND)
        if folder.is_dir()
        for path in folder.glob("*.toml")
    }
    return sorted(found)


def find(benchmark: str) -> BenchmarkDeclaration:
    """The declaration of a benchmark; the user's file wins over a shipped one.

    Raises InputError for an unknown name (with near names) or a file that `read` refuses.
    """
    for folder in catalog.folders(_KIND):
        path = folder / f"{benchmark}.toml"
        if benchmark in names() and os.path.lexists(path):
            return read(path)
    raise catalog.unknown_name("benchmark", benchmark, names())


def read(path: Path) -> BenchmarkDeclaration:
    """Read a benchmark file.

    Top level: name (the file's name), title, question, description. Per data set a table
    `[datasets.<dataset>]` with `tasks`, a list of tables {name, builder, ...parameters}, and
    optionally `[datasets.<dataset>.defaults.<builder>]`, parameters for all tasks of a builder.
    Raises InputError naming the file and the key for an unknown or missing key, a wrong type and
    a repeated task name.
    """
    path = Path(path)
    catalog.check_stem(path)
    found = read_declared(path, _File)
    check_texts(found, str(path), _TEXTS)
    check_name(found.title, f"{path}: title")
    for name in found.datasets:
        if fault := name_fault(name):
            raise InputError(f"{path}: datasets: the name {shown(repr(name))} {fault}")
    if found.name != path.stem:
        raise InputError(f"{path}: name = {found.name!r}; it must be the file's, {path.stem!r}")
    return BenchmarkDeclaration(
        **{key: getattr(found, key) for key in _TEXTS},
        datasets={
            name: _tasks(table, f"{path}: datasets.{name}")
            for name, table in found.datasets.items()
        },
        path=path,
    )


@dataclass(frozen=True)
class _File:
    """A benchmark file as it is written."""

    name: str
    title: str
    question: str
    description: str
    datasets: dict[str, Any]


@dataclass(frozen=True)
class _DatasetTable:
    """Its table of one data set."""

    tasks: list[Any]
    defaults: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class _TaskTable:
    """What each task says, beside the parameters of its builder."""

    name: str
    builder: str


def _tasks(table: Any, where: str) -> tuple[TaskDeclaration, ...]:
    if not isinstance(table, dict):
        raise InputError(f"{where} = {table!r} should be a table")
    found = from_table(_DatasetTable, table, where)
    if not found.tasks:
        raise InputError(f"{where}: tasks must be a list of at least one table")
    if len(found.tasks) > TASKS:
        raise InputError(f"{where}: {len(found.tasks):,} tasks; wanted at most {TASKS:,}")
    tasks: dict[str, TaskDeclaration] = {}
    for number, entry in enumerate(found.tasks, start=1):
        place = f"{where}: task {number}"
        if not isinstance(entry, dict):
            raise InputError(f"{place}: found {entry!r}; wanted a table {{name = ..., ...}}")
        own = {key: value for key, value in entry.items() if key not in ("name", "builder")}
        task = from_table(_TaskTable, {k: v for k, v in entry.items() if k not in own}, place)
        check_texts(task, place, ("name", "builder"))
        check_name(task.name, f"{place}: name")
        check_name(task.builder, f"{place}: builder")
        if task.name in tasks:
            raise InputError(f"{place}: the name {task.name!r} is taken by another task")
        if not task.name.replace("-", "").replace("_", "").isalnum():
            raise InputError(
                f"{place}: name = {task.name!r} should hold letters, digits, - and _ only"
            )
        params = {**found.defaults.get(task.builder, {}), **own}
        tasks[task.name] = TaskDeclaration(
            task.name, task.builder, params, f"{where}: task {task.name!r}"
        )
    builders = sorted({task.builder for task in tasks.values()})
    for unused in sorted(set(found.defaults) - set(builders)):
        # Most often one of the two is misspelt, and it need not be this one.
        raise InputError(
            f"{where}: defaults.{shown(unused)} belongs to no task's builder; the tasks' builders "
            f"are {', '.join(map(shown, builders))}"
        )
    return tuple(tasks.values())
