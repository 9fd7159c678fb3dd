"""Which files an ONNX model consists of, and their hash; needs no ONNX library.

Large models keep tensors in files beside the .onnx file ("external data"). Their names are in the
model, a protocol buffer, of which only what leads to them is read here. Message and field numbers
are those of onnx.proto3 (ONNX IR), the wire format that of Protocol Buffers.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...doors import require_regular
from ...errors import InputError
from ...printable import shown

# message -> number of a field -> the message in it
_CHILDREN = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_CHUNK = 1 << 24


def digest(path: Path) -> str:
    """Hex SHA-256 of the file; with external data, of its digest and theirs in order of name.

    Raises InputError for a file that is missing or no ONNX model, and for missing external data.
    """
    others = external_files(path)
    own = _sha256(path)
    if not others:
        return own
    digests = [own, *(_sha256(other) for other in others)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def external_files(path: Path) -> list[Path]:
    """The files with tensors that the model names, sorted; mostly none."""
    require_regular(path)
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; wanted an ONNX model")
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            names = {name.decode("utf-8") for name in _locations(data, 0, len(data), "model")}
        except (IndexError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: not a readable ONNX model") from error
    found = [path.parent / name for name in sorted(names)]
    for name, file in zip(sorted(names), found, strict=True):
        # As ONNX has it: below the model's folder. A link is the user's own, as caches make them.
        place = PurePosixPath(name)
        if not place.parts or place.is_absolute() or ".." in place.parts or "\0" in name:
            raise InputError(f"{path}: names the file {shown(repr(name))}; wanted one beside it")
        if not file.is_file():
            raise InputError(
                f"{path}: its tensors are in {file.name}, which is not in {file.parent}; "
                "copy it there"
            )
    return found


def _locations(data: mmap.mmap, start: int, end: int, message: str) -> Iterator[bytes]:
    children = _CHILDREN[message]
    for number, low, high in _fields(data, start, end):
        child = children.get(number)
        if child == "entry":
            entry = {n: data[a:b] for n, a, b in _fields(data, low, high)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"")
        elif child is not None:
            yield from _locations(data, low, high, child)


def _fields(data: mmap.mmap, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(number, start, end) of each field that holds bytes; other fields are passed over."""
    while position < end:
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _BYTES:
            length, position = _varint(data, position)
            if position + length > end:
                raise ValueError("a field is longer than its message")
            yield key >> 3, position, position + length
            position += length
        elif kind == _VARINT:
            _, position = _varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"unknown wire type {kind}")


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
