"""Labels in NumPy's files: a lone array (.npy), or one of several arrays (.npz)."""

from __future__ import annotations

import os
from functools import partial
from typing import Literal

import numpy as np

from ..doors import open_regular
from ..errors import InputError
from ..limits import UNPACKED, unpacked_limit
from ..numpy_files import ArrayHeader, NumpyArchive, array_header, check_array, check_text
from .column_request import ColumnRequest, reading
from .encoding import LabelColumn, id_texts

_ADVICE = "save integers or strings again, with numpy.save or numpy.savez"


def read_numpy(request: ColumnRequest) -> LabelColumn:
    """The column asked for of a .npy or .npz file, told apart by their contents."""
    path = request.path
    with open_regular(path) as file:
        start = file.read(6)
    if start.startswith(b"\x93NUMPY"):
        # It has no name, so `request.column` can only be meant for other files.
        return LabelColumn(f"{path}: the array", _lone_array(request))
    if start.startswith(b"PK"):
        return _from_archive(request)
    raise InputError(  # numpy.load would take it for a pickle
        f"{path}: not a NumPy file, it starts with {start!r}; save it with numpy.save or savez"
    )


def _lone_array(request: ColumnRequest) -> np.ndarray:
    where = f"{request.path}: the array"
    with reading(request.path, _ADVICE), open_regular(request.path) as file:
        header = array_header(file)
        offset, size = file.tell(), os.fstat(file.fileno()).st_size
        check_array(where, header, max(UNPACKED, size))
        _check_width(where, header)
        if header.nbytes > size - offset:
            raise ValueError(
                f"cut off: {header.nbytes:,} bytes of data are missing all but {size - offset:,}"
            )
        order: Literal["C", "F"] = "F" if header.fortran else "C"
        array: np.ndarray
        if header.nbytes > UNPACKED:  # copies of single pages are made where they are written to
            array = np.memmap(file, header.dtype, "c", offset, header.shape, order)
        else:
            content = np.fromfile(file, np.uint8, header.nbytes)
            array = content.view(header.dtype).reshape(header.shape, order=order)
        check_text(array, where)
        return array


def _check_width(where: str, header: ArrayHeader) -> None:
    if header.dtype.itemsize == 0 or header.dtype.kind == "V":
        raise InputError(
            f"{where}: dtype {str(header.dtype)[:60]}; labels are whole numbers or strings"
        )


def _from_archive(request: ColumnRequest) -> LabelColumn:
    path = request.path
    with (
        reading(path, _ADVICE),
        NumpyArchive(path, unpacked_limit(path.stat().st_size)) as archive,
    ):
        names = archive.names
        position, at = request.choose(names, lone=True)
        where = request.where(names[position])
        labels = _array(archive, names[position], where)
        ids = None if at is None else id_texts(_array(archive, names[at], where), where)
    keys = {name: partial(_key, request, name) for name in names if name != names[position]}
    return LabelColumn(where, labels, ids, names[position], keys)


def _array(archive: NumpyArchive, name: str, where: str) -> np.ndarray:
    _check_width(where, archive.header(name))
    return archive.read(name)


def _key(request: ColumnRequest, name: str) -> np.ndarray | None:
    with NumpyArchive(request.path, unpacked_limit(request.path.stat().st_size)) as archive:
        header = archive.header(name)
        if len(header.shape) != 1 or header.dtype.kind not in "USiu" or not header.dtype.itemsize:
            return None
        return id_texts(archive.read(name), request.where(name))
