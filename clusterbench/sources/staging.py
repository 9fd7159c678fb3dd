"""Images of tables written once into flat files, so that any order of reading is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..files import atomic_path
from .containers import OffsetSource
from .parquet import ParquetSource
from .source import BrokenImage, Container
from .table_files import TableFile

_FORMAT = "clusterbench-staged/1"


@dataclass(frozen=True, eq=False)
class StagedSource(OffsetSource):
    """The images of tables, in flat files that `stage` has written; same index as the tables."""

    FORMAT = "parquet"

    tables: dict[str, Any]  # location of the tables

    def read(self, row: int) -> bytes:
        """The bytes of one image; BrokenImage where the table holds none (see OffsetSource)."""
        if not self.size[row]:
            raise BrokenImage("the table holds no bytes for it")
        return super().read(row)

    def location(self) -> dict[str, Any]:
        """That of the tables, and the folder of the flat files."""
        return {**self.tables, "staged": str(self.root.absolute())}


def stage(source: ParquetSource, folder: Path | str) -> StagedSource:
    """Write the images of each table into `<folder>/<number>-<table>.bin`, in the table's order.

    One pass from the first to the last row of each table. A file is there whole or not at all
    (temporary name, fsync, rename), so a killed pass goes on with the first table that is missing,
    and a table that changed is done again. Takes as much disk as the images. Raises InputError for
    a table that cannot be read, StorageError for a full disk.
    """
    folder = Path(folder)
    n = source.index.n
    offset, size = np.zeros(n, np.int64), np.zeros(n, np.int64)
    containers = []
    for number, held in enumerate(source.containers):
        stem = held.name.replace("/", "_")
        target = folder / f"{number:05d}-{stem}.bin"
        lengths = _recorded(target, held, source.image)
        table = TableFile(source.root / held.name)
        if lengths is None:
            lengths = _write(table, source.image, target)
            _record(target, held, source.image, lengths)
        ends = np.cumsum(lengths)
        rows = np.flatnonzero(source.container == number)
        first = np.concatenate([[0], np.cumsum(table.rows)])
        at = first[source.group[rows]] + source.position[rows]
        offset[rows], size[rows] = ends[at] - lengths[at], lengths[at]
        containers.append(Container.of(folder, target.name))
    return StagedSource(
        source.index,
        source.report,
        folder,
        tuple(containers),
        source.container,
        offset,
        size,
        source.location(),
    )


def _write(table: TableFile, image: str, target: Path) -> np.ndarray:
    """(rows,) int64: bytes of each image, 0 for null."""
    lengths: list[np.ndarray] = []
    with atomic_path(target) as temporary, temporary.open("wb") as handle:
        for images in table.batches(image):
            contents = [value.as_py() or b"" for value in images]
            handle.writelines(contents)
            lengths.append(np.array([len(content) for content in contents], np.int64))
    return np.concatenate([np.zeros(0, np.int64), *lengths])


def _record(target: Path, held: Container, image: str, lengths: np.ndarray) -> None:
    record = target.with_suffix(".h5")
    with atomic_path(record) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(_facts(held, image))
        file.create_dataset("lengths", data=lengths)


def _recorded(target: Path, held: Container, image: str) -> np.ndarray | None:
    """Lengths of a finished file of the same table; None where it has to be written."""
    try:
        with h5py.File(target.with_suffix(".h5"), "r") as file:
            lengths: np.ndarray = file["lengths"][:]
            same = all(file.attrs.get(key) == value for key, value in _facts(held, image).items())
        return lengths if same and target.stat().st_size == lengths.sum() else None
    except (OSError, KeyError):
        return None


def _facts(held: Container, image: str) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "table": held.name,
        "size": held.size,
        "time": held.time,
        "image": image,
    }
