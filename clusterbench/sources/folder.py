"""A folder of class folders as a data set: `<source>/<class>/.../<image>`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import read_text
from ..errors import InputError
from ..limits import FOLDER_DEPTH, NAMES
from ..printable import is_control, shown
from .folder_layout import ANNOTATIONS, FolderLayout, ImageTree, Top, find_layout
from .image_files import FileSource, has_image_suffix, image_formats, image_suffixes
from .index_builder import IndexBuilder
from .kinds import SourceKind
from .litter import is_litter
from .selection import Selection, select
from .source import SourceReport
from .words import counted

__all__ = ["FolderSource", "image_formats", "image_suffixes", "index_folder"]


@dataclass(frozen=True, eq=False)
class FolderSource(FileSource):
    """Images of a folder, with the file of each sample and what was left out.

    Pickles small: paths are put together from the index when asked for.
    """

    COLUMNS = ("suffix_of", "top_of")
    FORMAT = "folder"

    root: Path
    suffixes: tuple[str, ...]
    tops: tuple[str, ...]  # folders of the classes: ("",), or ("train", "val")
    suffix_of: np.ndarray  # (n,) uint8, into suffixes
    top_of: np.ndarray  # (n,) uint8, into tops
    flat: tuple[bool, ...] = ()  # per top: the images lie in no class folder
    split_in_ids: bool = False  # ids are class/split/file

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
        name, top = self.index.id(row), int(self.top_of[row])
        if self.split_in_ids or self.flat:
            label, _, name = name.partition("/")
            if self.split_in_ids:
                name = name.partition("/")[2]
            if not (self.flat and self.flat[top]):
                name = f"{label}/{name}"
        suffix: str = self.suffixes[int(self.suffix_of[row])]
        return self.root / self.tops[top] / (name + suffix)

    def location(self) -> dict[str, Any]:
        """Format and folder."""
        return {"format": self.FORMAT, "source": str(self.root.absolute())}


def index_folder(
    source: Path | str, *, val_fraction: float = 0.0, val_per_class: int = 0
) -> FolderSource:
    """Index `<source>/<class>/**/<image>`, or `<source>/{train,val}/<class>/**/<image>`.

    A class is a folder's name, a sample's id its POSIX path `class/file` without the extension.
    `folder_layout.find_layout` says which folders are splits, and which holds the classes; where
    there is no val split, every image is train, but for a share chosen by a hash of the id:
    `val_fraction` of all images, or the `val_per_class` images with the lowest hash of each class.
    The hash of an image does not change when others are added. Hidden files, those of systems,
    and files without an image suffix are counted, not read. Links are followed; a loop of links
    is cut.

    Raises InputError for: no such folder; no class folder or no image; images beside the class
    folders; folders that are neither splits only nor classes only; two files with one id; names
    that are not UTF-8 or hold control characters; a class without training images.
    """
    root = Path(source)
    if not root.is_dir():
        found = "is a file" if root.exists() else "does not exist"
        raise InputError(f"source {root} {found}; wanted a folder of class folders")
    selection = Selection(val_fraction, val_per_class)
    layout = find_layout(_FolderTree(root), f"source {root}")
    if len(layout.tops) > 1 and selection.splits:
        listed = " and ".join(f"{top.path}/" for top in layout.tops)
        raise InputError(f"source {root} has {listed}; no other split can be asked for")
    builder = _Builder(root, layout)
    folders = {top: _top_level(root / top.path) for top in layout.tops if top.class_of is None}
    for name in sorted({name for found in folders.values() for name in found}):
        builder.add_class(name, [top for top, found in folders.items() if name in found])
    for top in layout.tops:
        if top.class_of is not None:
            builder.add_flat(top)
    chosen = select(builder.finish(), selection)
    assert isinstance(chosen, FolderSource)
    return chosen


class _FolderTree(ImageTree):
    """What lies below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folders(self, path: str) -> list[str]:
        found = [e.name for e in self._visible(path) if is_folder(e)]
        return sorted(found)

    def images(self, path: str) -> list[str]:
        return sorted(entry.name for entry in self._visible(path) if _is_image(entry))

    def holds_images(self, path: str) -> bool:
        return any(True for _ in _walk(self.root / path, path, (), _Counts()))

    def annotations(self, path: str) -> str | None:
        file = self.root / path / ANNOTATIONS
        return read_text(file, NAMES) if file.exists() else None

    def _visible(self, path: str) -> list[os.DirEntry[str]]:
        return [entry for entry in _scan(self.root / path) if not is_litter(entry.name)]


class _Counts:
    """How many files a walk did not use."""

    ignored = 0


