"""Shards from images: decode ahead, compute, write behind; several processes share the work."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import torch

from ...errors import ClusterbenchError
from ...sources.source import ImageSource
from ...version import __version__
from ..store.claims import Claims
from ..store.shard_file import write_shard
from ..store.values import dtype_name, stored
from .broken import BrokenImages
from .decoding import DIGEST_BYTES, Decoded, Decoder, Span, decoded_batches
from .extraction_plan import Plan
from .forward import Forward, Pending

_POLL = 0.5  # seconds between tries for shards that other processes have
_LOOK = 5.0  # seconds between counts of what they have done


@dataclass(frozen=True)
class ExtractionProgress:
    """How far an extraction is.

    done, total: images, those of earlier runs and other processes included. waiting: share of this
    process's time spent waiting for decoded images. batch_size: images per forward pass.
    """

    done: int
    total: int
    waiting: float
    batch_size: int


Report = Callable[[ExtractionProgress], None]


@dataclass
class Pipeline:
    """One process's part of an extraction. `made_with` is recorded in each shard."""

    plan: Plan
    source: ImageSource
    decoder: Decoder
    forward: Forward
    broken: BrokenImages
    claims: Claims
    batch_size: int
    workers: int
    first: int  # where this process begins among the pending shards
    report: Report | None = None

    def __post_init__(self) -> None:
        self.n_new = 0
        self._mine: set[int] = set()
        self._elsewhere = 0  # images that other processes have done
        self._waited = 0.0
        self._started = self._looked = time.perf_counter()

    def run(self) -> int:
        """Do shards until all pending ones are there; the number of images this process did."""
        missing = list(self.plan.pending)
        turn = self.first % max(1, len(missing))
        missing = missing[turn:] + missing[:turn]
        self._tell()
        with ThreadPoolExecutor(1, "writer") as writer:
            while missing:
                before = self.n_new
                self._pass(missing, writer)
                missing = [shard for shard in missing if not self.plan.is_whole(shard)]
                self._look()
                self._tell()
                if missing and self.n_new == before:
                    time.sleep(_POLL)  # others have them; one that dies gives its shard free
        return self.n_new

    @property
    def waiting(self) -> float:
        """Share of the time so far spent waiting for decoded images."""
        elapsed = time.perf_counter() - self._started
        return self._waited / elapsed if elapsed > 0 else 0.0

    def _pass(self, shards: list[int], writer: ThreadPoolExecutor) -> None:
        filling: _Filling | None = None
        writing: Future[None] | None = None
        waiting: tuple[Decoded, Pending] | None = None
        pin = self.forward.device.type == "cuda"
        spans = self._spans(shards)
        for batch in self._timed(decoded_batches(self.decoder, spans, self.workers, pin=pin)):
            self.broken.add(batch.span.start, batch.reasons)
            # The next batch is under way on the device before the last one is fetched.
            entered = (batch, self.forward.start(batch.pixels))
            if waiting is not None:
                filling, writing = self._collect(*waiting, filling, writing, writer)
            waiting = entered
        if waiting is not None:
            filling, writing = self._collect(*waiting, filling, writing, writer)
        if writing is not None:
            writing.result()

    def _spans(self, shards: list[int]) -> Iterator[Span]:
        """Batches of the shards that this process claims, one shard after the other."""
        for shard in shards:
            if not self.claims.take(shard):
                continue
            if self.plan.is_whole(shard):  # another process was faster
                self.claims.release(shard)
                continue
            self._mine.add(shard)
            yield from self.plan.batches(shard, self.batch_size)

    def _collect(
        self,
        batch: Decoded,
        pending: Pending,
        filling: _Filling | None,
        writing: Future[None] | None,
        writer: ThreadPoolExecutor,
    ) -> tuple[_Filling | None, Future[None] | None]:
        if filling is None:
            filling = _Filling(self.plan, batch.span.start // self.plan.shard_rows)
        filling.add(batch, pending.result(), self.source)
        self.n_new += batch.span.stop - batch.span.start
        if batch.span.stop == self.plan.span(filling.shard).stop:
            if writing is not None:
                writing.result()
            writing = writer.submit(self._write, filling)
            filling = None
        self._tell()
        return filling, writing

    def _write(self, filling: _Filling) -> None:
        filling.write({"made_with": self._made_with()})
        self.claims.release(filling.shard)

    def _made_with(self) -> str:
        computation = self.forward.computation
        made: dict[str, Any] = {
            "clusterbench": __version__,
            "torch": torch.__version__,
            "device": self.forward.made_with(),
            "channels_last": computation.channels_last,
            "compile": computation.compile,
        }
        if not computation.deterministic:
            made["batch_size"] = min(self.batch_size, self.forward.batch_limit or self.batch_size)
        return json.dumps(made, sort_keys=True)

    def _look(self) -> None:
        others = set(self.plan.pending) - self._mine
        there = [shard for shard in others if self.plan.path(shard).is_file()]
        self._elsewhere = sum(self.plan.size(shard) for shard in there)
        self._looked = time.perf_counter()

    def _timed(self, batches: Iterator[Decoded]) -> Iterator[Decoded]:
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            self._waited += time.perf_counter() - started
            if batch is None:
                return
            yield batch

    def _tell(self) -> None:
        if self.report is None:
            return
        plan = self.plan
        if time.perf_counter() - self._looked > _LOOK:
            self._look()
        done = plan.n - plan.n_pending + self.n_new + self._elsewhere
        limit = self.forward.batch_limit or self.batch_size
        self.report(
            ExtractionProgress(min(done, plan.n), plan.n, self.waiting, min(limit, self.batch_size))
        )


class _Filling:
    """A shard's rows as they come in; broken images leave none."""

    def __init__(self, plan: Plan, shard: int) -> None:
        count = plan.size(shard)
        self.plan, self.shard, self.span = plan, shard, plan.span(shard)
        self.name = str(plan.fields["dtype"])
        self.features = np.empty((count, plan.dim), dtype=plan.dtype)
        self.sizes = np.empty(count, dtype=np.int64)
        self.digests = np.empty((count, DIGEST_BYTES), dtype=np.uint8)
        self.reasons: dict[int, str] = {}
        self.rows = 0

    def add(self, batch: Decoded, features: np.ndarray, source: ImageSource) -> None:
        """Put a batch's features (b, dim) float32 behind those that are there.

        Raises ClusterbenchError that names the sample, for a NaN and for a value that is too
        large for the dtype.
        """
        good = np.ones(len(features), bool)
        good[list(batch.reasons)] = False
        converted = stored(features, self.name)
        bad = good & ~np.isfinite(converted).all(axis=1)
        if bad.any():
            position = int(np.argmax(bad))
            sample = source.index.id(batch.span.start + position)
            if np.isfinite(features[position]).all():
                raise ClusterbenchError(
                    f"features of {sample!r} are too large for {dtype_name(self.name)}; "
                    "use --dtype float32"
                )
            raise ClusterbenchError(
                f"the encoder gives NaN or infinity for {sample!r}; check the weights, "
                "or use --precision fp32"
            )
        kept = int(good.sum())
        self.features[self.rows : self.rows + kept] = converted[good]
        self.rows += kept
        at = slice(batch.span.start - self.span.start, batch.span.stop - self.span.start)
        self.sizes[at], self.digests[at] = batch.sizes, batch.digests
        self.reasons.update((batch.span.start + p, why) for p, why in batch.reasons.items())

    def write(self, attributes: dict[str, Any]) -> None:
        """Write the shard's file."""
        write_shard(
            self.plan.path(self.shard),
            self.features[: self.rows],
            start=self.span.start,
            identity=self.plan.identity,
            attributes=attributes,
            columns={
                "image_sizes": self.sizes,
                "image_sha256": self.digests,
                "broken": np.array(list(self.reasons), dtype=np.int64),
                "reasons": np.array(list(self.reasons.values()), dtype=h5py.string_dtype()),
            },
        )
