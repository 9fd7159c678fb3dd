"""`features.h5`: the rows of all shards as one data set, for any HDF5 tool; a view, not a copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from ...files import sha256_file
from ...hdf5_files import DAMAGED_ERRORS, create_hdf5, open_hdf5
from .layout import DATASET, VIRTUAL, Shard, shard_name


def write_virtual(
    path: Path, shards: Sequence[Shard], dim: int, dtype: np.dtype, recorded: str = ""
) -> None:
    """Write `features.h5` of a folder; a row whose shard is not there reads as NaN.

    recorded: SHA-256 of the file that the folder had. Stores that were made when such rows still
    read as zeros get those bytes again.
    """
    _write(path, shards, dim, dtype, np.nan)
    if recorded and sha256_file(path / VIRTUAL) != recorded:
        _write(path, shards, dim, dtype, None)
        if sha256_file(path / VIRTUAL) != recorded:  # by another version of HDF5
            _write(path, shards, dim, dtype, np.nan)


def virtual_fault(path: Path, shards: Sequence[Shard], dim: int, dtype: np.dtype) -> str | None:
    """Why a folder's `features.h5` does not show the rows of these shards; None if it does."""
    try:
        with open_hdf5(path / VIRTUAL) as file:
            if list(file) != [DATASET]:
                return "holds other data sets than the features"
            made = file[DATASET].id.get_create_plist()
            shape, found = file[DATASET].shape, file[DATASET].dtype
            wanted = (sum(shard.rows for shard in shards), dim)
            if shape != wanted or found != dtype:
                return f"shows {shape} {found}; wanted {wanted} {dtype}"
            virtual = made.get_layout() == h5py.h5d.VIRTUAL
            sources = _sources(made) if virtual else []
            if not virtual and file[DATASET].size:
                return "holds rows of its own; wanted a view of the shards"
    except DAMAGED_ERRORS as error:
        return f"cannot be read ({error})"
    if sources != [
        (shard_name(number), DATASET, shard.first, shard.rows)
        for number, shard in enumerate(shards)
        if shard.rows
    ]:
        return "shows other files than the shards"
    return None


def _sources(made: h5py.h5p.PropDCID) -> list[tuple[str, str, int, int]]:
    """(file, data set, first row, rows) of each part."""
    found = []
    for number in range(made.get_virtual_count()):
        low, high = made.get_virtual_vspace(number).get_select_bounds()
        names = made.get_virtual_filename(number), made.get_virtual_dsetname(number)
        found.append((*names, int(low[0]), int(high[0] - low[0] + 1)))
    return found


def _write(
    path: Path, shards: Sequence[Shard], dim: int, dtype: np.dtype, fill: float | None
) -> None:
    # Through HDF5's own calls: `create_virtual_dataset` would put the time into the file.
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    if fill is not None:
        properties.set_fill_value(np.array(fill, dtype=dtype))
    space = h5py.h5s.create_simple((sum(shard.rows for shard in shards), dim))
    for number, shard in enumerate(shards):
        if shard.rows:
            space.select_hyperslab((shard.first, 0), (shard.rows, dim))
            source = h5py.h5s.create_simple((shard.rows, dim))
            properties.set_virtual(space, shard_name(number).encode(), DATASET.encode(), source)
    space.select_all()
    with create_hdf5(path / VIRTUAL) as file:
        kind = h5py.h5t.py_create(dtype, logical=True)
        h5py.h5d.create(file.id, DATASET.encode(), kind, space, properties)
