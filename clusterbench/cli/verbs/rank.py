"""`clusterbench rank`: how easy a data set's classes are to recognise, for the `easy` tasks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import InputError
from ..option import option
from ..progress_views import ranking_progress

if TYPE_CHECKING:
    from ...benchmarks.difficulty.class_ranking import ClassRanking
    from ...datasets.registry import Dataset

_SHOWN = 10


def rank(
    dataset: Annotated[
        str, option("rank", "--dataset", "-d", metavar="NAME", help="Data set (required).")
    ] = "",
    encoder: Annotated[
        list[str] | None,
        option(
            "rank",
            "--encoder",
            "-e",
            metavar="NAMES",
            help="Encoders, repeated or separated by commas; else the data set's own.",
        ),
    ] = None,
    images_per_class: Annotated[
        int | None,
        option(
            "rank",
            "--images-per-class",
            metavar="N",
            min=2,
            help="Train images that rank a class; else those of the median class.",
        ),
    ] = None,
    folds: Annotated[
        int, option("rank", "--folds", metavar="N", min=2, help="Folds of the linear probe.")
    ] = 3,
    seed: Annotated[
        int, option("rank", "--seed", metavar="N", help="Of the draw of images and folds.")
    ] = 0,
    device: Annotated[
        str, option("rank", "--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")
    ] = "auto",
    output: Annotated[
        Path | None,
        option(
            "rank", "--output", metavar="FILE", help="File to write; else in the data set's folder."
        ),
    ] = None,
    force: Annotated[bool, option("rank", "--force", help="Replace a file that is there.")] = False,
) -> None:
    """Rank a data set's classes by kNN and a linear probe on its train images.

    The ranking is kept in the data set's folder, where the easy tasks look for it. It is the same
    on every device.
    """
    from ...datasets import registry

    if not dataset:
        known = ", ".join(registry.names())
        raise InputError(f"--dataset is missing; choose one of {known}")
    data = registry.load(dataset)
    path = _target(data, output, force)

    from ...benchmarks.class_pool import Pool
    from ...benchmarks.difficulty.rank_classes import rank_classes
    from ...benchmarks.difficulty.ranking_file import write_ranking
    from ..option_values import split_commas

    where = _device(device)
    names = split_commas(encoder or []) or [data.default_encoder]
    stores = [data.store(name) for name in names]
    pool = Pool(data.index, seed)
    with ranking_progress() as progress:
        ranking = rank_classes(
            pool, stores, images_per_class, folds=folds, device=where, progress=progress
        )
    write_ranking(ranking, path)
    sys.stdout.write(_text(ranking, data))
    typer.echo(f"ranking written to {path}", err=True)


def _target(data: Dataset, output: Path | None, force: bool) -> Path:
    """Where to write; InputError, before anything is computed, where that cannot be."""
    from ...benchmarks.difficulty.easiness import FILE

    path = output or data.folder / FILE
    if path.is_dir():
        raise InputError(f"--output {path} is a folder; wanted a file to write")
    if path.exists() and not force:
        raise InputError(f"{path} is there already; --force replaces it, --output FILE keeps it")
    if output is None and not os.access(data.folder, os.W_OK):
        raise InputError(f"{data.folder} cannot be written; give --output FILE")
    return path


def _device(device: str) -> str:
    from ...devices import resolve_device

    found = resolve_device(device)
    if found.type not in ("cpu", "cuda"):  # others lack float64
        raise InputError(f"--device {device}: wanted auto, cpu, cuda or cuda:N")
    return str(found)


def _text(ranking: ClassRanking, data: Dataset) -> str:
    """The easiest and the hardest classes with their accuracies, means over encoders."""
    import numpy as np

    from ...benchmarks.difficulty.class_ranking import MEASURES
    from ...benchmarks.sampling import text_priorities

    classes = ranking.classes
    settings = ranking.settings
    order = ranking.order(classes, text_priorities(classes, settings.seed)).tolist()
    accuracy = [ranking.accuracy(measure, classes) for measure in MEASURES]
    mean = ranking.mean_rank(classes)
    shown = min(_SHOWN, len(classes))
    titles = _titles(data)
    lines = [
        f"{len(classes):,} of {data.index.n_classes:,} classes, ranked by "
        f"{settings.images_per_class} train images each in {', '.join(ranking.encoders)}",
        f"{'mean rank':>9}  {'knn':>5}  {'probe':>5}  class",
    ]
    for head, part in (("easiest", order[:shown]), ("hardest", order[::-1][:shown])):
        lines.append(head)
        for c in part:
            shares = "  ".join(f"{share[c]:5.2f}" for share in accuracy)
            lines.append(f"{mean[c]:9.1f}  {shares}  {titles.get(classes[c], classes[c])}")
    shares = "  ".join(f"{float(np.mean(share)):5.2f}" for share in accuracy)
    lines.append(f"{'mean':>9}  {shares}  of all classes")
    return "\n".join(lines) + "\n"


def _titles(data: Dataset) -> dict[str, str]:
    """Class name -> name with the class tree's word for it, where there is one."""
    if data.tree is None:
        return {}
    tree = data.tree
    nodes = zip(tree.nodes, tree.names, strict=True)
    return {node: f"{node} ({name})" for node, name in nodes if name and name != node}
