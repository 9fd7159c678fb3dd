"""Sample ids from what other formats call a sample, and splits from what they call a file."""

from __future__ import annotations

import os
import re

from .image_files import has_image_suffix

_TRAIN = ("train", "training")
_VAL = ("val", "valid", "validation", "dev")
_WORDS = re.compile(r"[^A-Za-z]+")


def id_from_path(path: str, class_name: str) -> str:
    """The id of an image at a path: from the component that is its class, else class/name.

    The suffix of an image is dropped, other suffixes are part of the name.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if parts and has_image_suffix(parts[-1]):
        parts[-1] = os.path.splitext(parts[-1])[0]  # noqa: PTH122 - called once per image
    if class_name in parts[:-1]:
        return "/".join(parts[parts.index(class_name) :])
    return f"{class_name}/{parts[-1] if parts else ''}"


def id_from_key(key: str, class_name: str) -> str:
    """The id of a sample that its data set calls `key`, with or without its class in front."""
    if has_image_suffix(key):
        key = os.path.splitext(key)[0]  # noqa: PTH122 - called once per image
    key = key.removeprefix("./").strip("/").removeprefix(f"{class_name}/")
    return f"{class_name}/{key}"


def split_of(name: str) -> str:
    """`train`, `val` or `test` when a folder or the first word of a file's name says so, else "".

    `train-00000-of-00010.parquet`, `validation/0001.tar`, `data/imagenet_val_03.tar`.
    """
    *folders, file = name.lower().split("/")
    for word in (*reversed(folders), *_WORDS.split(file)):
        if word in _TRAIN:
            return "train"
        if word in _VAL:
            return "val"
        if word in ("test", "testing"):
            return "test"
    return ""


def container_splits(names: list[str]) -> dict[str, int]:
    """Container -> 0 (train) or 1 (val), from the names; those of a third split are left out.

    Where there are val and test files, the test files are left out; where there is no val, test
    is the val split. Files whose names say nothing are train.
    """
    found = {name: split_of(name) for name in names}
    val = "val" if "val" in found.values() else "test"
    return {name: int(split == val) for name, split in found.items() if split in ("", "train", val)}
