"""Decoding in worker processes: batches of pixels in a fixed order, whatever the workers."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ...errors import ClusterbenchError
from ...sources.source import BrokenImage, ImageSource
from ..encoders.images import decode, to_pixels
from ..encoders.recipe import Preprocessing

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

    def pin_memory(self) -> Decoded:
        """The batch in page-locked memory, from which a GPU copies beside its work."""
        return replace(self, pixels=self.pixels.pin_memory())


@dataclass(frozen=True)
class Decoder:
    """How images become pixels; `draft` as in `images.decode`."""

    source: ImageSource
    preprocessing: Preprocessing
    draft: bool = False

    def __call__(self, span: Span) -> Decoded:
        """Read, hash, decode and resize a span's images; broken ones are reported, not raised."""
        count, size = span.stop - span.start, self.preprocessing.size
        pixels = np.zeros((count, size, size, 3), dtype=np.uint8)
        sizes = np.full(count, -1, dtype=np.int64)
        digests = np.zeros((count, DIGEST_BYTES), dtype=np.uint8)
        reasons = {}
        rows = np.arange(span.start, span.stop)
        draft = self.preprocessing.resize if self.draft else 0
        for position in self.source.reading_order(rows).tolist():
            try:
                content = self.source.read(span.start + position)
                sizes[position] = len(content)
                digests[position] = file_digest(content)
                pixels[position] = to_pixels(decode(content, draft), self.preprocessing)
            except BrokenImage as error:
                reasons[position] = str(error)
        ordered = dict(sorted(reasons.items()))
        return Decoded(span, torch.from_numpy(pixels), sizes, digests, ordered)


def file_digest(content: bytes) -> np.ndarray:
    """(16,) uint8: the first bytes of the SHA-256 of an image file."""
    return np.frombuffer(hashlib.sha256(content).digest()[:DIGEST_BYTES], dtype=np.uint8)


class _Spans(Dataset[Decoded]):
    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    def __getitem__(self, span: Span) -> Decoded:
        return self.decoder(span)


def decoded_batches(
    decoder: Decoder, spans: Iterable[Span], workers: int, *, pin: bool = False
) -> Iterator[Decoded]:
    """Decode spans in `workers` processes (0: in this one) and yield them in their order.

    `spans` is asked for a little ahead: two spans a worker. Raises ClusterbenchError when a worker
    dies (memory).
    """
    if workers == 0:
        for span in spans:
            batch = decoder(span)
            yield batch.pin_memory() if pin else batch
        return
    with warnings.catch_warnings():
        # More processes than cores is the caller's choice.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loader: DataLoader[Decoded] = DataLoader(
            _Spans(decoder),
            batch_size=None,
            sampler=spans,
            num_workers=workers,
            prefetch_factor=2,
            pin_memory=pin,
        )
        batches = iter(loader)
    try:
        yield from batches
    except RuntimeError as error:
        if not re.search("DataLoader worker .*(exited unexpectedly|is killed)", str(error)):
            raise
        raise ClusterbenchError(
            f"a decoding process died ({str(error).splitlines()[0]}); the finished shards are "
            "kept: run the same command again, with fewer --workers or a smaller --batch-size"
        ) from error
