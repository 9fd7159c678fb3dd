"""What extraction reads from: encoded images in the order of an index, whatever holds them."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import require_regular
from ..errors import ClusterbenchError, InputError
from .dataset_index import DatasetIndex


class BrokenImage(ClusterbenchError):
    """An image that cannot be used; the message is the reason, the same on every machine."""


@dataclass(frozen=True)
class Container:
    """A file that holds many images, as it was when the index was made.

    name: POSIX path below the source's root. time: of the last change, ns since 1970.
    """

    name: str
    size: int
    time: int

    @classmethod
    def found(cls, root: Path, name: str) -> Container:
        """The container for an index; InputError when it is not there, or no regular file."""
        require_regular(root / name)
        return cls.of(root, name)

    @classmethod
    def of(cls, root: Path, name: str) -> Container:
        """The container as it is now; OSError when it is not there."""
        status = (root / name).stat()
        return cls(name, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class SourceReport:
    """What an index leaves out: classes without an image, and files or members that are none.

    `damaged` names containers that could not be read to their end, with the reason. `notes` are
    sentences on what was chosen or left out.
    """

    empty_classes: tuple[str, ...] = ()
    ignored: int = 0
    damaged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ImageSource(abc.ABC):
    """Encoded images of a data set; image r is sample r of `index`.

    A subclass says where each image is by arrays of one entry per sample, named in `COLUMNS`: at
    11 million samples there is no room for an object each. Sources pickle, and may be used in
    forked and spawned processes: what they open, they open per process.
    """

    #: Names of the fields that hold one entry per sample, beside the index.
    COLUMNS = ()  # type: tuple[str, ...]
    #: How `--format` calls this kind of source.
    FORMAT = ""

    index: DatasetIndex
    report: SourceReport

    @abc.abstractmethod
    def read(self, row: int) -> bytes:
        """The encoded bytes of one image.

        Raises BrokenImage for a fault of this image (gone, not to be read, cut off); faults of a
        disk or a network are OSErrors and stop the run.
        """

    @abc.abstractmethod
    def stamps(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """(sizes, times), each (stop - start,) int64, without reading an image.

        Size in bytes, -1 where there is nothing to read, 0 where it is not known without reading
        it; time of the last change in ns since 1970, 0 where it is not known.
        """

    @abc.abstractmethod
    def location(self) -> dict[str, Any]:
        """Where it is, as JSON that `open_source` makes the same source from."""

    def held_in(self) -> list[tuple[Path, Container]]:
        """Files that the columns depend on, and what they were when indexed; none by default."""
        return []

    def reading_order(self, rows: np.ndarray) -> np.ndarray:
        """Positions into `rows` in the order in which reading them is cheapest."""
        return np.arange(len(rows))

    def take(self, rows: np.ndarray, split: np.ndarray | None = None) -> ImageSource:
        """The source of some rows (ascending), perhaps with another split (len(rows),) uint8.

        Classes without a sample left are dropped from the class names.
        """
        index = self.index
        labels = index.labels[rows]
        kept, fresh = np.unique(labels, return_inverse=True)
        if not len(kept):
            raise InputError("no images are left")
        taken = DatasetIndex(
            index.ids[rows],
            tuple(index.class_names[label] for label in kept),
            fresh.reshape(-1).astype(np.int32),
            index.split[rows] if split is None else split,
        )
        columns = {name: getattr(self, name)[rows] for name in self.COLUMNS}
        return replace(self, index=taken, **columns)
