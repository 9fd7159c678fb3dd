"""Feature stores, reading: a folder of HDF5 shards seen as one (n, dim) array."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike

from ..datasets.index import DatasetIndex
from ..errors import InputError
from .identity import differences, identity_hash

FORMAT = "clusterbench-features/1"
MANIFEST = "store.json"
INDEX = "index.h5"
VIRTUAL = "features.h5"
BROKEN = "broken.jsonl"
PLAN = "extraction.json"
DATASET = "features"

_BLOCK_BYTES = 8 << 20  # read at a time
_GAP = 64  # rows nearer than this are read as one run


@dataclass(frozen=True)
class Shard:
    """One shard of a store: rows [first, first + rows) of the store."""

    path: Path
    first: int
    rows: int
    sha256: str


class FeatureStore:
    """Features of one encoder over one data set, on disk; row r is sample r of `index`.

    Open one with `FeatureStore.open(path)`, make one from an array with `FeatureStore.write`.
    Nothing is held in memory but the index; no file stays open between calls, so a store can be
    used in forked and spawned workers.

    Attributes: `path`, `n`, `dim`, `dtype` (on disk), `encoder` (name), `identity` (hex SHA-256 of
    everything that changes the numbers), `fields` (what the identity is the hash of), `shards`.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.n = int(manifest["n"])
        self.dim = int(manifest["dim"])
        self.dtype = np.dtype(manifest["dtype"])
        self.identity = str(manifest["identity"])
        self.fields: dict[str, Any] = manifest["fields"]
        self.encoder = str(self.fields["encoder"])
        self.broken = int(manifest["broken"])
        self.shard_identity = str(manifest["shard_identity"])
        self.shards = tuple(_shards(path, manifest["shards"]))

    @classmethod
    def open(cls, path: Path | str) -> FeatureStore:
        """Open a store and check that it is whole; contents are checked by `verify`.

        Raises InputError, naming the file, what was found and what to do, for: a missing folder; a
        folder that is not a store; an unfinished extraction; a shard that is missing, truncated,
        not HDF5, or of another identity; a manifest whose fields do not hash to its identity.
        """
        path = Path(path)
        manifest = _read_manifest(path)
        store = cls(path, manifest)
        for shard in store.shards:
            store._check_shard(shard)
        total = sum(shard.rows for shard in store.shards)
        if total != store.n:
            raise InputError(f"{path / MANIFEST}: shards hold {total:,} rows; wanted {store.n:,}")
        return store

    @classmethod
    def write(
        cls,
        path: Path | str,
        features: np.ndarray,
        index: DatasetIndex,
        *,
        encoder: str,
        details: dict[str, Any] | None = None,
        dtype: DTypeLike | None = None,
        shard_rows: int | None = None,
    ) -> FeatureStore:
        """Write features (n, dim) that are already there, row r for sample r of `index`.

        `details` is JSON: what made the features (model, weights, preprocessing, PCA). It enters
        the identity, as does a hash of the features themselves. `dtype` is float16 or float32, by
        default that of the array. Raises InputError for a shape that does not fit the index, NaN,
        infinities, values too large for the dtype, and a folder that holds another store.
        """
        from .writer import write_array

        write_array(Path(path), features, index, encoder, details or {}, dtype, shard_rows)
        return cls.open(path)

    @cached_property
    def index(self) -> DatasetIndex:
        """The samples, read on first use; InputError when it is not the store's index."""
        index = DatasetIndex.load(self.path / INDEX)
        if index.hash != self.fields["index"]:
            raise InputError(
                f"{self.path / INDEX}: hash {index.hash[:12]}; the store was made for "
                f"{str(self.fields['index'])[:12]}; extract the features again"
            )
        return index

    @property
    def nbytes(self) -> int:
        """Bytes of the features on disk."""
        return self.n * self.dim * int(self.dtype.itemsize)

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return (
            f"FeatureStore({str(self.path)!r}, encoder={self.encoder!r}, n={self.n}, "
            f"dim={self.dim}, dtype={self.dtype.name})"
        )

    def read(
        self, rows: slice | np.ndarray | None = None, dtype: DTypeLike = np.float32
    ) -> np.ndarray:
        """Features (m, dim) of the rows, in the caller's order, read in file order.

        `rows`: None for all, a slice, (m,) integers (any order, repeats allowed) or an (n,) boolean
        mask. Memory beyond the result: one block of 8 MB and 16 bytes per row. Raises InputError
        for rows out of range, a shard that changed since opening, and a NaN or an infinity, naming
        the sample.
        """
        wanted = self._rows(rows)
        out = np.empty((len(wanted), self.dim), dtype=dtype)
        if isinstance(wanted, range):
            for first, block in self.blocks(wanted.start, wanted.stop, dtype=dtype):
                out[first - wanted.start : first - wanted.start + len(block)] = block
            return out
        order = np.argsort(wanted, kind="stable")
        ordered = wanted[order]
        for shard in self.shards:
            low, high = np.searchsorted(ordered, [shard.first, shard.first + shard.rows])
            if low == high:
                continue
            with self._open(shard) as data:
                for a, b in _runs(ordered[low:high], self._block_rows):
                    a, b = a + low, b + low
                    first, last = int(ordered[a]), int(ordered[b - 1]) + 1
                    block = data[first - shard.first : last - shard.first]
                    picked = block[ordered[a:b] - first]
                    self._check_finite(picked, ordered[a:b])
                    out[order[a:b]] = picked
        return out

    def blocks(
        self, start: int = 0, stop: int | None = None, *, dtype: DTypeLike = np.float32
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, block (b, dim)) over rows [start, stop), in file order, ~8 MB each."""
        stop = self.n if stop is None else stop
        for shard in self.shards:
            low, high = max(start, shard.first), min(stop, shard.first + shard.rows)
            if low >= high:
                continue
            with self._open(shard) as data:
                for first in range(low, high, self._block_rows):
                    last = min(first + self._block_rows, high)
                    block = data[first - shard.first : last - shard.first]
                    self._check_finite(block, range(first, last))
                    yield first, block.astype(dtype, copy=False)

    def verify(self) -> list[str]:
        """Read everything again and compare with the checksums: one line per defect, or none."""
        from .writer import hash_rows

        problems = []
        for shard in self.shards:
            rows = f"rows {shard.first:,} to {shard.first + shard.rows - 1:,}"
            try:
                self._check_shard(shard)
                with self._open(shard) as data:
                    found = hash_rows(data, self._block_rows)
            except InputError as error:
                problems.append(f"{shard.path.name}: {error}")
                continue
            if found != shard.sha256:
                problems.append(
                    f"{shard.path.name}: contents ({rows}) hash to {found[:12]}, recorded "
                    f"{shard.sha256[:12]}; delete this file and extract again: only it is redone"
                )
        try:
            index = DatasetIndex.load(self.path / INDEX)
        except InputError as error:
            problems.append(f"{INDEX}: {error}")
        else:
            if index.hash != self.fields["index"] or index.n != self.n:
                problems.append(f"{INDEX}: not the index these features were made for")
        try:
            with h5py.File(self.path / VIRTUAL, "r") as file:
                shape = file[DATASET].shape
            if shape != (self.n, self.dim):
                problems.append(f"{VIRTUAL}: shape {shape}; wanted {(self.n, self.dim)}")
        except (OSError, KeyError) as error:
            problems.append(f"{VIRTUAL}: {error}")
        return problems

    @property
    def _block_rows(self) -> int:
        return max(1, _BLOCK_BYTES // (self.dim * int(self.dtype.itemsize)))

    def _open(self, shard: Shard) -> _OpenShard:
        return _OpenShard(shard, self.dim, self.dtype)

    def _check_shard(self, shard: Shard) -> None:
        with self._open(shard) as data:
            attributes = dict(data.file.attrs)
        if attributes.get("identity") != self.shard_identity:
            raise InputError(
                f"{shard.path}: identity {str(attributes.get('identity'))[:12]}; this store's "
                f"shards have {self.shard_identity[:12]}: the file belongs to another extraction; "
                "delete it and extract again"
            )

    def _rows(self, rows: slice | np.ndarray | None) -> range | np.ndarray:
        if rows is None:
            return range(self.n)
        if isinstance(rows, slice):
            chosen = range(self.n)[rows]
            return chosen if chosen.step == 1 else np.asarray(chosen, dtype=np.int64)
        array = np.asarray(rows)
        if array.dtype == np.bool_:
            if array.shape != (self.n,):
                raise InputError(f"rows: mask of shape {array.shape}; wanted ({self.n},)")
            return np.flatnonzero(array)
        if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
            raise InputError(
                f"rows: {array.dtype} of shape {array.shape}; wanted one-dimensional integers"
            )
        array = array.astype(np.int64)
        if len(array) and not 0 <= array.min() <= array.max() < self.n:
            raise InputError(
                f"rows: found {array.min()} to {array.max()}; wanted 0 to {self.n - 1} "
                f"({self.path} has {self.n} rows)"
            )
        return array

    def _check_finite(self, block: np.ndarray, rows: np.ndarray | range) -> None:
        bad = not_finite(block)
        if bad is not None:
            row = int(rows[bad])
            raise InputError(
                f"{self.path}: NaN or infinity in row {row} (sample {self.index.id(row)!r}); "
                "the store is damaged: `verify` names the shard"
            )


class _OpenShard:
    """Context manager: a shard's HDF5 dataset, its faults turned into InputErrors."""

    def __init__(self, shard: Shard, dim: int, dtype: np.dtype) -> None:
        self.shard, self.shape, self.dtype = shard, (shard.rows, dim), dtype

    def __enter__(self) -> h5py.Dataset:
        path = self.shard.path
        if not path.is_file():
            raise InputError(
                f"{path}: shard is missing; run the same extraction again: only it is redone"
            )
        try:
            self.file = h5py.File(path, "r")
            data = self.file[DATASET]
        except (OSError, KeyError) as error:
            raise InputError(
                f"{path}: {_reason(error)}; delete it and run the same extraction again: "
                "only this shard is redone"
            ) from error
        shape, dtype = data.shape, data.dtype
        if shape != self.shape or dtype != self.dtype:
            self.file.close()
            raise InputError(
                f"{path}: holds {shape} {dtype}; wanted {self.shape} {self.dtype}; "
                "delete it and run the same extraction again"
            )
        return data

    def __exit__(self, *_: object) -> None:
        self.file.close()


