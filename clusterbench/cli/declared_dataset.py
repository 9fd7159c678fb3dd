"""What is said of a data set that was declared: the benchmarks for it, the command to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..datasets.declare import DatasetDeclaration


def declared_dataset(declaration: DatasetDeclaration) -> dict[str, Any]:
    """Keys `dataset`, `tree` and `benchmarks`, those that suit it best first, for a document."""
    from ..benchmarks.suitable import suitable

    return {
        "dataset": declaration.dataset,
        "tree": declaration.tree or None,
        "benchmarks": suitable(
            declaration.dataset, declaration.tasks, has_tree=bool(declaration.tree)
        ),
    }


def next_step(document: Mapping[str, Any]) -> str:
    """The command to run next, or what the data set lacks for one."""
    dataset = document["dataset"]
    if not document["val"]:
        return (
            f"data set {dataset} is declared, but has no val samples, which tasks are scored on: "
            "import it again with --split or --val-features\n"
        )
    return f"clusterbench run --benchmark {document['benchmarks'][0]} --dataset {dataset}\n"
