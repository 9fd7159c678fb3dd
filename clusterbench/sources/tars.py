"""One tar per class as a data set: `<source>/<class>.tar`, read in place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .containers import OffsetSource
from .folder import check_name
from .folder_layout import ImageTree, find_layout
from .image_files import has_image_suffix
from .index_builder import IndexBuilder
from .kinds import SourceKind
from .litter import is_litter, lies_in_litter
from .source import Container, SourceReport
from .tar_members import TarMembers, check_damage, refuse_compressed, scan_tars
from .words import counted


@dataclass(frozen=True, eq=False)
class ClassTarSource(OffsetSource):
    """Images in tars of a class each."""

    FORMAT = "class-tars"

    def location(self) -> dict[str, Any]:
        """Format, folder, and whether damaged tars are used."""
        return {
            "format": self.FORMAT,
            "source": str(self.root.absolute()),
            "allow_damaged": bool(self.report.damaged),
        }


def index_class_tars(source: Path | str, *, allow_damaged: bool = False) -> ClassTarSource:
    """Index `<source>/<class>.tar`, or `<source>/{train,val}/<class>.tar` (see `folder_layout`).

    A class is a tar's name, a sample's id `class/member` without the extension; a leading
    `class/` of the member's name is dropped. Hidden members, links and members without an image
    suffix are counted, not read.

    Raises InputError for: no such folder; no tar or no image; compressed or damaged tars (with
    `allow_damaged` the readable part is used, and the report names them); two members with one
    id; a name that is not UTF-8 or holds a line break; no training images.
    """
    root = Path(source)
    if not root.is_dir():
        found = "is a file" if root.exists() else "does not exist"
        raise InputError(f"source {root} {found}; wanted a folder of tars, one per class")
    layout = find_layout(_TarTree(root), f"source {root}")
    tars = [
        (top.split, f"{top.path}/{name}" if top.path else name)
        for top in layout.tops
        for name in _tars(root / top.path)
    ]
    if not tars:
        raise InputError(f"source {root}: no tars in it; wanted <source>/<class>.tar")
    builder = IndexBuilder(
        {"container": np.int32, "offset": np.int64, "size": np.int64}, source=f"source {root}"
    )
    containers = tuple(Container.found(root, name) for _, name in tars)
    damaged: list[tuple[str, str, int]] = []
    ignored = 0
    counts: dict[str, int] = {}
    scans = scan_tars([root / name for _, name in tars])
    for number, ((split, name), members) in enumerate(zip(tars, scans, strict=True)):
        class_name = name.rpartition("/")[2][: -len(".tar")]
        ids, suffixes, used = _images(class_name, members)
        if members.damage:
            damaged.append((name, members.damage, len(ids)))
        ignored += members.others + len(members.names) - len(ids)
        counts[class_name] = counts.get(class_name, 0) + len(ids)
        builder.add(
            ids,
            class_name,
            split,
            suffixes,
            container=number,
            offset=members.offsets[used],
            size=members.sizes[used],
        )
    check_damage(root, damaged, len(tars), allow_damaged)
    if not builder.n:
        raise InputError(
            f"source {root}: no images in {counted(len(tars), 'tar')} "
            f"({counted(ignored, 'other member')}); wanted members with a "
            "suffix such as .jpg, .png or .webp"
        )
    index, columns = builder.finish(lambda sample: place(containers, sample))
    report = SourceReport(
        tuple(sorted(name for name, count in counts.items() if not count)),
        ignored,
        tuple(f"{name}: {why}" for name, why, _ in damaged),
        (*layout.notes, *builder.notes),
    )
    return ClassTarSource(index, report, root, containers, **columns)


def place(containers: tuple[Container, ...], sample: dict[str, Any]) -> str:
    """Where a sample lies, in words, given its columns."""
    return f"{containers[int(sample['container'])].name} (byte {int(sample['offset'])})"


class _TarTree(ImageTree):
    """Folders of tars; a tar is what a class folder is in other layouts."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folders(self, path: str) -> list[str]:
        folder = self.root / path
        if _tars(folder):
            return []
        return sorted(p.name for p in folder.iterdir() if p.is_dir() and not is_litter(p.name))

    def images(self, path: str) -> list[str]:
        return []

    def holds_images(self, path: str) -> bool:
        return any(
            name.endswith(".tar") for _, _, files in os.walk(self.root / path) for name in files
        )

    def annotations(self, path: str) -> str | None:
        return None


def _tars(folder: Path) -> list[str]:
    names = []
    for path in sorted(folder.iterdir()):
        if is_litter(path.name) or path.is_dir():
            continue
        refuse_compressed(path)
        if path.suffix == ".tar":
            check_name(path.name, folder)
            names.append(path.name)
    return names


def _images(class_name: str, members: TarMembers) -> tuple[list[str], list[str], np.ndarray]:
    """Ids of the images of a tar, their suffixes, and which members they are."""
    ids, suffixes, used = [], [], []
    for position, name in enumerate(members.names):
        name = name.removeprefix(f"{class_name}/")
        if has_image_suffix(name) and not lies_in_litter(name):
            stem, dot, suffix = name.rpartition(".")
            ids.append(f"{class_name}/{stem}")
            suffixes.append(dot + suffix)
            used.append(position)
    return ids, suffixes, np.array(used, np.int64)


KIND = SourceKind(
    "class-tars",
    index_class_tars,
    takes=("allow_damaged",),
    saved={"ClassTarSource": ".tars"},
)
