"""What is already there of an extraction: plan file, finished shards, images that changed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..datasets.folder import FolderSource
from ..errors import InputError
from ..files import write_json
from .decoding import Span, file_digest
from .identity import differences, identity_hash
from .images import BrokenImage, read_image
from .store import DATASET, MANIFEST, PLAN
from .writer import shard_name

_STAT_THREADS = 16


@dataclass(frozen=True)
class Plan:
    """An extraction into one folder: what it will hold and which shards are still to do.

    `fields` is the identity of its shards: encoder, details, dtype and the hash of the source
    index (the store's own identity has the hash of the index without broken images).
    """

    output: Path
    fields: dict[str, Any]
    n: int
    dim: int
    dtype: np.dtype
    shard_rows: int
    pending: tuple[int, ...]
    finished: bool

    @property
    def identity(self) -> str:
        """Hash of `fields`, written into every shard."""
        return identity_hash(self.fields)

    @property
    def n_shards(self) -> int:
        """Number of shards of the whole extraction."""
        return -(-self.n // self.shard_rows)

    @property
    def n_pending(self) -> int:
        """Number of images in the shards still to do."""
        return sum(self.span(shard).stop - self.span(shard).start for shard in self.pending)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole store's features on disk."""
        return self.n * self.dim * int(self.dtype.itemsize)

    def span(self, shard: int) -> Span:
        """Source positions of a shard."""
        return Span(shard * self.shard_rows, min((shard + 1) * self.shard_rows, self.n))

    def path(self, shard: int) -> Path:
        """File of a shard."""
        return self.output / shard_name(shard)

    def batches(self, shard: int, batch_size: int) -> list[Span]:
        """Batches of a shard: they never cross its border, so a redone shard has the same ones."""
        start, stop = self.span(shard)
        return [Span(a, min(a + batch_size, stop)) for a in range(start, stop, batch_size)]


def make_plan(
    output: Path, fields: dict[str, Any], n: int, dim: int, dtype: np.dtype, shard_rows: int
) -> Plan:
    """Compare a folder with the extraction wanted there.

    Raises InputError when the folder holds something else: features of another identity (the
    differences are listed), other shard sizes, or files that are not a store.
    """
    output = Path(output)
    found = _recorded(output)
    wanted = {"fields": fields, "shard_rows": shard_rows, "n": n}
    if found is None:
        if output.exists() and (not output.is_dir() or any(_visible(output))):
            raise InputError(
                f"{output} is there and is not a feature store; choose another --output"
            )
    else:
        lines = [line.removeprefix("fields.") for line in differences(found, wanted)]
        if lines:
            raise InputError(
                f"{output} holds other features: {'; '.join(lines)}; "
                "choose another --output, or delete that folder"
            )
    plan = Plan(output, fields, n, dim, dtype, shard_rows, (), False)
    identity = plan.identity
    pending = tuple(
        shard
        for shard in range(plan.n_shards)
        if found is None or not _is_whole(plan.path(shard), identity, plan.span(shard))
    )
    finished = not pending and (output / MANIFEST).is_file()
    return Plan(output, fields, n, dim, dtype, shard_rows, pending, finished)


def begin(plan: Plan) -> None:
    """Record the plan in the folder; until it is finished the folder is not a store."""
    write_json(
        plan.output / PLAN,
        {
            "fields": plan.fields,
            "shard_rows": plan.shard_rows,
            "n": plan.n,
            "shards": plan.n_shards,
        },
    )
    (plan.output / MANIFEST).unlink(missing_ok=True)


def check_images(plan: Plan, source: FolderSource) -> None:
    """Refuse finished shards whose images are no longer those they were made from.

    An image counts as changed when its size differs, or when it is newer than the shard and its
    contents differ. Raises InputError that names the shard and the first such image.
    """
    with ThreadPoolExecutor(_STAT_THREADS) as pool:
        for shard in range(plan.n_shards):
            if shard in plan.pending:
                continue
            path = plan.path(shard)
            with h5py.File(path, "r") as file:
                sizes, digests = file["image_sizes"][:], file["image_sha256"][:]
            made = path.stat().st_mtime_ns
            rows = range(*plan.span(shard))
            status = list(pool.map(_status, [source.path(row) for row in rows]))
            changed = [
                row
                for row, size, digest, (size_now, time_now) in zip(
                    rows, sizes, digests, status, strict=True
                )
                if size != size_now
                or (time_now > made and size_now >= 0 and not _same(source.path(row), digest))
            ]
            if changed:
                raise InputError(
                    f"{path}: {len(changed)} images changed since it was made (first: "
                    f"{source.index.id(changed[0])!r}); delete this shard to redo it, or choose "
                    "another --output"
                )


def _status(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - called once per image
    except OSError:
        return -1, 0
    if not os.access(path, os.R_OK):
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _same(path: Path, digest: np.ndarray) -> bool:
    try:
        return bool(np.array_equal(file_digest(read_image(path)), digest))
    except BrokenImage:
        return False


def _recorded(output: Path) -> dict[str, Any] | None:
    """{"fields", "shard_rows", "n"} of the extraction a folder holds, or None."""
    for name in (PLAN, MANIFEST):
        path = output / name
        if not path.is_file():
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if name == MANIFEST:
                source = content.get("source")
                if source is None:
                    raise InputError(
                        f"{output} holds features that were not extracted by this command "
                        f"(encoder {content['fields']['encoder']}); choose another --output"
                    )
                fields = {k: v for k, v in content["fields"].items() if k != "images"}
                fields["index"] = source["index"]
                return {"fields": fields, "shard_rows": content["shard_rows"], "n": source["n"]}
            return {key: content[key] for key in ("fields", "shard_rows", "n")}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: damaged ({error!r}); choose another --output") from error
    return None


def _is_whole(path: Path, identity: str, span: Span) -> bool:
    """Whether a shard is there, readable and of this extraction; others are done again."""
    try:
        with h5py.File(path, "r") as file:
            return bool(
                file.attrs["identity"] == identity
                and file.attrs["start"] == span.start
                and len(file["image_sizes"]) == span.stop - span.start
                and len(file[DATASET]) == file.attrs["rows"]
            )
    except (OSError, KeyError):
        return False


def _visible(folder: Path) -> Sequence[str]:
    return [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208
