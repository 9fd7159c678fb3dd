"""From files of features, labels and ids to a feature store: first a plan, then the writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...errors import InputError
from ...files import sha256_file
from ...limits import check_name
from ...progress import Progress
from ..store.identity import differences
from ..store.layout import MANIFEST, PLAN
from ..store.store import FeatureStore
from ..store.writer import SHARD_ROWS
from .annotations import beside, part_samples
from .columns import read_lines
from .formats import open_features
from .gather import Gathered
from .leaks import refuse_same_parts
from .matrix import FeatureFile, row_file
from .oddities import Survey
from .request import Request, layout_of
from .samples import PartSamples, Samples, index_samples

_DTYPES = ("float16", "float32")
_SHARD_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Import:
    """What an import amounts to; no features have been read yet.

    parts: name and number of files of each part. details: for the store's identity: the layout,
    and the name, the array and the SHA-256 of each file. notes: what the user should know.
    columns: role of a table in `details` -> its columns that are the features, in words. left_out:
    likewise -> columns or arrays that are neither features nor anything else. unknown: what the
    files do not say.
    """

    encoder: str
    layout: str
    files: tuple[FeatureFile, ...]
    parts: tuple[tuple[str, int], ...]
    samples: Samples
    dtype: np.dtype
    details: dict[str, Any]
    notes: tuple[str, ...]
    columns: dict[str, str]
    left_out: dict[str, tuple[str, ...]]
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
        lines = differences(found, wanted)
        if store.dim != self.dim:  # they were other columns of the same file
            lines.append(f"dim: found {store.dim}, wanted {self.dim}")
        if lines:
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
    check_name(encoder, "--name")
    if all(character in "./\\" for character in encoder):
        raise InputError(f"--name {encoder!r}; wanted a name of letters and digits")
    names = read_lines(request.class_names) if request.class_names else None
    files: list[FeatureFile] = []
    samples: list[PartSamples] = []
    sizes: list[tuple[str, int]] = []
    hashed: dict[str, Any] = {}
    columns: dict[str, str] = {}
    left_out: dict[str, tuple[str, ...]] = {}
    notes = list(layout.notes)
    for part in layout.parts:
        label = part.name if len(layout.parts) > 1 else ""
        there = [beside(request, part, number) for number in range(len(part.features))]
        opened = [
            open_features(path, request.array, found.used)
            for path, found in zip(part.features, there, strict=True)
        ]
        files += opened
        sizes.append((part.name or part.split, len(opened)))
        samples.append(part_samples(request, part, opened, there, label))
        hashed |= _hashes(samples[-1], opened, part.ids)
        for role, file, found in zip(_roles(label, "features", opened), opened, there, strict=True):
            if file.columns is not None:
                columns[role] = file.columns.text
                notes += file.columns.notes
            if left := found.left_out(file):
                left_out[role] = left
            unused = [name for name in left if name.endswith("(split)")]
            if unused and found.split is None and request.split is None:
                notes.append(
                    f"{unused[0].removesuffix(' (split)')} looks like a split and is not used: "
                    "call it split (train and val, or 0 and 1), or give a file with --split"
                )
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
        notes=tuple(notes),
        columns=columns,
        left_out=left_out,
    )


def write_import(
    plan: Import,
    output: Path,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> tuple[FeatureStore, bool]:
    """Write the store, and say whether there was anything to write.

    progress: called with (bytes read, bytes of all features); all are read twice, for the hash
    and for the shards. note: called with what is odd about the features, such as rows of zeros.
    Raises InputError for a store of other features at `output`, for NaN, infinities and values too
    large for the dtype, and for two parts that hold the same features; nothing is written then.
    """
    store = plan.existing(output)
    if store is not None:
        return store, False
    rows = [row_file(file, output.resolve().parent) for file in plan.files]
    refuse_same_parts(plan.parts, rows)
    survey = Survey(rows, plan.samples)
    features = Gathered(rows, plan.samples.order, plan.samples.index, plan.dtype, progress, survey)
    written = FeatureStore.write(
        output,
        cast(np.ndarray, features),
        plan.samples.index,
        encoder=plan.encoder,
        details=plan.details,
        dtype=plan.dtype,
        shard_rows=_shard_rows(plan.dim * plan.dtype.itemsize),
    )
    if note is not None:
        for line in survey.notes():
            note(line)
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
        ours, theirs = (f.columns.names if f.columns else () for f in (file, files[0]))
        if ours and theirs and ours != theirs:
            raise InputError(
                f"{file.where}: has other columns than {files[0].where}, or in another order; "
                "write both with the same columns"
            )


def _dtype(wanted: str | None, files: Sequence[FeatureFile]) -> np.dtype:
    if wanted is not None:
        if wanted not in _DTYPES:
            raise InputError(f"--dtype {wanted!r}; wanted float16 or float32")
        return np.dtype(wanted)
    narrow = all(file.kind in ("float16", "bfloat16") for file in files)
    return np.dtype("float16" if narrow else "float32")


def _hashes(part: PartSamples, files: Sequence[FeatureFile], ids: Sequence[Path]) -> dict[str, Any]:
    """Role -> name, SHA-256 and array of each file of a part."""
    hashed: dict[str, Any] = {}
    sums: dict[Path, str] = {}
    kinds: list[tuple[str, list[tuple[Path, str | None]]]] = [
        ("features", [(file.path, file.array) for file in files]),
        ("labels", [(file.path, file.column) for file in part.labels]),
        ("ids", [(path, None) for path in ids]),
    ]
    for kind, entries in kinds:
        for role, (path, array) in zip(_roles(part.name, kind, entries), entries, strict=True):
            if path not in sums:
                sums[path] = sha256_file(path)
            hashed[role] = {"name": path.name, "sha256": sums[path]}
            if array is not None:
                hashed[role]["array"] = array
    return hashed


def _roles(part: str, kind: str, files: Sequence[Any]) -> list[str]:
    """What the files of a part are called in the details: "features", "train-labels-0"."""
    prefix = f"{part}-" if part else ""
    return [
        f"{prefix}{kind}{f'-{number}' if len(files) > 1 else ''}" for number in range(len(files))
    ]
