"""WebDataset shards as a data set: samples are members of a tar with one key, read in place."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .class_names import LabelledSamples, class_names_beside
from .containers import OffsetSource
from .folder import check_name
from .image_files import has_image_suffix
from .kinds import SourceKind
from .sample_ids import container_splits, id_from_key
from .source import Container, SourceReport
from .tar_members import TarMembers, check_damage, refuse_compressed, scan_tars
from .tars import place

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
    one of them is an image. Its class is, in this order: the first folder of the key; the text of
    `.cls` or `.cls.txt`; class, class_name, synset, label or cls of `.json`. A number is a place in
    `class_names`, or in a list beside the shards (classnames.txt, class_names.txt, labels.txt),
    else the class is the number. A folder that is the same for all samples is no class when there
    are labels. The id is class/name, the name being the image member's without its suffix (or
    filename or key of `.json`). Splits are those of the shards' names or folders (train, val,
    validation, test).

    Raises InputError for: no shard or no image; compressed or damaged shards (see
    `index_class_tars`); a sample without a class or with several images; two samples with one id;
    a number without a class name; no training images.
    """
    path = Path(source)
    root, names = _shards(path)
    splits = container_splits(names)
    used = [name for name in names if name in splits]
    containers = tuple(Container.of(root, name) for name in used)
    given = tuple(class_names) if class_names is not None else class_names_beside(root)
    for folders in (True, False):
        reading = _Reading(root, containers, folders)
        for number, members in enumerate(scan_tars([root / name for name in used])):
            reading.add_shard(number, members, splits[used[number]])
        check_damage(root, reading.damaged, len(used), allow_damaged)
        if not (folders and reading.n_folders == 1 and reading.sidecars):
            break
    if not reading.samples.n:
        raise InputError(
            f"source {path}: no images in {len(used)} shards ({reading.ignored} other members)"
        )
    index, columns = reading.samples.finish(
        given, id_from_key, f"source {path}", lambda sample: place(containers, sample)
    )
    if not len(index.rows("train")):
        raise InputError(f"source {path}: no training images; all shards are named as validation")
    report = SourceReport(
        ignored=reading.ignored + len(names) - len(used),
        damaged=tuple(f"{name}: {why}" for name, why, _ in reading.damaged),
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


class _Reading:
    """Collects the samples of one shard after the other."""

    def __init__(self, root: Path, containers: tuple[Container, ...], folders: bool) -> None:
        self.root, self.containers, self.folders = root, containers, folders
        self.samples = LabelledSamples(
            {"container": np.int32, "offset": np.int64, "size": np.int64}
        )
        self.ignored = 0
        self.sidecars = False
        self.damaged: list[tuple[str, str, int]] = []
        self._folders: set[str] = set()

    @property
    def n_folders(self) -> int:
        """Number of different folders that were taken for a class."""
        return len(self._folders)

    def add_shard(self, number: int, members: TarMembers, split: int) -> None:
        shard = self.containers[number].name
        samples = self._grouped(members)
        names, labels, images = [], [], []
        with (self.root / shard).open("rb") as handle:
            for key, sample in samples.items():
                image = _one_image(sample, members, f"{self.root / shard}: sample {key!r}")
                if image < 0:
                    if members.damage:  # its image may lie behind the damage
                        continue
                    raise InputError(
                        f"{self.root / shard}: sample {key!r} has no image; wanted a member such "
                        f"as {key}.jpg"
                    )
                member = members.names[image]
                label, name = self._described(handle.fileno(), members, sample, member)
                if not label:
                    if members.damage:
                        continue
                    raise InputError(
                        f"{self.root / shard}: sample {key!r} has no class; wanted a folder in its "
                        f"name (class/{member}), {key}.cls, or {key}.json with one of "
                        f"{', '.join(_CLASS_FIELDS)}"
                    )
                names.append(name)
                labels.append(label)
                images.append(image)
        if members.damage:
            self.damaged.append((shard, members.damage, len(images)))
        at = np.array(images, np.int64)
        self.samples.add(
            names,
            labels,
            split,
            container=number,
            offset=members.offsets[at],
            size=members.sizes[at],
        )

    def _grouped(self, members: TarMembers) -> dict[str, _Sample]:
        samples: dict[str, _Sample] = {}
        self.ignored += members.others
        for position, name in enumerate(members.names):
            folder, _, base = name.rpartition("/")
            if base.startswith(".") or name.startswith(".") or "/." in folder:
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
        """(label, name) of a sample; the label is empty where there is none."""
        stem = os.path.splitext(member)[0]  # noqa: PTH122 - called once per image
        folder, slash, inner = stem.partition("/")
        name = stem.rpartition("/")[2]
        if slash and self.folders:
            self._folders.add(folder)
            return folder, inner
        if sample.label >= 0:
            content = os.pread(
                descriptor,
                int(members.sizes[sample.label]),
                int(members.offsets[sample.label]),
            )
            return content.decode(errors="replace").strip(), name
        if sample.facts < 0:
            return "", name
        content = os.pread(
            descriptor, int(members.sizes[sample.facts]), int(members.offsets[sample.facts])
        )
        try:
            facts = json.loads(content)
        except ValueError:
            facts = None
        if not isinstance(facts, dict):
            return "", name
        label = next((facts[k] for k in _CLASS_FIELDS if facts.get(k) is not None), "")
        called = next((facts[k] for k in _NAME_FIELDS if isinstance(facts.get(k), str)), name)
        self.sidecars = self.sidecars or label != ""
        return str(label).strip(), called


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
    if path.is_file():
        refuse_compressed(path)
        return path.parent, [path.name]
    if not path.is_dir():
        raise InputError(f"source {path} does not exist; wanted WebDataset shards (*.tar)")
    names = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.startswith("."):
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
