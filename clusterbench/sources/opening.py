"""Any place that images are read from: told by its name, indexed, and selected from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..catalog import unknown_name
from ..errors import InputError
from .class_names import read_class_names
from .detect import detect
from .kinds import KINDS
from .selection import Selection, select
from .source import ImageSource


def open_source(
    location: Path | str,
    format: str = "auto",
    *,
    class_names: Sequence[str] | Path | None = None,
    root: Path | str | None = None,
    allow_damaged: bool = False,
    selection: Selection | None = None,
) -> ImageSource:
    """Index the images at a location: a folder, a file, `hf:OWNER/NAME` or `torch:MODULE:FUNCTION`.

    Args:
        location: where they are.
        format: a kind of source, or auto to tell by what is there.
        class_names: names of labels that are numbers, or a file of them (a `Path`).
        root: where the paths of a CSV begin, or where the files of a saved index are now.
        allow_damaged: use what can be read of damaged tars.
        selection: which classes are used, and which images are for evaluation; all by default.

    Raises:
        InputError: an unknown format, a location that holds several kinds, an option that the
            kind does not take, whatever the kind refuses, and a selection that leaves nothing.
    """
    if format not in ("auto", *KINDS.names()):
        raise unknown_name("format", format, ("auto", *KINDS.names()))
    kind = KINDS.get(detect(location) if format == "auto" else format)
    given = {
        "class_names": read_class_names(class_names)
        if isinstance(class_names, Path)
        else class_names,
        "root": root,
        "allow_damaged": allow_damaged or None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if name not in kind.takes:
            takers = ", ".join(other.name for other in KINDS if name in other.takes)
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{name} ({flag}) has no meaning for format {kind.name}; it is for {takers}"
            )
    source = kind.open(os.fspath(location), **options)
    return source if selection is None else select(source, selection)


def open_location(location: dict[str, Any]) -> ImageSource:
    """The source that `ImageSource.location()` described; staged images are staged again."""
    options = {k: v for k, v in location.items() if k not in ("format", "source", "staged")}
    source = open_source(location["source"], location["format"], **options)
    if "staged" not in location:
        return source
    from .parquet import ParquetSource
    from .staging import stage

    assert isinstance(source, ParquetSource)
    return stage(source, location["staged"])
