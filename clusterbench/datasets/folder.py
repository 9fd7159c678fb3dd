"""A folder of class folders as a data set: `<source>/<class>/.../<image>`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import InputError
from .index import DatasetIndex

# Names that mean a split, not a class, when all folders of a source have such names.
_SPLIT_NAMES = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
)
# Formats that Pillow lists but that are documents, video, or need other programs.
_NOT_IMAGES = frozenset(
    ("BUFR", "EPS", "FITS", "FPX", "GRIB", "HDF5", "MIC", "MPEG", "PDF", "PS", "WMF")
)


@dataclass(frozen=True, eq=False)
class FolderSource:
    """Images of a folder, with the file of each sample and what was left out.

    `empty_classes` are folders without an image, `ignored` the number of files that are hidden or
    have no image suffix. Pickles small: paths are put together from the index when asked for.
    """

    root: Path
    index: DatasetIndex
    suffixes: tuple[str, ...]
    suffix_of: np.ndarray  # (n,) uint8, into suffixes
    split_folders: bool
    empty_classes: tuple[str, ...]
    ignored: int

    def path(self, row: int) -> Path:
        """The file of one sample."""
        base = self.root
        if self.split_folders:
            base = base / ("val" if self.index.split[row] else "train")
        suffix: str = self.suffixes[int(self.suffix_of[row])]
        return base / (self.index.id(row) + suffix)


def index_folder(
    source: Path | str, *, val_fraction: float = 0.0, val_per_class: int = 0
) -> FolderSource:
    """Index `<source>/<class>/**/<image>`, or `<source>/{train,val}/<class>/**/<image>`.

    A class is a folder's name, a sample's id its POSIX path `class/file` without the extension.
    `train/` and `val/` are a split only when both are there and nothing else is; otherwise every
    image is split train, but for a share chosen by a hash of the id: `val_fraction` of all images,
    or the `val_per_class` images with the lowest hash of each class. The hash of an image does not
    change when others are added. Hidden files and files without an image suffix are counted, not
    read. Links are followed; a loop of links is cut.

    Raises InputError for: no such folder; no class folder or no image; images beside the class
    folders; folders that look like a split but are not `train` and `val`; two files with one id;
    a file name that is not UTF-8 or holds a line break; a class left without training images.
    """
    root = Path(source)
    if not root.is_dir():
        found = "is a file" if root.exists() else "does not exist"
        raise InputError(f"source {root} {found}; wanted a folder of class folders")
    if not 0 <= val_fraction < 1 or val_per_class < 0 or (val_fraction and val_per_class):
        raise InputError(
            f"val_fraction = {val_fraction}, val_per_class = {val_per_class}; "
            "wanted 0 <= val_fraction < 1 or a number per class, not both"
        )
    folders, loose = _top_level(root)
    split_folders = _is_split(root, folders)
    if split_folders and (val_fraction or val_per_class):
        raise InputError(f"source {root} has train/ and val/; no other split can be asked for")
    if split_folders:
        tops = [root / "train", root / "val"]
        listed = [(top.name, *_top_level(top)) for top in tops]
        names = sorted({name for _, found, _ in listed for name in found})
        loose = [f"{top}/{name}" for top, _, files in listed for name in files]
    else:
        tops, names = [root], sorted(folders)
    if loose:
        raise InputError(
            f"source {root}: {len(loose)} images lie beside the class folders "
            f"(for example {loose[0]}); move them into a class folder (one for all, if there are "
            "no classes)"
        )
    builder = _Builder(root)
    for name in names:
        builder.add_class(name, tops)
    return builder.finish(split_folders, val_fraction, val_per_class)


class _Builder:
    """Collects classes one at a time, so that paths never lie in memory as Python strings."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.class_names: list[str] = []
        self.empty: list[str] = []
        self.ignored = 0
        self.suffixes: dict[str, int] = {}
        self.ids: list[np.ndarray] = []
        self.codes: list[np.ndarray] = []
        self.splits: list[np.ndarray] = []

    def add_class(self, name: str, tops: list[Path]) -> None:
        _check_name(name, self.root)
        found: dict[str, tuple[int, str]] = {}
        for split, top in enumerate(tops):
            if not (top / name).is_dir():
                continue
            for relative in _walk(top / name, name, (), self):
                stem, dot, suffix = relative.rpartition(".")
                if stem in found:
                    other = (f"{tops[found[stem][0]]}/{stem}{found[stem][1]}", f"{top}/{relative}")
                    raise InputError(
                        f"two files have the one id {stem!r}: {other[0]} and {other[1]}; "
                        "an id is class/file without the extension, over all splits: "
                        "rename or remove one"
                    )
                found[stem] = (split, dot + suffix)
        if not found:
            self.empty.append(name)
            return
        order = sorted(found)  # code points: the byte order of UTF-8
        self.class_names.append(name)
        self.ids.append(np.array([stem.encode() for stem in order], dtype=np.bytes_))
        codes = [self.suffixes.setdefault(found[s][1], len(self.suffixes)) for s in order]
        if len(self.suffixes) > 255:
            raise InputError(f"source {self.root}: more than 255 spellings of image suffixes")
        self.codes.append(np.array(codes, dtype=np.uint8))
        self.splits.append(np.array([found[s][0] for s in order], dtype=np.uint8))

    def finish(self, split_folders: bool, fraction: float, per_class: int) -> FolderSource:
        if not self.ids:
            raise InputError(
                f"source {self.root}: no images in "
                + (f"{len(self.empty)} class folders" if self.empty else "it, and no class folder")
                + f" ({self.ignored} other files); wanted <source>/<class>/<image> with a suffix "
                "such as .jpg, .png or .webp"
            )
        if fraction or per_class:
            self.splits = [
                _choose_val(name, ids, fraction, per_class)
                for name, ids in zip(self.class_names, self.ids, strict=True)
            ]
        index = DatasetIndex(
            np.concatenate(self.ids),
            tuple(self.class_names),
            np.repeat(np.arange(len(self.ids)), [len(ids) for ids in self.ids]),
            np.concatenate(self.splits),
        )
        if not len(index.rows("train")):
            raise InputError(f"source {self.root}: no training images; train/ holds none")
        return FolderSource(
            self.root,
            index,
            tuple(self.suffixes),
            np.concatenate(self.codes),
            split_folders,
            tuple(self.empty),
            self.ignored,
        )


