"""Which reader a file of features needs, and which named columns it holds beside them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from ...errors import InputError
from .arrays import hdf5_datasets, open_hdf5, open_npy, open_npz, reading
from .matrix import FeatureFile


def open_features(path: Path, array: str | None = None) -> FeatureFile:
    """The features in a .npy, .npz, .pt, .pth, .parquet, .h5 or .hdf5 file; rows are not read.

    array: which array, tensor, dataset or column; else the only one of that shape, or one with a
    usual name. Raises InputError for a file that is missing, empty, damaged or of another format,
    for pickled objects, for an unknown array (with near names), and for one that is not (n, dim)
    floats.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file of features")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    opener = _OPENERS.get(path.suffix.lower())
    if opener is None:
        raise InputError(
            f"{path}: {path.suffix or 'no suffix'!r} is not a format that is read; "
            f"give one of {', '.join(_OPENERS)}"
        )
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty; wanted an array (n, dim) of features")
        return opener(path, array)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror or error})") from error


def names_in(path: Path) -> list[str]:
    """Names of the arrays, columns or tensors of a file; none for formats without names."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with reading(path, "save it with numpy.savez"), zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    if suffix in (".pt", ".pth"):
        from .tensors import load

        return [name for name in load(path) if name]
    if suffix == ".parquet":
        from .tables import column_names

        return column_names(path)
    if suffix in (".h5", ".hdf5"):
        import h5py

        with reading(path, "wanted an HDF5 file"), h5py.File(path, "r") as file:
            return list(hdf5_datasets(file))
    return []


def _open_tensor(path: Path, array: str | None) -> FeatureFile:
    from .tensors import open_tensor

    return open_tensor(path, array)


def _open_parquet(path: Path, array: str | None) -> FeatureFile:
    from .tables import open_parquet

    return open_parquet(path, array)


_OPENERS: dict[str, Callable[[Path, str | None], FeatureFile]] = {
    ".npy": open_npy,
    ".npz": open_npz,
    ".pt": _open_tensor,
    ".pth": _open_tensor,
    ".parquet": _open_parquet,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
}
