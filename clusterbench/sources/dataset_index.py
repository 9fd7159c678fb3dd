"""The index of a data set: which samples there are, in which order, with which class and split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from ..doors import require_regular
from ..errors import InputError
from ..hdf5_files import DAMAGED_ERRORS, create_hdf5, open_hdf5, text_attribute
from ..limits import ROWS
from .index_names import check_class_names, check_sample_ids

Split = Literal["train", "val"]
SPLITS: dict[str, int] = {"train": 0, "val": 1}

_FORMAT = "clusterbench-index/1"
_CHUNK = 1 << 20  # ids hashed at a time
_STORED_CHUNK = 1 << 16  # entries in one chunk of the file
_EASY = 64 << 20  # bytes that are read whatever the size of the file
_PACKED = 200  # times that columns may be larger than their file: ids differ little


class DuplicateIdError(InputError):
    """Two samples have one id; `identifier` holds it, as bytes."""

    def __init__(self, identifier: bytes) -> None:
        super().__init__(f"index: id {_text(identifier)} occurs twice; ids identify samples")
        self.identifier = identifier


@dataclass(frozen=True, eq=False)
class DatasetIndex:
    """Samples of a data set in their one order: by class name, then by id, in byte order.

    ids:          (n,) bytes `S<width>`, UTF-8: the POSIX path `class/file` without its extension
    class_names:  sorted; label i is class_names[i]; a class may have no sample left
    labels:       (n,) int32, ascending
    split:        (n,) uint8: 0 = train, 1 = val

    Row r of a feature store is sample r of its index. Arrays are stored read-only. Raises
    InputError for wrong dtypes, lengths or label ranges, for a wrong order, and for an id that
    occurs twice.
    """

    ids: np.ndarray
    class_names: tuple[str, ...]
    labels: np.ndarray
    split: np.ndarray

    def __post_init__(self) -> None:
        ids = np.asarray(self.ids)
        if ids.dtype.kind != "S" or ids.ndim != 1:
            raise InputError(
                f"index: ids are {ids.dtype} with shape {ids.shape}; "
                "wanted one-dimensional UTF-8 bytes (numpy dtype 'S<width>')"
            )
        labels = _integers("labels", self.labels, np.int32, len(ids))
        split = _integers("split", self.split, np.uint8, len(ids))
        names = tuple(self.class_names)
        _check_class_names(names)
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
            raise InputError(
                f"index: labels run from {labels.min()} to {labels.max()}; "
                f"there are {len(names)} class names, so wanted 0 to {len(names) - 1}"
            )
        if len(split) and split.max() > 1:
            raise InputError(f"index: split holds {split.max()}; wanted 0 (train) or 1 (val)")
        _check_ids(ids)
        _check_order(ids, labels)
        for name, value in (("ids", ids), ("labels", labels), ("split", split)):
            value = value.view()
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        object.__setattr__(self, "class_names", names)

    @classmethod
    def from_samples(
        cls,
        ids: Sequence[str] | Sequence[bytes] | np.ndarray,
        classes: Sequence[str] | np.ndarray,
        split: Sequence[int] | np.ndarray | None = None,
    ) -> tuple[DatasetIndex, np.ndarray]:
        """Index of samples given in any order, and the order they were put in.

        `classes` holds one class name per sample. Returns (index, order) with `order` (n,) int64
        such that sample r of the index is sample order[r] of the input: `features[order]`.
        """
        id_array = np.asarray(
            [i.encode() if isinstance(i, str) else i for i in ids], dtype=np.bytes_
        )
        names, labels = np.unique(np.asarray(classes, dtype=np.str_), return_inverse=True)
        if len(labels) != len(id_array):
            raise InputError(f"index: {len(id_array)} ids, but {len(labels)} class names")
        splits = np.zeros(len(labels), np.uint8) if split is None else np.asarray(split)
        if len(splits) != len(labels):
            raise InputError(f"index: {len(id_array)} ids, but {len(splits)} split values")
        order = np.lexsort((id_array, labels)).astype(np.int64)
        index = cls(
            id_array[order],
            tuple(str(name) for name in names),
            labels.reshape(-1)[order].astype(np.int32),
            splits[order],
        )
        return index, order

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.ids)

    @property
    def n_classes(self) -> int:
        """Number of class names, counting classes without a sample."""
        return len(self.class_names)

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 that identifies the data set: ids, class names, labels and split."""
        digest = hashlib.sha256(f"{_FORMAT}\n{self.n}\n".encode())
        for start in range(0, self.n, _CHUNK):
            digest.update(b"\n".join(self.ids[start : start + _CHUNK].tolist()) + b"\n")
        digest.update(json.dumps(self.class_names, ensure_ascii=False).encode() + b"\n")
        digest.update(np.ascontiguousarray(self.labels, "<i4").data)
        digest.update(np.ascontiguousarray(self.split).data)
        return digest.hexdigest()

    def rows(self, split: Split) -> np.ndarray:
        """(m,) int64, ascending: the rows of one split."""
        if split not in SPLITS:
            raise InputError(f"unknown split {split!r}; wanted 'train' or 'val'")
        return np.flatnonzero(self.split == SPLITS[split]).astype(np.int64)

    def take(self, rows: np.ndarray) -> DatasetIndex:
        """The index of some rows (ascending, or a boolean mask); class names stay as they are."""
        return DatasetIndex(self.ids[rows], self.class_names, self.labels[rows], self.split[rows])

    def id(self, row: int) -> str:
        """The id of one row, as text."""
        return bytes(self.ids[row]).decode()

    def find(self, ids: Sequence[str] | Sequence[bytes] | np.ndarray) -> np.ndarray:
        """(m,) int64: the row of each of some ids, in any order, repeated or not.

        Raises InputError naming the first id that is not there.
        """
        wanted = _as_bytes(ids)
        if not len(wanted):
            return np.zeros(0, np.int64)
        if not self.n:
            raise InputError(f"index: it is empty; {len(wanted)} ids were looked for")
        width = self.ids.dtype.itemsize
        # One width on both sides: numpy would copy all ids to the wider of the two.
        cut = wanted.astype(f"S{width}")
        order = np.argsort(cut, kind="stable")  # neighbours are found in the same cache lines
        cut_sorted = cut[order]
        by_id = self._order
        if by_id is None:
            rows = np.searchsorted(self.ids, cut_sorted)
        else:
            rows = np.searchsorted(self.ids, cut_sorted, sorter=by_id)
        inside = np.minimum(rows, self.n - 1)
        found = np.empty(len(wanted), np.int64)
        found[order] = inside if by_id is None else by_id[inside]
        missing = (self.ids[found] != cut) | (np.strings.str_len(wanted) > width)
        if missing.any():
            raise InputError(
                f"index: {int(missing.sum())} of {len(wanted)} ids are not in it "
                f"(first: {_text(wanted[int(np.argmax(missing))])}); an id is class/file without "
                "the extension"
            )
        return found

    @cached_property
    def _order(self) -> np.ndarray | None:
        """Rows in byte order of the ids; None where that is their order (most data sets)."""
        if _ascending(self.ids):
            return None
        return np.argsort(self.ids, kind="stable")

    def save(self, path: Path) -> None:
        """Write the index as one HDF5 file, atomically; its chunks carry checksums."""
        with create_hdf5(Path(path)) as file:
            self.write(file)

    def write(self, file: h5py.File) -> None:
        """Write the index into an HDF5 file that is open; `load` reads it, whatever else is there.

        Raises nothing of its own: errors are those of h5py.
        """
        file.attrs["format"] = _FORMAT
        file.attrs["hash"] = self.hash
        write_column(file, "ids", self.ids)
        write_column(file, "labels", self.labels)
        write_column(file, "split", self.split)
        names = np.asarray(self.class_names, dtype=object)
        file.create_dataset("class_names", data=names, dtype=h5py.string_dtype())

    @classmethod
    def load(cls, path: Path) -> DatasetIndex:
        """Read an index; InputError when it is missing, damaged, or not what its hash says."""
        path = Path(path)
        if not path.exists():
            raise InputError(f"{path}: no such index file")
        require_regular(path)
        try:
            with open_hdf5(path) as file:
                found = text_attribute(file, "format") if "format" in file.attrs else None
                if found != _FORMAT:
                    raise InputError(f"{path}: format is {found!r}; wanted {_FORMAT!r}")
                recorded = text_attribute(file, "hash")
                names = tuple(name.decode() for name in read_column(file, "class_names", path))
                ids, labels, split = (
                    read_column(file, n, path) for n in ("ids", "labels", "split")
                )
                index = cls(ids, names, labels, split)
        except InputError as error:
            text = str(error)
            raise InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from error
        except DAMAGED_ERRORS as error:
            raise InputError(f"{path}: damaged, or not an HDF5 index file ({error})") from error
        if index.hash != recorded:
            raise InputError(
                f"{path}: its contents hash to {index.hash[:12]}, but it records "
                f"{str(recorded)[:12]}: the file was changed or damaged; make it again"
            )
        return index


