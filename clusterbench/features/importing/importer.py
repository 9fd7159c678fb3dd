"""From files of features, labels and ids to a feature store: first a plan, then the writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...errors import InputError
from ...files import sha256_file
from ...progress import Progress
from ..store.identity import differences
from ..store.layout import MANIFEST, PLAN
from ..store.store import FeatureStore
from ..store.writer import SHARD_ROWS
from .annotations import part_samples
from .columns import read_lines
from .formats import open_features
from .gather import Gathered
from .leaks import refuse_same_parts
from .matrix import FeatureFile, row_file
from .request import Request, layout_of
from .samples import PartSamples, Samples, index_samples

_DTYPES = ("float16", "float32")
_SHARD_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Import:
    """What an import amounts to; no features have been read yet.

    parts: name and number of files of each part. details: for the store's identity: the layout,
    and the name, the array and the SHA-256 of each file. notes: what the user should know.
    unknown: what the files do not say.
    """

    encoder: str
    layout: str
    files: tuple[FeatureFile, ...]
    parts: tuple[tuple[str, int], ...]
    samples: Samples
    dtype: np.dtype
    details: dict[str, Any]
    notes: tuple[str, ...]
    unknown: tuple[str, ...] = ("weights", "preprocessing", "which images")

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return self.files[0].dim

    @property
    def nbytes(self) -> int:
        """Bytes of the features in the store."""
        return self.samples.index.n * self.dim * self.dtype.itemsize

    def existing(self, output: Path) -> FeatureStore | None:
        """The store at `output` if it was made by this import; None where there is none.

        Raises InputError, naming the fields that differ, for another store, and for an unfinished
        extraction.
        """
        if (output / PLAN).is_file() and not (output / MANIFEST).is_file():
            raise InputError(f"{output}: holds an unfinished extraction; choose another folder")
        if not (output / MANIFEST).is_file():
            return None
        store = FeatureStore.open(output)
        wanted = {
            "encoder": self.encoder,
            "details": self.details,
            "dtype": self.dtype.name,
            "index": self.samples.index.hash,
        }
        # The hash of the features follows from the files and the index.
        found = {key: value for key, value in store.fields.items() if key != "features"}
        if lines := differences(found, wanted):
            shown = "; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" if lines[8:] else "")
            raise InputError(
                f"{output} holds other features: {shown}; use another folder, or delete this one"
            )
        return store


def plan_import(request: Request) -> Import:
    """Read labels, ids and the shape of the features, hash the files; read no features.

    Raises InputError, naming file and option, for what cannot be imported as it is.
    """
    layout = layout_of(request)
    encoder = request.name or layout.encoder
    if not encoder:
        raise InputError("--name is missing; give the name of the encoder that made the features")
    names = read_lines(request.class_names) if request.class_names else None
    files: list[FeatureFile] = []
    samples: list[PartSamples] = []
    sizes: list[tuple[str, int]] = []
    hashed: dict[str, Any] = {}
    for part in layout.parts:
        label = part.name if len(layout.parts) > 1 else ""
        opened = [open_features(path, request.array) for path in part.features]
        files += opened
        sizes.append((part.name or part.split, len(opened)))
        samples.append(part_samples(request, part, opened, label))
        hashed |= _hashes(samples[-1], opened)
    _check_dims(files)
    for role in ("ids", "split", "class_names"):
        if (path := getattr(request, role)) is not None:
            hashed[role] = {"name": path.name, "sha256": sha256_file(path)}
    return Import(
        encoder=encoder,
        layout=layout.name,
        files=tuple(files),
        parts=tuple(sizes),
        samples=index_samples(samples, names),
        dtype=_dtype(request.dtype, files),
        details={"made_by": "import", "layout": layout.name, "files": hashed},
        notes=layout.notes,
    )


def write_import(
    plan: Import, output: Path, progress: Progress | None = None
) -> tuple[FeatureStore, bool]:
    """Write the store, and say whether there was anything to write.

    progress: called with (bytes read, bytes of all features); all are read twice, for the hash
    and for the shards. Raises InputError
    for a store of other features at `output`, for NaN, infinities and values too large for the
    dtype, and for two parts that hold the same features; nothing is written then.
    """
    store = plan.existing(output)
    if store is not None:
        return store, False
    rows = [row_file(file, output.resolve().parent) for file in plan.files]
    refuse_same_parts(plan.parts, rows)
    features = Gathered(rows, plan.samples.order, plan.samples.index, plan.dtype, progress)
    written = FeatureStore.write(
        output,
        cast(np.ndarray, features),
        plan.samples.index,
        encoder=plan.encoder,
        details=plan.details,
        dtype=plan.dtype,
        shard_rows=_shard_rows(plan.dim * plan.dtype.itemsize),
    )
    return written, True


def _shard_rows(row_bytes: int) -> int:
    """Rows of a shard: the usual number, or the power of two that makes at most 64 MB.

    Writing holds a few shards in memory.
    """
    return min(SHARD_ROWS, 1 << max(0, (_SHARD_BYTES // row_bytes).bit_length() - 1))


def _check_dims(files: Sequence[FeatureFile]) -> None:
    for file in files[1:]:
        if file.dim != files[0].dim:
            raise InputError(
                f"{file.where}: has {file.dim} dimensions; {files[0].where} has {files[0].dim}; "
                "wanted features of one encoder"
            )


def _dtype(wanted: str | None, files: Sequence[FeatureFile]) -> np.dtype:
    if wanted is not None:
        if wanted not in _DTYPES:
            raise InputError(f"--dtype {wanted!r}; wanted float16 or float32")
        return np.dtype(wanted)
    narrow = all(file.kind in ("float16", "bfloat16") for file in files)
    return np.dtype("float16" if narrow else "float32")


def _hashes(part: PartSamples, files: Sequence[FeatureFile]) -> dict[str, Any]:
    """Role -> name, SHA-256 and array of each file of a part."""
    hashed: dict[str, Any] = {}
    sums: dict[Path, str] = {}
    prefix = f"{part.name}-" if part.name else ""
    roles = [("features", [(file.path, file.array) for file in files])]
    roles += [("labels", [(file.path, file.column) for file in part.labels])]
    for role, entries in roles:
        for number, (path, array) in enumerate(entries):
            if path not in sums:
                sums[path] = sha256_file(path)
            entry = {"name": path.name, "sha256": sums[path]}
            if array is not None:
                entry["array"] = array
            hashed[f"{prefix}{role}{f'-{number}' if len(entries) > 1 else ''}"] = entry
    return hashed
