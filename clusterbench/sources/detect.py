"""Which kind of source a location is, by its name and by what lies there."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import InputError
from .folder import is_folder
from .kinds import KINDS
from .litter import is_litter, lies_in_litter
from .splits import of_folder
from .table_files import SUFFIXES

_NUMBERED = re.compile(r".*[-_.]\d{3,}")  # shard-000123; n01440764 is a class
_AROUND = 4  # folders around the one that says what it is
_FIRST = 64  # members of a tar that are looked at


def detect(location: Path | str) -> str:
    """Which kind of source a location is, as `--format` calls it.

    Looks at names and one tar, not at classes and images.

    Raises InputError where nothing says which it is; the message names `--format`.
    """
    text = os.fspath(location)
    for kind in KINDS:
        if kind.prefix and text.startswith(kind.prefix):
            return kind.name
    path = Path(text)
    if path.is_dir():
        return _detect_folder(path)
    suffix = path.suffix.lower()
    for kind in KINDS:
        if suffix in kind.suffixes:
            return kind.name
    if path.is_file():
        from .tar_members import refuse_compressed

        refuse_compressed(path)
        raise InputError(
            f"source {path}: a file whose suffix {suffix or '(none)'} says no format; say which "
            f"with --format ({', '.join(KINDS.names())})"
        )
    return "folder"  # whose index says that there is none


def _detect_folder(root: Path, deeper: int = _AROUND) -> str:
    found: dict[str, str] = {}  # kind -> example
    tars: list[Path] = []
    entries = _visible(root)
    for entry in entries:
        if is_folder(entry):
            inner = _kinds_inside(Path(entry.path)) if _may_hold_files(entry.name) else {}
            tars += inner.pop("tar", [])
            for kind, example in inner.items():
                found.setdefault(kind, example)
            if not _may_hold_files(entry.name):
                found.setdefault("folder", f"{entry.name}/")
        elif entry.name.endswith(".tar"):
            tars.append(Path(entry.path))
        elif entry.name.endswith(SUFFIXES):
            found.setdefault("parquet", entry.name)
        elif entry.name.lower().endswith((".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")):
            tars.append(Path(entry.path))
    if tars:
        first = min(tars)
        found["tars"] = first.relative_to(root).as_posix()
    if len(found) > 1:
        listed = " and ".join(f"{_WORDS[kind]} ({name})" for kind, name in sorted(found.items()))
        raise InputError(
            f"source {root} holds {listed}; say which to use with --format "
            f"({', '.join(KINDS.names())})"
        )
    if "tars" in found:
        return _detect_tars(root, sorted(tars))
    folders = [entry.path for entry in entries if is_folder(entry)]
    if found.keys() <= {"folder"} and len(folders) == 1 and deeper:
        return _detect_folder(Path(folders[0]), deeper - 1)
    return next(iter(found), "folder")


_WORDS = {"folder": "class folders", "tars": "tars", "parquet": "tables"}


def _kinds_inside(folder: Path) -> dict[str, Any]:
    """What a folder named train, val or data holds, by its first entries."""
    found: dict[str, Any] = {}
    for entry in _visible(folder):
        name = f"{folder.name}/{entry.name}"
        if is_folder(entry):
            if _may_hold_files(entry.name):
                found.update(_kinds_inside(Path(entry.path)))
            else:
                found.setdefault("folder", f"{name}/")
        elif entry.name.endswith(".tar"):
            found.setdefault("tar", []).append(Path(entry.path))
        elif entry.name.endswith(SUFFIXES):
            found.setdefault("parquet", name)
        else:
            found.setdefault("folder", name)
    return found or {"folder": f"{folder.name}/"}


def _may_hold_files(name: str) -> bool:
    return name == "data" or bool(of_folder(name)[1])


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not is_litter(entry.name)]
    except OSError as error:
        raise InputError(f"cannot list {folder}: {error.strerror}") from error
    return sorted(found, key=lambda entry: entry.name)


def _detect_tars(root: Path, tars: list[Path]) -> str:
    """Class tars or WebDataset shards, by their names and the first members of one."""
    from .tar_members import first_members

    first = tars[0]
    members = first_members(first, _FIRST)
    stems = [path.name[: -len(".tar")] for path in islice(tars, 1000)]
    names = [name.removeprefix(f"{stems[0]}/") for name in members if not lies_in_litter(name)]
    if any(name.endswith((".cls", ".cls.txt", ".json")) for name in names):
        return "webdataset"
    if all(of_folder(stem)[1] for stem in stems):  # train.tar and val.tar, of folder trees
        return "webdataset"
    numbered = all(_NUMBERED.fullmatch(stem) for stem in stems)
    folders = {name.split("/")[0] for name in names if "/" in name}
    if numbered or (folders and len(tars) == 1):
        return "webdataset"
    if all(stem.isdecimal() for stem in stems):
        if folders:
            return "webdataset"
        raise InputError(
            f"source {root}: tars named by numbers ({first.name}) may be classes or shards; say "
            "which with --format class-tars or --format webdataset"
        )
    if len(folders) > 1:
        raise InputError(
            f"source {root}: {first.name} is named like a class but holds several folders "
            f"({', '.join(sorted(folders)[:3])}); say which with --format class-tars or "
            "--format webdataset"
        )
    return "class-tars"
