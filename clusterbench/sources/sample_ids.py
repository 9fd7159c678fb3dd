"""Sample ids from what other formats call a sample."""

from __future__ import annotations

import os

import numpy as np

from .image_files import has_image_suffix


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


def suffix_of(path: str) -> str:
    """What `id_from_path` and `id_from_key` drop: the suffix of an image, else nothing."""
    return os.path.splitext(path)[1] if has_image_suffix(path) else ""  # noqa: PTH122


def with_split(
    ids: np.ndarray, class_names: tuple[str, ...], labels: np.ndarray, split: np.ndarray
) -> np.ndarray:
    """`class/file` as `class/train/file` or `class/val/file`, (n,) bytes.

    ids: (n,) bytes. labels: (n,) into class_names, ascending. split: (n,), 0 = train, 1 = val.
    """
    longer = np.zeros(len(ids), f"S{ids.dtype.itemsize + len('train/')}")
    ends = np.cumsum(np.bincount(labels, minlength=len(class_names))).tolist()
    start = 0
    for name, end in zip(class_names, ends, strict=True):
        beginning = f"{name}/".encode()
        longer[start:end] = [
            (beginning if i.startswith(beginning) else b"")
            + (b"val/" if s else b"train/")
            + i.removeprefix(beginning)
            for i, s in zip(ids[start:end].tolist(), split[start:end].tolist(), strict=True)
        ]
        start = end
    return longer
