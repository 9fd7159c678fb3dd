"""HDF5 through plain file objects: no file locks, and a full disk is an ordinary error.

HDF5 locks the files it opens, which network file systems often refuse and which quarrels with
another handle on the same file in one process. When a write fails it keeps the file open and may
crash the process at its end. With a file object neither happens: a failed write is kept from HDF5
and raised when the file is closed.

A file of someone else may show data that lie outside it: by external links, as external storage, or
as a view (virtual dataset) of other files. `list_datasets` and `plain_dataset` are the door for
such files: what they give lies in the file, every byte of it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from .doors import open_regular
from .errors import InputError
from .files import atomic_path
from .hdf5_headers import text_lengths
from .limits import HDF5_CHUNK, HDF5_DEPTH, HDF5_OBJECTS, check_unpacked
from .printable import shown

#: What h5py raises for a file that is damaged, depending on where.
DAMAGED_ERRORS = (
    OSError,
    KeyError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    MemoryError,
)

#: HDF5's number of an open file -> the file, and where HDF5's part of it begins.
_OPEN: dict[int, tuple[io.FileIO, int]] = {}

_HEAP = b"GCOL"
_HEAP_HEAD = 16
_PAGE = 4096
_LARGEST_KEPT = 4 << 20
#: Filters that HDF5 knows by number only, and this build need not have.
_FILTERS = {4: "szip", 307: "bzip2", 32001: "Blosc", 32004: "LZ4", 32008: "bitshuffle"}
_FILTERS |= {32013: "ZFP", 32015: "Zstandard", 32026: "Blosc2"}


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading; raises one of DAMAGED_ERRORS when it is not one."""
    with open_regular(Path(path)) as opened:
        raw = opened.raw  # type: ignore[attr-defined]
        with h5py.File(_Input(raw), "r") as file:
            number = h5py.h5o.get_info(file.id).fileno
            _OPEN[number] = (raw, file.userblock_size)
            try:
                yield file
            finally:
                _OPEN.pop(number, None)


@contextmanager
def create_hdf5(target: Path, **settings: Any) -> Iterator[h5py.File]:
    """A new HDF5 file, under its name when it is whole (see `atomic_path`).

    settings: further arguments of `h5py.File`. Raises StorageError when the disk is full or the
    folder cannot be written.
    """
    with atomic_path(target) as temporary, write_hdf5(temporary, **settings) as file:
        yield file


@contextmanager
def write_hdf5(path: Path, **settings: Any) -> Iterator[h5py.File]:
    """A new HDF5 file, to be used within `atomic_path`, which makes OSErrors StorageErrors."""
    with path.open("wb+", buffering=0) as raw:
        output = _Output(raw.fileno())
        with h5py.File(output, "w", **settings) as file:
            yield file
        if output.error is not None:
            raise output.error


def text_attribute(file: h5py.Group, name: str) -> str:
    """An attribute that holds one text; ValueError when it is of another type.

    HDF5 may crash on a type that changed on disk, and takes memory for any length: both are looked
    at before it reads.
    """
    found = file.attrs.get_id(name)
    kind = found.get_type()
    text = isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
    if not text or found.get_space().get_simple_extent_type() != h5py.h5s.SCALAR:
        raise ValueError(f"attribute {name} is not a text")
    header = h5py.h5o.get_info(file.id)
    if header.fileno in _OPEN:
        raw, base = _OPEN[header.fileno]
        at = raw.tell()
        try:
            length = text_lengths(raw, base, header.addr).get(name)
        finally:
            raw.seek(at)
        if length is None or length > os.fstat(raw.fileno()).st_size:
            raise ValueError(f"attribute {name} is damaged")
    return str(file.attrs[name])


def list_datasets(file: h5py.File, where: str) -> tuple[list[str], list[str]]:
    """Paths of the datasets that have an axis, each once, and of the links to other names or files.

    Links are not followed, and a group within itself is looked at once. Raises InputError,
    beginning with `where`, for more objects or levels than `limits` says.
    """
    found: list[str] = []
    links: list[str] = []
    seen = {h5py.h5o.get_info(file.id).addr}
    groups = [("", file, 0)]
    count = 0
    while groups:
        prefix, group, depth = groups.pop()
        count += len(group)
        if count > HDF5_OBJECTS:
            raise InputError(f"{where}: holds more than {HDF5_OBJECTS:,} HDF5 objects")
        below = []
        for name in group:
            if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                links.append(f"{prefix}{name}")
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                below.append((f"{prefix}{name}/", item, depth + 1))
            elif isinstance(item, h5py.Dataset) and item.shape:
                found.append(f"{prefix}{name}")
        if below and depth >= HDF5_DEPTH:
            raise InputError(f"{where}: has groups more than {HDF5_DEPTH} levels deep")
        groups += reversed(below)
    return found, links


