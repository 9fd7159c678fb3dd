"""Extraction: images through an encoder into a feature store, resumable shard by shard.

Shards are cut by position in the *source* index: shard s holds the readable images among
positions [s * shard_rows, (s + 1) * shard_rows). A broken image leaves its shard one row shorter
and moves no other shard, so each shard depends on its own images only and can be made alone, in
any order, by any number of processes. When all are there the index without the broken images is
written, and the folder becomes a store.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...cores import n_cores
from ...devices import Team, resolve_device, team
from ...errors import InputError
from ...files import sha256_file
from ...sources.source import ImageSource
from ..encoders.encoder import Encoder
from ..store.claims import Claims
from ..store.layout import DATASET, MANIFEST, PLAN, temporary_files
from ..store.shard_file import open_hdf5, shard_fault
from ..store.store import FeatureStore
from ..store.values import dtype_name, storage_dtype
from ..store.writer import SHARD_ROWS, finish_store, require_space, tidy_store
from .broken import BrokenImages
from .decoding import DIGEST_BYTES, Decoder
from .extraction_plan import Plan, begin, check_images, make_plan
from .forward import FIXED_BATCH, Computation, Forward, computing
from .pipeline import Pipeline, Report

_RECORD_BYTES = 8 + DIGEST_BYTES  # kept per image beside its features


@dataclass(frozen=True)
class Extraction:
    """What an extraction did.

    n_new: images this process did. n_before: images that were there before. n_broken: images that
    could not be used. waiting: share of the seconds spent waiting for decoded images.
    """

    store: FeatureStore
    n_new: int
    n_before: int
    n_broken: int
    seconds: float
    waiting: float = 0.0


def plan_extraction(
    source: ImageSource,
    encoder: Encoder,
    output: Path | str,
    *,
    precision: str = "fp32",
    dtype: DTypeLike | str = np.float16,
    shard_rows: int = SHARD_ROWS,
    draft: bool = False,
    channels_last: bool = False,
    compile: bool = False,
    deterministic: bool = False,
    repairing: bool = False,
) -> Plan:
    """What `extract` would do, without doing it; raises the same InputErrors for the output."""
    computation = Computation(precision, channels_last, compile, deterministic)
    if shard_rows < 1:
        raise InputError(f"shard_rows is {shard_rows}; wanted 1 or more")
    target = storage_dtype(dtype)
    details = encoder.details(computation.precision) | computation.identity()
    if draft:
        details["preprocessing"] = {**details["preprocessing"], "jpeg_draft": True}
    fields = {
        "encoder": encoder.name,
        "details": details,
        "dtype": dtype_name(dtype),
        "index": source.index.hash,
    }
    plan = Plan(Path(output), fields, source.index.n, encoder.dim, target, shard_rows)
    return make_plan(plan, repairing=repairing)


def extract(
    source: ImageSource,
    encoder: Encoder,
    output: Path | str,
    *,
    device: str = "auto",
    precision: str = "fp32",
    dtype: DTypeLike | str = np.float16,
    batch_size: int = 256,
    workers: int | None = None,
    max_broken: float = 0.01,
    shard_rows: int = SHARD_ROWS,
    draft: bool = False,
    channels_last: bool = False,
    compile: bool = False,
    deterministic: bool = False,
    verify_images: bool = True,
    repairing: bool = False,
    origin: Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> Extraction:
    """Extract the features of every readable image into a store at `output`.

    Shards that are there are kept: a killed run loses at most its open shards, and a finished
    store is returned as it is. Processes that extract into one folder at the same time share the
    shards; each returns when all are there.

    precision: "bf16" or "fp16" runs the forward pass under autocast; part of the identity.
    dtype: float16, "bfloat16" (rounded to it, held as float16) or float32.
    batch_size: images of a forward pass; halved where the device's memory does not hold it.
    workers: processes that decode (default: the cores this process may use, less one, at most
        16; 0: in this process).
    max_broken: fraction of the images at which the run fails.
    draft: JPEGs are decoded at a fraction of their size where that is enough; part of the identity.
    channels_last, compile, deterministic: see `forward.Computation`.
    verify_images: compare the images of finished shards with what they were made from.
    origin: JSON that says where images and weights are, kept for repairing.
    progress: called with a `pipeline.ExtractionProgress` after each batch.

    Raises InputError for options, and for an output that holds other features; StorageError for a
    disk that cannot hold the store; ClusterbenchError when more than the fraction `max_broken` of
    the images is broken, or the encoder gives NaN.
    """
    mates = team()
    chosen = resolve_device(device, mates.local_rank)
    computation = Computation(precision, channels_last, compile, deterministic)
    if batch_size < 1:
        raise InputError(f"batch size {batch_size}; wanted 1 or more")
    if deterministic:
        batch_size = -(-batch_size // FIXED_BATCH) * FIXED_BATCH
    if not 0 <= max_broken <= 1:
        raise InputError(f"max_broken is {max_broken}; wanted a fraction, 0 to 1")
    workers = default_workers(mates) if workers is None else workers
    if workers < 0:
        raise InputError(f"workers is {workers}; wanted 0 or more")
    started = time.perf_counter()

    def planned() -> Plan:
        return plan_extraction(
            source,
            encoder,
            output,
            precision=precision,
            dtype=dtype,
            shard_rows=shard_rows,
            draft=draft,
            channels_last=channels_last,
            compile=compile,
            deterministic=deterministic,
            repairing=repairing,
        )

    plan = planned()  # refuses before anything is created
    if plan.pending:
        row_bytes = plan.row_bytes + _RECORD_BYTES
        require_space(plan.output, plan.n_pending * row_bytes + plan.n * 16)
    before = plan.n - plan.n_pending
    n_new, waiting = 0, 0.0
    with Claims(plan.output) as claims, computing(computation):
        if claims.take_all():  # nobody else is at work
            _sweep(plan.output)
            claims.release_all()
        while True:
            with claims.finishing(plan.n_shards):  # never undo what another process finishes now
                plan = planned()
                if plan.finished:
                    tidy_store(plan.output)
                else:
                    begin(plan, origin)
            if verify_images:
                check_images(plan, source)
            if plan.finished:
                break
            broken = BrokenImages(source, plan, max_broken)
            if plan.pending:
                forward = Forward(encoder, chosen, computation)
                pipeline = Pipeline(
                    plan,
                    source,
                    Decoder(source, encoder.preprocessing, draft),
                    forward,
                    broken,
                    claims,
                    batch_size,
                    workers,
                    first=mates.rank * len(plan.pending) // mates.size,
                    report=progress,
                )
                n_new += pipeline.run()
                waiting = pipeline.waiting
            if _finish(plan, source, broken, claims):
                break
            verify_images = False  # a shard was damaged since it was written: once more
        store = FeatureStore.open(plan.output)
        if claims.take_all():  # the last one out
            claims.path.unlink(missing_ok=True)
    seconds = time.perf_counter() - started
    return Extraction(store, n_new, before, store.broken, seconds, waiting)


def default_workers(mates: Team | None = None) -> int:
    """Decoding processes: this process's share of the cores, less one, at least 1, at most 16."""
    share = n_cores() // (mates.local_size if mates else 1)
    return max(1, min(16, share - 1))


