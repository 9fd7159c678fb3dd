"""`clusterbench score`: all metrics of a predictions file against a targets file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from .declare import json_option

if TYPE_CHECKING:
    import numpy as np

_TARGETS = ("targets", "labels")
_PREDICTIONS = ("predictions", "labels")


def score(
    targets: Annotated[
        Path, typer.Argument(metavar="TARGETS", help="True classes: .npy, or .npz with targets.")
    ],
    predictions: Annotated[
        Path,
        typer.Argument(metavar="PREDICTIONS", help="Clusters: .npy, or .npz with predictions."),
    ],
    json_output: Annotated[bool, json_option()] = False,
) -> None:
    """Score clusters against true classes.

    Each file holds one whole number per sample, in the same order.
    """
    import json

    true, found = _load(targets, _TARGETS), _load(predictions, _PREDICTIONS)
    from ..metrics import METRICS
    from ..metrics import score as compute

    scores = compute(true, found)
    if json_output:
        typer.echo(json.dumps(scores.to_dict(), indent=2, allow_nan=False))
        return
    width = max(len(metric.label) for metric in METRICS.values())
    typer.echo(
        f"{scores.n:,} samples, {scores.n_classes:,} classes, {scores.n_clusters:,} clusters"
    )
    for name, metric in METRICS.items():
        typer.echo(f"{metric.label:<{width}}  {getattr(scores, name):.4f}")


def _load(path: Path, names: tuple[str, ...]) -> np.ndarray:
    import numpy as np

    try:
        content = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except Exception as error:  # a damaged file raises whatever the reading meets first
        raise InputError(f"{path}: not a readable .npy or .npz file ({error})") from error
    if isinstance(content, np.ndarray):
        return content
    with content as archive:
        arrays = archive.files
        chosen = [name for name in names if name in arrays] or (arrays if len(arrays) == 1 else [])
        if not chosen:
            raise InputError(
                f"{path}: holds {', '.join(arrays) or 'no arrays'}; wanted one named {names[0]!r}"
            )
        array: np.ndarray = archive[chosen[0]]
        return array