def _choose_val(name: str, ids: np.ndarray, fraction: float, per_class: int) -> np.ndarray:
    scores = np.array(
        [int.from_bytes(hashlib.sha256(i).digest()[:8], "big") for i in ids.tolist()], np.uint64
    )
    chosen: np.ndarray
    if fraction:
        chosen = scores < np.uint64(int(fraction * 2**64))
    else:
        if len(ids) <= per_class:
            raise InputError(
                f"class {name!r} has {len(ids)} images; wanted more than val_per_class = "
                f"{per_class}, so that some are left to train on"
            )
        chosen = np.zeros(len(ids), bool)
        chosen[np.argsort(scores, kind="stable")[:per_class]] = True
    return chosen.astype(np.uint8)


def _is_split(root: Path, folders: list[str]) -> bool:
    if sorted(folders) == ["train", "val"]:
        return True
    if folders and all(name.lower() in _SPLIT_NAMES for name in folders):
        listed = ", ".join(f"{name}/" for name in sorted(folders))
        raise InputError(
            f"source {root} holds {listed}: these look like splits, not classes; wanted both "
            "train/ and val/ and nothing else, or the class folders themselves"
        )
    if {"train", "val"} <= set(folders):
        others = sorted(set(folders) - {"train", "val"})
        raise InputError(
            f"source {root} holds train/ and val/ and also {others[0]}/: neither a split nor "
            "classes only; move the others elsewhere"
        )
    return False


def _top_level(root: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the images directly in a folder."""
    folders, images = [], []
    for entry in _scan(root):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            folders.append(entry.name)
        elif _is_image(entry):
            images.append(entry.name)
    return folders, images


def _walk(
    folder: Path, relative: str, parents: tuple[tuple[int, int], ...], builder: _Builder
) -> Iterator[str]:
    """Relative POSIX paths of the images below a folder; `parents` cuts loops of links."""
    status = folder.stat()
    key = (status.st_dev, status.st_ino)
    if key in parents:
        return
    for entry in _scan(folder):
        path = f"{relative}/{entry.name}"
        if entry.name.startswith("."):
            builder.ignored += 1
        elif entry.is_dir():
            _check_name(entry.name, folder)
            yield from _walk(folder / entry.name, path, (*parents, key), builder)
        elif _is_image(entry):
            _check_name(entry.name, folder)
            yield path
        else:
            builder.ignored += 1


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}") from error


def _is_image(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - called once per image
    if suffix not in image_suffixes():
        return False
    # A dangling link counts: it is reported as broken, not dropped. A pipe would block.
    return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())


@lru_cache(maxsize=1)
def image_suffixes() -> frozenset[str]:
    """Lower-case suffixes of the image formats that Pillow opens by itself."""
    formats = set(image_formats())
    from PIL import Image

    return frozenset(s for s, f in Image.registered_extensions().items() if f in formats)


@lru_cache(maxsize=1)
def image_formats() -> tuple[str, ...]:
    """Names of the image formats that Pillow opens by itself."""
    from PIL import Image

    Image.init()
    return tuple(sorted(set(Image.OPEN) - _NOT_IMAGES))


def _check_name(name: str, folder: Path) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{folder}: file name {os.fsencode(name)!r} is not UTF-8") from error
    if "\n" in name:
        raise InputError(f"{folder}: file name {name!r} holds a line break; rename it")
