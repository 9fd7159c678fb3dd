"""Are manifests still true? Each task is built anew on a data set of its index and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..datasets import registry
from ..datasets.registry import Dataset
from ..errors import InputError
from . import manifest
from .build import rebuild
from .manifest import Manifest


@dataclass(frozen=True)
class Verified:
    """What became of one manifest; `message` says why it is not "same".

    "same": built here, it is the same task. "differs": it is not, or the file was edited, damaged
    or cannot be built. "absent": no data set on this machine has its index.
    """

    path: Path
    status: Literal["same", "differs", "absent"]
    name: str = ""
    message: str = ""


def verify(paths: Iterable[Path]) -> Iterator[Verified]:
    """Verify manifest files, one after another, each data set opened once.

    Raises InputError for nothing in the files themselves: a file that is no manifest is a
    "differs" with the reason.
    """
    datasets = _Datasets()
    for path in paths:
        try:
            yield _verify(manifest.read(path), datasets)
        except InputError as error:
            yield Verified(path, "differs", message=str(error))


def manifest_files(paths: Iterable[Path]) -> list[Path]:
    """The manifests under the given files and folders, each once, sorted within a folder.

    Raises InputError for a path that is not there, and a folder that holds no JSON file.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob("*.json"))
            if not found:
                raise InputError(f"{path}: holds no manifests; `clusterbench build` writes them")
            files.update(dict.fromkeys(found))
        elif path.is_file():
            files[path] = None
        else:
            raise InputError(f"{path}: no such manifest or folder")
    return list(files)


@dataclass
class _Datasets:
    """Data sets by the hash of their index; only as many are opened as it takes to find one."""

    load: Callable[[str], Dataset] = registry.load
    _by_name: dict[str, Dataset | None] = field(default_factory=dict)

    def find(self, name: str, index_hash: str) -> Dataset | None:
        for candidate in dict.fromkeys([name, *registry.names()]):
            dataset = self._open(candidate)
            if dataset is not None and dataset.index.hash == index_hash:
                return dataset
        return None

    def _open(self, name: str) -> Dataset | None:
        if name not in self._by_name:
            try:
                dataset = self.load(name)
                dataset.index  # noqa: B018 - a data set whose store is not sound counts as absent
            except InputError:
                dataset = None
            self._by_name[name] = dataset
        return self._by_name[name]


def _verify(known: Manifest, datasets: _Datasets) -> Verified:
    index_hash = known.content["index_hash"]
    dataset = datasets.find(known.content["dataset"], index_hash)
    if dataset is None:
        message = f"no data set here has the index {index_hash[:12]}"
        return Verified(known.path, "absent", known.full_name, message)
    differences = known.differences(rebuild(known, dataset))
    if differences:
        return Verified(known.path, "differs", known.full_name, "; ".join(differences))
    return Verified(known.path, "same", known.full_name)