def not_finite(block: np.ndarray) -> int | None:
    """First row of a float16 or float32 block that holds a NaN or an infinity, or None."""
    bits, mask = (np.uint16, 0x7C00) if block.dtype.itemsize == 2 else (np.uint32, 0x7F800000)
    bad = (np.ascontiguousarray(block).view(bits) & bits(mask)) == mask
    return int(np.argmax(bad.any(axis=1))) if bad.any() else None


def _runs(rows: np.ndarray, limit: int) -> Iterator[tuple[int, int]]:
    """Split ascending rows into (begin, end) runs worth one read each: near rows, bounded span."""
    begin = 0
    breaks = [*(np.flatnonzero(np.diff(rows) > _GAP) + 1).tolist(), len(rows)]
    for end in breaks:
        while begin < end:
            stop = min(end, int(np.searchsorted(rows, rows[begin] + limit)))
            yield begin, stop
            begin = stop


def _reason(error: Exception) -> str:
    text = str(error)
    if "truncated file" in text:
        return "truncated (the file is shorter than its header says)"
    if "signature not found" in text:
        return "not an HDF5 file"
    return f"not a readable shard ({text})"


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise InputError(f"no feature store at {path}; make one with `clusterbench extract`")
    if not path.is_dir():
        raise InputError(f"{path} is a file; a feature store is a folder of HDF5 shards")
    file = path / MANIFEST
    if not file.is_file():
        if (path / PLAN).is_file():
            done = len(list(path.glob("shard-*.h5")))
            total = json.loads((path / PLAN).read_text())["shards"]
            raise InputError(
                f"{path}: extraction is not finished ({done} of {total} shards); "
                "run the same `clusterbench extract` command again to go on"
            )
        raise InputError(
            f"{path} is not a feature store: it has no {MANIFEST}; "
            "make one with `clusterbench extract`"
        )
    try:
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found = manifest["format"]
        fields, identity = manifest["fields"], manifest["identity"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not a feature store's manifest ({error!r})") from error
    if found != FORMAT:
        raise InputError(f"{file}: format is {found!r}; this version reads {FORMAT!r}")
    if identity_hash(fields) != identity:
        raise InputError(
            f"{file}: its fields hash to {identity_hash(fields)[:12]}, but it records identity "
            f"{identity[:12]}: the file was edited; extract the features again"
        )
    missing = {"n", "dim", "dtype", "broken", "shard_identity", "shards"} - manifest.keys()
    if missing:
        raise InputError(f"{file}: has no {', '.join(sorted(missing))}; extract again")
    return manifest


def require_identity(store: FeatureStore, wanted: dict[str, Any]) -> None:
    """InputError that lists, field by field, how a store differs from what is wanted."""
    lines = differences(store.fields, wanted)
    if lines:
        raise InputError(
            f"{store.path} holds other features: {'; '.join(lines)}; "
            "use another folder, or delete this one"
        )


def _shards(path: Path, entries: list[dict[str, Any]]) -> Iterator[Shard]:
    first = 0
    for entry in entries:
        yield Shard(path / entry["file"], first, int(entry["rows"]), str(entry["sha256"]))
        first += int(entry["rows"])