def plain_dataset(file: h5py.File, name: str, where: str) -> h5py.Dataset:
    """The dataset of a name, whose data lie in the file and can be read.

    Links within the file are followed. Messages begin with `where`, the file's path.

    Raises:
        InputError: for what is not there or no dataset, for a link to another file, external
            storage and every virtual dataset (a view of nothing reads as zeros, whichever file it
            shows), for a dataset of which nothing was ever written, for a filter that this build
            of HDF5 lacks, and for chunks or contents that unpack beyond `limits`.
    """
    place = f"{where}: {shown(repr(name))}"
    data = file[_within(file, name, place)]
    if not isinstance(data, h5py.Dataset):
        raise InputError(f"{place}: is a {type(data).__name__.lower()}; wanted a dataset")
    properties = data.id.get_create_plist()
    if properties.get_layout() == h5py.h5d.VIRTUAL:
        sources = [
            properties.get_virtual_filename(i) for i in range(properties.get_virtual_count())
        ]
        raise InputError(
            f"{place}: is a view (virtual dataset) of {_listed(where, sources)}; give the file "
            "that holds the numbers, or copy them into one; a feature store needs no import, it is "
            "used by its folder"
        )
    if count := properties.get_external_count():
        sources = [_text(properties.get_external(i)[0]) for i in range(count)]
        raise InputError(
            f"{place}: lies outside the file, in {_listed(where, sources)}; copy it into one file"
        )
    for number in range(properties.get_nfilters()):
        code, _, _, label = properties.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            known = _FILTERS.get(code) or shown(_text(label), 60) or "unnamed"
            raise InputError(
                f"{place}: is compressed by the filter {known} (number {code}), which is not "
                "installed; write it with gzip, or uncompressed (h5repack -f NONE)"
            )
    if data.chunks is not None:
        size = data.dtype.itemsize
        for length in data.chunks:
            size *= length
        if size > HDF5_CHUNK:
            raise InputError(
                f"{place}: its chunks {data.chunks} take {size / 1e6:,.0f} MB each; wanted at most "
                f"{HDF5_CHUNK / 1e6:,.0f} MB: write it with smaller ones"
            )
    if data.size:
        stored = data.id.get_storage_size()
        if not stored:
            raise InputError(f"{place}: has shape {data.shape}, but nothing was ever written to it")
        total = data.dtype.itemsize
        for length in data.shape:
            total *= length
        check_unpacked(place, total, stored)
    return data


def is_there(file: h5py.File, name: str) -> bool:
    """Whether a name stands in the file, as an object or as a link to wherever."""
    group, _, last = name.rpartition("/")
    try:
        return file[_within(file, group, "")].get(last, getlink=True) is not None
    except (InputError, AttributeError):
        return False


def _within(file: h5py.File, name: str, place: str) -> str:
    """The path of hard links that a name means; InputError for one that leads out of the file."""
    left = [part for part in reversed(name.split("/")) if part not in ("", ".")]
    done: list[str] = []
    hops = 0
    while left:
        part = left.pop()
        group = file["/".join(done)] if done else file
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise InputError(
                f"{place}: is a link to {shown(repr(link.path))} in another file, "
                f"{_listed(place.partition(': ')[0], [link.filename])}; give that file, or copy "
                "the data into this one"
            )
        if isinstance(link, h5py.SoftLink):
            hops += 1
            if hops > HDF5_DEPTH:
                raise InputError(f"{place}: is a link that leads round in a circle")
            if link.path.startswith("/"):
                done = []
            left += [p for p in reversed(link.path.split("/")) if p not in ("", ".")]
        elif link is None:
            raise InputError(f"{place}: is not in the file")
        else:
            done.append(part)
    return "/".join(done) or "/"


def _listed(where: str, files: list[str]) -> str:
    """File names for a message, with those that are not there."""
    folder = Path(where).parent
    names = list(dict.fromkeys(files))
    shown_names = []
    for name in names[:3]:
        here = name == "." or os.path.exists(folder / name)  # noqa: PTH110  any kind of file
        text = "this very file" if name == "." else shown(name, 100)
        shown_names.append(text if here else f"{text} (not there)")
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(shown_names) or "nothing") + more


