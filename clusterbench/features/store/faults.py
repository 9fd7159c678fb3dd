"""Whether a store is what was written: every file read again and compared with its checksum."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ...cores import n_cores
from ...files import sha256_file
from ...hdf5_files import DAMAGED_ERRORS, open_hdf5
from ...progress import Progress
from .layout import DATASET, Shard
from .packed import file_faults, is_sealed
from .rows import StoredRows
from .shard_file import hash_rows, reason


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
        digest = sha256_file(shard.path)
    except FileNotFoundError:
        return "is missing; `clusterbench cache repair` makes this shard again"
    except OSError as error:
        return f"cannot be read ({error.strerror}); `clusterbench cache repair` makes it again"
    if digest == shard.file_sha256:
        return None
    # Not looked into any further: HDF5 may crash or hang in a file of which a byte changed.
    return (
        f"contents ({shard.span}) hash to {digest[:12]}, recorded {shard.file_sha256[:12]}; "
        "`clusterbench cache repair` makes this shard again"
    )


def _file_faults(store: StoredRows) -> Iterator[Fault]:
    for name, recorded in store.manifest["files"].items():
        path = store.path / name
        if not path.is_file():
            yield Fault(name, None, f"{name}: is missing; `clusterbench cache repair` writes it")
            continue
        try:
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


def _packed_faults(store: StoredRows, progress: Progress | None) -> list[Fault]:
    found = []
    name = store.path.name
    try:
        if is_sealed(store.path, progress):
            return []
    except OSError as error:
        return [Fault(name, None, f"{name}: cannot be read ({error.strerror})")]
    for number, shard in enumerate(store.shards):
        try:
            with open_hdf5(shard.path) as file:
                digest = hash_rows(file[DATASET], shard.skip, shard.skip + shard.rows)
        except DAMAGED_ERRORS as error:
            found.append(Fault(name, number, f"{name}: {reason(error)}"))
            continue
        if digest != shard.sha256:
            text = f"{name}: {shard.span} hash to {digest[:12]}, recorded {shard.sha256[:12]}"
            found.append(Fault(name, number, text))
    found.extend(Fault(name, None, text) for text in file_faults(store))
    text = f"{name}: a byte outside its rows and records changed; every row is as it was written"
    return found or [Fault(name, None, text)]
