"""Extraction: images through an encoder into a feature store, resumable shard by shard.

Shards are cut by position in the *source* index: shard s holds the readable images among
positions [s * shard_rows, (s + 1) * shard_rows). A broken image leaves its shard one row shorter
and moves no other shard, so each shard depends on its own images only and can be made alone, in
any order, by any number of workers. When all are there the index without the broken images is
written, and the folder becomes a store.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import h5py
import numpy as np
import torch
from numpy.typing import DTypeLike

from ..cores import n_cores
from ..datasets.folder import FolderSource
from ..errors import ClusterbenchError, InputError, StorageError
from . import resume
from .decoding import DIGEST_BYTES, Decoded, decoded_batches
from .encoder import PRECISIONS, Encoder
from .resume import Plan, make_plan
from .store import DATASET, FeatureStore
from .writer import SHARD_ROWS, finish_store, storage_dtype, write_shard

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Extraction:
    """What a call of `extract` did: the store, images done now and before, broken ones, time."""

    store: FeatureStore
    n_new: int
    n_before: int
    n_broken: int
    seconds: float


def plan_extraction(
    source: FolderSource,
    encoder: Encoder,
    output: Path | str,
    *,
    precision: str = "fp32",
    dtype: DTypeLike = np.float16,
    shard_rows: int = SHARD_ROWS,
) -> Plan:
    """What `extract` would do, without doing it; raises the same InputErrors for the output."""
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}; wanted one of {', '.join(PRECISIONS)}")
    if shard_rows < 1:
        raise InputError(f"shard_rows is {shard_rows}; wanted 1 or more")
    target = storage_dtype(dtype)
    fields = {
        "encoder": encoder.name,
        "details": encoder.details(precision),
        "dtype": target.name,
        "index": source.index.hash,
    }
    return make_plan(Path(output), fields, source.index.n, encoder.dim, target, shard_rows)


def extract(
    source: FolderSource,
    encoder: Encoder,
    output: Path | str,
    *,
    device: str = "auto",
    precision: str = "fp32",
    dtype: DTypeLike = np.float16,
    batch_size: int = 256,
    workers: int | None = None,
    max_broken: float = 0.01,
    shard_rows: int = SHARD_ROWS,
    verify_images: bool = True,
    progress: Progress | None = None,
) -> Extraction:
    """Extract the features of every readable image into a store at `output`.

    Shards that are there are kept: a killed run loses at most its open shard, and a finished store
    is returned as it is. `precision` "bf16" runs the forward pass under autocast and is part of the
    identity. `workers` decode (default: the cores this process may use, less one, at most 16; 0:
    in this process). `progress(done, total)` counts images, those of earlier runs included.
    `verify_images` compares the images of finished shards with what they were made from.

    Raises InputError for options, and for an output that holds other features; ClusterbenchError
    when more than the fraction `max_broken` of the images is broken, or the encoder gives NaN.
    """
    chosen = choose_device(device)
    if batch_size < 1:
        raise InputError(f"batch size {batch_size}; wanted 1 or more")
    if not 0 <= max_broken <= 1:
        raise InputError(f"max_broken is {max_broken}; wanted a fraction, 0 to 1")
    workers = default_workers() if workers is None else workers
    if workers < 0:
        raise InputError(f"workers is {workers}; wanted 0 or more")
    started = time.perf_counter()
    options: dict[str, Any] = {"precision": precision, "dtype": dtype, "shard_rows": shard_rows}
    plan_extraction(source, encoder, output, **options)  # refuse before anything is created
    with _exclusive(Path(output)):
        plan = plan_extraction(source, encoder, output, **options)
        if verify_images:
            resume.check_images(plan, source)
        before = plan.n - plan.n_pending
        if not plan.finished:
            resume.begin(plan)
            broken = _Broken(source, plan, max_broken)
            if plan.pending:
                forward = _Forward(encoder, chosen, precision)
                _run(plan, source, forward, broken, batch_size, workers, progress)
            _finish(plan, source, broken)
        store = FeatureStore.open(plan.output)
    seconds = time.perf_counter() - started
    return Extraction(store, plan.n_pending, before, store.broken, seconds)


def choose_device(device: str) -> torch.device:
    """A torch device; "auto" is the first CUDA device, else the CPU. InputError if not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {device!r}: {reason}; wanted auto, cpu or cuda[:N]") from error
    return chosen


def default_workers() -> int:
    """Decoding processes: the cores this process may use, less one for the encoder, at most 16."""
    return max(0, min(16, n_cores() - 1))


class _Forward:
    """Pixels to features on a device."""

    def __init__(self, encoder: Encoder, device: torch.device, precision: str) -> None:
        self.encoder, self.device = encoder, device
        self.module = encoder.module.to(device)
        self.bf16 = precision == "bf16"

    def __call__(self, pixels: torch.Tensor) -> np.ndarray:
        """(b, size, size, 3) uint8 to (b, dim) float32."""
        try:
            with torch.inference_mode(), self._autocast():
                images = self.encoder.normalise(pixels.to(self.device, non_blocking=True))
                return self.module(images).float().cpu().numpy()  # type: ignore[no-any-return]
        except torch.cuda.OutOfMemoryError as error:
            raise ClusterbenchError(
                f"out of GPU memory with {len(pixels)} images at a time; the finished shards are "
                f"kept: run again with --batch-size {max(1, len(pixels) // 2)}"
            ) from error

    def _autocast(self) -> AbstractContextManager[Any]:
        if not self.bf16:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


