"""`clusterbench index`: which images a source holds, saved so that it is listed only once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from ...printable import shown
from .. import source_options as options
from ..option import option

if TYPE_CHECKING:
    from ...sources.source import ImageSource


def index(
    source: Annotated[str, typer.Argument(help=options.SOURCE_HELP, metavar="SOURCE")],
    output: Annotated[
        Path | None,
        option("index", "--output", help="Index file to write (required).", metavar="FILE.h5"),
    ] = None,
    format: Annotated[str, options.format_option("index")] = "auto",
    class_names: Annotated[Path | None, options.class_names_option("index")] = None,
    root: Annotated[Path | None, options.root_option("index")] = None,
    allow_damaged: Annotated[bool, options.allow_damaged_option("index")] = False,
    val_fraction: Annotated[float, options.val_fraction_option("index")] = 0.0,
    val_per_class: Annotated[int, options.val_per_class_option("index")] = 0,
    val_first: Annotated[int, options.val_first_option("index")] = 0,
    min_per_class: Annotated[int, options.min_per_class_option("index")] = 0,
    imagenet21k_p: Annotated[bool, options.imagenet21k_p_option("index")] = False,
    json_output: Annotated[
        bool, option("index", "--json", help="Print one JSON document instead.")
    ] = False,
) -> None:
    """Index the images of a source into one file.

    The file holds ids, classes, splits and where each image is; use it as the source of other
    commands, and nothing is listed again. Nothing is unpacked or copied.
    """
    if output is None:
        raise InputError("--output is missing; wanted a file to write, for example images.h5")
    _refuse_foreign(output)
    from ...sources.opening import open_source
    from ...sources.saved import save_source
    from ...sources.selection import chosen

    selection = chosen(val_fraction, val_per_class, val_first, min_per_class, imagenet21k_p)
    found = open_source(
        source,
        format,
        class_names=class_names,
        root=root,
        allow_damaged=allow_damaged,
        selection=selection,
    )
    save_source(found, output)
    values = _summary(found, output)
    if json_output:
        sys.stdout.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_text(values))


def _refuse_foreign(output: Path) -> None:
    """InputError unless `output` is free, or an index that may be made again."""
    if not output.exists():
        return
    from ...sources.dataset_index import DatasetIndex

    try:
        DatasetIndex.load(output)
    except InputError as error:
        kind = "a folder" if output.is_dir() else "there and no index"
        raise InputError(f"--output {output} is {kind}; give the name of a new file") from error


def _summary(source: ImageSource, output: Path) -> dict[str, Any]:
    import numpy as np

    index, report = source.index, source.report
    counts = np.bincount(index.labels, minlength=index.n_classes)
    small, large = int(counts.argmin()), int(counts.argmax())
    return {
        "output": str(output),
        "format": source.FORMAT,
        "images": index.n,
        "classes": index.n_classes,
        "train": len(index.rows("train")),
        "val": len(index.rows("val")),
        "smallest_class": {"name": index.class_names[small], "images": int(counts[small])},
        "largest_class": {"name": index.class_names[large], "images": int(counts[large])},
        "empty_classes": list(report.empty_classes),
        "ignored": report.ignored,
        "damaged": list(report.damaged),
        "notes": list(report.notes),
        "hash": index.hash,
    }


def _text(values: dict[str, Any]) -> str:
    from ...sources.words import counted

    small, large = values["smallest_class"], values["largest_class"]
    text = (
        f"{shown(values['output'])}: {counted(values['images'], 'image')} ({values['format']}) in "
        f"{counted(values['classes'], 'class', 'classes')}, {values['train']:,} train and "
        f"{values['val']:,} val\n"
        f"smallest class {shown(small['name'])} with {counted(small['images'], 'image')}, largest "
        f"{shown(large['name'])} with {large['images']:,}\n"
    )
    text += options.left_out_text(values, values["ignored"])
    return text + f"hash {values['hash']}\n"
