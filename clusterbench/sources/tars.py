"""One tar per class as a data set: `<source>/<class>.tar`, read in place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .containers import OffsetSource
from .folder import check_name, split_pair
from .image_files import has_image_suffix
from .index_builder import IndexBuilder
from .kinds import SourceKind
from .source import Container, SourceReport
from .tar_members import TarMembers, check_damage, refuse_compressed, scan_tars


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
    """Index `<source>/<class>.tar`, or `<source>/{train,val}/<class>.tar`.

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
    tops = _tops(root)
    tars = [(split, f"{top}{name}") for split, top in enumerate(tops) for name in _tars(root / top)]
    if not tars:
        raise InputError(f"source {root}: no tars in it; wanted <source>/<class>.tar")
    builder = IndexBuilder({"container": np.int32, "offset": np.int64, "size": np.int64})
    containers = tuple(Container.of(root, name) for _, name in tars)
    damaged: list[tuple[str, str, int]] = []
    ignored = 0
    counts: dict[str, int] = {}
    scans = scan_tars([root / name for _, name in tars])
    for number, ((split, name), members) in enumerate(zip(tars, scans, strict=True)):
        class_name = name.rpartition("/")[2][: -len(".tar")]
        ids, used = _images(class_name, members)
        if members.damage:
            damaged.append((name, members.damage, len(ids)))
        ignored += members.others + len(members.names) - len(ids)
        counts[class_name] = counts.get(class_name, 0) + len(ids)
        builder.add(
            ids,
            class_name,
            split,
            container=number,
            offset=members.offsets[used],
            size=members.sizes[used],
        )
    check_damage(root, damaged, len(tars), allow_damaged)
    if not builder.n:
        raise InputError(
            f"source {root}: no images in {len(tars)} tars ({ignored} other members); wanted "
            "members with a suffix such as .jpg, .png or .webp"
        )
    index, columns = builder.finish(lambda sample: place(containers, sample))
    if not len(index.rows("train")):
        raise InputError(f"source {root}: no training images; train/ holds none")
    report = SourceReport(
        tuple(sorted(name for name, count in counts.items() if not count)),
        ignored,
        tuple(f"{name}: {why}" for name, why, _ in damaged),
    )
    return ClassTarSource(index, report, root, containers, **columns)


def place(containers: tuple[Container, ...], sample: dict[str, Any]) -> str:
    """Where a sample lies, in words, given its columns."""
    return f"{containers[int(sample['container'])].name} (byte {int(sample['offset'])})"


def _tops(root: Path) -> tuple[str, ...]:
    folders = [p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")]
    if any(p.suffix == ".tar" for p in root.iterdir()):
        return ("",)
    pair = split_pair(root, folders)
    return (f"{pair[0]}/", f"{pair[1]}/") if pair else ("",)


def _tars(folder: Path) -> list[str]:
    names = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_dir():
            continue
        refuse_compressed(path)
        if path.suffix == ".tar":
            check_name(path.name, folder)
            names.append(path.name)
    return names


def _images(class_name: str, members: TarMembers) -> tuple[list[str], np.ndarray]:
    """Ids of the images of a tar, and which members they are."""
    ids, used = [], []
    for position, name in enumerate(members.names):
        name = name.removeprefix(f"{class_name}/")
        hidden = name.startswith(".") or "/." in name
        if not hidden and has_image_suffix(name):
            ids.append(f"{class_name}/{name.rpartition('.')[0]}")
            used.append(position)
    return ids, np.array(used, np.int64)


KIND = SourceKind(
    "class-tars",
    index_class_tars,
    takes=("allow_damaged",),
    saved={"ClassTarSource": ".tars"},
)