def write_column(group: h5py.Group, name: str, values: np.ndarray) -> None:
    """Write one array of an entry per sample, compressed and with a checksum for each chunk."""
    # The lowest level: a higher one takes several times as long for a few per cent.
    options = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
    if len(values):
        options["chunks"] = (min(len(values), _STORED_CHUNK),)
    group.create_dataset(name, data=values, **(options if len(values) else {}))


def read_column(group: h5py.Group, name: str, path: Path) -> np.ndarray:
    """One array of an entry per sample, which `write_column` wrote.

    Its size is looked at before it is read: InputError for one that is not one-dimensional, or is
    much larger than a file of its size can hold.
    """
    found = group[name]
    if not isinstance(found, h5py.Dataset) or found.ndim != 1:
        raise InputError(f"{path}: {name} is no column of an index; make it again")
    held = path.stat().st_size
    if found.shape[0] > ROWS or found.nbytes > max(_EASY, _PACKED * held):
        raise InputError(
            f"{path}: {name} would take {found.nbytes:,} bytes, of a file of {held:,}; make the "
            "index again"
        )
    if found.external or found.is_virtual:
        raise InputError(f"{path}: {name} lies in another file; wanted an index of its own")
    values: np.ndarray = found[:]
    return values


def _as_bytes(ids: Sequence[str] | Sequence[bytes] | np.ndarray) -> np.ndarray:
    if isinstance(ids, np.ndarray) and ids.dtype.kind == "S":
        return ids
    return np.array([i.encode() if isinstance(i, str) else i for i in ids], dtype=np.bytes_)


