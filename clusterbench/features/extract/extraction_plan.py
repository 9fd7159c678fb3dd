"""What is already there of an extraction: plan file, finished shards, images that changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...files import write_json
from ...hdf5_files import DAMAGED_ERRORS, text_attribute
from ...sources.source import BrokenImage, ImageSource
from ..store.identity import differences, identity_hash
from ..store.layout import DATASET, MANIFEST, ORIGIN, PLAN, read_plan, shard_name
from ..store.shard_file import open_hdf5, plain, shard_columns
from ..store.store_manifest import check_identity, read_manifest
from .decoding import Span, file_digest

_UNKNOWN_SIZE = 0  # of a source that cannot tell without reading


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
    pending: tuple[int, ...] = ()
    finished: bool = False

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
        return sum(self.size(shard) for shard in self.pending)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole store's features on disk."""
        return self.n * self.row_bytes

    @property
    def row_bytes(self) -> int:
        """Bytes of one sample's features on disk."""
        return self.dim * int(self.dtype.itemsize)

    def span(self, shard: int) -> Span:
        """Source positions of a shard."""
        return Span(shard * self.shard_rows, min((shard + 1) * self.shard_rows, self.n))

    def size(self, shard: int) -> int:
        """Number of images of a shard."""
        start, stop = self.span(shard)
        return stop - start

    def path(self, shard: int) -> Path:
        """File of a shard."""
        return self.output / shard_name(shard)

    def batches(self, shard: int, batch_size: int) -> list[Span]:
        """Batches of a shard: they never cross its border, so a redone shard has the same ones."""
        start, stop = self.span(shard)
        return [Span(a, min(a + batch_size, stop)) for a in range(start, stop, batch_size)]

    def is_whole(self, shard: int) -> bool:
        """Whether a shard is there, readable and of this extraction; others are done again."""
        span = self.span(shard)
        try:
            path = self.path(shard)
            with open_hdf5(path) as file:
                rows, sizes = plain(file, DATASET, path), plain(file, "image_sizes", path)
                return bool(
                    text_attribute(file, "identity") == self.identity
                    and file.attrs["start"] == span.start
                    and sizes.shape == (span.stop - span.start,)
                    and rows.shape == (file.attrs["rows"], self.dim)
                    and rows.dtype == self.dtype
                )
        except DAMAGED_ERRORS:
            return False


def make_plan(plan: Plan, *, repairing: bool = False) -> Plan:
    """Compare a folder with the extraction wanted there; the plan with what is still to do.

    Raises InputError when the folder holds something else: features of another identity (the
    differences are listed), other shard sizes, or files that are not a store. `repairing`: a
    folder whose manifest is damaged is taken for what it should be; its shards tell.
    """
    output = plan.output
    check_identity(plan.fields)
    found = _recorded(output, repairing)
    if found is None:
        if output.exists() and (not output.is_dir() or (any(_visible(output)) and not repairing)):
            raise InputError(
                f"{output} is there and is not a feature store; choose another --output"
            )
    else:
        wanted = {"fields": plan.fields, "shard_rows": plan.shard_rows, "n": plan.n}
        lines = [line.removeprefix("fields.") for line in differences(found, wanted)]
        if lines:
            raise InputError(
                f"{output} holds other features: {'; '.join(lines)}; "
                "choose another --output, or delete that folder"
            )
    there = output.is_dir()
    pending = tuple(s for s in range(plan.n_shards) if not (there and plan.is_whole(s)))
    finished = not pending and (output / MANIFEST).is_file()
    return replace(plan, pending=pending, finished=finished)


def begin(plan: Plan, origin: Mapping[str, Any] | None) -> None:
    """Record the plan in the folder; until it is finished the folder is not a store.

    `origin` is where the images and weights are, for `clusterbench cache repair`.
    """
    write_json(
        plan.output / PLAN,
        {
            "fields": plan.fields,
            "shard_rows": plan.shard_rows,
            "n": plan.n,
            "shards": plan.n_shards,
        },
    )
    if origin is not None:
        write_json(plan.output / ORIGIN, dict(origin))
    (plan.output / MANIFEST).unlink(missing_ok=True)


def check_images(plan: Plan, source: ImageSource) -> None:
    """Refuse finished shards whose images are no longer those they were made from.

    An image counts as changed when its size differs, where that is known, or when it is newer than
    the shard and its contents differ. Raises InputError that names the shard and the first such
    image.
    """
    for shard in range(plan.n_shards):
        if shard in plan.pending:
            continue
        path = plan.path(shard)
        with open_hdf5(path) as file:
            records = shard_columns(file, path)
            sizes, digests = records["image_sizes"], records["image_sha256"]
        made = path.stat().st_mtime_ns
        start, stop = plan.span(shard)
        sizes_now, times_now = source.stamps(start, stop)
        differ = (sizes != sizes_now) & (sizes_now != _UNKNOWN_SIZE)
        newer = (times_now > made) & (sizes_now >= 0) & ~differ
        for position in np.flatnonzero(newer).tolist():
            differ[position] = not _same(source, start + position, digests[position])
        if differ.any():
            first = start + int(np.argmax(differ))
            raise InputError(
                f"{path}: {int(differ.sum())} images changed since it was made (first: "
                f"{source.index.id(first)!r}); delete this shard to redo it, or choose "
                "another --output"
            )


def _same(source: ImageSource, row: int, digest: np.ndarray) -> bool:
    try:
        return bool(np.array_equal(file_digest(source.read(row)), digest))
    except BrokenImage:
        return False


def _recorded(output: Path, repairing: bool) -> dict[str, Any] | None:
    """{"fields", "shard_rows", "n"} of the extraction a folder holds, or None."""
    given: str | None = None
    for name in (PLAN, MANIFEST):
        path = output / name
        if not os.path.lexists(path):  # another process may just have renamed it
            continue
        try:
            if name == MANIFEST:
                content = read_manifest(output)
                source = content["source"]
                if source is None:
                    given = content["fields"]["encoder"]
                    break
                fields = {k: v for k, v in content["fields"].items() if k != "images"}
                fields["index"] = source["index"]
                return {"fields": fields, "shard_rows": content["shard_rows"], "n": source["n"]}
            content = read_plan(output)
            return {key: content[key] for key in ("fields", "shard_rows", "n")}
        except InputError as error:
            if repairing or not os.path.lexists(path):
                continue
            raise InputError(f"{error}; choose another --output") from error
    if given is not None:
        raise InputError(
            f"{output} holds features that were not extracted by this command "
            f"(encoder {given}); choose another --output"
        )
    return None


def _visible(folder: Path) -> Sequence[str]:
    # The plan may have been written since it was looked for.
    own = (PLAN, ORIGIN, MANIFEST)
    names = os.listdir(folder)  # noqa: PTH208
    return [name for name in names if not name.startswith(".") and name not in own]
