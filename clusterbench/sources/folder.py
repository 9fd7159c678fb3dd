"""A folder of class folders as a data set: `<source>/<class>/.../<image>`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .image_files import FileSource, has_image_suffix, image_formats, image_suffixes
from .index_builder import IndexBuilder
from .kinds import SourceKind
from .selection import Selection, select
from .source import SourceReport

__all__ = ["FolderSource", "image_formats", "image_suffixes", "index_folder"]

# Names that mean a split, not a class, when all folders of a source have such names.
_SPLIT_NAMES = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
)


@dataclass(frozen=True, eq=False)
class FolderSource(FileSource):
    """Images of a folder, with the file of each sample and what was left out.

    Pickles small: paths are put together from the index when asked for.
    """

    COLUMNS = ("suffix_of", "top_of")
    FORMAT = "folder"

    root: Path
    suffixes: tuple[str, ...]
    tops: tuple[str, ...]  # ("",), or ("train", "val")
    suffix_of: np.ndarray  # (n,) uint8, into suffixes
    top_of: np.ndarray  # (n,) uint8, into tops

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """Names of the class folders without an image."""
        return self.report.empty_classes

    @property
    def ignored(self) -> int:
        """Number of files that are hidden or have no image suffix."""
        return self.report.ignored

    def path(self, row: int) -> Path:
        """The file of one sample."""
        suffix: str = self.suffixes[int(self.suffix_of[row])]
        return self.root / self.tops[int(self.top_of[row])] / (self.index.id(row) + suffix)

    def location(self) -> dict[str, Any]:
        """Format and folder."""
        return {"format": self.FORMAT, "source": str(self.root.absolute())}


def index_folder(
    source: Path | str, *, val_fraction: float = 0.0, val_per_class: int = 0
) -> FolderSource:
    """Index `<source>/<class>/**/<image>`, or `<source>/{train,val}/<class>/**/<image>`.

    A class is a folder's name, a sample's id its POSIX path `class/file` without the extension.
    `train/` and `val/` (or such names as `imagenet21k_train/` and `imagenet21k_val/`) are a split
    only when both are there and nothing else is; otherwise every
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
    selection = Selection(val_fraction, val_per_class)
    folders, loose = _top_level(root)
    pair = split_pair(root, folders)
    if pair and selection.splits:
        raise InputError(
            f"source {root} has {pair[0]}/ and {pair[1]}/; no other split can be asked for"
        )
    if pair:
        tops = [root / name for name in pair]
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
    chosen = select(builder.finish(pair or ("",)), selection)
    assert isinstance(chosen, FolderSource)
    return chosen


class _Builder:
    """Collects classes one at a time, so that paths never lie in memory as Python strings."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.empty: list[str] = []
        self.ignored = 0
        self.suffixes: dict[str, int] = {}
        self.samples = IndexBuilder({"suffix_of": np.uint8, "top_of": np.uint8})

    def add_class(self, name: str, tops: list[Path]) -> None:
        check_name(name, self.root)
        found: dict[str, tuple[int, str]] = {}
        for split, top in enumerate(tops):
            if not (top / name).is_dir():
                continue
            # A link to what is above a class would bring other classes into it.
            above = (_key(self.root), _key(top))
            for relative in _walk(top / name, name, above, self):
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
        codes = [self.suffixes.setdefault(x, len(self.suffixes)) for _, x in found.values()]
        if len(self.suffixes) > 255:
            raise InputError(f"source {self.root}: more than 255 spellings of image suffixes")
        splits = np.array([split for split, _ in found.values()], np.uint8)
        self.samples.add(list(found), name, splits, suffix_of=codes, top_of=splits)

    def finish(self, tops: tuple[str, ...]) -> FolderSource:
        if not self.samples.n:
            raise InputError(
                f"source {self.root}: no images in "
                + (f"{len(self.empty)} class folders" if self.empty else "it, and no class folder")
                + f" ({self.ignored} other files); wanted <source>/<class>/<image> with a suffix "
                "such as .jpg, .png or .webp"
            )
        index, columns = self.samples.finish()
        if not len(index.rows("train")):
            raise InputError(f"source {self.root}: no training images; train/ holds none")
        report = SourceReport(tuple(self.empty), self.ignored)
        return FolderSource(index, report, self.root, tuple(self.suffixes), tops, **columns)


def split_pair(root: Path, folders: list[str]) -> tuple[str, str] | None:
    """Names of the folders of the train and the val split, None where folders are classes.

    They are `train` and `val`, or end so with the same beginning, as the processed ImageNet-21K-P
    has them (`imagenet21k_train`, `imagenet21k_val`). Raises InputError for other sets of split
    names, and for such a pair beside other folders.
    """
    pairs = [
        (f"{start}train", f"{start}val")
        for start in sorted({name[: -len("train")] for name in folders if name.endswith("train")})
        if f"{start}val" in folders and (not start or start[-1] in "_-.")
    ]
    if pairs and sorted(folders) == sorted(pairs[0]):
        return pairs[0]
    if folders and all(name.lower() in _SPLIT_NAMES for name in folders):
        listed = ", ".join(f"{name}/" for name in sorted(folders))
        raise InputError(
            f"source {root} holds {listed}: these look like splits, not classes; wanted both "
            "train/ and val/ and nothing else, or the class folders themselves"
        )
    if pairs:
        train, val = pairs[0]
        others = sorted(set(folders) - {train, val})
        raise InputError(
            f"source {root} holds {train}/ and {val}/ and also {others[0]}/: neither a split nor "
            "classes only; move the others elsewhere"
        )
    return None


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
    key = _key(folder)
    if key in parents:
        return
    for entry in _scan(folder):
        path = f"{relative}/{entry.name}"
        if entry.name.startswith("."):
            builder.ignored += 1
        elif entry.is_dir():
            check_name(entry.name, folder)
            yield from _walk(folder / entry.name, path, (*parents, key), builder)
        elif _is_image(entry):
            check_name(entry.name, folder)
            yield path
        else:
            builder.ignored += 1


def _key(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}") from error


def _is_image(entry: os.DirEntry[str]) -> bool:
    if not has_image_suffix(entry.name):
        return False
    # A dangling link counts: it is reported as broken, not dropped. A pipe would block.
    return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())


def check_name(name: str, folder: Path) -> None:
    """Refuse a file name that is not UTF-8 or holds a line break."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{folder}: file name {os.fsencode(name)!r} is not UTF-8") from error
    if "\n" in name:
        raise InputError(f"{folder}: file name {name!r} holds a line break; rename it")


KIND = SourceKind("folder", index_folder, saved={"FolderSource": ".folder"})