def _ascending(ids: np.ndarray) -> bool:
    """Whether each id is greater than the one before it."""
    return bool((ids[1:] > ids[:-1]).all())


def _integers(name: str, value: np.ndarray, dtype: type, n: int) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" and array.size:
        raise InputError(f"index: {name} are {array.dtype}; wanted integers")
    if array.shape != (n,):
        raise InputError(f"index: {name} have shape {array.shape}; wanted ({n},), one per id")
    limits = np.iinfo(dtype)
    if n and not limits.min <= array.min() <= array.max() <= limits.max:
        raise InputError(
            f"index: {name} run from {array.min()} to {array.max()}; "
            f"wanted {np.dtype(dtype).name} values"
        )
    return array.astype(dtype)


def _check_class_names(names: tuple[str, ...]) -> None:
    check_class_names(names, "index")
    for before, after in pairwise(names):
        if before == after:
            raise InputError(f"index: class name {after!r} occurs twice")
        if before > after:
            raise InputError(f"index: class name {after!r} follows {before!r}; wanted sorted names")


def _check_ids(ids: np.ndarray) -> None:
    if not _ascending(ids):
        # Ids are mostly in order already: a stable sort (timsort) is then linear.
        ordered = np.sort(ids, kind="stable")
        twice = ordered[1:] == ordered[:-1]
        if twice.any():
            raise DuplicateIdError(bytes(ordered[int(np.argmax(twice))]))
    check_sample_ids(ids, "index")


def _check_order(ids: np.ndarray, labels: np.ndarray) -> None:
    if len(ids) < 2:
        return
    step = np.diff(labels)
    wrong = (step < 0) | ((step == 0) & (ids[:-1] > ids[1:]))
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        raise InputError(
            f"index: id {_text(ids[row])} (row {row}, label {labels[row]}) follows "
            f"{_text(ids[row - 1])} (label {labels[row - 1]}); wanted samples ordered by class, "
            "then by id (DatasetIndex.from_samples puts them in order)"
        )


def _text(identifier: bytes) -> str:
    return repr(bytes(identifier).decode(errors="replace"))