def _text(name: bytes | str) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name


class _Input:
    """A file of which global heaps, which hold texts, are looked at before HDF5 sees them.

    They carry no checksum, and one changed byte in their chain of objects makes HDF5 go round in
    it for ever.
    """

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.seek, self.tell, self.flush = raw.seek, raw.tell, raw.flush

    def read(self, count: int) -> bytes:
        at = self._raw.tell()
        content = bytearray()
        while len(content) < count and (part := self._raw.read(count - len(content))):
            content += part
        if content.startswith(_HEAP):
            self._check_heap(at)
        return bytes(content)

    def readinto(self, buffer: memoryview) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def write(self, content: memoryview) -> int:
        raise OSError("opened for reading")

    def truncate(self, size: int) -> int:
        return size

    def _check_heap(self, at: int) -> None:
        """OSError for a heap (HDF5 file format, III.E) whose objects do not fill it exactly."""
        after = self._raw.tell()
        self._raw.seek(at)
        head = self._raw.read(_HEAP_HEAD)
        size = int.from_bytes(head[8:16], "little")
        left = os.fstat(self._raw.fileno()).st_size - at
        sound = _HEAP_HEAD <= size <= left
        body = self._raw.read(size - _HEAP_HEAD) if sound else b""
        self._raw.seek(after)
        place = 0
        while sound and place + 16 <= len(body):
            number = int.from_bytes(body[place : place + 2], "little")
            length = int.from_bytes(body[place + 8 : place + 16], "little")
            # Number 0 is the free space at the end; its length counts its own head.
            step = length if number == 0 else 16 + -(-length // 8) * 8
            sound = step >= 16 and place + step <= len(body)
            sound = sound and (number != 0 or place + step == len(body))
            place += step
        if not sound:
            raise OSError(f"the global heap at byte {at:,} is damaged")


class _Output:
    """A file of which a failed write is remembered rather than raised.

    HDF5 reads its own structures back, and crashes on others than it wrote: from the first
    failure on, small writes are kept in memory, in pages over the file. Large ones are rows, which
    are never read back.
    """

    def __init__(self, descriptor: int) -> None:
        self.error: OSError | None = None
        self._descriptor = descriptor
        self._position = 0
        self._size = 0
        self._pages: dict[int, bytearray] = {}

    def write(self, content: bytes | bytearray | memoryview) -> int:
        view = memoryview(content).cast("B")
        at, length = self._position, len(view)
        self._position = at + length
        self._size = max(self._size, self._position)
        done = 0
        try:
            while done < length and self.error is None:
                os.lseek(self._descriptor, at + done, os.SEEK_SET)
                done += os.write(self._descriptor, view[done:])
        except OSError as error:
            self.error = error
        if done < length and length <= _LARGEST_KEPT:
            self._keep(at, view)
        return length

    def read(self, count: int) -> bytes:
        at = self._position
        self._position = at + count
        return self._content(at, max(0, min(count, self._size - at)))

    def readinto(self, buffer: memoryview) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + {os.SEEK_CUR: self._position, os.SEEK_END: self._size}.get(
            whence, 0
        )
        return self._position

    def truncate(self, size: int) -> int:
        self._size = size
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def _content(self, at: int, count: int) -> bytes:
        os.lseek(self._descriptor, at, os.SEEK_SET)
        found = bytearray(os.read(self._descriptor, count)).ljust(count, b"\0")
        for page in range(at // _PAGE, (at + count) // _PAGE + 1) if self._pages else ():
            if page in self._pages:
                low, high = max(at, page * _PAGE), min(at + count, (page + 1) * _PAGE)
                found[low - at : high - at] = self._pages[page][low % _PAGE :][: high - low]
        return bytes(found)

    def _keep(self, at: int, view: memoryview) -> None:
        for page in range(at // _PAGE, (at + len(view) - 1) // _PAGE + 1):
            begin = page * _PAGE
            kept = self._pages.get(page)
            if kept is None:
                kept = self._pages[page] = bytearray(self._content(begin, _PAGE))
            low, high = max(at, begin), min(at + len(view), begin + _PAGE)
            kept[low - begin : high - begin] = view[low - at : high - at]
