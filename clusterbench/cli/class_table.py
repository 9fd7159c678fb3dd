"""The file of `clusterbench score --per-class`: ACC class by class as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ..labels.reading import LabelFile


def check_output(path: Path, inputs: tuple[Path, ...]) -> None:
    """InputError unless `path` may be written: a new file, or a file that is none of the inputs."""
    if not path.name or path.is_dir():
        raise InputError(f"--per-class {path}: is a folder; give the name of a file to write")
    if path.exists() and not path.is_file():
        raise InputError(f"--per-class {path}: is a device or a pipe; give the name of a file")
    for other in inputs:
        if path.exists() and path.samefile(other):
            raise InputError(f"--per-class {path}: is an input; give the name of another file")


def write_classes(true: LabelFile, found: LabelFile, path: Path) -> None:
    """Write a line per class, atomically: its name, samples, ACC and paired cluster."""
    import csv

    from ..files import atomic_path
    from ..metrics import score_classes

    first = found.values[:, 0] if found.values.ndim == 2 else found.values
    scores = score_classes(true.values, first)
    columns = (scores.classes, scores.sizes, scores.acc, scores.clusters)
    with (
        atomic_path(path.resolve()) as temporary,  # what a link points to, not the link
        temporary.open("w", newline="", encoding="utf-8") as handle,
    ):
        rows = csv.writer(handle)
        rows.writerow(("class", "samples", "acc", "cluster"))
        for code, size, acc, cluster in zip(*(c.tolist() for c in columns), strict=True):
            name = true.names[code] if true.names is not None else code
            paired = found.names[int(cluster)] if found.names and cluster != "-1" else cluster
            rows.writerow((name, size, acc, paired))
