"""The ReaL labels of ImageNet-1K's validation images, as the installed timm package holds them.

Beyer et al., "Are we done with ImageNet?", arXiv:2006.07159 (2020).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...doors import read_bytes
from ...errors import InputError
from ...limits import NAMES

N_IMAGES = 50_000

_LABELS, _WNIDS = "imagenet_real_labels.json", "imagenet_synsets.txt"
_SHA256 = {
    _LABELS: "d83e9bff374c631aae8439eb064c7019acc56e1b3bc3f56b8380c2a710b0220b",
    _WNIDS: "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15",
}
#: The original file name, or the form with the class behind it that some archives have.
_FILE = re.compile(rb"ILSVRC2012_val_(\d{8})(?:_n\d{8})?$")


@dataclass(frozen=True, eq=False)
class RealLabels:
    """Any number of labels for each validation image, in the order of the images' numbers.

    labels:  (total,) int32, positions in `wnids`; none twice for an image
    offsets: (50,001,) int64: image number i + 1 has labels[offsets[i]:offsets[i + 1]], or none
    wnids:   the 1,000 classes, in timm's (and torchvision's) order
    sha256:  of the file the labels are from
    """

    labels: np.ndarray
    offsets: np.ndarray
    wnids: tuple[str, ...]
    sha256: str


def read_real_labels() -> RealLabels:
    """Read the labels from timm's files, without importing timm.

    Raises InputError when timm is not installed, lacks a file or has another one: other labels
    would be another task.
    """
    wnids = tuple(_content(_WNIDS).decode().split())
    sets = json.loads(_content(_LABELS))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(found) for found in sets])])
    labels = np.array([label for found in sets for label in found], dtype=np.int32)
    return RealLabels(labels, offsets, wnids, _SHA256[_LABELS])


def image_numbers(ids: np.ndarray) -> np.ndarray:
    """(n,) int64 in [0, 50,000): the place of each validation image in the order of the labels.

    ids: (n,) byte strings that end in `ILSVRC2012_val_00000001` to `ILSVRC2012_val_00050000`,
    perhaps with `_n01440764` behind. Raises InputError for another id, a number out of range and
    two ids of one image.
    """
    found = [_FILE.search(name) for name in ids.tolist()]
    unnamed = [name for name, match in zip(ids.tolist(), found, strict=True) if match is None]
    if unnamed:
        raise InputError(
            f"{len(unnamed)} of {len(ids)} val images have no original file name (first: "
            f"{_text(unnamed[0])!r}); ReaL labels are matched by names that end in "
            "'ILSVRC2012_val_00000001', as in the ImageNet-1K validation archive"
        )
    numbers = np.array([int(match[1]) for match in found if match], dtype=np.int64) - 1
    outside = np.flatnonzero((numbers < 0) | (numbers >= N_IMAGES))
    if len(outside):
        raise InputError(
            f"val image {_text(ids[outside[0]])!r} has number {numbers[outside[0]] + 1}; the "
            f"validation images are numbered 1 to {N_IMAGES}"
        )
    order = np.argsort(numbers, kind="stable")
    twice = np.flatnonzero(np.diff(numbers[order]) == 0)
    if len(twice):
        first, second = order[twice[0]], order[twice[0] + 1]
        raise InputError(
            f"{_text(ids[first])!r} and {_text(ids[second])!r} are the same validation image; "
            "list each image once"
        )
    return numbers


def _content(name: str) -> bytes:
    package = importlib.util.find_spec("timm")
    if package is None or not package.submodule_search_locations:
        raise InputError("ReaL labels are read from the timm package; install timm")
    path = Path(package.submodule_search_locations[0]) / "data" / "_info" / name
    try:
        content = read_bytes(path, NAMES)
    except InputError as error:
        raise InputError(
            f"{error}; ReaL labels are read from the timm package: install timm 1.0.9 or later"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256[name]:
        raise InputError(
            f"{path}: SHA-256 {found[:12]}, wanted {_SHA256[name][:12]}; this timm has other ReaL "
            "labels, or the file was changed: install timm again"
        )
    return content


def _text(name: bytes) -> str:
    return name.decode(errors="replace")
