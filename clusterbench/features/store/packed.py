"""A store as one HDF5 file, to hand on or archive, and back into the same shards.

The file holds `/features` (n, dim), contiguous, the data set's index beside it (`ids`, `labels`,
`split`, `class_names`), and the records of each shard under `/shards`. It can be read in place.
Its first 512 bytes, which HDF5 leaves to its user, hold the SHA-256 of the rest. Where the images
were on the machine that made the store (`origin.json`) is not handed on.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...doors import check_size, open_regular, parse_json, read_bytes
from ...errors import ClusterbenchError, InputError
from ...files import atomic_path, sha256_file, sha256_json, write_bytes
from ...hdf5_files import DAMAGED_ERRORS, open_hdf5, text_attribute, write_hdf5
from ...limits import BROKEN_LIST, STORE_RECORD
from ...progress import Progress
from ...sources.dataset_index import DatasetIndex
from .layout import BROKEN, DATASET, INDEX, OWN_FILES, VIRTUAL, Shard, most_bytes, shard_name
from .rows import StoredRows
from .shard_file import hash_columns, made_with, plain, reason, shard_columns, write_shard
from .store_manifest import HASHED, checked_manifest, write_manifest
from .virtual_file import write_virtual
from .writer import require_space

FORMAT = "clusterbench-packed/1"
_HEAD = 512  # bytes before HDF5's, for the checksum
_CHUNK = 4 << 20


def pack(store: StoredRows, target: Path, progress: Progress | None = None) -> None:
    """Write a store as one file, atomically; every row is checked on the way.

    Raises InputError for a damaged shard and for a target that is there, StorageError.
    """
    if store.packed:
        raise InputError(f"{store.path} is packed already")
    if os.path.lexists(target):
        raise InputError(f"{target} is there; choose another file, or delete it")
    broken = _broken_images(store)
    require_space(target.parent, store.nbytes)
    with atomic_path(target) as temporary:
        with write_hdf5(temporary, userblock_size=_HEAD) as file:
            store.index.write(file)
            file.attrs["packed"] = FORMAT
            file.attrs["identity"] = store.shard_identity
            file.attrs["manifest"] = json.dumps(
                store.manifest | {"checksum": sha256_json(store.manifest)}
            )
            file.create_dataset("broken", data=np.frombuffer(broken, np.uint8))
            rows = file.create_dataset(DATASET, (store.n, store.dim), store.dtype)
            for number, shard in enumerate(store.shards):
                start = store.manifest["shards"][number]["start"]
                _pack_shard(store, shard, start, rows, file.create_group(f"shards/{number:05d}"))
                if progress:
                    progress(shard.first + shard.rows, store.n)
        head = _head(temporary)
        with temporary.open("rb+") as raw:
            raw.write(head)


def is_sealed(path: Path, progress: Progress | None = None) -> bool:
    """Whether every byte of a packed file is as it was written; progress in bytes."""
    with open_regular(path) as raw:
        found = raw.read(_HEAD)
    return found == _head(path, progress)


def unpack(store: StoredRows, folder: Path, progress: Progress | None = None) -> None:
    """Write a packed store as a folder: the same bytes as the folder it was packed from.

    Raises InputError for a store that is no packed one, a folder that holds something, and
    contents that do not give the files recorded, which leave nothing behind; StorageError.
    """
    if not store.packed:
        raise InputError(f"{store.path} is a folder, not a packed store")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there; choose another folder, or delete it")
    require_space(folder, store.nbytes)
    there = folder.exists()
    try:
        _unpack(store, folder, progress)
    except BaseException as error:
        # By their names: something else may have been put there in the meantime.
        shards = [shard_name(number) for number in range(len(store.shards))]
        for name in (*shards, *OWN_FILES):
            (folder / name).unlink(missing_ok=True)
        if folder.is_dir() and not there and not any(folder.iterdir()):
            folder.rmdir()
        if isinstance(error, DAMAGED_ERRORS) and not isinstance(error, ClusterbenchError):
            raise InputError(
                f"{store.path}: {reason(error)}: the packed file is damaged; "
                "`clusterbench cache verify` says where"
            ) from error
        raise


def read_packed(path: Path) -> tuple[dict[str, Any], list[Shard]]:
    """Manifest and shards of a packed store.

    Raises InputError for a file that is none, or whose manifest is damaged.
    """
    try:
        with open_hdf5(path) as file:
            found = text_attribute(file, "packed") if "packed" in file.attrs else None
            text = text_attribute(file, "manifest") if found else "{}"
    except DAMAGED_ERRORS as error:
        raise InputError(
            f"{path} is a file and no packed store ({reason(error)}); a feature store is a folder "
            "of HDF5 shards, or one file made by `clusterbench cache pack`"
        ) from error
    if found != FORMAT:
        raise InputError(f"{path}: its format is {found!r}; wanted {FORMAT!r}")
    try:
        check_size(path, len(text), STORE_RECORD)
        value = parse_json(text, str(path))
    except InputError as error:
        raise InputError(f"{path}: its manifest is damaged ({error})") from error
    manifest = checked_manifest(value, path)
    first, shards = 0, []
    for entry in manifest["shards"]:
        shards.append(Shard(path, first, entry["rows"], entry["sha256"], "", skip=first))
        first += entry["rows"]
    return manifest, shards


def file_faults(store: StoredRows) -> list[str]:
    """What is wrong with a packed file beside its rows."""
    found = []
    name = store.path.name
    try:
        index = DatasetIndex.load(store.path)
        if index.hash != store.fields["index"] or index.n != store.n:
            found.append(f"{name}: its index is not the one these features were made for")
    except InputError as error:
        found.append(f"{name}: {error}")
    try:
        with open_hdf5(store.path) as file:
            for number in range(len(store.shards)):
                if fault := _records_fault(file, number, store.path):
                    found.append(f"{name}: records of shard {number}{fault}")
            digest = hashlib.sha256(plain(file, "broken", store.path)[()].tobytes()).hexdigest()
        if digest != store.manifest["files"][BROKEN]:
            found.append(f"{name}: its list of broken images does not hash to its checksum")
    except DAMAGED_ERRORS as error:
        found.append(f"{name}: its records: {reason(error)}")
    return found


def _records_fault(file: h5py.File, number: int, path: Path) -> str | None:
    try:
        group = _records(file, number)
        made_with(group)
        if hash_columns(shard_columns(group, path)) != text_attribute(group, "columns_sha256"):
            return " do not hash to their checksum"
    except DAMAGED_ERRORS as error:
        return f": {reason(error)}"
    return None


def _records(file: h5py.File, number: int) -> h5py.Group:
    place = file
    for name in ("shards", f"{number:05d}"):
        link = place.get(name, getlink=True)
        place = place[name] if isinstance(link, h5py.HardLink) else None
        if not isinstance(place, h5py.Group):
            raise ValueError(f"{name} is no group of the file")
    return place


def _broken_images(store: StoredRows) -> bytes:
    path = store.path / BROKEN
    try:
        content = read_bytes(path, BROKEN_LIST)
    except InputError as error:
        raise InputError(
            f"{error}; nothing was packed: `clusterbench cache repair` mends it"
        ) from error
    if hashlib.sha256(content).hexdigest() != store.manifest["files"][BROKEN]:
        raise InputError(
            f"{path}: it does not hash to its checksum; nothing was packed: "
            "`clusterbench cache repair` mends it"
        )
    return content


def _head(path: Path, progress: Progress | None = None) -> bytes:
    """The first bytes of a packed file: its format and the SHA-256 of what follows them."""
    digest, done, total = hashlib.sha256(), _HEAD, path.stat().st_size
    with path.open("rb") as raw:
        raw.seek(_HEAD)
        while chunk := raw.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if progress:
                progress(done, total)
    return f"{FORMAT} {digest.hexdigest()}\n".encode().ljust(_HEAD, b"\0")


def _unpack(store: StoredRows, folder: Path, progress: Progress | None) -> None:
    entries = store.manifest["shards"]
    with open_hdf5(store.path) as file:
        data = plain(file, DATASET, store.path)
        for number, (shard, entry) in enumerate(zip(store.shards, entries, strict=True)):
            group = _records(file, number)
            write_shard(
                folder / shard_name(number),
                data[shard.skip : shard.skip + shard.rows],
                start=entry["start"],
                identity=store.shard_identity,
                attributes=made_with(group),
                columns=shard_columns(group, store.path),
            )
            _require_hash(folder / shard_name(number), entry["file_sha256"], store.path)
            if progress:
                progress(shard.first + shard.rows, store.n)
        broken = plain(file, "broken", store.path)[()].tobytes()
    store.index.save(folder / INDEX)
    write_bytes(folder / BROKEN, broken)
    hashes = store.manifest["files"]
    write_virtual(folder, store.shards, store.dim, store.dtype, recorded=hashes[VIRTUAL])
    for name in HASHED:
        _require_hash(folder / name, hashes[name], store.path)
    write_manifest(folder, store.manifest)


def _pack_shard(
    store: StoredRows, shard: Shard, start: int, rows: h5py.Dataset, group: h5py.Group
) -> None:
    digest = hashlib.sha256()
    for first, block in store.blocks(shard.first, shard.first + shard.rows, dtype=store.dtype):
        digest.update(block.view(np.uint8).data)
        rows[first : first + len(block)] = block
    # The whole file too: what `unpack` writes has to have this hash.
    large = shard.path.stat().st_size > most_bytes(shard, store.dim * store.dtype.itemsize)
    if large or digest.hexdigest() != shard.sha256 or sha256_file(shard.path) != shard.file_sha256:
        raise InputError(
            f"{shard.path}: its contents are not those recorded; nothing was packed: "
            "`clusterbench cache verify` says what is damaged, `repair` mends it"
        )
    try:
        with open_hdf5(shard.path) as file:
            texts = {name: text_attribute(file, name) for name in ("sha256", "columns_sha256")}
            others, found = made_with(file), shard_columns(file, shard.path)
    except DAMAGED_ERRORS as error:
        raise InputError(f"{shard.path}: {reason(error)}; nothing was packed") from error
    own = {"start": start, "rows": shard.rows, "identity": store.shard_identity}
    for name, value in sorted((own | texts | others).items()):
        group.attrs[name] = value
    for name, column in found.items():
        kind = h5py.string_dtype() if column.dtype.kind == "O" else column.dtype
        group.create_dataset(name, data=column, dtype=kind)


def _require_hash(path: Path, wanted: str, source: Path) -> None:
    found = sha256_file(path)
    if found != wanted:
        raise ClusterbenchError(
            f"{path}: hashes to {found[:12]}, {source} records {wanted[:12]}: the packed file is "
            "damaged (`clusterbench cache verify` says where), or another version of HDF5 wrote it"
        )