class _Broken:
    """Broken images by shard, and the share at which the run stops."""

    def __init__(self, source: FolderSource, plan: Plan, limit: float) -> None:
        self.source, self.plan, self.limit = source, plan, limit
        self.reasons: dict[int, str] = {}
        for shard in range(plan.n_shards):
            if shard not in plan.pending:
                with h5py.File(plan.path(shard), "r") as file:
                    found = zip(file["broken"][:], file["reasons"].asstr()[:], strict=True)
                    self.reasons.update((int(row), str(reason)) for row, reason in found)
        self.check()

    def add(self, batch: Decoded) -> None:
        self.reasons.update((batch.span.start + p, why) for p, why in batch.reasons.items())
        if batch.reasons:
            self.check()

    def check(self) -> None:
        count, n = len(self.reasons), self.plan.n
        if count > self.limit * n:
            row = min(self.reasons)
            raise ClusterbenchError(
                f"{count:,} of {n:,} images cannot be read ({count / n:.2%}), more than "
                f"--max-broken {self.limit:g}; first: {self.source.index.id(row)!r}: "
                f"{self.reasons[row]}; mend the images or raise --max-broken (finished shards "
                "are kept)"
            )
        if count == n:
            raise ClusterbenchError(f"none of the {n:,} images can be read")


def _run(
    plan: Plan,
    source: FolderSource,
    forward: _Forward,
    broken: _Broken,
    batch_size: int,
    workers: int,
    progress: Progress | None,
) -> None:
    """Do the pending shards: decode ahead in the workers, fill a shard, write it, go on."""
    done = plan.n - plan.n_pending
    spans = [span for shard in plan.pending for span in plan.batches(shard, batch_size)]
    shards = iter(plan.pending)
    batches: list[tuple[Decoded, np.ndarray]] = []
    shard = next(shards)
    if progress:
        progress(done, plan.n)
    for batch in decoded_batches(source, spans, forward.encoder.preprocessing, workers):
        broken.add(batch)
        batches.append((batch, _stored(forward(batch.pixels), batch, plan.dtype, source)))
        if batch.span.stop == plan.span(shard).stop:
            _write(plan, shard, batches)
            batches = []
            shard = next(shards, -1)
        done += batch.span.stop - batch.span.start
        if progress:
            progress(done, plan.n)


def _stored(
    features: np.ndarray, batch: Decoded, dtype: np.dtype, source: FolderSource
) -> np.ndarray:
    """Features of the readable images of a batch in the dtype of the store, all finite."""
    good = np.ones(len(features), bool)
    good[list(batch.reasons)] = False
    with np.errstate(over="ignore"):
        converted: np.ndarray = features.astype(dtype)
    bad = good & ~np.isfinite(converted).all(axis=1)
    if bad.any():
        position = int(np.argmax(bad))
        sample = source.index.id(batch.span.start + position)
        if np.isfinite(features[position]).all():
            raise ClusterbenchError(
                f"features of {sample!r} are too large for {dtype.name}; use --dtype float32"
            )
        raise ClusterbenchError(
            f"the encoder gives NaN or infinity for {sample!r}; check the weights, "
            "or use --precision fp32"
        )
    return converted[good]


def _write(plan: Plan, shard: int, batches: list[tuple[Decoded, np.ndarray]]) -> None:
    reasons = {
        batch.span.start + position: reason
        for batch, _ in batches
        for position, reason in sorted(batch.reasons.items())
    }
    write_shard(
        plan.path(shard),
        np.concatenate([features for _, features in batches]),
        start=plan.span(shard).start,
        identity=plan.identity,
        columns={
            "image_sizes": np.concatenate([batch.sizes for batch, _ in batches]),
            "image_sha256": np.concatenate([batch.digests for batch, _ in batches]),
            "broken": np.array(list(reasons), dtype=np.int64),
            "reasons": np.array(list(reasons.values()), dtype=h5py.string_dtype()),
        },
    )


def _finish(plan: Plan, source: FolderSource, broken: _Broken) -> None:
    shards, images = [], hashlib.sha256()
    readable = np.ones(plan.n, bool)
    readable[list(broken.reasons)] = False
    for shard in range(plan.n_shards):
        with h5py.File(plan.path(shard), "r") as file:
            digests = file["image_sha256"][:]
            rows, digest = len(file[DATASET]), str(file.attrs["sha256"])
        span = plan.span(shard)
        images.update(digests.reshape(-1, DIGEST_BYTES)[readable[span.start : span.stop]].data)
        entry = {"file": plan.path(shard).name, "start": span.start, "rows": rows}
        shards.append(entry | {"sha256": digest})
    index = source.index if not broken.reasons else source.index.take(readable)
    fields = {**plan.fields, "index": index.hash, "images": images.hexdigest()}
    finish_store(
        plan.output,
        index=index,
        fields=fields,
        shard_identity=plan.identity,
        shards=shards,
        dim=plan.dim,
        dtype=plan.dtype,
        shard_rows=plan.shard_rows,
        source={"index": source.index.hash, "n": source.index.n},
        broken=[
            {"id": source.index.id(row), "reason": reason}
            for row, reason in sorted(broken.reasons.items())
        ],
    )


def _exclusive(output: Path) -> AbstractContextManager[Any]:
    """Two extractions into one folder would do the same work twice: the second is refused."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(output / ".extracting").acquire(timeout=0)
    except filelock.Timeout as error:
        raise InputError(f"{output}: another extraction is writing there") from error
    except OSError as error:
        raise StorageError(f"cannot write {output}: {error.strerror}") from error
