"""Images that are arrays of grey pixels: as files for a decoder, and as a source of extraction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clusterbench.errors import InputError
from clusterbench.sources.index_builder import IndexBuilder
from clusterbench.sources.source import ImageSource, SourceReport


def grey_file(pixels: np.ndarray) -> bytes:
    """A binary PGM file of (h, w) uint8.

    Without compression, so that a hash of the file is a hash of the pixels, whatever the libraries.
    """
    height, width = pixels.shape
    return f"P5\n{width} {height}\n255\n".encode() + np.ascontiguousarray(pixels).tobytes()


@dataclass(frozen=True, eq=False)
class MadeSource(ImageSource):
    """Images that a builder makes: they have no place that they could be opened from again."""

    def stamps(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Zeros: sizes are not known without making the images, and there is no time of change."""
        return np.zeros(stop - start, np.int64), np.zeros(stop - start, np.int64)

    def location(self) -> dict[str, Any]:
        """Raises InputError."""
        raise InputError("these images were made by a script of scripts/; run it again")


@dataclass(frozen=True, eq=False)
class PixelSource(MadeSource):
    """Images held in memory; `item` is the number of each sample in `pixels`, (m, h, w) uint8."""

    COLUMNS = ("item",)
    FORMAT = "pixels"

    pixels: np.ndarray
    item: np.ndarray  # (n,) int64

    def read(self, row: int) -> bytes:
        """One image as a PGM file."""
        return grey_file(self.pixels[self.item[row]])


def pixel_source(
    pixels: np.ndarray, ids: Sequence[str], classes: Sequence[str], split: np.ndarray
) -> PixelSource:
    """The source of images (n, h, w) uint8, with id, class and split (0 train, 1 val) of each."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3:
        raise InputError(f"pixels are {pixels.dtype} {pixels.shape}; wanted uint8 (n, h, w)")
    builder = IndexBuilder({"item": np.int64})
    builder.add(ids, classes, split, item=np.arange(len(pixels)))
    index, columns = builder.finish()
    return PixelSource(index, SourceReport(), pixels, **columns)
