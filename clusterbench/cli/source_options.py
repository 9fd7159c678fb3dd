"""Options that say where images are and which are used, for all verbs that read images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import InputError

if TYPE_CHECKING:
    from ..sources.source import ImageSource

SOURCE_HELP = (
    "Images: a folder of class folders, of tars, of WebDataset shards or of Parquet files; a CSV; "
    "hf:OWNER/NAME; torch:MODULE:FUNCTION; a saved index."
)


def option(verb: str, flag: str, help: str, metavar: str | None = None, **settings: Any) -> Any:
    """An option of a verb, which can be the variable CLUSTERBENCH_<VERB>_<FLAG> too."""
    name = flag.removeprefix("--").upper().replace("-", "_")
    variable = f"CLUSTERBENCH_{verb.upper()}_{name}"
    return typer.Option(
        flag, help=help, metavar=metavar, envvar=variable, show_envvar=False, **settings
    )


def format_option(verb: str) -> Any:
    """--format"""
    text = "auto, folder, class-tars, webdataset, parquet, csv, torch or index."
    return option(verb, "--format", text, "NAME")


def class_names_option(verb: str) -> Any:
    """--class-names"""
    return option(verb, "--class-names", "Names of labels that are numbers, one a line.", "FILE")


def root_option(verb: str) -> Any:
    """--root"""
    text = "Where a CSV's paths begin, or a saved index's images are now."
    return option(verb, "--root", text, "FOLDER")


def allow_damaged_option(verb: str) -> Any:
    """--allow-damaged"""
    return option(verb, "--allow-damaged", "Use what can be read of damaged tars.")


def val_fraction_option(verb: str) -> Any:
    """--val-fraction"""
    text = "Share of images for evaluation, by a hash of the id."
    return option(verb, "--val-fraction", text, "F")


def val_per_class_option(verb: str) -> Any:
    """--val-per-class"""
    text = "Images per class for evaluation instead."
    return option(verb, "--val-per-class", text, "N", min=0)


def val_first_option(verb: str) -> Any:
    """--val-first"""
    text = "The first images of each class for evaluation instead."
    return option(verb, "--val-first", text, "N", min=0)


def min_per_class_option(verb: str) -> Any:
    """--min-per-class"""
    return option(verb, "--min-per-class", "Leave out classes with fewer images.", "N", min=0)


def imagenet21k_p_option(verb: str) -> Any:
    """--imagenet21k-p"""
    text = "As ImageNet-21K-P: classes of more than 500 images, the first 50 for evaluation."
    return option(verb, "--imagenet21k-p", text)


def source_from_options(
    location: str,
    *,
    format: str = "auto",
    class_names: Path | None = None,
    root: Path | None = None,
    allow_damaged: bool = False,
    val_fraction: float = 0.0,
    val_per_class: int = 0,
    val_first: int = 0,
    min_per_class: int = 0,
    imagenet21k_p: bool = False,
) -> ImageSource:
    """Open a source and select from it as the options say.

    Raises InputError for options that exclude each other, before anything is indexed, and for
    what `open_source` and `select` refuse.
    """
    from ..sources.class_names import read_class_names
    from ..sources.opening import open_source
    from ..sources.selection import IMAGENET21K_P, Selection, select

    selection = Selection(val_fraction, val_per_class, val_first, min_per_class)
    if imagenet21k_p:
        if selection != Selection():
            raise InputError(
                "--imagenet21k-p is a choice of classes and val images; leave out --val-fraction, "
                "--val-per-class, --val-first and --min-per-class"
            )
        selection = IMAGENET21K_P
    source = open_source(
        location,
        format,
        class_names=None if class_names is None else read_class_names(class_names),
        root=root,
        allow_damaged=allow_damaged,
    )
    return select(source, selection)
