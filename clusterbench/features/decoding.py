"""Decoding in worker processes: batches of pixels in a fixed order, whatever the workers."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..datasets.folder import FolderSource
from ..errors import ClusterbenchError
from .images import BrokenImage, decode, read_image, to_pixels
from .recipe import Preprocessing

DIGEST_BYTES = 16  # of the SHA-256 of an image file, kept per image


class Span(NamedTuple):
    """Samples [start, stop) of the source index, decoded as one batch."""

    start: int
    stop: int


@dataclass(frozen=True)
class Decoded:
    """One decoded batch.

    pixels:   (b, size, size, 3) uint8; zeros where the image is broken
    sizes:    (b,) int64 bytes of the file, -1 where it cannot be read
    digests:  (b, 16) uint8, the first bytes of the SHA-256 of the file
    reasons:  position in the batch -> why that image is broken
    """

    span: Span
    pixels: torch.Tensor
    sizes: np.ndarray
    digests: np.ndarray
    reasons: dict[int, str]


def decode_span(source: FolderSource, span: Span, preprocessing: Preprocessing) -> Decoded:
    """Read, hash, decode and resize the images of a span; broken ones are reported, not raised."""
    count, size = span.stop - span.start, preprocessing.size
    pixels = np.zeros((count, size, size, 3), dtype=np.uint8)
    sizes = np.full(count, -1, dtype=np.int64)
    digests = np.zeros((count, DIGEST_BYTES), dtype=np.uint8)
    reasons = {}
    for position in range(count):
        try:
            content = read_image(source.path(span.start + position))
            sizes[position] = len(content)
            digests[position] = file_digest(content)
            pixels[position] = to_pixels(decode(content), preprocessing)
        except BrokenImage as error:
            reasons[position] = str(error)
    return Decoded(span, torch.from_numpy(pixels), sizes, digests, reasons)


def file_digest(content: bytes) -> np.ndarray:
    """(16,) uint8: the first bytes of the SHA-256 of an image file."""
    return np.frombuffer(hashlib.sha256(content).digest()[:DIGEST_BYTES], dtype=np.uint8)


class _Spans(Dataset[Decoded]):
    def __init__(
        self, source: FolderSource, spans: list[Span], preprocessing: Preprocessing
    ) -> None:
        self.source, self.spans, self.preprocessing = source, spans, preprocessing

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, number: int) -> Decoded:
        return decode_span(self.source, self.spans[number], self.preprocessing)


def decoded_batches(
    source: FolderSource, spans: list[Span], preprocessing: Preprocessing, workers: int
) -> Iterator[Decoded]:
    """Decode spans in `workers` processes (0: in this one) and yield them in their order.

    Raises ClusterbenchError when a worker dies (memory).
    """
    if workers == 0:
        for span in spans:
            yield decode_span(source, span, preprocessing)
        return
    with warnings.catch_warnings():
        # More processes than cores is the caller's choice.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loader = DataLoader(
            _Spans(source, spans, preprocessing),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=2,
        )
        batches = iter(loader)
    try:
        yield from batches
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise ClusterbenchError(
            f"a decoding process died ({str(error).splitlines()[0]}); the finished shards are "
            "kept: run the same command again, with fewer --workers or a smaller --batch-size"
        ) from error
