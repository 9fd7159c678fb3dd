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

from ..errors import InputError
from ..files import atomic_path

Split = Literal["train", "val"]
SPLITS: dict[str, int] = {"train": 0, "val": 1}

_FORMAT = "clusterbench-index/1"
_CHUNK = 1 << 20  # ids hashed at a time


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

    def save(self, path: Path) -> None:
        """Write the index as one HDF5 file, atomically; its chunks carry checksums."""
        options = {"compression": "gzip", "shuffle": True, "fletcher32": True} if self.n else {}
        with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as file:
            file.attrs["format"] = _FORMAT
            file.attrs["hash"] = self.hash
            file.create_dataset("ids", data=self.ids, **options)
            file.create_dataset("labels", data=self.labels, **options)
            file.create_dataset("split", data=self.split, **options)
            names = np.asarray(self.class_names, dtype=object)
            file.create_dataset("class_names", data=names, dtype=h5py.string_dtype())

    @classmethod
    def load(cls, path: Path) -> DatasetIndex:
        """Read an index; InputError when it is missing, damaged, or not what its hash says."""
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such index file")
        try:
            with h5py.File(path, "r") as file:
                found = file.attrs.get("format")
                if found != _FORMAT:
                    raise InputError(f"{path}: format is {found!r}; wanted {_FORMAT!r}")
                recorded = file.attrs["hash"]
                names = tuple(name.decode() for name in file["class_names"][:])
                index = cls(file["ids"][:], names, file["labels"][:], file["split"][:])
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: damaged, or not an HDF5 index file ({error})") from error
        if index.hash != recorded:
            raise InputError(
                f"{path}: its contents hash to {index.hash[:12]}, but it records "
                f"{str(recorded)[:12]}: the file was changed or damaged; make it again"
            )
        return index


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
    for before, after in pairwise(names):
        if before == after:
            raise InputError(f"index: class name {after!r} occurs twice")
        if before > after:
            raise InputError(f"index: class name {after!r} follows {before!r}; wanted sorted names")


def _check_ids(ids: np.ndarray) -> None:
    # Ids are mostly in order already: a stable sort (timsort) is then linear.
    ordered = ids if (ids[1:] > ids[:-1]).all() else np.sort(ids, kind="stable")
    twice = ordered[1:] == ordered[:-1]
    if twice.any():
        found = _text(ordered[int(np.argmax(twice))])
        raise InputError(f"index: id {found} occurs twice; ids identify samples")
    if len(ids) and (ordered[0] == b"" or (np.char.find(ids, b"\n") >= 0).any()):
        raise InputError("index: an id is empty or holds a line break; rename that sample")


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
