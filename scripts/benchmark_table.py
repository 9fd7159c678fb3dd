"""Print, or write into docs/benchmarks.md, the table of tasks as built from the shipped data."""

from __future__ import annotations

import documents

from clusterbench import catalog
from clusterbench.benchmarks import Task, build, names
from clusterbench.benchmarks.declaration import find
from clusterbench.datasets import registry

DOCUMENT = documents.DOCS / "benchmarks.md"
_HEADER = (
    "| task | K | training images | per class | imbalance ratio | Gini | effective classes "
    "| evaluation images | per class |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
)


def table() -> str:
    """One Markdown table per shipped data set that a benchmark declares tasks for."""
    benchmarks = [find(name) for name in names()]
    parts = []
    for dataset in registry.names():
        loaded = registry.load(dataset)
        declared = [b.name for b in benchmarks if dataset in b.datasets]
        if declared and loaded.folder.parent == catalog.shipped("features"):
            rows = "".join(_row(task) for name in declared for task in build(name, loaded))
            parts.append(f"### {dataset}\n\n{_HEADER}{rows}")
    return "\n".join(parts)


def _row(task: Task) -> str:
    f = task.factors
    sizes = _span(f["smallest_class"], f["largest_class"])
    evaluated = _span(f["eval_smallest_class"], f["eval_largest_class"])
    return (
        f"| {task.benchmark} / {task.name} | {task.n_classes} | {len(task.train_rows):,} | {sizes} "
        f"| {f['imbalance_ratio']:.1f} | {f['gini']:.2f} | {f['effective_classes']:.0f} "
        f"| {len(task.eval_rows):,} | {evaluated} |\n"
    )


def _span(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"


if __name__ == "__main__":
    documents.main(DOCUMENT, "tasks", table, __doc__)
