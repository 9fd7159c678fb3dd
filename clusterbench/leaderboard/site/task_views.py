"""The tasks of a board with what they isolate, where they can be built here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...benchmarks.build import build
from ...benchmarks.declaration import find
from ...datasets.registry import Dataset, load
from ...errors import ClusterbenchError
from ...pages import page_id
from ..board.models import BoardBenchmark, Leaderboard, TaskDefinition

CARD = "card.md"


@dataclass(frozen=True)
class TaskView:
    """A task; factors and recipe are empty where it is not built here as the board has it."""

    benchmark: str
    dataset: str
    definition: TaskDefinition
    factors: Mapping[str, float] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name within the benchmark."""
        return self.definition.name

    @property
    def where(self) -> tuple[str, str, str]:
        """Benchmark, data set and name."""
        return (self.benchmark, self.dataset, self.name)

    @property
    def page(self) -> str:
        """Path of its page in the site."""
        return f"tasks/{page_id(*self.where)}.html"


@dataclass(frozen=True)
class BenchmarkView:
    """A benchmark on a data set; title and question are "" where it is not declared here."""

    benchmark: str
    dataset: str
    tasks: tuple[TaskView, ...]
    title: str = ""
    question: str = ""
    description: str = ""

    def page(self, protocol: str) -> str:
        """Path of its page for a protocol."""
        return f"boards/{page_id(self.benchmark, self.dataset, protocol)}.html"


@dataclass(frozen=True)
class DatasetView:
    """A data set; card and licence are "" where it is not here. images: a folder of them."""

    name: str
    description: str = ""
    licence: str = ""
    card: str = ""
    facts: Mapping[str, int] = field(default_factory=dict)
    images: Path | None = None

    @property
    def page(self) -> str:
        """Path of its page in the site."""
        return f"data-sets/{page_id(self.name)}.html"


def benchmark_views(
    board: Leaderboard, images: Mapping[str, Path]
) -> tuple[list[BenchmarkView], dict[str, DatasetView]]:
    """Every benchmark of a board with its tasks, and its data sets by name.

    A data set or a task that is not here, or is another one here, is shown by what the board says.
    """
    known: dict[str, Dataset | None] = {}
    for item in board.benchmarks:
        if item.dataset not in known:
            known[item.dataset] = _dataset(item.dataset)
    views = [_benchmark(item, known[item.dataset]) for item in board.benchmarks]
    data_sets = {
        name: _dataset_view(name, dataset, images.get(name)) for name, dataset in known.items()
    }
    return views, data_sets


def _dataset(name: str) -> Dataset | None:
    try:
        return load(name)
    except ClusterbenchError:
        return None


def _benchmark(item: BoardBenchmark, dataset: Dataset | None) -> BenchmarkView:
    built = {}
    if dataset is not None:
        try:
            tasks = build(item.benchmark, dataset, left_out=lambda line: None)
            built = {task.manifest_hash: task for task in tasks}
        except ClusterbenchError:
            built = {}
    views = []
    for definition in item.tasks:
        task = built.get(definition.manifest_hash)
        facts = ({}, {}) if task is None else (dict(task.factors), dict(task.recipe))
        views.append(TaskView(item.benchmark, item.dataset, definition, *facts))
    try:
        declared = find(item.benchmark)
    except ClusterbenchError:
        return BenchmarkView(item.benchmark, item.dataset, tuple(views))
    return BenchmarkView(
        item.benchmark,
        item.dataset,
        tuple(views),
        declared.title,
        declared.question,
        declared.description,
    )


def _dataset_view(name: str, dataset: Dataset | None, images: Path | None) -> DatasetView:
    if dataset is None:
        return DatasetView(name, images=images)
    try:
        index = dataset.index
        facts = {
            "images": index.n,
            "classes": index.n_classes,
            "train images": int((index.split == 0).sum()),
            "val images": int((index.split == 1).sum()),
        }
    except ClusterbenchError:
        facts = {}
    card = dataset.folder / CARD
    try:
        text = card.read_text("utf-8") if card.is_file() and card.stat().st_size < 1 << 20 else ""
    except (OSError, UnicodeDecodeError):
        text = ""
    return DatasetView(name, dataset.description, dataset.licence, text, facts, images)
