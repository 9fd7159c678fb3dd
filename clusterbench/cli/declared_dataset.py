"""What is said of a data set that was declared: the benchmarks for it, the command to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .next_command import next_command, time_text

if TYPE_CHECKING:
    from ..datasets.declare import DatasetDeclaration


def declared_dataset(declaration: DatasetDeclaration) -> dict[str, Any]:
    """Keys `dataset`, `tree` and `benchmarks`, the one to begin with first, for a document.

    `next` is what `next_command` says; null where no benchmark can be built.
    """
    from ..benchmarks.suitable import buildable
    from ..datasets import registry

    dataset = registry.load(declaration.dataset)
    benchmarks = buildable(dataset) if len(dataset.index.rows("val")) else []
    encoder = None if declaration.encoder == dataset.default_encoder else declaration.encoder
    return {
        "dataset": declaration.dataset,
        "tree": declaration.tree or None,
        "default_encoder": dataset.default_encoder,
        "benchmarks": benchmarks,
        "next": next_command(benchmarks[0], dataset.name, encoder, dataset.preset)
        if benchmarks
        else None,
    }


def next_step(document: Mapping[str, Any]) -> str:
    """How long the command to run next takes, and then it; or what the data set lacks for one."""
    dataset, command = document["dataset"], document["next"]
    if not document["val"]:
        return (
            f"data set {dataset} is declared, but has no val samples, which tasks are scored on: "
            "import it again with --split or --val-features\n"
        )
    if command is None:
        return (
            f"data set {dataset} is declared, but no benchmark has a task that it is large enough "
            "for; `clusterbench build --benchmark imbalanced --dataset "
            f"{dataset}` says what is missing\n"
        )
    return f"{time_text(command)}{command['command']}\n"
