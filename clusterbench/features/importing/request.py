"""What a user asks to import, and which of the files are whose samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InputError
from .columns import find_labels
from .formats import entries_of
from .layouts import LAYOUTS, Layout, Part, find_layout


@dataclass(frozen=True)
class Request:
    """What is to be imported; None is "not given".

    features: a file, or a folder in one of `LAYOUTS`. Files of labels, ids and splits are read as
    `columns.read_column` says; without `labels`, a column of `features` with a usual name is
    taken. `array` and `label_column` name arrays, tensors or columns. `class_names` is a text
    file, class 0 on the first line. `val_features` and `val_labels` are the val samples where
    `features` and `labels` are the train samples. `name` is the encoder's.
    """

    features: Path
    name: str | None = None
    layout: str = "auto"
    array: str | None = None
    labels: Path | None = None
    label_column: str | None = None
    ids: Path | None = None
    split: Path | None = None
    class_names: Path | None = None
    val_features: Path | None = None
    val_labels: Path | None = None
    dtype: str | None = None


def layout_of(request: Request) -> Layout:
    """The parts of a request; InputError for options that do not go together."""
    if request.layout not in LAYOUTS:
        raise InputError(f"--layout {request.layout!r}; wanted one of {', '.join(LAYOUTS)}")
    if request.features.is_dir():
        if request.layout == "arrays":
            raise InputError(f"{request.features}: is a folder; --layout arrays wants a file")
        layout = find_layout(request.features, request.layout)
        by_table = layout.name == "clip-retrieval"
        for option in ("array", "labels", "label_column", "ids", "split", "val_features"):
            allowed = by_table and option in ("labels", "label_column")
            if getattr(request, option) is not None and not allowed:
                raise InputError(
                    f"--{option.replace('_', '-')} goes with a file of features; the layout of "
                    f"{request.features} says which files are what"
                )
        return _with_labels(request, layout) if by_table else layout
    if request.layout not in ("auto", "arrays"):
        raise InputError(f"{request.features}: --layout {request.layout} wants a folder")
    if request.val_features is None:
        if request.val_labels is not None:
            raise InputError("--val-labels is given without --val-features")
        labels = (request.labels,) if request.labels else ()
        part = Part("", "train", (request.features,), labels)
        return Layout("arrays", (part,), None, ())
    for option in ("ids", "split"):
        if getattr(request, option) is not None:
            raise InputError(
                f"--{option} goes with one file of features, not with --val-features; ids may "
                "stand beside the labels"
            )
    if (request.labels is None) != (request.val_labels is None):
        raise InputError("give both --labels and --val-labels, or neither")
    pairs = (
        ("train", request.features, request.labels),
        ("val", request.val_features, request.val_labels),
    )
    return Layout(
        "arrays",
        tuple(Part(n, n, (path,), (labels,) if labels else ()) for n, path, labels in pairs),
        None,
        (),
    )


def _with_labels(request: Request, layout: Layout) -> Layout:
    """Labels from a file of their own, or from a column of the tables beside the features."""
    part = layout.parts[0]
    labels: tuple[Path, ...] = (request.labels,) if request.labels else ()
    if not labels and part.ids:
        table = part.ids[0]
        if find_labels(table, entries_of(table), request.label_column) is not None:
            labels = part.ids
    return replace(layout, parts=(replace(part, labels=labels),))
