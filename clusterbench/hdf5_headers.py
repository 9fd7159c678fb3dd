"""Attributes that hold a text, looked at in the file before HDF5 reads them.

A text is 16 bytes in the header of its object: its length, and where in the file it stands. HDF5
takes memory for that length before it looks there, so that one changed bit costs gigabytes. The
headers are those of the HDF5 file format, IV.A.1, of both versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO

_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_VARIABLE_LENGTH = 9  # class of a datatype
_LARGEST = 1 << 20
_BLOCKS = 64


def text_lengths(raw: FileIO, base: int, address: int) -> dict[str, int]:
    """Bytes of each scalar text attribute of the object whose header is at an address.

    raw: the file. base: where HDF5's part of the file begins. Attributes of other types are left
    out. Raises ValueError for a header that is damaged.
    """
    found = {}
    for message in _messages(raw, base, address):
        name, length = _attribute(message)
        if length is not None:
            found[name] = length
    return found


def _messages(raw: FileIO, base: int, address: int) -> Iterator[bytes]:
    """The attribute messages of an object header."""
    head = _read(raw, base + address, 32)
    new = head[:4] == b"OHDR"
    tracked = 0
    if new:
        flags = head[5]
        at = 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
        width = 1 << (flags & 3)
        size = int.from_bytes(head[at : at + width], "little")
        first = address + at + width
        tracked = 2 * bool(flags & 4)
    elif head[0] == 1:
        size, first = int.from_bytes(head[8:12], "little"), address + 16
    else:
        raise ValueError("its header is of no known version")
    blocks, done = [(first, size)], 0
    while blocks:
        start, size = blocks.pop()
        done += 1
        if size > _LARGEST or done > _BLOCKS:
            raise ValueError("its header is damaged")
        block = _read(raw, base + start, size)
        at, prefix = 0, 4 + tracked if new else 8
        while at + prefix <= len(block):
            kind = block[at] if new else int.from_bytes(block[at : at + 2], "little")
            place = at + (1 if new else 2)
            length = int.from_bytes(block[place : place + 2], "little")
            body = block[at + prefix : at + prefix + length]
            if len(body) < length:
                raise ValueError("a message of its header is cut")
            if kind == _ATTRIBUTE:
                yield body
            elif kind == _CONTINUATION:
                where, size = (int.from_bytes(body[i : i + 8], "little") for i in (0, 8))
                # In the new form a block is marked, and ends with a checksum.
                blocks.append((where + 4, size - 8) if new else (where, size))
            at += prefix + length


def _attribute(message: bytes) -> tuple[str, int | None]:
    """Its name, and its length if it is one text."""
    version = message[0] if message else 0
    if version not in (1, 2, 3) or len(message) < 8:
        raise ValueError("an attribute of its header is damaged")
    sizes = [int.from_bytes(message[i : i + 2], "little") for i in (2, 4, 6)]
    padded = [-(-size // 8) * 8 for size in sizes] if version == 1 else sizes
    at = 9 if version == 3 else 8
    name = message[at : at + sizes[0]].rstrip(b"\0").decode(errors="replace")
    kind = message[at + padded[0] : at + padded[0] + sizes[1]]
    data = message[at + sum(padded) :]
    if not kind or kind[0] & 15 != _VARIABLE_LENGTH or len(data) != 16:
        # Messages of version 1 may be filled up to a multiple of 8, which 16 is.
        return name, None
    return name, int.from_bytes(data[:4], "little")


def _read(raw: FileIO, at: int, size: int) -> bytes:
    if not 0 <= at < 1 << 62 or size < 0:
        raise ValueError("its header is damaged")
    raw.seek(at)
    return raw.read(size)
