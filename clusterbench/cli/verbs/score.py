"""`clusterbench score`: all metrics of one or several files of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ...labels.matching import (
    PREDICTION_COLUMN,
    TARGET_COLUMN,
    class_nodes,
    naming,
    read_pair,
    train_frequencies,
)
from ..class_table import check_output, write_classes
from ..console import warn
from ..option import json_option, option
from ..option_values import resampling as asked_resampling
from ..progress_views import resampling_line

if TYPE_CHECKING:
    import numpy as np

    from ...labels.reading import LabelFile
    from ...metrics import Resampling


def score(
    targets: Annotated[
        Path, typer.Argument(metavar="TARGETS", help="True classes, one per sample.")
    ],
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTIONS", help="Clusters of the same samples; several files: seeds."
        ),
    ],
    target_column: Annotated[
        str | None,
        option("score", TARGET_COLUMN, metavar="NAME", help="Array, column or key of TARGETS."),
    ] = None,
    prediction_column: Annotated[
        str | None,
        option("score", PREDICTION_COLUMN, metavar="NAME", help="The same of PREDICTIONS."),
    ] = None,
    intervals: Annotated[
        int,
        option(
            "score",
            "--intervals",
            metavar="N",
            help="Intervals over samples from N resamples, such as 1000.",
        ),
    ] = 0,
    level: Annotated[
        float, option("score", "--level", metavar="SHARE", help="Level of the intervals.")
    ] = 0.95,
    seed: Annotated[
        int, option("score", "--seed", metavar="N", help="Seed of the resamples and of --chance.")
    ] = 0,
    chance: Annotated[
        bool, option("score", "--chance", help="Show what random clusters of the same sizes score.")
    ] = False,
    average: Annotated[
        str,
        option(
            "score",
            "--average",
            metavar="NAME",
            help="In NMI, AMI: arithmetic, geometric, min, max.",
        ),
    ] = "arithmetic",
    train_targets: Annotated[
        Path | None,
        option(
            "score",
            "--train-targets",
            metavar="FILE",
            help="Classes of the training samples, to rank classes by.",
        ),
    ] = None,
    tree: Annotated[
        Path | None,
        option(
            "score", "--tree", metavar="FILE", help="tree.tsv: score on the class tree as well."
        ),
    ] = None,
    class_names: Annotated[
        Path | None,
        option(
            "score",
            "--class-names",
            metavar="FILE",
            help="Tree nodes of class 0, 1 ..., one a line.",
        ),
    ] = None,
    per_class: Annotated[
        Path | None,
        option(
            "score", "--per-class", metavar="FILE", help="Write ACC class by class to a CSV file."
        ),
    ] = None,
    label_sets: Annotated[
        bool,
        option("score", "--label-sets", help="TARGETS holds lists: several labels per sample."),
    ] = False,
    json_output: Annotated[bool, json_option("score")] = False,
) -> None:
    """Score clusters against true classes.

    Files: .npy, .npz, .csv, .tsv, .parquet or .json with a label per sample, numbers or strings.
    Samples are matched by a column that says which they are ("id", "filename" ...) where both files
    have one, else by position; a line on stderr says by which. A cluster of -1 is "not assigned":
    wrong for ACC, one more group for the other scores; a class of -1 is "no class": left out.
    Ranked clusters (rows of several, best first) give top-n ACC.
    """
    from ..score_text import matching_notes

    resampling = asked_resampling(intervals, level, seed)
    true, found = read_pair(
        targets,
        predictions,
        target_column=target_column,
        prediction_column=prediction_column,
        label_sets=label_sets,
    )
    for note in () if json_output else matching_notes(true, found):
        warn(note)
    _refuse_combinations(
        several=len(found) > 1,
        ranked=any(file.values.ndim == 2 for file in found),
        label_sets=label_sets,
        tree=tree is not None,
        class_names=class_names is not None,
        single=chance or train_targets is not None or per_class is not None,
        other_settings=intervals != 0 or average != "arithmetic",
    )
    if per_class is not None:
        check_output(per_class, (targets, *predictions))
    if label_sets:
        document, lines = _label_sets(true, found[0])
    elif len(found) > 1:
        document, lines = _seeds(true, found, average, level, resampling)
    else:
        frequencies = None
        if train_targets is not None:
            frequencies = train_frequencies(train_targets, true, target_column)
        document, lines = _single(
            true, found[0], average, resampling, frequencies, seed if chance else None
        )
        if tree is not None:
            more, text = _on_tree(true, found[0], tree, class_names)
            document["hierarchy"] = more
            lines += ["", *text]
        if per_class is not None:
            write_classes(true, found[0], per_class)
    if json_output:
        import json

        document = {
            "targets": targets.as_posix(),
            "predictions": [path.as_posix() for path in predictions],
            "columns": {"targets": true.column, "predictions": [file.column for file in found]},
            "matched_by": [file.matched for file in found],
            **document,
        }
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    typer.echo("\n".join(lines))


def _refuse_combinations(
    *,
    several: bool,
    ranked: bool,
    label_sets: bool,
    tree: bool,
    class_names: bool,
    single: bool,
    other_settings: bool,
) -> None:
    """InputError for options that would have no effect together."""
    if class_names and not tree:
        raise InputError("--class-names goes with --tree")
    if several and (ranked or label_sets or tree or single):
        raise InputError(
            "several files of predictions are scored as seeds, with one cluster per sample and "
            "without --tree, --label-sets, --chance, --train-targets and --per-class; give one file"
        )
    if label_sets and (tree or single or other_settings):
        raise InputError(
            "--label-sets goes without --tree, --chance, --train-targets, --per-class, "
            "--intervals and --average"
        )


Answer = tuple[dict[str, Any], list[str]]


def _single(
    true: LabelFile,
    found: LabelFile,
    average: str,
    resampling: Resampling | None,
    frequencies: np.ndarray | None,
    chance_seed: int | None,
) -> Answer:
    from ...metrics import chance_levels
    from ...metrics import score as compute
    from ...metrics.top_n import score_top
    from ..score_text import scores_text, top_text

    is_ranked = found.values.ndim == 2
    first = found.values[:, 0] if is_ranked else found.values
    with naming(_names(true, found)), resampling_line() as progress:
        scores = compute(
            true.values,
            first,
            average=average,
            class_frequencies=frequencies,
            intervals=resampling,
            progress=progress,
        )
    document = scores.to_dict()
    levels = None
    if chance_seed is not None:
        levels = chance_levels(true.values, first, average=average, seed=chance_seed)
        document["chance"] = levels
    lines = scores_text(scores, levels)
    if is_ranked:
        with naming(_names(true, found)):
            ranked = score_top(true.values, found.values)
        document["ranked"] = ranked.to_dict()
        lines += ["", *top_text(ranked)]
    return document, lines


def _names(true: LabelFile, found: LabelFile) -> dict[str, str]:
    """What errors call the arguments, and the files they come from."""
    return {
        "targets": str(true.path),
        "predictions": str(found.path),
        "ranked": str(found.path),
    }


def _seeds(
    true: LabelFile,
    found: list[LabelFile],
    average: str,
    level: float,
    resampling: Resampling | None,
) -> Answer:
    from ...metrics import score_seeds
    from ..score_text import seeds_text

    names = {f"predictions[{position}]": str(file.path) for position, file in enumerate(found)}
    with naming({"targets": str(true.path), **names}), resampling_line() as progress:
        scores = score_seeds(
            true.values,
            [file.values for file in found],
            average=average,
            level=level,
            intervals=resampling,
            progress=progress,
        )
    return scores.to_dict(), seeds_text(scores)


def _label_sets(true: LabelFile, found: LabelFile) -> Answer:
    from ...metrics.label_sets import score_label_sets
    from ..score_text import label_sets_text

    with naming({**_names(true, found), "labels": str(true.path)}):
        scores = score_label_sets(true.values, true.offsets, found.values)
    return scores.to_dict(), label_sets_text(scores)


def _on_tree(true: LabelFile, found: LabelFile, path: Path, class_names: Path | None) -> Answer:
    from ...metrics.hierarchy import score_hierarchy
    from ...taxonomy import Tree
    from ..score_text import hierarchy_text

    tree = Tree.read(path)
    nodes = class_nodes(tree, true, class_names)
    with naming(_names(true, found)):
        scores = score_hierarchy(true.values, found.values, tree, nodes)
    return scores.to_dict(), hierarchy_text(scores)