class _Builder(_Counts):
    """Collects classes one at a time, so that paths never lie in memory as Python strings."""

    def __init__(self, root: Path, layout: FolderLayout) -> None:
        self.root, self.layout = root, layout
        self.empty: list[str] = []
        self.suffixes: dict[str, int] = {}
        self.samples = IndexBuilder(
            {"suffix_of": np.uint8, "top_of": np.uint8}, source=f"source {root}"
        )

    def add_class(self, name: str, tops: list[Top]) -> None:
        check_name(name, self.root)
        found = 0
        for top in tops:
            folder = self.root / top.path
            # A link to what is above a class would bring other classes into it.
            above = (_key(self.root), _key(folder))
            files = list(_walk(folder / name, name, above, self))
            self._add(files, [name] * len(files), top)
            found += len(files)
        if not found:
            self.empty.append(name)

    def add_flat(self, top: Top) -> None:
        assert top.class_of is not None
        classes: dict[str, list[str]] = {}
        for entry in _scan(self.root / top.path):
            if _is_image(entry) and not is_litter(entry.name):
                check_name(entry.name, self.root / top.path)
                classes.setdefault(top.class_of[entry.name], []).append(entry.name)
            elif not is_folder(entry):
                self.ignored += 1
        for name, files in sorted(classes.items()):
            self._add([f"{name}/{file}" for file in files], [name] * len(files), top)

    def _add(self, files: list[str], classes: list[str], top: Top) -> None:
        stems, ends = [], []
        for file in files:
            stem, dot, suffix = file.rpartition(".")
            stems.append(stem)
            ends.append(dot + suffix)
        codes = [self.suffixes.setdefault(end, len(self.suffixes)) for end in ends]
        if len(self.suffixes) > 254:
            raise InputError(f"source {self.root}: more than 254 spellings of image suffixes")
        number = self.layout.tops.index(top)
        self.samples.add(stems, classes, top.split, ends, suffix_of=codes, top_of=number)

    def finish(self) -> FolderSource:
        if not self.samples.n:
            raise InputError(
                f"source {self.root}: no images in "
                + (
                    counted(len(self.empty), "class folder")
                    if self.empty
                    else "it, and no class folder"
                )
                + f" ({counted(self.ignored, 'other file')}); wanted <source>/<class>/<image> with "
                "a suffix such as .jpg, .png or .webp"
            )
        tops = self.layout.tops
        index, columns = self.samples.finish(
            lambda sample: (
                f"{self.root / tops[int(sample['top_of'])].path} (suffix "
                f"{list(self.suffixes)[int(sample['suffix_of'])]})"
            )
        )
        if self.samples.with_suffix.any():  # then it is in the id
            none = self.suffixes.setdefault("", len(self.suffixes))
            columns["suffix_of"][self.samples.with_suffix] = none
        report = SourceReport(
            tuple(self.empty), self.ignored, notes=(*self.layout.notes, *self.samples.notes)
        )
        flat = tuple(top.class_of is not None for top in tops)
        return FolderSource(
            index,
            report,
            self.root,
            tuple(self.suffixes),
            tuple(top.path for top in tops),
            **columns,
            flat=flat if any(flat) else (),
            split_in_ids=self.samples.split_in_ids,
        )


def _top_level(root: Path) -> set[str]:
    """Names of the class folders in a folder."""
    return {entry.name for entry in _scan(root) if is_folder(entry) and not is_litter(entry.name)}


def _walk(
    folder: Path, relative: str, parents: tuple[tuple[int, int], ...], counts: _Counts
) -> Iterator[str]:
    """Relative POSIX paths of the images below a folder; `parents` cuts loops of links."""
    key = _key(folder)
    if key in parents:
        return
    if len(parents) > FOLDER_DEPTH:
        raise InputError(
            f"{folder}: lies {FOLDER_DEPTH} folders below the source; wanted fewer: is this a "
            "circle of links?"
        )
    for entry in _scan(folder):
        path = f"{relative}/{entry.name}" if relative else entry.name
        if is_litter(entry.name):
            counts.ignored += 1
        elif is_folder(entry):
            check_name(entry.name, folder)
            yield from _walk(folder / entry.name, path, (*parents, key), counts)
        elif _is_image(entry):
            check_name(entry.name, folder)
            yield path
        else:
            counts.ignored += 1


def _key(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}") from error
    return status.st_dev, status.st_ino


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}") from error


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; a link that leads round in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_image(entry: os.DirEntry[str]) -> bool:
    if not has_image_suffix(entry.name):
        return False
    # A dangling link counts: it is reported as broken, not dropped. A pipe would block.
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:  # a link that leads round in a circle
        return True


def check_name(name: str, folder: Path) -> None:
    """Refuse a file name that is not UTF-8 or holds a control character."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{folder}: file name {os.fsencode(name)!r} is not UTF-8") from error
    if name.isprintable():
        return
    if "\n" in name:
        raise InputError(f"{folder}: file name {name!r} holds a line break; rename it")
    if (wrong := next((c for c in name if is_control(c)), None)) is not None:
        raise InputError(
            f"{folder}: file name {shown(repr(name))} holds the control character "
            f"U+{ord(wrong):04X}; rename it"
        )


KIND = SourceKind("folder", index_folder, saved={"FolderSource": ".folder"})
