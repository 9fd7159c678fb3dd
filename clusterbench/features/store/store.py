"""Feature stores: opened, written from an array, verified, packed; reading is `rows`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...progress import Progress
from ...sources.dataset_index import DatasetIndex
from .layout import shards_of
from .rows import StoredRows
from .store_manifest import read_manifest


class FeatureStore(StoredRows):
    """Features of one encoder over one data set, on disk; row r is sample r of `index`.

    Open one with `FeatureStore.open(path)`, make one from an array with `FeatureStore.write`.
    Nothing is held in memory but the index. Files are opened when first read, once a process, and
    read by offset: a store can be used from threads, in forked and in spawned workers.

    Attributes: `path`, `n`, `dim`, `dtype` (on disk), `encoder` (name), `identity` (hex SHA-256 of
    everything that changes the numbers), `fields` (what the identity is the hash of), `shards`,
    `packed` (one file rather than a folder).
    """

    @classmethod
    def open(cls, path: Path | str) -> FeatureStore:
        """Open a store, a folder or a packed file, and check that it is whole.

        Headers are checked here, contents by `verify`. Raises InputError, naming the file, what
        was found and what to do, for: a missing folder; a folder that is not a store; an
        unfinished extraction; a shard that is missing, truncated, not HDF5, or of another
        identity; a manifest that was edited or damaged.
        """
        path = Path(path)
        store = cls.unchecked(path)
        for shard in store.shards:
            store._offset(shard)
        return store

    @classmethod
    def unchecked(cls, path: Path) -> FeatureStore:
        """A store of which only the manifest is checked, for finding what is damaged.

        Raises InputError for what is no store, and a manifest that was edited or damaged.
        """
        if os.path.isfile(path):  # noqa: PTH113 - which takes what is no path at all
            from .packed import read_packed

            return cls(path, *read_packed(path))
        manifest = read_manifest(path)
        # Absolute, since shards are opened when first read, perhaps after a change of folder.
        return cls(path, manifest, shards_of(path.absolute(), manifest["shards"]))

    @classmethod
    def write(
        cls,
        path: Path | str,
        features: np.ndarray,
        index: DatasetIndex,
        *,
        encoder: str,
        details: dict[str, Any] | None = None,
        dtype: DTypeLike | str | None = None,
        shard_rows: int | None = None,
    ) -> FeatureStore:
        """Write features (n, dim) that are already there, row r for sample r of `index`.

        `details` is JSON: what made the features (model, weights, preprocessing, PCA). It enters
        the identity, as does a hash of the features themselves. `dtype` is float16, "bfloat16"
        (rounded to it, held as float16) or float32, by default that of the array. `features` may
        be anything with a shape, a dtype and slices of rows, such as a memory map. Raises
        InputError for a shape that does not fit the index, NaN, infinities, values too large for
        the dtype, and a folder that holds another store.
        """
        from .writer import write_array

        write_array(Path(path), features, index, encoder, details or {}, dtype, shard_rows)
        return cls.open(path)

    def verify(self, progress: Progress | None = None) -> list[str]:
        """Read everything again and compare with the checksums: one line per defect, or none."""
        from .faults import faults

        return [fault.text for fault in faults(self, progress)]

    def pack(self, target: Path, progress: Progress | None = None) -> FeatureStore:
        """Write the store as one HDF5 file, which can be read in place; see `packed.pack`."""
        from .packed import pack

        pack(self, target, progress)
        return FeatureStore.open(target)

    def unpack(self, folder: Path, progress: Progress | None = None) -> FeatureStore:
        """Write a packed store as a folder of shards; see `packed.unpack`."""
        from .packed import unpack

        unpack(self, folder, progress)
        return FeatureStore.open(folder)
