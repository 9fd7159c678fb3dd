"""Images that lie in larger files: at an offset of a file, read in place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..doors import check_regular
from ..errors import InputError
from ..limits import IMAGE
from .image_files import too_large
from .process_cache import ProcessCache
from .source import BrokenImage, Container, ImageSource


@dataclass(frozen=True, eq=False)
class OffsetSource(ImageSource):
    """A source whose images are byte ranges of containers; nothing is unpacked.

    `container` numbers `containers`, `offset` and `size` are in bytes.
    """

    COLUMNS = ("container", "offset", "size")

    root: Path
    containers: tuple[Container, ...]
    container: np.ndarray  # (n,) int32
    offset: np.ndarray  # (n,) int64
    size: np.ndarray  # (n,) int64

    def read(self, row: int) -> bytes:
        """The bytes of one image.

        Raises BrokenImage when the container is gone or too short, InputError when its size is no
        longer the one it was indexed with: the offsets would lead anywhere.
        """
        held = self.containers[int(self.container[row])]
        try:
            opened = _opened.get((str(self.root), held), lambda: _Opened(self.root, held))
        except (FileNotFoundError, PermissionError) as error:
            raise BrokenImage(f"{held.name}: {error.strerror}") from error
        size = int(self.size[row])
        if size > IMAGE.largest:
            raise BrokenImage(too_large(size))
        content = opened.read(int(self.offset[row]), size)
        if len(content) != size:
            raise BrokenImage(f"cut off: {len(content)} of {size} bytes are in {held.name}")
        return content

    def stamps(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Sizes of the images and times of their containers; -1 and 0 where that is gone."""
        which = self.container[start:stop]
        sizes = self.size[start:stop].astype(np.int64)
        return container_stamps(self.root, self.containers, which, sizes)

    def reading_order(self, rows: np.ndarray) -> np.ndarray:
        """By container and offset: disks and networks read ahead."""
        return np.lexsort((self.offset[rows], self.container[rows]))

    def held_in(self) -> list[tuple[Path, Container]]:
        """Every container with its file."""
        return [(self.root / held.name, held) for held in self.containers]


def container_stamps(
    root: Path, containers: tuple[Container, ...], which: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(sizes, times) of images in containers: -1 and 0 where the container is gone."""
    times = np.zeros(len(which), np.int64)
    sizes = sizes.copy()
    for number in np.unique(which):
        try:
            now = Container.of(root, containers[int(number)].name).time
        except OSError:
            now = -1
        times[which == number] = max(now, 0)
        if now < 0:
            sizes[which == number] = -1
    return sizes, times


class _Opened:
    """A file that closes itself when nobody reads from it any more."""

    def __init__(self, root: Path, held: Container) -> None:
        path = root / held.name
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        self.descriptor = os.open(path, flags)
        status = os.fstat(self.descriptor)
        check_regular(path, status.st_mode)
        found = status.st_size
        if found > held.size:  # a shorter one gives what it still has
            raise InputError(
                f"{path}: {found} bytes, but {held.size} when it was indexed; index it again"
            )

    def read(self, offset: int, size: int) -> bytes:
        parts = []
        while size:
            part = os.pread(self.descriptor, size, offset)
            if not part:
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


_opened: ProcessCache[_Opened] = ProcessCache(limit=64)
