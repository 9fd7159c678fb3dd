"""Numbers as a store keeps them: dtypes, rounding to them, and what may not be stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from ...errors import InputError

#: Names of what features may be stored as. bfloat16 is rounded to bfloat16 and held as float16,
#: which HDF5 tools can read and which holds every bfloat16 value between 2^-14 and 65,504.
DTYPES = ("float16", "bfloat16", "float32")

_CHUNK = 1 << 17  # values looked at together: they stay in the cache


def storage_dtype(dtype: DTypeLike | str) -> np.dtype:
    """What a store's rows are on disk: little-endian float16 (also for "bfloat16") or float32.

    Raises InputError for anything else.
    """
    if isinstance(dtype, str) and dtype == "bfloat16":
        dtype = np.float16
    try:
        found: np.dtype = np.dtype(dtype)
    except TypeError as error:
        raise InputError(f"features as {dtype!r}; wanted {', '.join(DTYPES)}") from error
    if found.newbyteorder("=") not in (np.float16, np.float32):
        raise InputError(f"features as {found}; wanted float16, bfloat16 or float32")
    little: np.dtype = found.newbyteorder("<")
    return little


def dtype_name(dtype: DTypeLike | str) -> str:
    """Its name in a store's identity: float16, bfloat16 or float32."""
    return (
        "bfloat16" if isinstance(dtype, str) and dtype == "bfloat16" else storage_dtype(dtype).name
    )


def stored(features: np.ndarray, name: str) -> np.ndarray:
    """Features as they are kept, (b, dim) float16 or float32; infinite where too large.

    features: (b, dim) floats; name: one of DTYPES.
    """
    with np.errstate(over="ignore"):
        if name != "bfloat16":
            return np.ascontiguousarray(features, dtype=storage_dtype(name))
        return round_to_bfloat16(features).astype("<f2")


def round_to_bfloat16(features: np.ndarray) -> np.ndarray:
    """The nearest bfloat16 of each value, ties to even, as float32; NaN and infinity stay."""
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(features, dtype=np.float32)
    bits = values.view(np.uint32)
    nearest = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    rounded = (nearest & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isfinite(values), rounded, values)


def not_finite(block: np.ndarray) -> int | None:
    """First row of a float16 or float32 block that holds a NaN or an infinity, or None."""
    rows, dim = block.shape
    kind, mask = (np.uint16, 0x7C00) if block.dtype.itemsize == 2 else (np.uint32, 0x7F800000)
    bits = np.ascontiguousarray(block).reshape(-1).view(kind)
    largest = kind(mask << 1)  # without its sign, a finite number is below this
    for start in range(0, rows * dim, _CHUNK):
        shifted = bits[start : start + _CHUNK] << kind(1)
        if shifted.max() >= largest:
            return int((start + int(np.argmax(shifted >= largest))) // dim)
    return None
