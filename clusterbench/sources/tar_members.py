"""The files inside a tar: their names, offsets and sizes, and whether it is whole."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ..doors import open_regular
from ..errors import InputError
from ..limits import SAMPLE_ID
from ..printable import is_control, shown
from .image_files import has_image_suffix

_BLOCK = 512
_CHUNK = 1 << 20
_HEADER = 1 << 20  # bytes of a long name, or of a pax header
_PADDING = 64 << 20  # zeros behind the end that are looked at
_THREADS = 4  # on a network disk most of the time is waiting for the next header
# The end of the file inside a header or the padding before it; thousands of headers that each
# announce another; numbers that are none.
_UNREADABLE = (tarfile.TarError, RecursionError, ValueError, OverflowError, IndexError, KeyError)
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
#: Suffixes of compressed tars, lower case.
COMPRESSED_SUFFIXES = (".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".tar.zst")


@dataclass(frozen=True)
class TarMembers:
    """Regular files of a tar in the order they lie in it.

    names:   POSIX paths; `./` and empty parts are dropped
    offsets: (m,) int64, of the contents, in bytes
    sizes:   (m,) int64, in bytes
    others:  number of members that are links, devices or sparse files
    damage:  why it could not be read to its end, with the byte; empty when whole
    """

    names: list[str]
    offsets: np.ndarray
    sizes: np.ndarray
    others: int
    damage: str

    @property
    def n_images(self) -> int:
        """Number of names with an image suffix."""
        return sum(map(has_image_suffix, self.names))


def scan_tars(paths: list[Path]) -> Iterator[TarMembers]:
    """`scan_tar` of each path in order, a few at a time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        ahead = [pool.submit(scan_tar, path) for path in paths[: 2 * _THREADS]]
        for number in range(len(paths)):
            members = ahead.pop(0).result()
            if (following := number + 2 * _THREADS) < len(paths):
                ahead.append(pool.submit(scan_tar, paths[following]))
            yield members


def scan_tar(path: Path) -> TarMembers:
    """Read the headers of a tar.

    A damaged header in the middle, a last member that is cut off, and an end without the mark of
    an end are damage: what lies before is returned. Raises InputError for what is no regular file,
    a compressed tar, and a member whose name is not UTF-8 or holds a control character.
    """
    names: list[str] = []
    offsets: list[int] = []
    sizes: list[int] = []
    others = 0
    with open_regular(path) as handle:
        refuse_compressed(path, handle.read(_BLOCK))
        length = handle.seek(0, 2)
        handle.seek(0)
        try:
            with _opened(handle) as tar:
                while (member := _next(tar)) is not None:
                    if tar.offset <= member.offset or member.size < 0:
                        damage = f"byte {member.offset}: a member of {member.size} bytes"
                        break
                    if not member.isreg() or member.issparse():
                        others += not member.isdir()
                        continue
                    if member.offset_data + member.size > length:
                        damage = f"byte {member.offset}: the member is cut off at {length}"
                        break
                    names.append(_clean(member.name, path))
                    offsets.append(member.offset_data)
                    sizes.append(member.size)
                else:
                    damage = _damage_at(path, tar.offset, length)
        except tarfile.ReadError as error:  # at its first header
            damage = "byte 0: empty file" if not length else f"byte 0: not a tar header ({error})"
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
    return TarMembers(names, np.array(offsets, np.int64), np.array(sizes, np.int64), others, damage)


def first_members(path: Path, count: int) -> list[str]:
    """Names of the first regular files of a tar; fewer where it ends or is damaged."""
    names: list[str] = []
    with open_regular(path) as handle:
        refuse_compressed(path, handle.read(_BLOCK))
        handle.seek(0)
        try:
            with _opened(handle) as tar:
                while len(names) < count and (member := _next(tar)) is not None:
                    if tar.offset <= member.offset or member.size < 0:
                        break
                    if member.isreg():
                        names.append(_clean(member.name, path))
        except (tarfile.ReadError, OSError):
            pass  # its index says what is wrong
    return names


class _Headers:
    """A file of which a tar reader may take headers only: no part of more than _HEADER bytes.

    A header says how long the next one is, and 2^62 bytes of a name would be read.
    """

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self.seek, self.tell = handle.seek, handle.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._handle.read(size)


def _opened(handle: BinaryIO) -> tarfile.TarFile:
    """The tar; tarfile.ReadError when its first header cannot be read."""
    try:
        return tarfile.open(
            fileobj=cast(Any, _Headers(handle)),
            mode="r:",
            encoding="utf-8",
            errors="surrogateescape",
        )
    except _UNREADABLE as error:
        raise tarfile.ReadError(str(error)) from error


def refuse_compressed(path: Path, head: bytes = b"") -> None:
    """InputError for a compressed archive, by its first bytes or its suffix."""
    kind = next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), "")
    if kind or path.name.lower().endswith(COMPRESSED_SUFFIXES):
        raise InputError(
            f"{path} is a compressed archive{f' ({kind})' if kind else ''}: images cannot be read "
            "from it in place; decompress it to a plain .tar first"
        )


def check_damage(root: Path, damaged: list[tuple[str, str, int]], n_tars: int, allow: bool) -> None:
    """InputError that names the first of the damaged tars, (name, damage, images before it)."""
    if not damaged or allow:
        return
    listed = "; ".join(f"{name} at {why}, after {n} images" for name, why, n in damaged[:3])
    more = f" and {len(damaged) - 3} more" if len(damaged) > 3 else ""
    raise InputError(
        f"{root}: {len(damaged)} of {n_tars} tars are damaged: {listed}{more}; fetch them again, "
        "or use what can be read with allow_damaged (--allow-damaged)"
    )


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next member; None at the end, and at a header that cannot be read: the caller looks."""
    try:
        member = tar.next()
    except _UNREADABLE:
        return None
    tar.members = []  # type: ignore[attr-defined]  # or it keeps an object for each
    return member


def _damage_at(path: Path, stop: int, length: int) -> str:
    """Why the headers ended at a byte: empty where the mark of the end, zeros only, is there.

    tarfile ends without a word at the first header it does not understand.
    """
    if stop + _BLOCK > length:
        return f"byte {min(stop, length)}: it ends without the mark of an end (cut off?)"
    with path.open("rb") as handle:
        handle.seek(stop)
        if any(handle.read(_BLOCK)):
            return f"byte {stop}: not a tar header"
        position = stop + _BLOCK
        while (chunk := handle.read(_CHUNK)) and position < stop + _PADDING:
            if any(chunk):
                position += len(chunk) - len(chunk.lstrip(b"\0"))
                return f"byte {stop}: zeros, but more data from byte {position}"
            position += len(chunk)
    return ""


def _clean(name: str, path: Path) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        found = name.encode("utf-8", "surrogateescape")
        raise InputError(f"{path}: member name {found!r} is not UTF-8") from error
    if len(name) > SAMPLE_ID:
        raise InputError(
            f"{path}: a member's name has {len(name):,} characters; wanted at most {SAMPLE_ID:,}"
        )
    if not name.isprintable():
        if "\n" in name:
            raise InputError(f"{path}: member name {name!r} holds a line break; rename it")
        if (wrong := next((c for c in name if is_control(c)), None)) is not None:
            raise InputError(
                f"{path}: member name {shown(repr(name))} holds the control character "
                f"U+{ord(wrong):04X}; rename it"
            )
    return "/".join(part for part in name.split("/") if part not in ("", "."))
