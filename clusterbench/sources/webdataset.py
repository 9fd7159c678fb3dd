"""WebDataset shards as a data set: samples are members of a tar with one key, read in place."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import open_regular
from ..errors import InputError
from ..limits import NAMES, SIDECAR, FileKind
from .class_names import LabelledSamples, class_names_beside
from .containers import OffsetSource
from .folder import check_name
from .folder_layout import ANNOTATIONS, FolderLayout, find_layout
from .image_files import has_image_suffix
from .kinds import SourceKind
from .litter import is_litter, lies_in_litter
from .sample_ids import id_from_key
from .source import Container, SourceReport
from .splits import container_splits, evaluated, left_out_note, of_folder
from .tar_members import TarMembers, check_damage, refuse_compressed, scan_tars
from .tar_tree import TarTree
from .tars import place
from .words import counted

_CLASS_FIELDS = ("class", "class_name", "synset", "label", "cls")
_NAME_FIELDS = ("filename", "key")


@dataclass(frozen=True, eq=False)
class WebDatasetSource(OffsetSource):
    """Images in WebDataset shards."""

    FORMAT = "webdataset"

    source: Path  # a folder of shards, or one shard
    class_names: tuple[str, ...] | None

    def location(self) -> dict[str, Any]:
        """Format, folder or shard, class names given, and whether damaged shards are used."""
        return {
            "format": self.FORMAT,
            "source": str(self.source.absolute()),
            "class_names": self.class_names,
            "allow_damaged": bool(self.report.damaged),
        }


def index_webdataset(
    source: Path | str,
    *,
    class_names: Sequence[str] | None = None,
    allow_damaged: bool = False,
) -> WebDatasetSource:
    """Index the `*.tar` below a folder, or one shard.

    A sample is the members with one key: the path up to the first dot of its last part. Exactly
    one of them is an image; what has none is counted. Its class is, in this order: the folder that
    `folder_layout.find_layout` takes for a class, mostly the first of the key; the text of `.cls`
    or `.cls.txt`; class, class_name, synset, label or cls of `.json`. A number is a place in
    `class_names`, or in a list beside the shards (classnames.txt, class_names.txt, labels.txt),
    else the class is the number. A folder that is the same for all samples, and one that is a
    split, is no class when there are labels. The id is class/name, the name being the image
    member's without its suffix (or filename or key of `.json`). Splits are those of folders within
    the tars, else of the shards' names or folders (train, val, validation, test).

    Raises InputError for: no shard or no image; compressed or damaged shards (see
    `index_class_tars`); a sample without a class or with several images; two samples with one id;
    a number without a class name; no training images; whatever `find_layout` refuses.
    """
    path = Path(source)
    root, names = _shards(path)
    splits = container_splits(names)
    used = [name for name in names if name in splits]
    containers = tuple(Container.found(root, name) for name in used)
    given = tuple(class_names) if class_names is not None else class_names_beside(root)
    where = f"source {path}"
    left_out = None
    while True:
        reading = _Reading(root, containers, where, left_out)
        for number, members in enumerate(scan_tars([root / name for name in used])):
            reading.add_shard(number, members, splits[used[number]])
        check_damage(root, reading.damaged, len(used), allow_damaged)
        if left_out is not None or not reading.folders_are_no_classes:
            break
        left_out = reading.left_out()
    notes = (*left_out_note(names, splits, "shards"), *reading.resolve_folders())
    if left_out:
        notes += (f"{', '.join(left_out)} left out: val is there, and evaluates",)
    if not reading.samples.n:
        why = f": {reading.without_image}" if reading.without_image else ""
        raise InputError(
            f"{where}: no images in {counted(len(used), 'shard')} "
            f"({counted(reading.ignored, 'other member')}){why}"
        )
    if reading.n_without_image:
        notes += (
            f"{counted(reading.n_without_image, 'sample has', 'samples have')} no image and "
            f"{'is' if reading.n_without_image == 1 else 'are'} left out (first: "
            f"{reading.without_image})",
        )
    index, columns = reading.samples.finish(
        given, id_from_key, lambda sample: place(containers, sample)
    )
    report = SourceReport(
        ignored=reading.ignored + len(names) - len(used),
        damaged=tuple(f"{name}: {why}" for name, why, _ in reading.damaged),
        notes=(*notes, *reading.samples.notes),
    )
    return WebDatasetSource(
        index,
        report,
        root,
        containers,
        **columns,
        source=path,
        class_names=tuple(class_names) if class_names is not None else None,
    )


@dataclass
class _Sample:
    """Members of one key, by their number in the tar."""

    images: list[int] = field(default_factory=list)
    label: int = -1
    facts: int = -1


@dataclass
class _Found:
    """Samples of a shard, and what is to be known of each."""

    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    splits: list[int] = field(default_factory=list)


class _Reading:
    """Collects the samples of one shard after the other.

    no_classes: None where folders are classes; else they are not, and these are left out.
    """

    def __init__(
        self,
        root: Path,
        containers: tuple[Container, ...],
        where: str,
        no_classes: tuple[str, ...] | None,
    ) -> None:
        self.root, self.containers, self.where = root, containers, where
        self.no_classes = no_classes
        self.samples = LabelledSamples(
            {"container": np.int32, "offset": np.int64, "size": np.int64}, where
        )
        self.ignored = 0
        self.sidecars = False
        self.damaged: list[tuple[str, str, int]] = []
        self.n_without_image = 0
        self.without_image = ""  # the first, in words
        self._tree = TarTree()
        # Samples whose class is a folder, not known before all have been seen.
        self._waiting: list[tuple[np.ndarray, int, dict[str, Any]]] = []

    @property
    def folders_are_no_classes(self) -> bool:
        """Whether samples have labels, and folders that are the same for all, or splits."""
        first = self._tree.folders("")
        return self.sidecars and (
            len(first) == 1 or (len(first) > 1 and all(of_folder(name)[1] for name in first))
        )

    def left_out(self) -> tuple[str, ...]:
        """First folders that are splits and not used: neither train nor what evaluates."""
        split = {f"{name}/": of_folder(name)[1] for name in self._tree.folders("")}
        used = ("", "train", evaluated(split.values()))
        return tuple(name for name, said in split.items() if said not in used)

    def add_shard(self, number: int, members: TarMembers, split: int) -> None:
        """Add the samples of one shard; `split` is what its name says."""
        shard = self.containers[number].name
        samples = self._grouped(members)
        labelled, waiting = _Found(), _Found()
        with open_regular(self.root / shard) as handle:
            descriptor = handle.fileno()
            for position in self._annotations(members):
                self._tree.add_annotations(
                    members.names[position].rpartition("/")[0],
                    _content(descriptor, members, position, NAMES).decode(errors="replace"),
                )
            for key, sample in samples.items():
                image = _one_image(sample, members, f"{self.root / shard}: sample {key!r}")
                if image < 0:
                    if not members.damage:  # else its image may lie behind the damage
                        self.n_without_image += 1
                        self.ignored += 1
                        self.without_image = self.without_image or (
                            f"{self.root / shard}: sample {key!r} has no image; wanted a member "
                            f"such as {key}.jpg"
                        )
                    continue
                member = members.names[image]
                if self.no_classes and member.startswith(self.no_classes):
                    self.ignored += 1
                    continue
                if self.no_classes is None and "/" in member:
                    self._tree.add_image(member)
                    waiting.names.append(member)
                    waiting.images.append(image)
                    continue
                label, name = self._described(descriptor, members, sample, member)
                if not label:
                    if members.damage:
                        continue
                    raise InputError(
                        f"{self.root / shard}: sample {key!r} has no class; wanted a folder in its "
                        f"name (class/{member}), {key}.cls, or {key}.json with one of "
                        f"{', '.join(_CLASS_FIELDS)}"
                    )
                labelled.names.append(name)
                labelled.labels.append(label)
                labelled.images.append(image)
                labelled.splits.append(_split_of(member, split))
        n = len(labelled.images) + len(waiting.images)
        if members.damage:
            self.damaged.append((shard, members.damage, n))
        if waiting.images:
            names = np.array([name.encode() for name in waiting.names])
            self._waiting.append((names, split, _places(number, members, waiting.images)))
        self.samples.add(
            labelled.names,
            labelled.labels,
            np.array(labelled.splits, np.uint8),
            lambda place: f"{self.root / shard}: sample {labelled.names[place]!r}",
            **_places(number, members, labelled.images),
        )

    def resolve_folders(self) -> tuple[str, ...]:
        """Give the samples that lie in folders their classes; notes on what was chosen."""
        if not self._waiting:
            return ()
        layout = find_layout(self._tree, self.where)
        self._waiting.reverse()
        while self._waiting:
            names, split, columns = self._waiting.pop()
            found, kept = _Found(), []
            for place_, encoded in enumerate(names.tolist()):
                placed = _in_layout(layout, encoded.decode(), split)
                if placed is None:
                    self.ignored += 1
                    continue
                label, name, of = placed
                found.labels.append(label)
                found.names.append(name)
                found.splits.append(of)
                kept.append(place_)
            self.samples.add(
                found.names,
                found.labels,
                np.array(found.splits, np.uint8),
                **{
                    name: values if np.ndim(values) == 0 else values[kept]
                    for name, values in columns.items()
                },
            )
        return layout.notes

    def _annotations(self, members: TarMembers) -> Iterator[int]:
        return (
            position
            for position, name in enumerate(members.names)
            if name.endswith(f"/{ANNOTATIONS}")
        )

    def _grouped(self, members: TarMembers) -> dict[str, _Sample]:
        samples: dict[str, _Sample] = {}
        self.ignored += members.others
        for position, name in enumerate(members.names):
            folder, _, base = name.rpartition("/")
            if lies_in_litter(name):
                self.ignored += 1
                continue
            stem, _, suffix = base.partition(".")
            key, suffix = f"{folder}/{stem}" if folder else stem, suffix.lower()
            if has_image_suffix(name):
                samples.setdefault(key, _Sample()).images.append(position)
            elif suffix in ("cls", "cls.txt"):
                samples.setdefault(key, _Sample()).label = position
                self.sidecars = True
            elif suffix == "json":
                samples.setdefault(key, _Sample()).facts = position
            else:
                self.ignored += 1
        return samples

    def _described(
        self, descriptor: int, members: TarMembers, sample: _Sample, member: str
    ) -> tuple[str, str]:
        """(label, name) of a sample by its other members; the label is empty where none says it."""
        name = os.path.splitext(member)[0].rpartition("/")[2]  # noqa: PTH122 - once per image
        if sample.label >= 0:
            content = _content(descriptor, members, sample.label, SIDECAR)
            return content.decode(errors="replace").strip(), name
        if sample.facts < 0:
            return "", name
        try:
            facts = json.loads(_content(descriptor, members, sample.facts, SIDECAR))
        except (ValueError, RecursionError):
            facts = None
        if not isinstance(facts, dict):
            return "", name
        label = next((facts[k] for k in _CLASS_FIELDS if isinstance(facts.get(k), (str, int))), "")
        called = next((facts[k] for k in _NAME_FIELDS if isinstance(facts.get(k), str)), name)
        self.sidecars = self.sidecars or label != ""
        return str(label).strip(), called


def _split_of(member: str, split: int) -> int:
    """The split of a sample with a label: what its first folder says, else `split`."""
    said = of_folder(member.split("/")[0])[1] if "/" in member else ""
    return {"": split, "train": 0}.get(said, 1)


def _content(descriptor: int, members: TarMembers, position: int, kind: FileKind) -> bytes:
    size = int(members.sizes[position])
    if size > kind.largest:
        raise InputError(
            f"member {members.names[position]!r} has {size:,} bytes; {kind.what} has at most "
            f"{kind.largest:,}"
        )
    return os.pread(descriptor, size, int(members.offsets[position]))


def _places(number: int, members: TarMembers, images: list[int]) -> dict[str, Any]:
    at = np.array(images, np.int64)
    return {"container": number, "offset": members.offsets[at], "size": members.sizes[at]}


def _in_layout(layout: FolderLayout, member: str, split: int) -> tuple[str, str, int] | None:
    """(class, name, split) of a member, None where the layout leaves it out."""
    for top in layout.tops:
        if top.path and not member.startswith(f"{top.path}/"):
            continue
        inner = member[len(top.path) + 1 :] if top.path else member
        of = top.split if len(layout.tops) > 1 else max(top.split, split)
        if top.class_of is not None:
            stem = os.path.splitext(inner)[0]  # noqa: PTH122 - called once per image
            return (top.class_of[inner], stem, of) if inner in top.class_of else None
        folder, slash, rest = inner.partition("/")
        if slash:
            return folder, os.path.splitext(rest)[0], of  # noqa: PTH122
    return None


def _one_image(sample: _Sample, members: TarMembers, where: str) -> int:
    """The member that is the image, -1 for none: `x.jpg` goes before `x.mask.png`."""
    if len(sample.images) < 2:
        return sample.images[0] if sample.images else -1
    names = [members.names[position] for position in sample.images]
    plain = [
        p for p, n in zip(sample.images, names, strict=True) if n.rpartition("/")[2].count(".") == 1
    ]
    if len(plain) != 1:
        raise InputError(
            f"{where} has {len(names)} images ({names[0]}, {names[1]}); wanted one. A key ends at "
            "the first dot of a name"
        )
    return plain[0]


def _shards(path: Path) -> tuple[Path, list[str]]:
    """The root and the shards below it, in order."""
    if path.exists() and not path.is_dir():
        refuse_compressed(path)
        return path.parent, [path.name]
    if not path.is_dir():
        raise InputError(f"source {path} does not exist; wanted WebDataset shards (*.tar)")
    names = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not is_litter(name)]
        for name in files:
            if is_litter(name):
                continue
            refuse_compressed(Path(folder, name))
            if name.endswith(".tar"):
                check_name(name, Path(folder))
                names.append(Path(folder, name).relative_to(path).as_posix())
    if not names:
        raise InputError(f"source {path}: no shards (*.tar) in it")
    return path, sorted(names)


KIND = SourceKind(
    "webdataset",
    index_webdataset,
    takes=("class_names", "allow_damaged"),
    suffixes=(".tar",),
    saved={"WebDatasetSource": ".webdataset"},
)
