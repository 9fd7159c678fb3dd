"""Arrays in the IDX files of MNIST and the sets made after it."""

from __future__ import annotations

import gzip
import math

import numpy as np

from clusterbench.errors import InputError

_UBYTE = 0x08


def read(content: bytes, name: str) -> np.ndarray:
    """The array of uint8 in a gzipped IDX file; `name` is the file's, for messages.

    Two zero bytes, the type, the number of axes, their lengths (big-endian), then the values.
    Raises InputError for a file of another kind, and for one that is cut off.
    """
    try:
        data = gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise InputError(f"{name}: cannot be unpacked ({error}); download it again") from error
    if len(data) < 4 or data[:3] != bytes([0, 0, _UBYTE]) or len(data) < 4 + 4 * data[3]:
        raise InputError(f"{name}: starts with {data[:4].hex()}; wanted IDX of uint8, 000008..")
    shape = tuple(np.frombuffer(data, ">u4", data[3], 4).tolist())
    start = 4 + 4 * data[3]
    if len(data) - start != math.prod(shape):
        raise InputError(f"{name}: holds {len(data) - start} values; its header says {shape}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
