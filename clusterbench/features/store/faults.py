"""Whether a store is what was written: every file read again and compared with its checksum."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ...cores import n_cores
from ...errors import InputError
from ...files import sha256_file
from ...hdf5_files import DAMAGED_ERRORS, open_hdf5
from ...limits import BROKEN_LIST, CLASS_NAME, SAMPLE_ID
from ...progress import Progress
from .layout import BROKEN, DATASET, INDEX, VIRTUAL, Shard, most_bytes
from .packed import file_faults, is_sealed
from .rows import StoredRows
from .shard_file import hash_rows, plain, reason
from .virtual_file import virtual_fault


@dataclass(frozen=True)
class Fault:
    """What is wrong with one file; `shard` is its number, None for a file that is no shard."""

    file: str
    shard: int | None
    text: str


def faults(store: StoredRows, progress: Progress | None = None) -> list[Fault]:
    """All faults of a store, shards first; `progress(done, total)` counts bytes.

    Whole files are hashed, so that a byte that changed anywhere in one is found.
    """
    if store.packed:
        return _packed_faults(store, progress)
    found: list[Fault] = []
    total = max(1, store.nbytes)
    done = 0
    with ThreadPoolExecutor(min(8, n_cores())) as pool:
        checked = pool.map(lambda shard: _shard_fault(store, shard), store.shards)
        for number, (shard, text) in enumerate(zip(store.shards, checked, strict=True)):
            if text:
                found.append(Fault(shard.path.name, number, f"{shard.path.name}: {text}"))
            done += shard.rows * store.dim * store.dtype.itemsize
            if progress:
                progress(done, total)
    found.extend(_file_faults(store))
    return found


def _shard_fault(store: StoredRows, shard: Shard) -> str | None:
    try:
        size = shard.path.stat().st_size
        if size > most_bytes(shard, store.dim * store.dtype.itemsize):  # nor read
            return f"has {size:,} bytes, more than {shard.span} can take"
        digest = sha256_file(shard.path)
    except FileNotFoundError:
        return "is missing; `clusterbench cache repair` makes this shard again"
    except OSError as error:
        return f"cannot be read ({error.strerror}); `clusterbench cache repair` makes it again"
    if digest == shard.file_sha256:
        try:
            store.check_header(shard)
        except InputError as error:
            return str(error).removeprefix(f"{shard.path}: ")
        return None
    # Not looked into any further: HDF5 may crash or hang in a file of which a byte changed.
    return (
        f"contents ({shard.span}) hash to {digest[:12]}, recorded {shard.file_sha256[:12]}; "
        "`clusterbench cache repair` makes this shard again"
    )


def _file_faults(store: StoredRows) -> Iterator[Fault]:
    for name, recorded in store.manifest["files"].items():
        path = store.path / name
        if not os.path.lexists(path):
            yield Fault(name, None, f"{name}: is missing; `clusterbench cache repair` writes it")
            continue
        try:
            size = path.stat().st_size
            if size > _most(store, name):  # not read, which may take for ever
                yield Fault(name, None, f"{name}: has {size:,} bytes, more than it can need")
                continue
            digest = sha256_file(path)
        except OSError as error:
            yield Fault(name, None, f"{name}: cannot be read ({error.strerror})")
            continue
        if digest != recorded:
            yield Fault(
                name,
                None,
                f"{name}: hashes to {digest[:12]}, recorded {recorded[:12]}; "
                "`clusterbench cache repair` writes it again",
            )
        elif text := _content_fault(store, name):
            yield Fault(name, None, f"{name}: {text}")


def _most(store: StoredRows, name: str) -> int:
    """Bytes that a file of a store may have: what its rows take at most, and room for the rest."""
    if name == BROKEN:
        return BROKEN_LIST.largest
    each = SAMPLE_ID + CLASS_NAME if name == INDEX else 0
    return (64 << 20) + 1024 * len(store.shards) + store.n * each


def _content_fault(store: StoredRows, name: str) -> str | None:
    """Why a file with the recorded hash does not belong to the store: anyone can record a hash."""
    if name == VIRTUAL:
        return virtual_fault(store.path, store.shards, store.dim, store.dtype)
    if name == INDEX:
        try:
            store.index  # noqa: B018 - it is read and compared
        except InputError as error:
            return str(error).removeprefix(f"{store.path.absolute() / INDEX}: ")
    return None


def _packed_faults(store: StoredRows, progress: Progress | None) -> list[Fault]:
    found = []
    name = store.path.name
    try:
        sealed = is_sealed(store.path, progress)
    except OSError as error:
        return [Fault(name, None, f"{name}: cannot be read ({error.strerror})")]
    for number, shard in enumerate(store.shards):
        try:
            store.check_header(shard)
            if sealed:
                continue
            with open_hdf5(shard.path) as file:
                rows = plain(file, DATASET, shard.path)
                digest = hash_rows(rows, shard.skip, shard.skip + shard.rows)
        except InputError as error:
            text = str(error).removeprefix(f"{shard.path}: ")
            found.append(Fault(name, number, f"{name}: {text}"))
            continue
        except DAMAGED_ERRORS as error:
            found.append(Fault(name, number, f"{name}: {reason(error)}"))
            continue
        if digest != shard.sha256:
            text = f"{name}: {shard.span} hash to {digest[:12]}, recorded {shard.sha256[:12]}"
            found.append(Fault(name, number, text))
    found.extend(Fault(name, None, text) for text in file_faults(store))
    if sealed:
        return found
    text = f"{name}: a byte outside its rows and records changed; every row is as it was written"
    return found or [Fault(name, None, text)]
