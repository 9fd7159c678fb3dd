"""Manifests as files: written beside each other, read strictly, compared with a task built anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import catalog
from ..doors import read_json
from ..errors import InputError
from ..files import sha256_json, write_bytes
from ..limits import MANIFEST
from ..printable import shown
from .manifest_content import check_content
from .task import FORMAT, Task

#: Keys that `manifest_hash` is the hash of; those of the second line are in it where a task has
#: them.
IDENTITY = ("benchmark", "name", "index_hash", "n_classes", "train", "eval")
OPTIONAL_IDENTITY = ("n_ranks", "hierarchy", "label_sets")
_OTHERS = ("format", "manifest_hash", "dataset", "seed", "recipe", "factors", "class_names")
_COUNTS = ("train_counts", "eval_counts")
_KEYS = {*IDENTITY, *_OTHERS, *_COUNTS, "sha256"}

#: Largest relative difference of a measured factor: logarithms may differ in their last digits.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read and whose hashes follow from its own fields."""

    path: Path
    content: Mapping[str, Any]

    @property
    def full_name(self) -> str:
        """benchmark/dataset/name."""
        return f"{self.content['benchmark']}/{self.content['dataset']}/{self.content['name']}"

    @property
    def place(self) -> tuple[str, str, str]:
        """Benchmark, task and index hash: what a task is looked up by."""
        c = self.content
        return c["benchmark"], c["name"], c["index_hash"]

    def differences(self, task: Task) -> list[str]:
        """What `task` has otherwise than the manifest says; empty when it is the same task."""
        built = task.manifest()
        found = []
        for key in (*IDENTITY, *OPTIONAL_IDENTITY, "seed", "class_names", *_COUNTS):
            if self.content.get(key) != built.get(key):
                found.append(_difference(key, self.content.get(key), built.get(key)))
        found += _factor_differences(self.content["factors"], built["factors"])
        return found


def write(task: Task, path: Path) -> None:
    """Write the manifest of a task atomically: JSON with one key on each line."""
    content = task.manifest()
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in content.items()
    ]
    write_bytes(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read(path: Path) -> Manifest:
    """Read a manifest.

    Raises InputError naming the file and the fault: not JSON, another format, missing or unknown
    keys, and an edited one, whose hashes do not follow from its fields.
    """
    path = Path(path)
    content = read_json(path, MANIFEST, repair="build it again")
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise InputError(
            f"{path}: format is {shown(repr(found))}; wanted {FORMAT!r}, a task's manifest"
        )
    missing = _KEYS - content.keys()
    unknown = content.keys() - _KEYS - set(OPTIONAL_IDENTITY)
    if missing or unknown:
        fault = f"lacks {min(missing)!r}" if missing else f"has an unknown key {_key(min(unknown))}"
        raise InputError(f"{path}: {fault}; build it again")
    identity = {key: content[key] for key in (*IDENTITY, *OPTIONAL_IDENTITY) if key in content}
    _check_hash(path, "manifest_hash", content["manifest_hash"], identity)
    others = {key: value for key, value in content.items() if key != "sha256"}
    _check_hash(path, "sha256", content["sha256"], others)
    try:
        check_content(content)
    except InputError as error:
        raise InputError(f"{path}: {error}: the file was edited; build it again") from error
    return Manifest(path, content)


def path_of(folder: Path, dataset: str, benchmark: str, task: str) -> Path:
    """`<folder>/<dataset>/<benchmark>/<task>.json`."""
    return Path(folder) / dataset / benchmark / f"{task}.json"


def pinned() -> list[Path]:
    """All manifest files that are pinned: the user's and the shipped ones, sorted in each."""
    folders = [folder / "manifests" for folder in catalog.folders("benchmarks")]
    return [path for folder in folders for path in sorted(folder.glob("*/*/*.json"))]


def check_pinned(task: Task, folder: Path) -> None:
    """Raise InputError when a manifest in `folder` pins this task of this index as another one."""
    for path in sorted(folder.glob(f"*/{task.benchmark}/{task.name}.json")):
        known = read(path)
        if known.place != (task.benchmark, task.name, task.index_hash):
            continue
        if known.content["manifest_hash"] != task.manifest_hash:
            raise InputError(
                f"task {task.full_name} is pinned as {known.content['manifest_hash'][:12]} by "
                f"{path}, and was built as {task.manifest_hash[:12]} here: "
                f"{'; '.join(known.differences(task))}"
            )


def _key(name: str) -> str:
    return shown(repr(name))


def _check_hash(path: Path, key: str, recorded: Any, value: Mapping[str, Any]) -> None:
    try:
        given = sha256_json(value)
    except ValueError as error:
        raise InputError(f"{path}: {error}; build it again") from error
    if recorded != given:
        raise InputError(
            f"{path}: {key} is {shown(str(recorded)[:12])}, but its fields give {given[:12]}: the "
            "file was edited or damaged; build it again"
        )


def _difference(key: str, pinned: Any, built: Any) -> str:
    if isinstance(pinned, dict) and isinstance(built, dict):
        parts = [part for part in pinned if pinned[part] != built.get(part)]
        return f"{key} differ in {', '.join(parts)}"
    if isinstance(pinned, list) or isinstance(built, list):
        return f"{key} differ"
    return f"{key} is {shown(repr(pinned))} there and {shown(repr(built))} here"


def _factor_differences(pinned: Mapping[str, float], built: Mapping[str, float]) -> list[str]:
    if pinned.keys() != built.keys():
        others = sorted(pinned.keys() ^ built.keys())
        return [f"factors differ in {', '.join(others)}"]
    return [
        f"factor {name} is {value!r} there and {built[name]!r} here"
        for name, value in pinned.items()
        if abs(value - built[name]) > _TOLERANCE * max(1.0, abs(value))
    ]
