"""Rows of a feature store: read by range, by number or shuffled, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...catalog import unknown_name
from ...errors import InputError
from ...sources.dataset_index import DatasetIndex
from .layout import INDEX, Shard
from .shard_file import RowFile, rows_offset
from .values import not_finite

_BLOCK_BYTES = 8 << 20  # read at a time
_GAP = 64  # rows nearer than this are read as one run
_SHUFFLED_RUN = 64  # neighbouring rows that stay together until the last shuffle
_OPEN_FILES = 256
_ROW_NUMBERS = 96  # bytes per row of a subset: its number, the order, the order's inverse
_OVERHEAD = 4 << 20  # of reading: the gaps between rows, the search for NaN, open files
_GAP_ROWS = 1 << 16  # rows whose gaps are looked at together


class StoredRows:
    """The (n, dim) features of a store as its manifest says them; row r is sample r of `index`.

    Nothing is held in memory but the index. Files are opened when first read, once a process, and
    read by offset: usable from threads, in forked and in spawned workers.

    Attributes: `path`, `n`, `dim`, `dtype` (on disk), `encoder` (name), `identity` (hex SHA-256 of
    everything that changes the numbers), `fields` (what the identity is the hash of), `shards`,
    `packed` (one file rather than a folder).
    """

    def __init__(self, path: Path, manifest: dict[str, Any], shards: Sequence[Shard]) -> None:
        self.path = path
        self._absolute = path.absolute()
        self.manifest = manifest
        self.n: int = manifest["n"]
        self.dim: int = manifest["dim"]
        self.dtype = np.dtype(manifest["dtype"]).newbyteorder("<")
        self.identity: str = manifest["identity"]
        self.fields: dict[str, Any] = manifest["fields"]
        self.encoder: str = self.fields["encoder"]
        self.broken: int = manifest["broken"]
        self.shard_identity: str = manifest["shard_identity"]
        self.shards = tuple(shards)
        self.packed = os.path.isfile(path)  # noqa: PTH113
        self._offsets: dict[Shard, int] = {}
        self._files: dict[Path, RowFile] = {}

    @cached_property
    def index(self) -> DatasetIndex:
        """The samples, read on first use; InputError when it is not the store's index."""
        where = self._absolute if self.packed else self._absolute / INDEX
        index = DatasetIndex.load(where)
        if index.hash != self.fields["index"] or index.n != self.n:
            raise InputError(
                f"{where}: hash {index.hash[:12]}; the store was made for "
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
            f"{type(self).__name__}({str(self.path)!r}, encoder={self.encoder!r}, n={self.n}, "
            f"dim={self.dim}, dtype={self.dtype.name})"
        )

    def __getstate__(self) -> dict[str, Any]:
        # Files are opened again there, and the index is read again where it is needed.
        return {k: v for k, v in self.__dict__.items() if k != "index"} | {"_files": {}}

    def rows_of(self, classes: Sequence[str]) -> np.ndarray:
        """(m,) int64, ascending: the rows of some classes; InputError for an unknown one."""
        names = self.index.class_names
        position = {name: label for label, name in enumerate(names)}
        for name in classes:
            if name not in position:
                raise unknown_name("class", name, names)
        wanted = np.zeros(len(names), bool)
        wanted[[position[name] for name in classes]] = True
        return np.flatnonzero(wanted[self.index.labels])

    def read(
        self, rows: slice | np.ndarray | None = None, dtype: DTypeLike = np.float32
    ) -> np.ndarray:
        """Features (m, dim) of the rows, in the caller's order, read in file order.

        `rows`: None for all, a slice, (m,) integers (any order, repeats allowed) or an (n,) boolean
        mask. Memory beyond the result: two blocks of 8 MB and 32 bytes per row. Raises InputError
        for rows out of range, a shard that changed since opening, and a NaN or an infinity, naming
        the sample.
        """
        wanted = self._rows(rows)
        out = np.empty((len(wanted), self.dim), dtype=dtype)
        if isinstance(wanted, range):
            for first, block in self.blocks(wanted.start, wanted.stop, dtype=dtype):
                out[first - wanted.start : first - wanted.start + len(block)] = block
            return out
        ascending = bool((wanted[1:] >= wanted[:-1]).all())
        order = None if ascending else np.argsort(wanted, kind="stable")
        ordered = wanted if order is None else wanted[order]
        for shard in self.shards:
            low, high = np.searchsorted(ordered, [shard.first, shard.first + shard.rows])
            for a, b in _runs(ordered[low:high], self._block_rows):
                a, b = a + low, b + low
                first, last = int(ordered[a]), int(ordered[b - 1]) + 1
                picked = self._block(shard, first, last)[ordered[a:b] - first]
                self._check_finite(picked, ordered[a:b])
                out[slice(a, b) if order is None else order[a:b]] = picked
        return out

    def blocks(
        self, start: int = 0, stop: int | None = None, *, dtype: DTypeLike = np.float32
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, block (b, dim)) over rows [start, stop), in file order, ~8 MB each."""
        stop = self.n if stop is None else stop
        for shard in self.shards:
            low, high = max(start, shard.first), min(stop, shard.first + shard.rows)
            for first in range(low, high, self._block_rows):
                last = min(first + self._block_rows, high)
                block = self._block(shard, first, last)
                self._check_finite(block, range(first, last))
                yield first, block.astype(dtype, copy=False)

    def subset_blocks(
        self, rows: np.ndarray, *, memory: int = 256 << 20, dtype: DTypeLike = np.float32
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows (b,), block (b, dim)) over ascending rows, such as `rows_of` gives.

        What is allocated stays below `memory` bytes beside the rows given: for a block, what
        reading it takes, and the block before it, which a loop still holds. Raises InputError,
        with the smallest that would do, for less memory than a row takes.
        """
        wanted = self._rows(rows)
        step = self._rows_within(memory, dtype)
        for start in range(0, len(wanted), step):
            part = np.asarray(wanted[start : start + step], dtype=np.int64)
            yield part, self.read(part, dtype)

    def shuffled_blocks(
        self,
        *,
        seed: int,
        rows: np.ndarray | None = None,
        memory: int = 256 << 20,
        dtype: DTypeLike = np.float32,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows (b,), block (b, dim)): each row once, in an order drawn from `seed`.

        Runs of 64 neighbouring rows are shuffled over the whole store, and then all rows inside a
        block, so that reading stays near the disk's speed: the order is random enough for
        stochastic training, not uniform over all permutations. Memory as in `subset_blocks`;
        pass a new seed each epoch. The order depends on `seed`, `memory` and `dtype`.
        """
        wanted = self._rows(rows)
        step = self._rows_within(memory, dtype, _SHUFFLED_RUN) // _SHUFFLED_RUN
        rng = np.random.default_rng(seed)
        n_runs = -(-len(wanted) // _SHUFFLED_RUN)
        order = rng.permutation(n_runs)
        within = np.arange(_SHUFFLED_RUN)
        for start in range(0, n_runs, step):
            at = (order[start : start + step, None] * _SHUFFLED_RUN + within).reshape(-1)
            at = rng.permutation(at[at < len(wanted)])
            part = at + wanted.start if isinstance(wanted, range) else wanted[at]
            yield part, self.read(part, dtype)

    @property
    def _block_rows(self) -> int:
        return max(1, _BLOCK_BYTES // (self.dim * int(self.dtype.itemsize)))

    def _rows_within(self, memory: int, dtype: DTypeLike, least: int = 1) -> int:
        # Two blocks, since the caller holds the last one, and row numbers while they are sorted.
        per_row = 2 * self.dim * np.dtype(dtype).itemsize + _ROW_NUMBERS
        # A run is read as a block, of which rows are picked: at worst all of them.
        reading = 2 * max(_BLOCK_BYTES, self.dim * int(self.dtype.itemsize)) + _OVERHEAD
        if memory < reading + least * per_row:
            raise InputError(
                f"memory = {memory:,} bytes; wanted at least {reading + least * per_row:,}"
            )
        return int((memory - reading) // per_row)

    def check_header(self, shard: Shard) -> None:
        """InputError for a shard that is missing, or whose header is not as recorded."""
        self._offset(shard)

    def _offset(self, shard: Shard) -> int:
        if shard not in self._offsets:
            self._offsets[shard] = rows_offset(shard, self.dim, self.dtype, self.shard_identity)
        return self._offsets[shard]

    def _block(self, shard: Shard, first: int, last: int) -> np.ndarray:
        block = np.empty((last - first, self.dim), dtype=self.dtype)
        file = self._files.get(shard.path)
        if file is None:
            if len(self._files) >= _OPEN_FILES:
                self._files.clear()  # those in use stay open until they are not
            try:
                file = RowFile(shard.path)
            except InputError as error:
                fault = str(error).removeprefix(f"{shard.path}: ")
                raise InputError(
                    f"{shard.path}: cannot be opened ({fault}); "
                    "`clusterbench cache repair` makes this shard again"
                ) from error
            self._files[shard.path] = file
        row_bytes = self.dim * int(self.dtype.itemsize)
        file.read_into(block, self._offset(shard) + (first - shard.first) * row_bytes)
        return block

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
        array = array.astype(np.int64, copy=False)
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
                "the store is damaged: `clusterbench cache verify` names the shard"
            )


def _runs(rows: np.ndarray, limit: int) -> Iterator[tuple[int, int]]:
    """Split ascending rows into (begin, end) runs worth one read each: near rows, bounded span."""
    for start in range(0, len(rows), _GAP_ROWS):
        part = rows[start : start + _GAP_ROWS]
        begin = 0
        for end in [*(np.flatnonzero(np.diff(part) > _GAP) + 1).tolist(), len(part)]:
            while begin < end:  # a row that is wanted many times is many rows
                stop = min(end, begin + limit, int(np.searchsorted(part, part[begin] + limit)))
                yield start + begin, start + stop
                begin = stop