def _finish(plan: Plan, source: ImageSource, broken: BrokenImages, claims: Claims) -> bool:
    """Make the folder a store; False when a shard turns out to be damaged and has to be redone."""
    with claims.finishing(plan.n_shards):
        if (plan.output / MANIFEST).is_file() and not (plan.output / PLAN).is_file():
            return True
        for shard in plan.pending:
            broken.add_shard(shard)
        broken.check()
        paths = [plan.path(shard) for shard in range(plan.n_shards)]
        with ThreadPoolExecutor(min(8, n_cores())) as pool:
            faults = list(pool.map(shard_fault, paths))
            for path, fault in zip(paths, faults, strict=True):
                if fault:
                    path.unlink(missing_ok=True)
            if any(faults):
                return False
            hashes = list(pool.map(sha256_file, paths))
        _write_store(plan, source, broken, hashes)
    return True


def _write_store(
    plan: Plan, source: ImageSource, broken: BrokenImages, file_hashes: list[str]
) -> None:
    shards, images = [], hashlib.sha256()
    readable = np.ones(plan.n, bool)
    readable[list(broken.reasons)] = False
    for shard, file_hash in enumerate(file_hashes):
        with open_hdf5(plan.path(shard)) as file:
            digests = file["image_sha256"][:]
            rows, digest = len(file[DATASET]), str(file.attrs["sha256"])
        span = plan.span(shard)
        images.update(digests.reshape(-1, DIGEST_BYTES)[readable[span.start : span.stop]].data)
        entry = {"file": plan.path(shard).name, "start": span.start, "rows": rows}
        shards.append(entry | {"sha256": digest, "file_sha256": file_hash})
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
        broken=[{"id": source.index.id(row), "reason": reason} for row, reason in broken.sorted()],
    )


def _sweep(output: Path) -> None:
    """Remove the temporary files of killed extractions, and nothing else."""
    for stale in temporary_files(output):
        stale.unlink(missing_ok=True)
