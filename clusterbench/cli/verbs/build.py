"""`clusterbench build`: the tasks of a data set, built, shown and written as manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ...printable import shown
from ..console import warn
from ..option import json_option, option

if TYPE_CHECKING:
    from ...benchmarks import Task
    from ...datasets.registry import Dataset


def build(
    dataset: Annotated[
        str, option("build", "--dataset", "-d", metavar="NAME", help="Data set (required).")
    ] = "",
    benchmark: Annotated[
        list[str] | None,
        option(
            "build", "--benchmark", "-b", metavar="NAMES", help="Benchmarks; else all that suit it."
        ),
    ] = None,
    task: Annotated[
        list[str] | None, option("build", "--task", "-t", metavar="NAMES", help="Only these tasks.")
    ] = None,
    output: Annotated[
        Path,
        option("build", "--output", "-o", metavar="FOLDER", help="Where manifests are written."),
    ] = Path("manifests"),
    arrays: Annotated[
        bool, option("build", "--arrays", help="Write rows, targets and ids beside them, as .npz.")
    ] = False,
    json_output: Annotated[bool, json_option("build")] = False,
) -> None:
    """Build the tasks of a data set and write their manifests.

    A manifest says what a task is: recipe, seed, counts, measured factors, classes, and the
    SHA-256 of its rows and targets. The same index gives the same tasks on every machine.
    """
    import json

    from ...benchmarks import manifest
    from ...datasets import registry
    from ..option_values import split_commas

    if not dataset:
        raise InputError(f"--dataset is missing; choose one of {', '.join(registry.names())}")
    data = registry.load(dataset)
    wanted = split_commas(benchmark or [])
    rows: list[dict[str, Any]] = []
    for name in wanted or _declared(data):
        for built in _built(name, data, split_commas(task or []), bool(wanted)):
            path = manifest.path_of(output, data.name, built.benchmark, built.name)
            manifest.write(built, path)
            if arrays:
                _write_arrays(built, data, path.with_suffix(".npz"))
            rows.append({**_row(built), "manifest": path.as_posix()})
    if not rows:
        named = f" named {', '.join(split_commas(task))}" if task else ""
        raise InputError(f"no task{named} was built for data set {dataset!r}")
    if json_output:
        typer.echo(json.dumps(rows, indent=2))
        return
    _print(rows)
    typer.echo(f"{len(rows)} manifests in {(output / data.name).as_posix()}", err=True)


def _declared(data: Dataset) -> list[str]:
    """Benchmarks with tasks for the data set, by name, by kind or for any."""
    from ...benchmarks.declaration import find, names

    found = []
    for name in names():
        try:
            declared = find(name)
        except InputError as error:  # one that cannot be read hides no other
            warn(f"left out: {error}")
            continue
        if declared.table_for(data.name, data.tasks) is None:
            continue
        found.append(name)
    return found


def _built(name: str, data: Dataset, tasks: list[str], asked_for: bool) -> list[Task]:
    """The tasks of one benchmark; one that was not asked for is left out where it cannot be."""
    from ...benchmarks import build as build_tasks
    from ...benchmarks.declaration import find

    if tasks and not asked_for:
        declared = {task.name for task in find(name).tasks_for(data.name, data.tasks)}
        tasks = [task for task in tasks if task in declared]
        if not tasks:
            return []
    try:
        return build_tasks(name, data, tasks or None, lambda text: warn(f"left out: {text}"))
    except InputError as error:
        if asked_for:
            raise
        warn(f"left out: {name}: {error}")
        return []


def _row(task: Task) -> dict[str, Any]:
    return {
        "benchmark": task.benchmark,
        "task": task.name,
        "n_classes": task.n_classes,
        "n_train": len(task.train_rows),
        "n_eval": len(task.eval_rows),
        "imbalance_ratio": task.factors["imbalance_ratio"],
        "gini": task.factors["gini"],
        "effective_classes": task.factors["effective_classes"],
        "manifest_hash": task.manifest_hash,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from ..console import print_table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("task", no_wrap=True, overflow="ellipsis", max_width=24)
    for heading in ("K", "train", "eval", "ratio", "Gini"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("manifest", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(shown(f"{row['benchmark']}/{row['task']}")),
            *(f"{row[key]:,}" for key in ("n_classes", "n_train", "n_eval")),
            f"{row['imbalance_ratio']:.1f}",
            f"{row['gini']:.2f}",
            row["manifest_hash"][:8],
        )
    print_table(table)


def _write_arrays(task: Task, data: Dataset, path: Path) -> None:
    import numpy as np

    from ...files import atomic_path

    ids = data.index.ids
    ids = ids.view(ids.dtype.str)  # h5py leaves a note in the dtype, which NumPy warns about
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(
            handle,
            train_rows=task.train_rows,
            train_targets=task.train_targets,
            train_ids=ids[task.train_rows],
            eval_rows=task.eval_rows,
            eval_targets=task.eval_targets,
            eval_ids=ids[task.eval_rows],
        )
