"""What the pages of a Parquet column say they unpack to, read without unpacking them.

The footer of a file may say anything; a decompressor goes by the headers of the pages. These are
structs in Thrift's compact protocol, whose first fields are the sizes that count here.
"""

from __future__ import annotations

from typing import BinaryIO

_HEADER = 1 << 20  # bytes; statistics in it are of limited length
_UNCOMPRESSED, _COMPRESSED = 2, 3  # field numbers in PageHeader
_DEPTH = 8


def unpacked_bytes(file: BinaryIO, start: int, stored: int, limit: int) -> int:
    """Bytes that pages in [start, start + stored) unpack to, counted until there are too many.

    Raises ValueError for what are no pages.
    """
    total, at = 0, start
    while at < start + stored and total <= limit:
        file.seek(at)
        struct = _Struct(file.read(min(_HEADER, start + stored - at)))
        sizes = struct.integers()
        unpacked, packed = sizes.get(_UNCOMPRESSED, -1), sizes.get(_COMPRESSED, -1)
        if unpacked < 0 or packed < 0:
            raise ValueError("a page without sizes")
        total += unpacked
        at += struct.at + packed
    return total


class _Struct:
    """A struct of the compact protocol at the beginning of some bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def integers(self) -> dict[int, int]:
        """The whole numbers among its fields; `at` is then behind it."""
        found, number = {}, 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._zigzag()
            if kind & 15 in (4, 5, 6):
                found[number] = self._zigzag()
            else:
                self._skip(kind & 15, 0)
        return found

    def _byte(self) -> int:
        if self.at >= len(self.content):
            raise ValueError("a page's header is cut off")
        self.at += 1
        return self.content[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
        raise ValueError("a number in a page's header does not end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEPTH:
            raise ValueError("a page's header is nested too deeply")
        if kind in (1, 2):  # true and false are their types
            return
        if kind == 3:
            self.at += 1
        elif kind in (4, 5, 6):
            self._varint()
        elif kind == 7:
            self.at += 8
        elif kind == 8:
            length = self._varint()  # moves `at` as well
            self.at += length
        elif kind in (9, 10):
            head = self._byte()
            length = self._varint() if head >> 4 == 15 else head >> 4
            if length > len(self.content):
                raise ValueError("a list in a page's header is longer than the header")
            for _ in range(length):
                if head & 15 in (1, 2):  # truth values have a byte each in a list
                    self.at += 1
                else:
                    self._skip(head & 15, depth + 1)
        elif kind == 12:
            while field := self._byte():
                if not field >> 4:
                    self._varint()
                self._skip(field & 15, depth + 1)
        else:
            raise ValueError(f"a field of type {kind} in a page's header")
