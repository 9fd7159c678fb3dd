"""Which reader a file of features needs, and which named columns it holds beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...doors import require_regular
from ...errors import InputError
from .matrix import ArrayEntry, FeatureFile


@dataclass(frozen=True)
class _Format:
    """Where the functions of a format are: its module is imported when it is needed.

    entries: path -> name -> ArrayEntry; "" for a format whose arrays have no names. features:
    (path, array, used) -> FeatureFile. vector: (path, name) -> labels or ids; "" where
    `read_labels` reads the format.
    """

    module: str
    entries: str
    features: str
    vector: str = ""

    def call(self, function: str, *arguments: Any) -> Any:
        return getattr(import_module(self.module, __package__), function)(*arguments)


_TORCH = _Format(".tensors", "tensor_entries", "open_tensor", "tensor_vector")
_HDF5 = _Format(".hdf5_arrays", "hdf5_entries", "open_dataset", "dataset_vector")
_FORMATS = {
    ".npy": _Format(".arrays", "", "open_npy"),
    ".npz": _Format(".arrays", "npz_entries", "open_npz"),
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".safetensors": _TORCH,
    ".parquet": _Format(".tables", "parquet_entries", "open_parquet"),
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".mat": _Format(".matlab", "mat_entries", "open_mat", "mat_vector"),
}
_PICKLES = "is a pickle, which is not loaded, since that could run code; load it where it was made"
_INSTEAD = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".p"), _PICKLES),
    **dict.fromkeys((".ckpt", ".bin"), f"{_PICKLES}, or rename it to .pt if torch.save made it"),
    **dict.fromkeys((".csv", ".tsv", ".txt"), "holds text; load it, for example with pandas"),
    **dict.fromkeys((".feather", ".arrow", ".tfrecord", ".zarr", ".nc"), "is not a format read"),
}


def open_features(
    path: Path, array: str | None = None, used: Mapping[str, str] | None = None
) -> FeatureFile:
    """The features in a file of one of the formats above; rows are not read.

    array: which array, tensor, dataset or column; else the only one of that shape, or one with a
    usual name. used: name -> what else an array or column is taken for. Raises InputError for a
    file that is missing, empty, damaged or of another format, for pickled objects, for an unknown
    array (with near names), and for one that is not (n, dim) floats.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file of features")
    require_regular(path)
    suffix = path.suffix.lower()
    found = _FORMATS.get(suffix)
    if found is None and suffix in _INSTEAD:
        raise InputError(f"{path}: {_INSTEAD[suffix]}; and save the features as .npy or .parquet")
    if found is None:
        raise InputError(
            f"{path}: {suffix or 'no suffix'!r} is not a format that is read; "
            f"give one of {', '.join(_FORMATS)}"
        )
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty; wanted an array (n, dim) of features")
        return cast(FeatureFile, found.call(found.features, path, array, used or {}))
    except OSError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be opened ({error.strerror or error})") from error


def entries_of(path: Path) -> dict[str, ArrayEntry]:
    """The arrays, columns or tensors of a file by name; none for formats without names."""
    found = _FORMATS.get(path.suffix.lower())
    if found is None or not found.entries or path.is_dir():
        return {}
    require_regular(path)
    return cast(dict[str, ArrayEntry], found.call(found.entries, path))


def has_vectors(path: Path) -> bool:
    """Whether `vector` reads labels from a file's format; else `labels.reading` may."""
    found = _FORMATS.get(path.suffix.lower())
    return found is not None and bool(found.vector)


def vector(path: Path, name: str) -> np.ndarray:
    """The values of labels or ids of a name, one per sample."""
    found = _FORMATS[path.suffix.lower()]
    return cast(np.ndarray, found.call(found.vector, path, name))
