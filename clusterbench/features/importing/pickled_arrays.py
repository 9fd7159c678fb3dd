"""NumPy arrays within files of torch.save: rebuilt by stand-ins that can run nothing.

PyTorch's loader without code (`weights_only`) takes what it is given for each name in a pickle.
NumPy's own functions would be trusted with sizes, flags and types out of the file; the stand-ins
take a type of numbers or texts, a shape, and exactly the bytes that these need.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...doors import open_regular
from ...errors import InputError
from ...limits import PICKLE_STEPS, PICKLED
from ...numpy_files import open_zip

_TYPE = re.compile(r"[<>|=]?(?:[iuf][1248]|b1|[US]\d{1,6})")


class PickledType:
    """Stands for `numpy.dtype`."""

    def __init__(self, name: Any = None, *_: Any) -> None:
        if not isinstance(name, str) or not _TYPE.fullmatch(name):
            raise ValueError(f"an array of type {str(name)[:40]!r}, not of numbers or texts")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class PickledArray:
    """Stands for `numpy.ndarray`; `array` is read-only."""

    array: np.ndarray

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        if not (isinstance(kind, PickledType) and isinstance(content, bytes)):
            raise ValueError("an array of Python objects")
        shape = tuple(int(length) for length in shape)
        count = 1
        for length in shape:
            count *= length
        if min(shape, default=1) < 0 or count * kind.dtype.itemsize != len(content):
            raise ValueError(f"an array of shape {shape} in {len(content):,} bytes")
        flat: np.ndarray = np.frombuffer(content, kind.dtype)
        self.array = flat.reshape(shape, order="F" if fortran else "C")


def _reconstruct(*_: Any) -> PickledArray:
    return PickledArray()


def _scalar(kind: Any, content: Any = b"") -> int | float | str:
    if not (isinstance(kind, PickledType) and isinstance(content, bytes)):
        raise ValueError("a number of an unknown type")
    found: int | float | str = np.frombuffer(content, kind.dtype)[0].item()
    return found


def stand_ins() -> list[Any]:
    """What `torch.serialization.safe_globals` takes: a stand-in for each name of NumPy."""
    pairs: list[Any] = [(PickledType, "numpy.dtype"), (PickledArray, "numpy.ndarray")]
    for module in ("numpy.core", "numpy._core"):
        pairs += [
            (_reconstruct, f"{module}.multiarray._reconstruct"),
            (_scalar, f"{module}.multiarray.scalar"),
        ]
    return pairs


def check_archive(path: Path) -> None:
    """InputError for a file that `_check` refuses; one that was checked is not checked again."""
    found = path.stat()
    _check(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=64)
def _check(path: Path, stamp: tuple[int, ...]) -> None:
    """InputError for a file of torch.save that unpacks to more than it is, or takes long.

    Its members are stored as they are; what is pickled beside the tensors is small, and a pickle
    of millions of steps would take memory and time without end.
    """
    with open_regular(path) as file, open_zip(file) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise InputError(f"{path}: is compressed; save it again with torch.save")
            if not info.filename.endswith("data.pkl"):
                continue
            if info.file_size > PICKLED:
                raise InputError(
                    f"{path}: holds {info.file_size / 1e6:,.0f} MB beside tensors; wanted at most "
                    f"{PICKLED / 1e6:,.0f} MB: save tensors, for example with torch.from_numpy"
                )
            stream = io.BytesIO(archive.read(info))
            for steps, _ in enumerate(pickletools.genops(stream)):
                if steps > PICKLE_STEPS:
                    raise InputError(
                        f"{path}: holds lists of too many numbers or objects; save tensors, for "
                        "example with torch.tensor"
                    )
