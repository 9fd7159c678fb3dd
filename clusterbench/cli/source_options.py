"""Options that say where images are and which are used, for all verbs that read images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..printable import MESSAGE_LENGTH, shown
from ..sources.kinds import KINDS
from ..sources.words import counted
from .option import option

SOURCE_HELP = (
    "Images: a folder of class folders, of tars, of WebDataset shards or of Parquet files; a CSV; "
    "hf:OWNER/NAME; torch:MODULE:FUNCTION; a saved index."
)


def format_option(verb: str) -> Any:
    """`--format`."""
    *others, last = ("auto", *KINDS.built_in)
    text = f"{', '.join(others)} or {last}."
    return option(verb, "--format", help=text, metavar="NAME")


def class_names_option(verb: str) -> Any:
    """`--class-names`."""
    return option(
        verb, "--class-names", help="Names of labels that are numbers, one a line.", metavar="FILE"
    )


def root_option(verb: str) -> Any:
    """`--root`."""
    text = "Where a CSV's paths begin, or a saved index's images are now."
    return option(verb, "--root", help=text, metavar="FOLDER")


def allow_damaged_option(verb: str) -> Any:
    """`--allow-damaged`."""
    return option(verb, "--allow-damaged", help="Use what can be read of damaged tars.")


def val_fraction_option(verb: str) -> Any:
    """`--val-fraction`."""
    text = "Share of images for evaluation, by a hash of the id."
    return option(verb, "--val-fraction", help=text, metavar="F")


def val_per_class_option(verb: str) -> Any:
    """`--val-per-class`."""
    text = "Images per class for evaluation instead."
    return option(verb, "--val-per-class", help=text, metavar="N", min=0)


def val_first_option(verb: str) -> Any:
    """`--val-first`."""
    text = "The first images of each class for evaluation instead."
    return option(verb, "--val-first", help=text, metavar="N", min=0)


def min_per_class_option(verb: str) -> Any:
    """`--min-per-class`."""
    return option(
        verb, "--min-per-class", help="Leave out classes with fewer images.", metavar="N", min=0
    )


def imagenet21k_p_option(verb: str) -> Any:
    """`--imagenet21k-p`."""
    text = "As ImageNet-21K-P: classes of more than 500 images, the first 50 for evaluation."
    return option(verb, "--imagenet21k-p", help=text)


def left_out_text(values: Mapping[str, Any], ignored: int) -> str:
    """Lines on what an index chose or left out: notes, empty_classes and damaged of `values`."""
    text = "".join(f"note: {shown(note, MESSAGE_LENGTH)}\n" for note in values["notes"])
    if names := values["empty_classes"]:
        hold = counted(len(names), "class holds", "classes hold")
        text += f"{hold} no image (for example {shown(names[0])})\n"
    if ignored:
        were = counted(ignored, "file or member was", "files or members were")
        text += f"{were} ignored: not images, hidden or a system's, or of a split left out\n"
    if damaged := values["damaged"]:
        are = counted(len(damaged), "tar is", "tars are")
        text += f"{are} damaged and used in part (for example {shown(damaged[0])})\n"
    return text
