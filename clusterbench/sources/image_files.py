"""Images that are a file each: which suffixes count, reading one, and the state of many."""

from __future__ import annotations

import abc
import errno
import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..limits import IMAGE
from .source import BrokenImage, ImageSource

# Formats that Pillow lists but that are documents, video, or need other programs.
_NOT_IMAGES = frozenset(
    ("BUFR", "EPS", "FITS", "FPX", "GRIB", "HDF5", "MIC", "MPEG", "PDF", "PS", "WMF")
)
# Without waiting: a pipe has no end.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_STAT_THREADS = 16  # on a network disk the time of a status is waiting


@lru_cache(maxsize=1)
def image_suffixes() -> frozenset[str]:
    """Lower-case suffixes of the image formats that Pillow opens by itself."""
    formats = set(image_formats())
    from PIL import Image

    return frozenset(s for s, f in Image.registered_extensions().items() if f in formats)


@lru_cache(maxsize=1)
def image_formats() -> tuple[str, ...]:
    """Names of the image formats that Pillow opens by itself."""
    from PIL import Image

    Image.init()
    return tuple(sorted(set(Image.OPEN) - _NOT_IMAGES))


def has_image_suffix(name: str) -> bool:
    """Whether a file or member name ends like an image."""
    return os.path.splitext(name)[1].lower() in image_suffixes()  # noqa: PTH122 - once per image


def read_image(path: str | os.PathLike[str]) -> bytes:
    """The bytes of an image file; BrokenImage when there is none or it may not be read.

    A pipe or a device is not read, nor a file that is larger than an image may be. Other faults of
    the disk or the network stop the run: they say nothing about the image.
    """
    try:
        descriptor = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BrokenImage("no such file (dangling link, or removed)") from error
    except (PermissionError, IsADirectoryError) as error:
        raise BrokenImage(error.strerror or type(error).__name__) from error
    except ValueError as error:  # a NUL in its name
        raise BrokenImage("no such file (its name is none)") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO):
            raise BrokenImage(error.strerror) from error
        raise
    with os.fdopen(descriptor, "rb") as handle:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            is_folder = stat.S_ISDIR(status.st_mode)
            raise BrokenImage("Is a directory" if is_folder else "is no regular file")
        if status.st_size > IMAGE.largest:
            raise BrokenImage(too_large(status.st_size))
        content = handle.read(IMAGE.largest + 1)
    if len(content) > IMAGE.largest:  # it grew
        raise BrokenImage(too_large(len(content)))
    return content


def too_large(size: int) -> str:
    """Why an image of that many bytes is not read."""
    return f"{size:,} bytes; wanted at most {IMAGE.largest:,} for an image"


def file_stamps(paths: Iterable[Path]) -> tuple[np.ndarray, np.ndarray]:
    """(sizes, times) of files, each (n,) int64; -1 and 0 for a file that cannot be read."""
    with ThreadPoolExecutor(_STAT_THREADS) as pool:
        found = list(pool.map(_stamp, paths))
    stamps = np.array(found, np.int64).reshape(-1, 2)
    return stamps[:, 0].copy(), stamps[:, 1].copy()


@dataclass(frozen=True, eq=False)
class FileSource(ImageSource):
    """A source whose images are a file each; a subclass says which."""

    @abc.abstractmethod
    def path(self, row: int) -> Path:
        """The file of one sample."""

    def read(self, row: int) -> bytes:
        """The bytes of the file of one sample; BrokenImage when it cannot be read."""
        return read_image(self.path(row))

    def stamps(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Sizes and times of the files [start, stop), by their status."""
        return file_stamps(self.path(row) for row in range(start, stop))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - called once per image
    except OSError:
        return -1, 0
    if not os.access(path, os.R_OK):
        return -1, 0
    return status.st_size, status.st_mtime_ns
