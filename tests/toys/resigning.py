"""Stores and manifests edited and signed again: hashes, checksums and seals computed anew.

Only a check of the content can refuse such a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from clusterbench.features.store import packed as packed_files
from clusterbench.files import sha256_file, sha256_json

Edit = Callable[[dict[str, Any]], object]


def sign_store(folder: Path, edit: Edit = lambda manifest: None, *, files: bool = True) -> None:
    """Edit `store.json` of a folder, then hash its files, fields and content again."""
    path = folder / "store.json"
    path.write_text(_text(_signed(json.loads(path.read_text()), edit, folder if files else None)))


def sign_packed(
    path: Path,
    edit: Edit = lambda manifest: None,
    *,
    inside: Callable[[h5py.File], object] = lambda file: None,
) -> None:
    """Edit the manifest and the contents of a packed store, then seal it again."""
    with h5py.File(path, "r+") as file:
        manifest = json.loads(file.attrs["manifest"])
        file.attrs["manifest"] = json.dumps(_signed(manifest, edit, None))
        inside(file)
    seal(path)


def seal(path: Path) -> None:
    """Compute the checksum over a packed store again."""
    head = packed_files._head(path)
    with path.open("rb+") as raw:
        raw.write(head)


def sign_task(path: Path, edit: Edit) -> None:
    """Edit a task's manifest and compute both its hashes again."""
    from clusterbench.benchmarks.manifest import IDENTITY, OPTIONAL_IDENTITY

    content = json.loads(path.read_text())
    del content["sha256"]
    edit(content)
    keys = (*IDENTITY, *OPTIONAL_IDENTITY)
    if "manifest_hash" in content:
        content["manifest_hash"] = _hash({k: content[k] for k in keys if k in content})
    content["sha256"] = _hash(content)
    path.write_text(_text(content))


def _signed(manifest: dict[str, Any], edit: Edit, folder: Path | None) -> dict[str, Any]:
    del manifest["checksum"]
    if folder is not None:  # before the edit, which may write a hash of its own
        for name in manifest["files"]:
            if (folder / name).is_file():
                manifest["files"][name] = sha256_file(folder / name)
        for shard in manifest["shards"]:
            if (folder / shard["file"]).is_file():
                shard["file_sha256"] = sha256_file(folder / shard["file"])
    edit(manifest)
    if "fields" in manifest and "identity" in manifest:
        manifest["identity"] = _hash(manifest["fields"])
    return {**manifest, "checksum": _hash(manifest)}


def _hash(value: Any) -> str:
    try:
        return sha256_json(value)
    except ValueError:  # a NaN: as a writer would hash it that does not care
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(value)
