"""`clusterbench compare`: two predictions of the same samples, and whether they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ...labels.matching import PREDICTION_COLUMN, TARGET_COLUMN, naming, read_pair
from ...printable import shown
from ..console import warn
from ..option import json_option, option
from ..option_values import resampling as asked_resampling
from ..progress_views import resampling_line

if TYPE_CHECKING:
    import numpy as np


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A result, or a file of clusters.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one of the same samples.")],
    targets: Annotated[
        Path | None,
        option(
            "compare", "--targets", metavar="FILE", help="True classes, if A and B are no results."
        ),
    ] = None,
    target_column: Annotated[
        str | None,
        option("compare", TARGET_COLUMN, metavar="NAME", help="Array, column or key of targets."),
    ] = None,
    prediction_column: Annotated[
        str | None,
        option("compare", PREDICTION_COLUMN, metavar="NAME", help="The same of A and B."),
    ] = None,
    resamples: Annotated[
        int, option("compare", "--resamples", metavar="N", help="Resamples for the intervals.")
    ] = 1000,
    level: Annotated[
        float, option("compare", "--level", metavar="SHARE", help="Level of the intervals.")
    ] = 0.95,
    seed: Annotated[
        int, option("compare", "--seed", metavar="N", help="Seed of the resamples.")
    ] = 0,
    average: Annotated[
        str,
        option(
            "compare",
            "--average",
            metavar="NAME",
            help="In NMI, AMI: arithmetic, geometric, min, max.",
        ),
    ] = "arithmetic",
    json_output: Annotated[bool, json_option("compare")] = False,
) -> None:
    """Compare two predictions of the same samples.

    A and B are two result files of `clusterbench run` on the same task, whose classes are found
    again in the benchmark; or two files of clusters as for `clusterbench score`, with --targets.
    Shown are both scores, B - A with its interval over samples (the same samples for both), and
    McNemar's exact test for the accuracies.
    """
    from ...metrics import compare as compute
    from ..score_text import comparison_text, matching_notes

    resampling = asked_resampling(resamples, level, seed, "--resamples")
    if resampling is None:
        raise InputError("--resamples 0; give a whole number from 2, such as 1000")
    matched: dict[str, Any] = {}
    if targets is None:
        if target_column is not None or prediction_column is not None:
            raise InputError(f"{TARGET_COLUMN} and {PREDICTION_COLUMN} go with --targets")
        true, first, second = _from_results(a, b)
    else:
        for path in (a, b):
            if _is_result(path):
                raise InputError(
                    f"{path}: a result of `clusterbench run`, which knows its own classes; "
                    "compare two results without --targets, or two files of clusters with it"
                )
        labels, found = read_pair(
            targets, [a, b], target_column=target_column, prediction_column=prediction_column
        )
        for note in () if json_output else matching_notes(labels, found):
            warn(note)
        matched = {"matched_by": [file.matched for file in found]}
        for file in found:
            if file.values.ndim != 1:
                raise InputError(
                    f"{file.path}: {file.values.shape[1]} clusters per sample; wanted one"
                )
        true, first, second = labels.values, found[0].values, found[1].values
    names = {"targets": str(targets), "a": str(a), "b": str(b)}
    with naming(names), resampling_line() as progress:
        comparison = compute(
            true, first, second, average=average, resampling=resampling, progress=progress
        )
    if json_output:
        import json

        document: dict[str, Any] = {
            "a": a.as_posix(),
            "b": b.as_posix(),
            **matched,
            **comparison.to_dict(),
        }
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    lines = [f"A: {shown(a)}", f"B: {shown(b)}", *comparison_text(comparison)]
    typer.echo("\n".join(lines))


def _is_result(path: Path) -> bool:
    from ...doors import read_json
    from ...limits import RESULT
    from ...results.record import SCHEMA

    if path.suffix.lower() != ".json":
        return False
    try:
        content = read_json(path, RESULT)
    except InputError:  # said by who reads it as labels, if it is a fault
        return False
    return isinstance(content, dict) and content.get("schema") == SCHEMA


def _from_results(a: Path, b: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets of the task that both results are of, and both predictions."""
    from ...results.evidence import EvidenceReader

    reader = EvidenceReader()
    for path in (a, b):
        if path.suffix != ".json":
            raise InputError(
                f"{path}: not a result file of `clusterbench run` (.json); "
                "give --targets FILE with the true classes to compare files of clusters"
            )
    first, second = reader.read(a), reader.read(b)
    if first.task.manifest_hash != second.task.manifest_hash:
        raise InputError(
            f"{a} is of task {first.task.full_name}, {b} of {second.task.full_name}; "
            "compare two results of one task"
        )
    if first.record.protocol != second.record.protocol:
        raise InputError(
            f"{a} is of protocol {first.record.protocol!r}, {b} of {second.record.protocol!r}; "
            "they are scored on other rows: compare two results of one protocol"
        )
    return first.targets, first.predictions, second.predictions
