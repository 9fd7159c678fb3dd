"""What is said of a data set that was declared: the benchmarks for it, the command to run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..datasets.declare import DatasetDeclaration


def declared_dataset(declaration: DatasetDeclaration) -> dict[str, Any]:
    """Keys `dataset`, `tree` and `benchmarks`, the one to begin with first, for a document."""
    from ..benchmarks.suitable import buildable
    from ..datasets import registry

    dataset = registry.load(declaration.dataset)
    return {
        "dataset": declaration.dataset,
        "tree": declaration.tree or None,
        "default_encoder": dataset.default_encoder,
        "benchmarks": buildable(dataset) if len(dataset.index.rows("val")) else [],
    }


def next_step(document: Mapping[str, Any]) -> str:
    """The command to run next, or what the data set lacks for one."""
    dataset, benchmarks = document["dataset"], document["benchmarks"]
    if not document["val"]:
        return (
            f"data set {dataset} is declared, but has no val samples, which tasks are scored on: "
            "import it again with --split or --val-features\n"
        )
    if not benchmarks:
        return (
            f"data set {dataset} is declared, but no benchmark has a task that it is large enough "
            "for; `clusterbench build --benchmark imbalanced --dataset "
            f"{dataset}` says what is missing\n"
        )
    encoder = document["encoder"]
    which = "" if encoder == document["default_encoder"] else f" --encoder {shlex.quote(encoder)}"
    return f"clusterbench run --benchmark {benchmarks[0]} --dataset {dataset}{which}\n"
